/* A tokenizerd drains, and no other one is known that does not: what is new waits for the next, or is told that none came. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/support/link/two_tokenizerds.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

/* The first one ends, and the second one comes in its place. */
static void the_next_comes(void) {
    text_peer_close(&first);
    text_peer_open(&second, client_loop(under_test), first_at.address);
}

static void what_is_new_waits_for_the_next(void **state) {
    (void)state;
    joins_the_first(1);
    begins(&one, 1);
    assert_true(comes_true(first_has_one));
    peers_drain(first.peers);
    says_token(&first, &one, 0);
    assert_true(comes_true(one_has_a_token));
    begins(&two, 2);
    asks(ASK_TOKENIZE);
    says_done(&first, &one);
    assert_true(comes_true(one_is_done));
    assert_false(first_has_two() || ASKED(first, TOKENIZE));
    the_next_comes();
    assert_true(comes_true(second_has_two));
    assert_true(comes_true(second_is_asked_to_tokenize));
    assert_int_equal(first.n_joined, 1);
}

/* What was asked crossed the word. */
static void is_refused_by_the_first(void) {
    begins(&one, 1);
    asks(ASK_TOKENIZE);
    assert_true(comes_true(first_has_one));
    assert_true(comes_true(first_is_asked_to_tokenize));
    says_end(&first, &one, TRIVIUM__CODE__DRAINING);
    says_failed(&first, text_peer_find(&first, TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE, 0)->m->tokenize->call,
                TRIVIUM__CODE__DRAINING);
}

static void what_it_refuses_is_asked_of_the_next(void **state) {
    (void)state;
    joins_the_first(1);
    is_refused_by_the_first();
    turns_for_ms(client_loop(under_test), 2 * HEARTBEAT_MS);
    assert_int_equal(one.n_done + n_answers, 0);
    the_next_comes();
    assert_true(comes_true(second_has_one));
    assert_true(comes_true(second_is_asked_to_tokenize));
    assert_int_equal(looked_for(&second, &one, 0)->m->generate->attempt, 2);
}

static void what_it_refuses_is_asked_of_the_other(void **state) {
    (void)state;
    joins_the_first(2);
    opens(&second);
    is_refused_by_the_first();
    assert_true(comes_true(second_has_one));
    assert_true(comes_true(second_is_asked_to_tokenize));
}

static void where_none_comes_that_is_told(void **state) {
    (void)state;
    knows_for_ms(1, 50);
    opens(&first);
    assert_true(comes_true(first_is_joined));
    is_refused_by_the_first();
    assert_true(comes_true(one_is_done));
    assert_true(comes_true(is_answered));
    assert_int_equal(one.reason, FINISHED_ERROR);
    assert_int_equal(one.code, STATUS_DRAINING);
}

/* Neither is asked twice in vain, however often it is joined. */
static void of_two_that_drain_the_next_of_either_is_waited_for(void **state) {
    (void)state;
    joins_the_first(2);
    opens(&second);
    peers_drain(second.peers);
    peers_drain(first.peers);
    assert_true(comes_true(first_is_joined_again));
    begins(&one, 1);
    assert_true(comes_true(second_is_joined_again));
    assert_false(first_has_one() || second_has_one());
    text_peer_close(&second);
    opens(&second);
    assert_true(comes_true(second_has_one));
    assert_false(first_has_one());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_is_new_waits_for_the_next),
        TEST(what_it_refuses_is_asked_of_the_next),
        TEST(what_it_refuses_is_asked_of_the_other),
        TEST(where_none_comes_that_is_told),
        TEST(of_two_that_drain_the_next_of_either_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
