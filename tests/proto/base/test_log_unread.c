/* A log that nobody reads: whoever writes it goes on, and it says what is missing. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/log.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

enum { ALARM_S = 20, READ_BYTES_MAX = 128 * 1024 };

static int kept;                /* stderr, meanwhile */
static int reader;
static char got[READ_BYTES_MAX];

/* stderr is a pipe from now on. */
static int begin(void **state) {
    (void)state;
    int ends[2];
    kept = dup(STDERR_FILENO);
    if (kept < 0 || pipe2(ends, O_CLOEXEC) != 0 || dup2(ends[1], STDERR_FILENO) < 0) return -1;
    close(ends[1]);
    reader = ends[0];
    log_open("test", LOG_INFO);
    alarm(ALARM_S);             /* whoever waits for room ends the program */
    return 0;
}

static int end(void **state) {
    (void)state;
    alarm(0);
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(reader);
    return 0;
}

/* All that is in the pipe. */
static const char *drained(void) {
    size_t n = 0;
    ssize_t now;
    fcntl(reader, F_SETFL, O_NONBLOCK);
    while (n < sizeof got - 1 && (now = read(reader, got + n, sizeof got - 1 - n)) > 0) n += (size_t)now;
    got[n] = 0;
    return got;
}

static size_t n_lines(const char *text) {
    size_t n = 0;
    for (; (text = strchr(text, '\n')); text++) n++;
    return n;
}

static void a_full_pipe_stops_nobody(void **state) {
    (void)state;
    enum { LINES = 3000 };      /* more than any pipe has room for by itself */
    for (int i = 0; i < LINES; i++) log_event(LOG_INFO, "event", "i=%d filler=\"%64s\"", i, "");
    size_t n_had_room = n_lines(drained());
    assert_in_range(n_had_room, 1, LINES - 1);
    assert_null(strstr(got, "log_dropped"));
    log_event(LOG_INFO, "again", "a=1");
    log_event(LOG_INFO, "again", "a=2");
    char dropped[64];
    snprintf(dropped, sizeof dropped, "Z test log_dropped lines=%zu\n", LINES - n_had_room);
    const char *told = strstr(drained(), dropped), *first = strstr(got, "Z test again a=1\n");
    assert_true(told && first && told < first);     /* once, and before the line that had room */
    assert_int_equal(n_lines(got), 3);
    assert_non_null(strstr(first, "Z test again a=2\n"));
}

/* The longest lines: one of them and the count are still one write that a pipe takes as a whole. */
static void long_lines_are_dropped_as_a_whole(void **state) {
    (void)state;
    static char filler[2000];
    memset(filler, 'a', sizeof filler - 1);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 200; i++) log_event(LOG_INFO, "event", "filler=%s", filler);
        const char *line = drained();
        assert_in_range(n_lines(line), 1, 200);
        for (const char *next; (next = strchr(line, '\n')); line = next + 1) assert_int_equal(line[4], '-');
        assert_int_equal(*line, 0);
    }
}

static void a_file_has_all_lines(void **state) {
    (void)state;
    FILE *file = tmpfile();
    assert_non_null(file);
    dup2(fileno(file), STDERR_FILENO);
    for (int i = 0; i < 1000; i++) log_event(LOG_INFO, "event", "i=%d filler=\"%64s\"", i, "");
    rewind(file);
    got[fread(got, 1, sizeof got - 1, file)] = 0;
    fclose(file);
    assert_int_equal(n_lines(strstr(got, "i=0 ")), 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_full_pipe_stops_nobody),
        TEST(long_lines_are_dropped_as_a_whole),
        TEST(a_file_has_all_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
