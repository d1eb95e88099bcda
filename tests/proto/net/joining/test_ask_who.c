/* Asking who is there before Hello is said: a second link of one process must not end the first one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/link/sides.h"
#include "tests/support/link/turns.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static struct {
    bool asks, wants;
    uint64_t met;               /* the newest that was met */
    size_t n_met;
} owner;

static bool asks_who(void *context) {
    (void)context;
    return owner.asks;
}

static bool on_met(void *context, uint64_t incarnation) {
    (void)context;
    owner.met = incarnation;
    owner.n_met++;
    return owner.wants;
}

static bool somebody_was_met(void) { return owner.n_met > 0; }

static side joiner_that_asks(const char *name) {
    side s = side_of(name, LIVENESS_BOTH);
    s.options.events.asks_who = asks_who;
    s.options.events.met = on_met;
    return s;
}

static void open_up(void) {
    memset(&owner, 0, sizeof owner);
    owner.asks = true;
    up = side_of("bound", LIVENESS_BOTH);
    side_open(&up, true);
}

/* ---- tests ---- */

static void whoever_is_wanted_is_joined(void **state) {
    (void)state;
    open_up();
    owner.wants = true;
    down = joiner_that_asks("joiner");
    side_open(&down, false);
    assert_true(becomes(both_joined));
    assert_true(owner.met == up.options.incarnation);
    assert_int_equal(owner.n_met, 1);
    run_ms(3 * BEAT_MS);
    assert_int_equal(up.n_joined + down.n_joined, 2);
}

/* It may ask as often as it likes. */
static void whoever_is_not_wanted_hears_no_hello(void **state) {
    (void)state;
    open_up();
    down = joiner_that_asks("joiner");
    side_open(&down, false);
    assert_true(becomes(somebody_was_met));
    run_ms(3 * BEAT_MS);
    assert_true(owner.n_met > 1 && owner.met == up.options.incarnation);
    assert_int_equal(up.n_joined + down.n_joined, 0);
    owner.asks = false;         /* what stood is lost */
    assert_true(becomes(both_joined));
}

static void a_second_link_that_asks_leaves_the_first_alone(void **state) {
    (void)state;
    open_up();
    down = side_of("joiner", LIVENESS_BOTH);
    side_open(&down, false);
    assert_true(becomes(both_joined));
    side second = joiner_that_asks("joiner");
    second.hello.heartbeat_ms = 0;
    second.options.hello = &second.hello;
    second.options.context = &second;
    second.options.incarnation = down.options.incarnation;
    failure f;
    assert_int_equal(peers_join(&second.ps, test_loop, &second.where, &second.options, &f), STATUS_OK);
    assert_true(becomes(somebody_was_met));
    run_ms(2 * BEAT_MS);
    assert_true(owner.met == up.options.incarnation);
    peers_free(&second.ps);
    run_ms(2 * BEAT_MS);
    assert_int_equal(up.n_joined, 1);
    assert_int_equal(up.n_left + down.n_left + second.n_joined, 0);
}

/* A Leave that is owed comes first: else it would not be asked for Hello, being joined there. */
static void one_that_cut_its_peer_asks_after_its_leave(void **state) {
    (void)state;
    open_up();
    owner.asks = false;
    owner.wants = true;
    down = joiner_that_asks("joiner");
    side_open(&down, false);
    assert_true(becomes(both_joined));
    owner.asks = true;
    peers_cut(down.ps, down.last, "test");
    assert_true(becomes(up_left));
    assert_string_equal(up.why, "it gave us up: test");
    assert_true(becomes(both_joined));
    assert_int_equal(owner.n_met, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(whoever_is_wanted_is_joined),
        TEST(whoever_is_not_wanted_hears_no_hello),
        TEST(a_second_link_that_asks_leaves_the_first_alone),
        TEST(one_that_cut_its_peer_asks_after_its_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
