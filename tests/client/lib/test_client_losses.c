/* A tokenizerd that is lost before it says a word, again and again: what was asked of it is asked again so often, and no
 * more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/limits.h"
#include "tests/support/link/text_pair.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static text_pair pair;

static struct {
    size_t n_answers;
    status code;
    char message[300];
} got;

static void on_answer(void *context, const answer *a) {
    (void)context;
    got.n_answers++;
    got.code = a->code;
    snprintf(got.message, sizeof got.message, "%s", a->message ? a->message : "");
}

static bool is_answered(void) { return got.n_answers == 1; }
static bool is_lost(void) { return pair.peer.client == NULL; }

static int begin(void **state) {
    (void)state;
    memset(&got, 0, sizeof got);
    text_pair_begin(&pair, 60000);
    return 0;
}

static int end(void **state) {
    (void)state;
    text_pair_end(&pair);
    return 0;
}

static void asks(void) {
    static const question tokenize = {.kind = ASK_TOKENIZE, .tokenize = {.text = {(const uint8_t *)"ab", 2, false, false}}};
    failure f;
    assert_int_equal(client_call(pair.client, &tokenize, on_answer, NULL, &f), STATUS_OK);
}

/* It gets the question, and is lost; `already` have had it. */
static void is_lost_with_it(size_t already) {
    text_pair_join(&pair);
    text_pair_asked(&pair, TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE, already);
    text_peer_close(&pair.peer);
    assert_true(text_pair_becomes(&pair, is_lost));
}

static void a_call_of_which_nothing_is_heard_ends(void **state) {
    (void)state;
    asks();
    for (size_t i = 0; i < UNHEARD_LOSSES_MAX; i++) {
        assert_int_equal(got.n_answers, 0);
        is_lost_with_it(i);
    }
    assert_true(text_pair_becomes(&pair, is_answered));
    assert_int_equal(got.code, STATUS_IO);
    char wanted[sizeof got.message];
    snprintf(wanted, sizeof wanted, "tokenizerd at %s was lost %d times in a row before it answered: the road to it may be too "
             "narrow", pair.meeting.address, UNHEARD_LOSSES_MAX);
    assert_string_equal(got.message, wanted);
}

static void says_what_it_waits_for(void) {
    Trivium__Waiting waiting = TRIVIUM__WAITING__INIT;
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    waiting.message = (char *)"waiting for a modeld";
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_WAITING;
    reply.waiting = &waiting;
    text_peer_say(&pair.peer, &reply, NULL, 0);
}

static bool is_told(void) { return pair.n_waits_told > 0; }

static void a_word_between_two_losses_lets_it_go_on(void **state) {
    (void)state;
    asks();
    for (size_t i = 0; i < UNHEARD_LOSSES_MAX - 1; i++) is_lost_with_it(i);
    text_pair_join(&pair);
    text_pair_asked(&pair, TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE, UNHEARD_LOSSES_MAX - 1);
    pair.n_waits_told = 0;
    says_what_it_waits_for();
    assert_true(text_pair_becomes(&pair, is_told));
    text_peer_close(&pair.peer);
    is_lost_with_it(UNHEARD_LOSSES_MAX);
    text_pair_join(&pair);
    text_pair_asked(&pair, TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE, UNHEARD_LOSSES_MAX + 1);
    assert_int_equal(got.n_answers, 0);
}

static void an_idle_client_outlives_any_number(void **state) {
    (void)state;
    for (size_t i = 0; i <= UNHEARD_LOSSES_MAX; i++) {
        text_pair_join(&pair);
        text_peer_close(&pair.peer);
    }
    asks();
    is_lost_with_it(0);
    assert_int_equal(got.n_answers, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_call_of_which_nothing_is_heard_ends),
        TEST(a_word_between_two_losses_lets_it_go_on),
        TEST(an_idle_client_outlives_any_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
