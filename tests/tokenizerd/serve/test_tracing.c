/* tracing.h: whoever watches a text sees its traces until it has ended, whatever attempts it takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/base/limits.h"
#include "tests/support/tokenizerd/scene_texts.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static void watches_it(uint64_t number, uint32_t n_candidates) {
    Trivium__Watch watch = TRIVIUM__WATCH__INIT;
    watch.call = number;
    watch.request = wire_id;
    watch.n_candidates = n_candidates;
    client_says(ASK(WATCH, watch, &watch), NULL, 0);
}

static void is_watched(uint64_t number, uint32_t next_step) {
    const Trivium__Watched *watched = TOLD(WATCHED)->watched;
    assert_true(watched->call == number);
    assert_int_equal(watched->step, next_step);
    assert_int_equal(watched->over, TRIVIUM__FINISH_REASON__FINISH_NONE);
}

static void is_over(uint64_t number, Trivium__FinishReason reason, uint32_t n_tokens) {
    const Trivium__Watched *watched = TOLD(WATCHED)->watched;
    assert_true(watched->call == number);
    assert_int_equal(watched->step, n_tokens);
    assert_int_equal(watched->over, reason);
}

static void shows_a_trace(asker *modeld, uint32_t at_step) {
    Trivium__Candidate a = TRIVIUM__CANDIDATE__INIT, b = a, *list[] = {&a, &b};
    Trivium__Drawn drawn = TRIVIUM__DRAWN__INIT;
    Trivium__Glimpse glimpse = TRIVIUM__GLIMPSE__INIT;
    a.id = 'a' + SCENE_BYTE;
    b.id = 'b' + SCENE_BYTE;
    drawn.id = a.id;
    drawn.candidates = list;
    drawn.n_candidates = 2;
    glimpse.request = wire_id;
    glimpse.step = at_step;
    glimpse.drawn = &drawn;
    modeld_says(modeld, REPLY(GLIMPSE, glimpse, &glimpse), NULL, 0);
}

static void is_seen(uint32_t at_step, size_t n_candidates) {
    const Trivium__Glimpse *glimpse = TOLD(GLIMPSE)->glimpse;
    assert_int_equal(glimpse->step, at_step);
    assert_int_equal(glimpse->drawn->n_candidates, n_candidates);
    assert_int_equal(glimpse->drawn->text.len, 1);
    assert_int_equal(glimpse->drawn->text.data[0], 'a');
}

static void traces_come_until_the_text_has_ended(void **state) {
    (void)state;
    has_begun();
    shows_a_trace(first_modeld, 0);     /* nobody watches */
    assert_true(asker_is_silent(&tokenizerd.client));
    watches_it(4, 2);
    is_watched(4, 1);
    assert_int_equal(ASKED(first_modeld, WATCH)->watch->n_watched, 2);
    shows_a_trace(first_modeld, 1);
    is_seen(1, 2);
    Trivium__Closed closed = TRIVIUM__CLOSED__INIT;
    closed.request = wire_id;
    closed.attempt = 1;
    closed.reason = TRIVIUM__CLOSE_REASON__CLOSE_LENGTH;
    Trivium__TokensReply m = REPLY(CLOSED, closed, &closed);
    fake_peer_send(&first_modeld->peer, &m.base, NULL, 0);
    shows_a_trace(first_modeld, 1);     /* of its last token: it comes after the last word */
    is_done(1, TRIVIUM__FINISH_REASON__FINISH_LENGTH, 1);
    is_seen(1, 2);
    is_over(4, TRIVIUM__FINISH_REASON__FINISH_LENGTH, 1);
    shows_a_trace(first_modeld, 1);
    assert_true(asker_is_silent(&tokenizerd.client));
}

static void each_gets_what_it_wants_and_the_most_is_asked_for(void **state) {
    (void)state;
    has_begun();
    watches_it(4, 1);
    is_watched(4, 1);
    assert_int_equal(ASKED(first_modeld, WATCH)->watch->n_watched, 1);
    watches_it(5, 9);
    is_watched(5, 1);
    assert_int_equal(ASKED(first_modeld, WATCH)->watch->n_watched, 9);
    shows_a_trace(first_modeld, 1);
    is_seen(1, 1);
    is_seen(1, 2);
}

static void a_new_attempt_stays_watched(void **state) {
    (void)state;
    has_begun();
    watches_it(4, 3);
    is_watched(4, 1);
    ASKED(first_modeld, WATCH);
    resumes(2, "a");
    is_done(1, TRIVIUM__FINISH_REASON__FINISH_SUPERSEDED, 1);
    TOLD(STARTED);
    ASKED(first_modeld, CLOSE);
    assert_int_equal(ASKED(first_modeld, OPEN)->open->n_watched, 3);
    shows_a_trace(first_modeld, 1);
    is_seen(1, 2);
}

static void another_modeld_is_asked_for_traces_too(void **state) {
    (void)state;
    has_begun();
    watches_it(4, 3);
    is_watched(4, 1);
    ASKED(first_modeld, WATCH);
    modeld_joins(second_modeld);
    modeld_leaves(first_modeld);
    assert_int_equal(ASKED(second_modeld, OPEN)->open->n_watched, 3);
}

static void what_cannot_be_watched_is_refused(void **state) {
    (void)state;
    watches_it(4, 1);
    assert_int_equal(TOLD(FAILED)->failed->error->code, TRIVIUM__CODE__UNKNOWN_REQUEST);
    asks_for_a_text(0);
    watches_it(4, 0);
    assert_int_equal(TOLD(FAILED)->failed->error->code, TRIVIUM__CODE__BAD_REQUEST);
    watches_it(4, CANDIDATES_MAX + 1);
    assert_int_equal(TOLD(FAILED)->failed->error->code, TRIVIUM__CODE__BAD_REQUEST);
    watches_it(4, CANDIDATES_MAX);      /* also before it has begun */
    is_watched(4, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(traces_come_until_the_text_has_ended),
        TEST(each_gets_what_it_wants_and_the_most_is_asked_for),
        TEST(a_new_attempt_stays_watched),
        TEST(another_modeld_is_asked_for_traces_too),
        TEST(what_cannot_be_watched_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
