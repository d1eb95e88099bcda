/* Ends in order: this tokenizerd's, and those that operators ask for. (The fake client is one: it is of the same user.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/base/limits.h"
#include "tests/support/link/turns.h"
#include "tests/support/tokenizerd/scene_texts.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { ORDER = 41, CALL = 5 };

static void orders(const char *name, int32_t pid) {
    Trivium__Drain drain = TRIVIUM__DRAIN__INIT;
    drain.call = ORDER;
    drain.name = (char *)name;
    drain.pid = pid;
    client_says(ASK(DRAIN, drain, &drain), NULL, 0);
}

static void is_refused(Trivium__Code code, const char *sentence) {
    const Trivium__Failed *failed = TOLD(FAILED)->failed;
    assert_int_equal(failed->error->code, code);
    assert_non_null(strstr(failed->error->message, sentence));
}

static void asks_to_tokenize(void) {
    Trivium__Tokenize tokenize = TRIVIUM__TOKENIZE__INIT;
    tokenize.call = CALL;
    tokenize.model = "m";
    client_says(ASK(TOKENIZE, tokenize, &tokenize), &(wire_raw){"abc", 3}, 1);
}

static void says_drained(asker *modeld, uint64_t call, uint32_t n_texts) {
    Trivium__WorkerDrained drained = TRIVIUM__WORKER_DRAINED__INIT;
    Trivium__TokensReply m = TRIVIUM__TOKENS_REPLY__INIT;
    drained.call = call;
    drained.n_texts = n_texts;
    m.body_case = TRIVIUM__TOKENS_REPLY__BODY_DRAINED;
    m.drained = &drained;
    modeld_says(modeld, m, NULL, 0);
}

static void is_drained(Trivium__Role role, const char *name, uint32_t n_texts) {
    const Trivium__Drained *drained = TOLD(DRAINED)->drained;
    assert_int_equal(drained->call, ORDER);
    assert_int_equal(drained->role, role);
    assert_string_equal(drained->name, name);
    assert_int_equal(drained->n_texts, n_texts);
    assert_int_equal(drained->n_left, 0);
}

/* ---- its own ---- */

static void what_runs_goes_on_and_what_is_new_is_refused(void **state) {
    (void)state;
    has_begun();
    orders("tokenizerd", 0);
    asks_to_tokenize();
    is_refused(TRIVIUM__CODE__DRAINING, "this tokenizerd is draining and takes nothing new");
    resumes(2, "a");                    /* it is here: its next attempt, too */
    is_done(1, TRIVIUM__FINISH_REASON__FINISH_SUPERSEDED, 1);
    TOLD(STARTED);
    ASKED(first_modeld, CLOSE);
    is_opened(first_modeld, 2, "hia");
}

static void a_new_text_is_refused(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    orders("tokenizerd", 0);
    asks_for_a_text(60000);
    fails(TRIVIUM__CODE__DRAINING, "this tokenizerd is draining and takes nothing new");
    assert_true(asker_is_silent(first_modeld));
}

static void whoever_asked_is_told_at_its_end(void **state) {
    (void)state;
    has_begun();
    orders("tokenizerd", 0);
    closes(first_modeld, 1, TRIVIUM__CLOSE_REASON__CLOSE_LENGTH, 0);
    is_done(1, TRIVIUM__FINISH_REASON__FINISH_LENGTH, 1);
    service_free(&tokenizerd.service);
    is_drained(TRIVIUM__ROLE__TOKENIZERD, "tokenizerd", 1);
}

static bool has_left;

static void client_leaves(void *unused) {
    (void)unused;
    fake_peer_say_leave(&tokenizerd.client.peer);
    has_left = true;
}

/* What it had not read when we went it would never hear. */
static void it_stays_until_whoever_asked_has_read(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    orders("tokenizerd", 0);
    is_drained(TRIVIUM__ROLE__TOKENIZERD, "tokenizerd", 0);
    has_left = false;
    turns_once(tokenizerd.loop, 200, client_leaves, NULL);
    assert_false(turns_to_the_end(tokenizerd.loop));
    assert_true(has_left);
}

/* One that has other things to do does not leave. */
static void but_not_for_long(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    orders("tokenizerd", 0);
    assert_false(turns_to_the_end(tokenizerd.loop));
    is_drained(TRIVIUM__ROLE__TOKENIZERD, "tokenizerd", 0);
}

static bool is_late;

static void note_late(void *unused) {
    (void)unused;
    is_late = true;
}

/* It looks several times in that while whether it may go. */
static void it_stays_for_those_who_asked_for_others(void **state) {
    (void)state;
    is_late = false;
    modeld_joins(first_modeld);
    orders("m", 0);
    const uint64_t number = ASKED(first_modeld, DRAIN)->drain->call;
    orders("tokenizerd", 0);
    turns_once(tokenizerd.loop, 100, note_late, NULL);
    turns_for_ms(tokenizerd.loop, 150);
    assert_true(is_late);
    says_drained(first_modeld, number, 2);
    modeld_leaves(first_modeld);
    is_drained(TRIVIUM__ROLE__MODELD, "m", 2);
    assert_false(turns_to_the_end(tokenizerd.loop));
}

/* ---- a modeld's, a samplerd's ---- */

static void a_modeld_is_told_and_its_end_is_awaited(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    orders("m", 0);
    const Trivium__DrainWorker *asked = ASKED(first_modeld, DRAIN)->drain;
    const uint64_t number = asked->call;
    assert_false(asked->is_sampler);
    says_drained(first_modeld, number + 1, 9);          /* nobody's */
    says_drained(first_modeld, number, 3);
    assert_true(asker_is_silent(&tokenizerd.client));   /* it is about to leave */
    modeld_leaves(first_modeld);
    is_drained(TRIVIUM__ROLE__MODELD, "m", 3);
}

static void one_that_is_lost_before_it_has_drained_has_not(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    orders("m", 0);
    ASKED(first_modeld, DRAIN);
    modeld_leaves(first_modeld);
    is_refused(TRIVIUM__CODE__IO, "m was lost before it had drained");
}

static void a_samplerd_is_told_through_its_modeld(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    modeld_reports(first_modeld, "default");
    orders("sam", 0);
    const Trivium__DrainWorker *asked = ASKED(first_modeld, DRAIN)->drain;
    assert_true(asked->is_sampler);
    assert_string_equal(asked->name, "sam");
    says_drained(first_modeld, asked->call, 0);
    is_drained(TRIVIUM__ROLE__SAMPLERD, "sam", 0);
}

static void what_its_modeld_cannot_do_is_told(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    modeld_reports(first_modeld, "default");
    orders("sam", 0);
    Trivium__Error error = TRIVIUM__ERROR__INIT;
    Trivium__CallFailed failed = TRIVIUM__CALL_FAILED__INIT;
    Trivium__TokensReply m = TRIVIUM__TOKENS_REPLY__INIT;
    failed.call = ASKED(first_modeld, DRAIN)->drain->call;
    error.code = TRIVIUM__CODE__NOT_FOUND;
    error.message = "it has left";
    failed.error = &error;
    m.body_case = TRIVIUM__TOKENS_REPLY__BODY_FAILED;
    m.failed = &failed;
    modeld_says(first_modeld, m, NULL, 0);
    is_refused(TRIVIUM__CODE__NOT_FOUND, "it has left");
}

static void a_name_of_none_or_of_several_is_told(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    modeld_joins(second_modeld);
    orders("nobody", 0);
    is_refused(TRIVIUM__CODE__NOT_FOUND, "no such daemon as nobody is here");
    orders("tokenizerd", 999999999);
    is_refused(TRIVIUM__CODE__NOT_FOUND, "no such daemon as tokenizerd with pid 999999999 is here");
    assert_true(asker_is_silent(first_modeld) && asker_is_silent(second_modeld));
}

static void an_order_may_be_taken_back_but_not_what_it_did(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    orders("m", 0);
    const uint64_t number = ASKED(first_modeld, DRAIN)->drain->call;
    Trivium__CancelCall cancel = TRIVIUM__CANCEL_CALL__INIT;
    cancel.call = ORDER;
    client_says(ASK(CANCEL_CALL, cancel_call, &cancel), NULL, 0);
    is_refused(TRIVIUM__CODE__CANCELLED, "it drains all the same");
    assert_true(ASKED(first_modeld, CLOSE_CALL)->close_call->call == number);
    says_drained(first_modeld, number, 1);
    modeld_leaves(first_modeld);
    assert_true(asker_is_silent(&tokenizerd.client));
}

static void nothing_is_awaited_for_a_client_that_is_gone(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    orders("m", 0);
    const uint64_t number = ASKED(first_modeld, DRAIN)->drain->call;
    fake_peer_say_leave(&tokenizerd.client.peer);
    assert_true(ASKED(first_modeld, CLOSE_CALL)->close_call->call == number);
}

static void more_ends_than_there_is_room_for_are_not_awaited(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    for (int i = 0; i < DRAINS_MAX; i++) {
        orders("m", 0);
        ASKED(first_modeld, DRAIN);
    }
    orders("m", 0);
    is_refused(TRIVIUM__CODE__BUSY, "ends are waited for already");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_runs_goes_on_and_what_is_new_is_refused),
        TEST(a_new_text_is_refused),
        TEST(whoever_asked_is_told_at_its_end),
        TEST(it_stays_until_whoever_asked_has_read),
        TEST(but_not_for_long),
        TEST(it_stays_for_those_who_asked_for_others),
        TEST(a_modeld_is_told_and_its_end_is_awaited),
        TEST(one_that_is_lost_before_it_has_drained_has_not),
        TEST(a_samplerd_is_told_through_its_modeld),
        TEST(what_its_modeld_cannot_do_is_told),
        TEST(a_name_of_none_or_of_several_is_told),
        TEST(an_order_may_be_taken_back_but_not_what_it_did),
        TEST(nothing_is_awaited_for_a_client_that_is_gone),
        TEST(more_ends_than_there_is_room_for_are_not_awaited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
