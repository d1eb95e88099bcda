/* A modeld says that it takes nothing new: what it has goes on there, what is new goes to another, or waits for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/limits.h"
#include "tests/support/modeld/wire_chain.h"
#include "tests/support/tokenizerd/scene_texts.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { CALL = 5 };

static void drains(asker *modeld) {
    fake_peer_say_draining(&modeld->peer);
    asker_is_heard(modeld);
}

/* ---- texts ---- */

static void what_runs_there_stays_there(void **state) {
    (void)state;
    has_begun();
    modeld_joins(second_modeld);
    drains(first_modeld);
    draws(first_modeld, 1, 1, 'b');
    is_shown(1, 1, "b");
    Trivium__Tune tune = TRIVIUM__TUNE__INIT;
    tune.call = CALL;
    tune.request = wire_id;
    tune.strategy = wire_temperature(0.5);
    client_says(ASK(TUNE, tune, &tune), NULL, 0);
    assert_int_equal(ASKED(first_modeld, TUNE)->tune->change, 1);
    closes(first_modeld, 1, TRIVIUM__CLOSE_REASON__CLOSE_LENGTH, 0);
    assert_true(asker_is_silent(second_modeld));
}

static void a_new_text_goes_to_another(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    modeld_joins(second_modeld);
    drains(first_modeld);
    asks_for_a_text(0);
    TOLD(STARTED);
    is_opened(second_modeld, 1, "hi");
    assert_true(asker_is_silent(first_modeld));
}

static void a_higher_attempt_is_new(void **state) {
    (void)state;
    has_begun();
    modeld_joins(second_modeld);
    drains(first_modeld);
    resumes(2, "a");
    is_done(1, TRIVIUM__FINISH_REASON__FINISH_SUPERSEDED, 1);
    TOLD(STARTED);
    is_opened(second_modeld, 2, "hia");
    assert_int_equal(ASKED(first_modeld, CLOSE)->close->attempt, 1);
}

static void where_all_drain_it_waits_for_another(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    drains(first_modeld);
    asks_for_a_text(60000);
    assert_true(asker_is_silent(first_modeld));
    modeld_leaves(first_modeld);
    assert_true(asker_is_silent(&tokenizerd.client));
    modeld_joins(second_modeld);
    TOLD(STARTED);
    is_opened(second_modeld, 1, "hi");
}

static void nobody_is_waited_for_longer_than_asked(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    drains(first_modeld);
    asks_for_a_text(1);
    fails(TRIVIUM__CODE__NO_MODELD, "what serves 'm' is draining and takes nothing new");
    assert_true(asker_is_silent(first_modeld));
}

static void the_client_is_told_of_the_wait(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    drains(first_modeld);
    tokenizerd.hears_waits = true;
    asks_for_a_text(60000);
    assert_string_equal(TOLD(WAITING)->waiting->message,
                        "waiting for another modeld of 'm', for up to 60 s; what serves it is draining and takes "
                        "nothing new");
}

/* Its modeld is lost, and nobody but the one that drains can go on with it. */
static void a_lost_text_goes_on_where_one_drains(void **state) {
    (void)state;
    has_begun();
    modeld_joins(second_modeld);
    drains(second_modeld);
    modeld_leaves(first_modeld);
    is_opened(second_modeld, 1, "hia");
}

/* Its tokenizerd was lost meanwhile. */
static void a_text_resumed_goes_on_where_one_drains(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    drains(first_modeld);
    resumes(2, "a");
    TOLD(STARTED);
    is_opened(first_modeld, 2, "hia");
}

/* What crossed its word, and was not served for it. */
static void a_text_that_it_refuses_goes_to_another(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    modeld_joins(second_modeld);
    asks_for_a_text(0);
    TOLD(STARTED);
    is_opened(first_modeld, 1, "hi");
    closes(first_modeld, 1, TRIVIUM__CLOSE_REASON__CLOSE_ERROR, TRIVIUM__CODE__DRAINING);
    is_opened(second_modeld, 1, "hi");
    assert_true(asker_is_silent(&tokenizerd.client));
}

/* After BUSY_RETRY_MS, however late that is: there once more, while nobody else is here. */
static void a_text_that_has_no_room_there_goes_to_another(void **state) {
    (void)state;
    has_begun();
    drains(first_modeld);
    closes(first_modeld, 1, TRIVIUM__CLOSE_REASON__CLOSE_ERROR, TRIVIUM__CODE__BUSY);
    is_opened(first_modeld, 1, "hia");
    modeld_joins(second_modeld);
    closes(first_modeld, 1, TRIVIUM__CLOSE_REASON__CLOSE_ERROR, TRIVIUM__CODE__BUSY);
    is_opened(second_modeld, 1, "hia");
    assert_true(asker_is_silent(first_modeld));
}

/* ---- calls ---- */

static void scores_and_probes_go_to_another(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    drains(first_modeld);
    client_asks_to_score(CALL, 1);
    const Trivium__Failed *failed = TOLD(FAILED)->failed;
    assert_int_equal(failed->error->code, TRIVIUM__CODE__NO_MODELD);
    assert_non_null(strstr(failed->error->message, "is draining and takes nothing new"));
    client_asks_to_score(CALL, 60000);
    assert_true(asker_is_silent(first_modeld));
    modeld_joins(second_modeld);
    ASKED(second_modeld, SCORE);
    client_asks_to_probe(CALL);
    ASKED(second_modeld, PROBE);
    assert_true(asker_is_silent(first_modeld));
}

/* Its vocabulary is here: no modeld is needed for it. */
static void a_text_becomes_ids_all_the_same(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    drains(first_modeld);
    Trivium__Tokenize tokenize = TRIVIUM__TOKENIZE__INIT;
    tokenize.call = CALL;
    tokenize.model = "m";
    client_says(ASK(TOKENIZE, tokenize, &tokenize), &(wire_raw){"abc", 3}, 1);
    TOLD(TOKENIZED);
    assert_string_equal(heard_as_text(&tokenizerd.client), "abc");
}

/* ---- another one of its name ---- */

/* In the place of the first one's, when it joins. */
static void second_brings_another_file(void) {
    static Trivium__ModelOffer other;
    other = tokenizerd.offer;
    other.fingerprint = "g";
    first_modeld->hello.uptime_ms = 60000;
    second_modeld->hello.model = &other;
    second_modeld->hello.replaces = true;
}

/* Texts that it began wait for it: they are there before it is told, else it would have nothing and leave. */
static void one_that_was_replaced_comes_back_for_its_texts(void **state) {
    (void)state;
    second_brings_another_file();
    has_begun();
    modeld_reports(first_modeld, DEFAULT_POOL);
    modeld_joins(second_modeld);
    modeld_reports(second_modeld, NULL);
    assert_true(asker_is_silent(first_modeld));
    modeld_reports(second_modeld, DEFAULT_POOL);
    assert_int_equal(ASKED(first_modeld, DRAIN)->drain->call, 0);
    modeld_leaves(first_modeld);
    modeld_joins(first_modeld);
    is_opened(first_modeld, 1, "hia");
    assert_int_equal(ASKED(first_modeld, DRAIN)->drain->call, 0);
    draws(first_modeld, 1, 1, 'b');
    is_shown(1, 1, "b");
    assert_true(asker_is_silent(first_modeld) && asker_is_silent(second_modeld));
}

/* Both words lie there when tokenizerd looks: its clients' first. */
static void what_met_its_model_just_before_is_written_there(void **state) {
    (void)state;
    second_brings_another_file();
    modeld_joins(first_modeld);
    modeld_reports(first_modeld, DEFAULT_POOL);
    modeld_joins(second_modeld);
    sends_a_text(60000);
    modeld_sends_report(second_modeld, DEFAULT_POOL);
    usleep(100 * 1000);
    TOLD(STARTED);
    is_opened(first_modeld, 1, "hi");
    assert_int_equal(ASKED(first_modeld, DRAIN)->drain->call, 0);
    draws(first_modeld, 1, 0, 'b');
    is_shown(1, 0, "b");
    assert_true(asker_is_silent(second_modeld));
}

/* ---- shown, and said by others ---- */

static const char *state_of_the_modeld(void) {
    Trivium__StatusQuery query = TRIVIUM__STATUS_QUERY__INIT;
    query.call = CALL;
    client_says(ASK(STATUS, status, &query), NULL, 0);
    TOLD(STATUS);
    const Trivium__DaemonList *list =
        (const Trivium__DaemonList *)asker_list(&tokenizerd.client, &trivium__daemon_list__descriptor);
    assert_int_equal(list->n_daemons, 2);
    return list->daemons[1]->state;
}

static void it_is_shown(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    assert_string_equal(state_of_the_modeld(), "ready");
    drains(first_modeld);
    assert_string_equal(state_of_the_modeld(), "draining");
}

/* A client that takes nothing new has asked for all that it will: nothing follows from it. */
static void what_a_client_says_changes_nothing(void **state) {
    (void)state;
    has_begun();
    fake_peer_say_draining(&tokenizerd.client.peer);
    draws(first_modeld, 1, 1, 'b');
    is_shown(1, 1, "b");
    client_asks_to_score(CALL, 0);
    ASKED(first_modeld, SCORE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_runs_there_stays_there),
        TEST(a_new_text_goes_to_another),
        TEST(a_higher_attempt_is_new),
        TEST(where_all_drain_it_waits_for_another),
        TEST(nobody_is_waited_for_longer_than_asked),
        TEST(a_lost_text_goes_on_where_one_drains),
        TEST(a_text_resumed_goes_on_where_one_drains),
        TEST(a_text_that_it_refuses_goes_to_another),
        TEST(a_text_that_has_no_room_there_goes_to_another),
        TEST(scores_and_probes_go_to_another),
        TEST(a_text_becomes_ids_all_the_same),
        TEST(one_that_was_replaced_comes_back_for_its_texts),
        TEST(what_met_its_model_just_before_is_written_there),
        TEST(it_is_shown),
        TEST(what_a_client_says_changes_nothing),
        TEST(the_client_is_told_of_the_wait),   /* last: it comes after a second */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
