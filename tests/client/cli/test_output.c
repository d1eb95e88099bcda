/* Output never blocks the loop, keeps every byte in order, and notices a reader that is gone. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/output.h"

#include "proto/base/process/signals.h"
#include "tests/support/link/turns.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { MUCH = 300 * 1000 };     /* more than a pipe holds */

static struct {
    loop *loop;
    output *out;
    int ends[2];
    size_t n_read;
    int n_ticks;
} t;

static void stop_when_done(void *context) {
    (void)context;
    if (output_error(t.out) || output_pending_bytes(t.out) == 0) loop_stop(t.loop);
}

static int set_up(void **state) {
    (void)state;
    memset(&t, 0, sizeof t);
    assert_int_equal(pipe2(t.ends, O_CLOEXEC), 0);
    t.loop = loop_new();
    assert_non_null(t.loop);
    t.out = output_new(t.loop, t.ends[1], stop_when_done, NULL);
    return t.loop && t.out ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    output_free(&t.out);
    loop_free(&t.loop);
    close(t.ends[0]);
    close(t.ends[1]);
    return 0;
}

static void small_texts_arrive(void **state) {
    (void)state;
    char got[16] = "";
    output_write(t.out, "abc", 3);
    output_write(t.out, "def", 3);
    assert_int_equal(output_pending_bytes(t.out), 6);   /* nothing goes out but from the loop */
    turns_to_the_end(t.loop);
    assert_int_equal(read(t.ends[0], got, sizeof got), 6);
    assert_string_equal(got, "abcdef");
}

/* The timer goes on while the pipe is full: heartbeats would, too. */
static void read_a_little(void *context) {
    (void)context;
    static char piece[4096];
    if (++t.n_ticks < 20) return;
    ssize_t n = read(t.ends[0], piece, sizeof piece);
    for (ssize_t i = 0; i < n; i++) {
        assert_int_equal((uint8_t)piece[i], (uint8_t)((t.n_read + (size_t)i) % 251));
    }
    t.n_read += n > 0 ? (size_t)n : 0;
}

static void a_full_pipe_blocks_nothing(void **state) {
    (void)state;
    uint8_t *much = malloc(MUCH);
    for (size_t i = 0; i < MUCH; i++) much[i] = (uint8_t)(i % 251);
    output_write(t.out, much, MUCH / 2);
    output_write(t.out, much + MUCH / 2, MUCH - MUCH / 2);
    free(much);
    turns_every(t.loop, 1, read_a_little, NULL);
    turns_to_the_end(t.loop);
    assert_true(t.n_ticks >= 20);
    assert_int_equal(output_pending_bytes(t.out), 0);
    fcntl(t.ends[0], F_SETFL, O_NONBLOCK);
    for (size_t before = SIZE_MAX; before != t.n_read;) {
        before = t.n_read;
        read_a_little(NULL);
    }
    assert_int_equal(t.n_read, MUCH);
}

static void a_reader_that_is_gone_is_an_error(void **state) {
    (void)state;
    close(t.ends[0]);
    output_write(t.out, "x", 1);
    turns_to_the_end(t.loop);
    assert_int_equal(output_error(t.out), EPIPE);
    assert_int_equal(output_write(t.out, "dropped", 7), STATUS_OK);
    assert_int_equal(output_pending_bytes(t.out), 0);
    t.ends[0] = open("/dev/null", O_RDONLY);
}

int main(void) {
    signals_begin(1);           /* a reader that is gone is an error, no signal */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(small_texts_arrive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_pipe_blocks_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reader_that_is_gone_is_an_error, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
