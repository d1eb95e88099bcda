/* A tokenizerd drains, and the client knows another one: what runs goes on where it is, what is new begins at the other.
 * Both are played by the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/support/link/two_tokenizerds.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static void what_runs_goes_on_and_what_is_new_begins_at_the_other(void **state) {
    (void)state;
    drains_in_a_text(2);
    begins(&two, 2);
    asks(ASK_TOKENIZE);
    asks(ASK_STATUS);           /* about what is there */
    assert_true(comes_true(first_is_asked_for_status));
    says_failed(&first, text_peer_find(&first, TRIVIUM__TEXT_REQUEST__BODY_STATUS, 0)->m->status->call, TRIVIUM__CODE__IO);
    assert_true(comes_true(is_answered));
    assert_false(first_has_two() || ASKED(first, TOKENIZE) || second_is_joined());
    says_done(&first, &one);
    assert_true(comes_true(second_has_two));
    assert_true(comes_true(second_is_asked_to_tokenize));
    assert_int_equal(one.n_done, 1);
    assert_int_equal(one.n_tokens, 2);
    assert_false(first_has_two() || second_has_one() || looked_for(&first, &one, 1));
    assert_false(first_is_joined());        /* it was told */
}

static void whoever_asks_for_nothing_leaves_at_once(void **state) {
    (void)state;
    joins_the_first(2);
    opens(&second);
    peers_drain(first.peers);
    assert_true(comes_true(second_is_joined));
    assert_false(first_is_joined());
    begins(&one, 1);
    assert_true(comes_true(second_has_one));
    assert_int_equal(first.n_asked, 0);
}

static void a_text_that_rests_goes_on_at_the_other(void **state) {
    (void)state;
    drains_in_a_text(2);
    client_pause(under_test, one.request.id);
    assert_true(comes_true(first_is_asked_to_pause));
    assert_true(comes_true(second_is_joined));
    client_resume(under_test, one.request.id);
    assert_true(comes_true(second_has_one));
    const text_peer_asked *asked = looked_for(&second, &one, 0);
    assert_int_equal(asked->m->generate->attempt, 2);
    assert_int_equal(asked->n_ids, 3);      /* prompt, and both tokens */
}

static void a_text_that_was_to_rest_waits_for_the_other(void **state) {
    (void)state;
    drains_in_a_text(2);
    client_pause(under_test, one.request.id);
    client_resume(under_test, one.request.id);
    assert_true(comes_true(second_has_one));
    assert_null(looked_for(&first, &one, 1));
}

static void what_waits_can_be_cancelled(void **state) {
    (void)state;
    drains_in_a_text(2);
    begins(&two, 2);
    client_cancel(under_test, two.request.id);
    assert_true(comes_true(two_is_done));
    assert_int_equal(two.reason, FINISHED_CANCELLED);
    assert_false(ASKED(first, CANCEL));
    says_done(&first, &one);
    assert_true(comes_true(one_is_done));
    assert_int_equal(one.reason, FINISHED_LENGTH);
}

static void on_over(void *context, const watch_end *end) {
    (void)context;
    (void)end;
}

/* Whoever comes when it drains already, and asks for what runs there. */
static void what_is_watched_is_watched_there(void **state) {
    (void)state;
    static const watch_events events = {.over = on_over};
    static const watch_request watched = {.id = {9}};
    failure f;
    client_knows(2);
    opens(&first);
    peers_drain(first.peers);
    assert_int_equal(client_watch(under_test, &watched, &events, NULL, &f), STATUS_OK);
    assert_true(comes_true(first_is_asked_to_watch));
    opens(&second);
    turns_for_ms(client_loop(under_test), 2 * HEARTBEAT_MS);    /* at each of which it looks whether it may leave */
    assert_false(second_is_joined());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_runs_goes_on_and_what_is_new_begins_at_the_other),
        TEST(whoever_asks_for_nothing_leaves_at_once),
        TEST(a_text_that_rests_goes_on_at_the_other),
        TEST(a_text_that_was_to_rest_waits_for_the_other),
        TEST(what_waits_can_be_cancelled),
        TEST(what_is_watched_is_watched_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
