/* A tokenizerd has no room: what has begun elsewhere asks again, what is new is told so. Both tokenizerds are played by the
 * test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/support/link/two_tokenizerds.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { WAIT_SHORT_MS = 2 * BUSY_RETRY_MS };

static size_t n_wanted;

static bool is_done_or_asks_again(void) { return one.n_done > 0 || looked_for(&first, &one, n_wanted) != NULL; }
static bool first_has_its_second_attempt(void) { return looked_for(&first, &one, 1) != NULL; }
static bool first_has_its_third_attempt(void) { return looked_for(&first, &one, 2) != NULL; }

/* The text has a token; then its tokenizerd is lost, and the next one has been asked for the rest. */
static void comes_back(uint32_t wait_ms) {
    knows_for_ms(1, wait_ms);
    opens(&first);
    assert_true(comes_true(first_is_joined));
    begins(&one, 1);
    assert_true(comes_true(first_has_one));
    says_token(&first, &one, 0);
    assert_true(comes_true(one_has_a_token));
    text_peer_close(&first);
    opens(&first);
    assert_true(comes_true(first_has_its_second_attempt));
}

static void what_has_begun_asks_again(void **state) {
    (void)state;
    comes_back(WAIT_LONG_MS);
    says_end(&first, &one, TRIVIUM__CODE__BUSY);
    assert_true(comes_true(first_has_its_third_attempt));
    const text_peer_asked *asked = looked_for(&first, &one, 2);
    assert_int_equal(asked->m->generate->attempt, 3);
    assert_int_equal(asked->n_ids, 2);      /* prompt, and its token */
    says_token(&first, &one, 1);
    assert_true(comes_true(one_has_two_tokens));
    assert_int_equal(one.n_done, 0);
    says_done(&first, &one);
    assert_true(comes_true(one_is_done));
    assert_int_equal(one.reason, FINISHED_LENGTH);
}

static void it_is_told_after_the_wait(void **state) {
    (void)state;
    comes_back(WAIT_SHORT_MS);
    for (n_wanted = 2; one.n_done == 0 && n_wanted < TEXT_PEER_ASKED_MAX; n_wanted++) {
        says_end(&first, &one, TRIVIUM__CODE__BUSY);
        assert_true(comes_true(is_done_or_asks_again));
    }
    assert_int_equal(one.n_done, 1);
    assert_int_equal(one.code, STATUS_BUSY);
    assert_non_null(looked_for(&first, &one, 2));
}

static void what_had_started_there_is_told_at_once(void **state) {
    (void)state;
    comes_back(WAIT_LONG_MS);
    says_token(&first, &one, 0);        /* its start counts, its token came before */
    says_end(&first, &one, TRIVIUM__CODE__BUSY);
    assert_true(comes_true(one_is_done));
    assert_int_equal(one.code, STATUS_BUSY);
    assert_int_equal(one.n_tokens, 1);
}

static void what_is_new_is_told_at_once(void **state) {
    (void)state;
    joins_the_first(1);
    begins(&one, 1);
    assert_true(comes_true(first_has_one));
    says_end(&first, &one, TRIVIUM__CODE__BUSY);
    assert_true(comes_true(one_is_done));
    assert_int_equal(one.code, STATUS_BUSY);
}

/* That another one is done tells that the end of this one's attempt was heard. */
static void one_asks_again(void) {
    comes_back(WAIT_LONG_MS);
    says_end(&first, &one, TRIVIUM__CODE__BUSY);
    begins(&two, 2);
    assert_true(comes_true(first_has_two));
    says_end(&first, &two, TRIVIUM__CODE__BUSY);
    assert_true(comes_true(two_is_done));
}

static void one_that_asks_again_can_be_cancelled(void **state) {
    (void)state;
    one_asks_again();
    client_cancel(under_test, one.request.id);
    assert_true(comes_true(one_is_done));
    assert_int_equal(one.reason, FINISHED_CANCELLED);
}

static void one_that_asks_again_can_rest(void **state) {
    (void)state;
    one_asks_again();
    client_pause(under_test, one.request.id);
    turns_for_ms(client_loop(under_test), 2 * BUSY_RETRY_MS);
    n_wanted = looked_for(&first, &one, 2) ? 3 : 2;     /* on a slow machine it asks once before the pause */
    assert_false(is_done_or_asks_again());
    client_resume(under_test, one.request.id);
    assert_true(comes_true(is_done_or_asks_again));
    assert_int_equal(one.n_done, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_has_begun_asks_again),
        TEST(it_is_told_after_the_wait),
        TEST(what_had_started_there_is_told_at_once),
        TEST(what_is_new_is_told_at_once),
        TEST(one_that_asks_again_can_be_cancelled),
        TEST(one_that_asks_again_can_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
