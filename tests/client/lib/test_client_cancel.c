/* A call through client.h that is interrupted, or late, to a peer that a test plays: it is cancelled, and its answer finds
 * nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/limits.h"
#include "tests/support/link/text_pair.h"
#include "tests/support/link/turns.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static text_pair pair;
static size_t n_answers;

static const question tokenize = {.kind = ASK_TOKENIZE, .tokenize = {.text = {(const uint8_t *)"abc", 3, true, false}}};

static int begin(void **state) {
    (void)state;
    n_answers = 0;
    text_pair_begin(&pair, WAIT_MS);
    return 0;
}

static int end(void **state) {
    (void)state;
    text_pair_end(&pair);
    return 0;
}

static void on_answer(void *context, const answer *a) {
    (void)context, (void)a;
    n_answers++;
}

static bool is_answered(void) { return n_answers > 0; }

static void stop(void *l) {
    loop_stop(l);
}

/* Ask, and lose patience before there can be an answer. */
static void is_interrupted(void) {
    failure f;
    loop *l = client_loop(pair.client);
    turns_once(l, 50, stop, l);
    assert_int_equal(client_ask(pair.client, &tokenize, on_answer, NULL, &f), STATUS_CANCELLED);
}

static uint64_t asked(size_t n) {
    return text_pair_asked(&pair, TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE, n)->m->tokenize->call;
}

static void answer_comes(uint64_t number) {
    Trivium__Tokenized tokenized = TRIVIUM__TOKENIZED__INIT;
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    tokenized.call = number;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_TOKENIZED;
    m.tokenized = &tokenized;
    text_peer_say(&pair.peer, &m, &(wire_raw){(int32_t[]){1}, 4}, 1);
}

static void it_is_cancelled_and_its_answer_is_nobodys(void **state) {
    (void)state;
    failure f;
    text_pair_join(&pair);
    is_interrupted();
    uint64_t number = asked(0);
    assert_true(text_pair_asked(&pair, TRIVIUM__TEXT_REQUEST__BODY_CANCEL_CALL, 0)->m->cancel_call->call == number);
    answer_comes(number);       /* it was on its way */
    assert_int_equal(client_call(pair.client, &tokenize, on_answer, NULL, &f), STATUS_OK);
    answer_comes(asked(1));
    assert_true(text_pair_becomes(&pair, is_answered));
    assert_int_equal(n_answers, 1);
}

/* Whom should it be cancelled at? */
static void one_that_was_never_sent_is_forgotten(void **state) {
    (void)state;
    failure f;
    is_interrupted();
    text_pair_join(&pair);
    assert_int_equal(client_call(pair.client, &tokenize, on_answer, NULL, &f), STATUS_OK);
    answer_comes(asked(0));
    assert_true(text_pair_becomes(&pair, is_answered));
    assert_null(text_peer_find(&pair.peer, TRIVIUM__TEXT_REQUEST__BODY_CANCEL_CALL, 0));
}

/* Its patience is for the answer, not for a tokenizerd that is still to come. */
static void one_whose_answer_is_late_is_cancelled(void **state) {
    (void)state;
    failure f;
    loop *l = client_loop(pair.client);
    turns_once(l, 200, stop, l);
    assert_int_equal(client_ask_within(pair.client, 30, &tokenize, on_answer, NULL, &f), STATUS_CANCELLED);
    text_pair_join(&pair);
    assert_int_equal(client_ask_within(pair.client, 30, &tokenize, on_answer, NULL, &f), STATUS_TIMEOUT);
    assert_string_equal(f.message, "no answer has come within 0.03 s");
    assert_true(text_pair_asked(&pair, TRIVIUM__TEXT_REQUEST__BODY_CANCEL_CALL, 0)->m->cancel_call->call == asked(0));
    assert_int_equal(n_answers, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_cancelled_and_its_answer_is_nobodys, begin, end),
        cmocka_unit_test_setup_teardown(one_that_was_never_sent_is_forgotten, begin, end),
        cmocka_unit_test_setup_teardown(one_whose_answer_is_late_is_cancelled, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
