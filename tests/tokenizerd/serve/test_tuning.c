/* tuning.h and changes.h: another strategy in the middle of a text, from whoever asks for it to whoever owns the
 * text; and a text that rests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/modeld/wire_chain.h"
#include "tests/support/tokenizerd/scene_texts.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { CALL = 5 };

static void tunes(ProtobufCBinaryData id, Trivium__Strategy *strategy_asked) {
    Trivium__Tune tune = TRIVIUM__TUNE__INIT;
    tune.call = CALL;
    tune.request = id;
    tune.strategy = strategy_asked;
    client_says(ASK(TUNE, tune, &tune), NULL, 0);
}

static void places(asker *modeld, uint32_t ordinal, uint32_t step_from) {
    Trivium__Retuned retuned = TRIVIUM__RETUNED__INIT;
    retuned.request = wire_id;
    retuned.attempt = 1;
    retuned.change = ordinal;
    retuned.step = step_from;
    modeld_says(modeld, REPLY(TUNED, tuned, &retuned), NULL, 0);
}

static void acknowledges(uint32_t attempt, uint32_t ordinal) {
    Trivium__Acknowledge ack = TRIVIUM__ACKNOWLEDGE__INIT;
    ack.request = wire_id;
    ack.attempt = attempt;
    ack.change = ordinal;
    client_says(ASK(ACKNOWLEDGE, acknowledge, &ack), NULL, 0);
}

static void is_changed(uint32_t ordinal, uint32_t step_from, double temperature) {
    const Trivium__Chunk *chunk = TOLD(CHUNK)->chunk;
    assert_int_equal(chunk->n_drawn, 0);
    assert_int_equal(chunk->change->ordinal, ordinal);
    assert_int_equal(chunk->change->step, step_from);
    assert_int_equal(chunk->change->strategy->n_steps, 1);
    assert_true(chunk->change->strategy->steps[0]->numbers[0] == temperature);
}

static void call_fails(Trivium__Code code) {
    const Trivium__Failed *failed = TOLD(FAILED)->failed;
    assert_int_equal(failed->call, CALL);
    assert_int_equal(failed->error->code, code);
}

static void who_asked_is_answered_when_the_owner_has_it(void **state) {
    (void)state;
    has_begun();
    tunes(wire_id, wire_temperature(2));
    const Trivium__Retune *retune = ASKED(first_modeld, TUNE)->tune;
    assert_int_equal(retune->change, 1);
    assert_true(retune->strategy->steps[0]->numbers[0] == 2);
    places(first_modeld, 1, 2);
    assert_true(asker_is_silent(&tokenizerd.client));   /* step 1 is drawn by the old one */
    draws(first_modeld, 1, 1, 'b');
    is_shown(1, 1, "b");
    is_changed(1, 2, 2);
    acknowledges(1, 0);
    acknowledges(2, 1);         /* of another attempt */
    assert_true(asker_is_silent(&tokenizerd.client));
    acknowledges(1, 1);
    const Trivium__Tuned *tuned = TOLD(TUNED)->tuned;
    assert_int_equal(tuned->call, CALL);
    assert_int_equal(tuned->change->step, 2);
}

static void a_text_that_ends_first_is_said_so(void **state) {
    (void)state;
    has_begun();
    tunes(wire_id, wire_temperature(2));
    ASKED(first_modeld, TUNE);
    closes(first_modeld, 1, TRIVIUM__CLOSE_REASON__CLOSE_LENGTH, 0);
    is_done(1, TRIVIUM__FINISH_REASON__FINISH_LENGTH, 1);
    call_fails(TRIVIUM__CODE__UNKNOWN_REQUEST);
}

static void what_waits_is_changed_at_once(void **state) {
    (void)state;
    asks_for_a_text(0);
    tunes(wire_id, wire_temperature(2));
    modeld_joins(first_modeld);
    TOLD(STARTED);
    is_changed(1, 0, 2);
    assert_int_equal(ASKED(first_modeld, OPEN)->open->change, 1);
}

static void a_lost_modeld_places_it(void **state) {
    (void)state;
    has_begun();
    tunes(wire_id, wire_temperature(2));
    ASKED(first_modeld, TUNE);
    modeld_joins(second_modeld);
    modeld_leaves(first_modeld);
    is_changed(1, 1, 2);
    const Trivium__Open *open = ASKED(second_modeld, OPEN)->open;
    assert_int_equal(open->change, 1);
    assert_true(open->strategy->steps[0]->numbers[0] == 2);
}

static void what_does_not_fit_the_model_is_dropped_when_that_is_here(void **state) {
    (void)state;
    asks_for_a_text(0);
    Trivium__Step bias = TRIVIUM__STEP__INIT, *steps[] = {&bias};
    Trivium__IdList list = TRIVIUM__ID_LIST__INIT, *lists[] = {&list};
    Trivium__Strategy of_bias = TRIVIUM__STRATEGY__INIT;
    list.ids = (int32_t[]){100000};
    list.n_ids = 1;
    bias.name = "logit_bias";
    bias.numbers = (double[]){-1};
    bias.n_numbers = 1;
    bias.lists = lists;
    bias.n_lists = 1;
    of_bias.steps = steps;
    of_bias.n_steps = 1;
    tunes(wire_id, &of_bias);
    modeld_joins(first_modeld);
    call_fails(TRIVIUM__CODE__BAD_ID);
    TOLD(STARTED);
    assert_int_equal(ASKED(first_modeld, OPEN)->open->strategy->n_steps, 0);
}

/* Whether there is such a text comes before what is to be done to it. */
static void nobody_and_nothing_are_told_apart(void **state) {
    (void)state;
    tunes(wire_id, wire_unknown());
    call_fails(TRIVIUM__CODE__UNKNOWN_REQUEST);
    asks_for_a_text(0);
    tunes(wire_id, wire_unknown());
    call_fails(TRIVIUM__CODE__UNSUPPORTED);
    tunes((ProtobufCBinaryData){0, NULL}, wire_temperature(2));
    call_fails(TRIVIUM__CODE__BAD_REQUEST);
}

static void a_text_rests_and_goes_on(void **state) {
    (void)state;
    has_begun();
    draws(first_modeld, 1, 1, 'b');
    is_shown(1, 1, "b");
    Trivium__Pause pause = TRIVIUM__PAUSE__INIT;
    pause.request = wire_id;
    pause.attempt = 1;
    pause.step = 1;             /* the owner has not taken "b" */
    client_says(ASK(PAUSE, pause, &pause), NULL, 0);
    assert_int_equal(ASKED(first_modeld, CLOSE)->close->attempt, 1);
    tunes(wire_id, wire_temperature(2));
    is_changed(1, 1, 2);
    Trivium__List list = TRIVIUM__LIST__INIT;
    client_says(ASK(LIST, list, &list), NULL, 0);
    TOLD(LISTED);
    const Trivium__RequestReport *report =
        ((const Trivium__RequestList *)asker_list(&tokenizerd.client, &trivium__request_list__descriptor))->requests[0];
    assert_string_equal(report->state, "resting");
    assert_int_equal(report->step, 1);
    resumes(2, "a");
    is_done(1, TRIVIUM__FINISH_REASON__FINISH_SUPERSEDED, 1);
    call_fails(TRIVIUM__CODE__UNKNOWN_REQUEST);         /* it was not acknowledged */
    TOLD(STARTED);
    is_opened(first_modeld, 2, "hia");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(who_asked_is_answered_when_the_owner_has_it),
        TEST(a_text_that_ends_first_is_said_so),
        TEST(what_waits_is_changed_at_once),
        TEST(a_lost_modeld_places_it),
        TEST(what_does_not_fit_the_model_is_dropped_when_that_is_here),
        TEST(nobody_and_nothing_are_told_apart),
        TEST(a_text_rests_and_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
