/* generating.h, answering.h: of several modelds of a model those have texts, scores and probes drawn that have a samplerd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/base/limits.h"
#include "tests/support/modeld/wire_chain.h"
#include "tests/support/tokenizerd/scene_texts.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static const uint64_t CALL = 5;

static bool nobody_hears_more(void) {
    return asker_is_silent(first_modeld) && asker_is_silent(second_modeld) && asker_is_silent(&tokenizerd.client);
}

static void both_join(const char *pool_of_first, const char *pool_of_second) {
    modeld_joins(first_modeld);
    modeld_joins(second_modeld);
    modeld_reports(first_modeld, pool_of_first);
    modeld_reports(second_modeld, pool_of_second);
}

static void begins_at(asker *modeld) {
    asks_for_a_text(60000);
    TOLD(STARTED);
    is_opened(modeld, 1, "hi");
}

/* ---- where it goes ---- */

static void it_goes_where_a_samplerd_is(void **state) {
    (void)state;
    both_join(NULL, DEFAULT_POOL);
    begins_at(second_modeld);
    draws(second_modeld, 1, 0, 'a');
    is_shown(1, 0, "a");
    assert_true(nobody_hears_more());
}

static void another_pool_is_none(void **state) {
    (void)state;
    both_join("other", DEFAULT_POOL);
    begins_at(second_modeld);
}

static void one_that_has_not_reported_may_have_one(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    modeld_joins(second_modeld);
    modeld_reports(first_modeld, NULL);
    begins_at(second_modeld);
}

/* ---- where it waits in vain ---- */

static void it_moves_when_its_samplerd_is_gone(void **state) {
    (void)state;
    both_join(DEFAULT_POOL, DEFAULT_POOL);
    begins_at(first_modeld);
    draws(first_modeld, 1, 0, 'a');
    is_shown(1, 0, "a");
    modeld_reports(first_modeld, NULL);
    assert_int_equal(ASKED(first_modeld, CLOSE)->close->attempt, 1);
    is_opened(second_modeld, 1, "hia");
    closes(first_modeld, 1, TRIVIUM__CLOSE_REASON__CLOSE_ASKED, 0);
    draws(first_modeld, 1, 1, 'x');         /* too late */
    draws(second_modeld, 1, 1, 'b');
    is_shown(1, 1, "b");
    closes(second_modeld, 1, TRIVIUM__CLOSE_REASON__CLOSE_LENGTH, 0);
    is_done(1, TRIVIUM__FINISH_REASON__FINISH_LENGTH, 2);
    assert_true(nobody_hears_more());
}

static void it_moves_when_another_one_gets_one(void **state) {
    (void)state;
    both_join(NULL, NULL);
    begins_at(first_modeld);
    modeld_reports(second_modeld, "other");
    assert_true(nobody_hears_more());
    modeld_reports(second_modeld, DEFAULT_POOL);
    ASKED(first_modeld, CLOSE);
    is_opened(second_modeld, 1, "hi");
}

/* As of the time before it moved. */
static void closes_unnumbered(asker *modeld) {
    Trivium__Closed closed = TRIVIUM__CLOSED__INIT;
    closed.request = wire_id;
    closed.attempt = 1;
    closed.reason = TRIVIUM__CLOSE_REASON__CLOSE_ASKED;
    modeld_says(modeld, REPLY(CLOSED, closed, &closed), NULL, 0);
}

/* While both have none it stays; and what its first modeld says of the time before does not count when it is back there. */
static void it_goes_back_once_another_one_has_one(void **state) {
    (void)state;
    both_join(DEFAULT_POOL, DEFAULT_POOL);
    begins_at(first_modeld);
    modeld_reports(first_modeld, NULL);
    ASKED(first_modeld, CLOSE);
    is_opened(second_modeld, 1, "hi");
    modeld_reports(second_modeld, NULL);
    assert_true(nobody_hears_more());
    modeld_reports(first_modeld, DEFAULT_POOL);
    ASKED(second_modeld, CLOSE);
    is_opened(first_modeld, 1, "hi");
    closes_unnumbered(first_modeld);
    draws(first_modeld, 1, 0, 'a');
    is_shown(1, 0, "a");
    assert_true(nobody_hears_more());
}

/* Rows may be what ends every samplerd: then their modeld's count ends the text. */
static void it_moves_so_many_times_without_a_token(void **state) {
    (void)state;
    both_join(DEFAULT_POOL, DEFAULT_POOL);
    begins_at(first_modeld);
    asker *at = first_modeld, *other = second_modeld;
    for (size_t i = 0; i < MOVES_MAX; i++) {
        modeld_reports(at, NULL);
        ASKED(at, CLOSE);
        is_opened(other, 1, "hi");
        modeld_reports(at, DEFAULT_POOL);
        asker *was = at;
        at = other;
        other = was;
    }
    modeld_reports(at, NULL);
    assert_true(nobody_hears_more());
    draws(at, 1, 0, 'a');
    is_shown(1, 0, "a");
    modeld_reports(at, "other");
    ASKED(at, CLOSE);
    is_opened(other, 1, "hia");
}

static void what_has_not_begun_goes_to_none_that_drains(void **state) {
    (void)state;
    both_join(DEFAULT_POOL, DEFAULT_POOL);
    begins_at(first_modeld);
    fake_peer_say_draining(&second_modeld->peer);
    asker_is_heard(second_modeld);
    modeld_reports(first_modeld, NULL);
    assert_true(nobody_hears_more());
}

/* ---- calls ---- */

static void calls_do_the_same(void **state) {
    (void)state;
    both_join(NULL, DEFAULT_POOL);
    client_asks_to_score(CALL, 60000);
    const uint64_t score = ASKED(second_modeld, SCORE)->score->call;
    client_asks_to_probe(CALL + 1);
    const uint64_t probe = ASKED(second_modeld, PROBE)->probe->call;
    modeld_reports(second_modeld, NULL);
    assert_true(nobody_hears_more());
    modeld_reports(first_modeld, DEFAULT_POOL);
    assert_true(ASKED(second_modeld, CLOSE_CALL)->close_call->call == score);
    assert_true(ASKED(first_modeld, SCORE)->score->call == score);
    assert_true(ASKED(second_modeld, CLOSE_CALL)->close_call->call == probe);
    assert_true(ASKED(first_modeld, PROBE)->probe->call == probe);
    Trivium__Error error = TRIVIUM__ERROR__INIT;
    Trivium__CallFailed failed = TRIVIUM__CALL_FAILED__INIT;
    failed.call = score;
    failed.error = &error;
    modeld_says(second_modeld, REPLY(FAILED, failed, &failed), NULL, 0);  /* too late */
    assert_true(nobody_hears_more());
}

/* ---- shown ---- */

static bool lacks_sampler(size_t i) {
    Trivium__StatusQuery query = TRIVIUM__STATUS_QUERY__INIT;
    query.call = CALL;
    client_says(ASK(STATUS, status, &query), NULL, 0);
    TOLD(STATUS);
    const Trivium__DaemonList *list =
        (const Trivium__DaemonList *)asker_list(&tokenizerd.client, &trivium__daemon_list__descriptor);
    assert_int_equal(list->daemons[i]->role, TRIVIUM__ROLE__MODELD);
    return list->daemons[i]->lacks_sampler;
}

static void it_is_shown(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    assert_true(lacks_sampler(1));
    modeld_reports(first_modeld, "other");
    assert_true(lacks_sampler(1));
    modeld_reports(first_modeld, DEFAULT_POOL);
    assert_false(lacks_sampler(1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(it_goes_where_a_samplerd_is),
        TEST(another_pool_is_none),
        TEST(one_that_has_not_reported_may_have_one),
        TEST(it_moves_when_its_samplerd_is_gone),
        TEST(it_moves_when_another_one_gets_one),
        TEST(it_goes_back_once_another_one_has_one),
        TEST(it_moves_so_many_times_without_a_token),
        TEST(what_has_not_begun_goes_to_none_that_drains),
        TEST(calls_do_the_same),
        TEST(it_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
