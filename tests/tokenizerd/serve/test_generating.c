/* generating.h: texts between a client that asks for them and modelds that draw them, lose them, refuse them or say
 * what nobody asked for. Both are bare sockets; between them is the whole service. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/base/limits.h"
#include "tests/support/tokenizerd/scene_texts.h"
#include "tests/support/traceparents.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

/* ---- from its beginning to its end ---- */

static void a_text_waits_for_its_model_and_is_written(void **state) {
    (void)state;
    asks_for_a_text(0);
    assert_true(asker_is_silent(&tokenizerd.client));
    modeld_joins(first_modeld);
    TOLD(STARTED);
    assert_string_equal(heard_as_text(&tokenizerd.client), "hi");
    is_opened(first_modeld, 1, "hi");
    draws(first_modeld, 1, 0, 'a');
    is_shown(1, 0, "a");
    closes(first_modeld, 1, TRIVIUM__CLOSE_REASON__CLOSE_LENGTH, 0);
    is_done(1, TRIVIUM__FINISH_REASON__FINISH_LENGTH, 1);
    draws(first_modeld, 1, 1, 'b');    /* too late */
    closes(first_modeld, 1, TRIVIUM__CLOSE_REASON__CLOSE_LENGTH, 0);
    assert_true(asker_is_silent(&tokenizerd.client));
    resumes(1, "a");            /* and for good: that attempt has ended */
    is_done(1, TRIVIUM__FINISH_REASON__FINISH_SUPERSEDED, 0);
}

static void nobody_is_waited_for_longer_than_asked(void **state) {
    (void)state;
    asks_for_a_text(1);
    fails(TRIVIUM__CODE__NO_MODELD, "no modeld of 'm' is here");
}

static void is_told_to_wait(const char *sentence) {
    const Trivium__Waiting *waiting = TOLD(WAITING)->waiting;
    assert_int_equal(waiting->request.len, REQUEST_BYTES);
    assert_memory_equal(waiting->request.data, wire_id_bytes, REQUEST_BYTES);
    assert_int_equal(waiting->attempt, 1);
    assert_int_equal(waiting->call, 0);
    assert_string_equal(waiting->message, sentence);
}

static void whoever_waits_is_told_for_what(void **state) {
    (void)state;
    tokenizerd.hears_waits = true;
    asks_for_a_text(60000);
    is_told_to_wait("waiting for a modeld of 'm', for up to 60 s; none is here");
    modeld_joins(first_modeld);
    TOLD(STARTED);
    is_opened(first_modeld, 1, "hi");
    modeld_reports(first_modeld, "other");      /* its samplerd draws for others */
    is_told_to_wait("waiting for a samplerd at the modeld of 'm', for up to 60 s");
    modeld_reports(first_modeld, DEFAULT_POOL);
    draws(first_modeld, 1, 0, 'a');
    is_shown(1, 0, "a");
    modeld_leaves(first_modeld);
    is_told_to_wait("waiting for a modeld of 'm', which is gone, for up to 60 s");
}

static void an_own_wait_is_kept_for_a_model_that_nobody_knows(void **state) {
    (void)state;
    second_modeld->hello.name = tokenizerd.first.name = "other";
    modeld_joins(second_modeld);
    Trivium__Tokenize tokenize = TRIVIUM__TOKENIZE__INIT;
    tokenize.model = "m";       /* which nobody has seen, as is certain after RETURN_HEARTBEATS */
    client_says(ASK(TOKENIZE, tokenize, &tokenize), &(wire_raw){"", 0}, 1);
    assert_int_equal(TOLD(FAILED)->failed->error->code, TRIVIUM__CODE__UNKNOWN_MODEL);
    tokenizerd.hears_waits = true;
    asks_for_a_text(60000);
    is_told_to_wait("waiting for a modeld of 'm', for up to 60 s; there are: 'other'");
    modeld_joins(first_modeld);
    TOLD(STARTED);
}

static void a_stop_string_ends_it_at_both_ends(void **state) {
    (void)state;
    has_begun();
    draws(first_modeld, 1, 1, '.');
    is_shown(1, 1, "");
    is_done(1, TRIVIUM__FINISH_REASON__FINISH_STOP, 2);
    assert_int_equal(ASKED(first_modeld, CLOSE)->close->attempt, 1);
}

static void a_cancelled_text_is_closed_and_stays_so(void **state) {
    (void)state;
    has_begun();
    Trivium__Cancel cancel = TRIVIUM__CANCEL__INIT;
    cancel.call = 5;
    cancel.request = (ProtobufCBinaryData){1, wire_id.data};
    client_says(ASK(CANCEL, cancel, &cancel), NULL, 0);
    is_done(1, TRIVIUM__FINISH_REASON__FINISH_CANCELLED, 1);
    assert_int_equal(TOLD(CANCELLED)->cancelled->n_tokens, 1);
    ASKED(first_modeld, CLOSE);
    resumes(2, "a");
    is_done(2, TRIVIUM__FINISH_REASON__FINISH_CANCELLED, 0);
}

static void a_client_that_is_gone_is_not_written_for(void **state) {
    (void)state;
    has_begun();
    fake_peer_say_leave(&tokenizerd.client.peer);
    assert_int_equal(ASKED(first_modeld, CLOSE)->close->attempt, 1);
}

/* ---- attempts and steps ---- */

static void an_attempt_that_was_refused_has_ended(void **state) {
    (void)state;
    Trivium__Generate g = TRIVIUM__GENERATE__INIT;
    g.request = wire_id;
    g.attempt = 1;
    client_says(ASK(GENERATE, generate, &g), NULL, 0);
    fails(TRIVIUM__CODE__BAD_REQUEST, "max_new_tokens must be at least 1");
    asks_for_a_text(0);
    is_done(1, TRIVIUM__FINISH_REASON__FINISH_SUPERSEDED, 0);
    g.attempt = 2;
    client_says(ASK(GENERATE, generate, &g), &wire_odd, 1);
    fails(TRIVIUM__CODE__BAD_MESSAGE, "no whole number of ids");
    resumes(2, "a");
    is_done(2, TRIVIUM__FINISH_REASON__FINISH_SUPERSEDED, 0);
}

static void what_cannot_be_carried_is_refused_once(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    Trivium__Generate g = TRIVIUM__GENERATE__INIT;
    g.request = wire_id;
    g.attempt = 1;
    g.max_new_tokens = 8;
    g.priority = PRIORITY_MAX + 1;
    client_says(ASK(GENERATE, generate, &g), NULL, 0);
    fails(TRIVIUM__CODE__BAD_REQUEST, "a priority is -10 to 10, not 11");
    g.attempt = 2;
    g.priority = PRIORITY_MIN;
    g.traceparent = NO_TRACEPARENT;
    client_says(ASK(GENERATE, generate, &g), NULL, 0);
    fails(TRIVIUM__CODE__BAD_REQUEST, "a traceparent has");
    assert_true(asker_is_silent(&tokenizerd.client));
    assert_true(asker_is_silent(first_modeld));
}

static void only_the_step_that_is_due_counts(void **state) {
    (void)state;
    has_begun();
    draws(first_modeld, 1, 0, 'x');
    draws(first_modeld, 1, 2, 'y');
    assert_true(asker_is_silent(&tokenizerd.client));
    draws(first_modeld, 1, 1, 'b');
    is_shown(1, 1, "b");
}

static void a_higher_attempt_takes_over(void **state) {
    (void)state;
    has_begun();
    resumes(2, "a");
    is_done(1, TRIVIUM__FINISH_REASON__FINISH_SUPERSEDED, 1);
    TOLD(STARTED);
    assert_int_equal(ASKED(first_modeld, CLOSE)->close->attempt, 1);
    is_opened(first_modeld, 2, "hia");
    draws(first_modeld, 1, 1, 'x');    /* of the attempt that has ended */
    closes(first_modeld, 1, TRIVIUM__CLOSE_REASON__CLOSE_SUPERSEDED, 0);
    assert_true(asker_is_silent(&tokenizerd.client));
    draws(first_modeld, 2, 1, 'b');
    is_shown(2, 1, "b");
    resumes(2, "ab");
    is_done(2, TRIVIUM__FINISH_REASON__FINISH_SUPERSEDED, 0);
    draws(first_modeld, 2, 2, 'c');    /* the one that was here goes on */
    is_shown(2, 2, "c");
}

static void another_modeld_has_no_say(void **state) {
    (void)state;
    has_begun();
    modeld_joins(second_modeld);
    draws(second_modeld, 1, 1, 'x');
    closes(second_modeld, 1, TRIVIUM__CLOSE_REASON__CLOSE_LENGTH, 0);
    assert_true(asker_is_silent(&tokenizerd.client));
    draws(first_modeld, 1, 1, 'b');
    is_shown(1, 1, "b");
}

/* ---- modelds that are lost, or full ---- */

static void a_text_goes_on_where_another_modeld_is(void **state) {
    (void)state;
    has_begun();
    modeld_joins(second_modeld);
    modeld_leaves(first_modeld);
    is_opened(second_modeld, 1, "hia");
    draws(second_modeld, 1, 1, 'b');
    is_shown(1, 1, "b");
}

static void a_text_that_ends_every_modeld_ends(void **state) {
    (void)state;
    asks_for_a_text(0);
    for (int i = 0; i <= REOPENS_MAX; i++) {
        modeld_joins(first_modeld);
        if (i == 0) TOLD(STARTED);
        is_opened(first_modeld, 1, "hi");
        modeld_leaves(first_modeld);
    }
    fails(TRIVIUM__CODE__NO_MODELD, "6 modelds in a row were lost before they drew a token of it");
}

static void a_token_makes_up_for_losses(void **state) {
    (void)state;
    asks_for_a_text(0);
    char text[32] = "hi";
    for (uint32_t i = 0; i <= REOPENS_MAX; i++) {
        modeld_joins(first_modeld);
        if (i == 0) TOLD(STARTED);
        is_opened(first_modeld, 1, text);
        draws(first_modeld, 1, i, 'a');
        is_shown(1, i, "a");
        strcat(text, "a");
        modeld_leaves(first_modeld);
    }
    modeld_joins(first_modeld);
    is_opened(first_modeld, 1, text);
}

static void who_has_not_begun_hears_that_there_is_no_room(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    asks_for_a_text(0);
    TOLD(STARTED);
    is_opened(first_modeld, 1, "hi");
    closes(first_modeld, 1, TRIVIUM__CLOSE_REASON__CLOSE_ERROR, TRIVIUM__CODE__BUSY);
    fails(TRIVIUM__CODE__BUSY, "no pages");
}

static void what_has_begun_is_tried_again_where_there_is_room(void **state) {
    (void)state;
    has_begun();
    modeld_joins(second_modeld);
    closes(first_modeld, 1, TRIVIUM__CLOSE_REASON__CLOSE_ERROR, TRIVIUM__CODE__BUSY);
    is_opened(second_modeld, 1, "hia");
    closes(second_modeld, 1, TRIVIUM__CLOSE_REASON__CLOSE_ERROR, TRIVIUM__CODE__BUSY);
    is_opened(first_modeld, 1, "hia");
    draws(first_modeld, 1, 1, 'b');
    is_shown(1, 1, "b");
}

static void any_other_error_ends_it(void **state) {
    (void)state;
    has_begun();
    closes(first_modeld, 1, TRIVIUM__CLOSE_REASON__CLOSE_ERROR, TRIVIUM__CODE__SAMPLER_FAILED);
    fails(TRIVIUM__CODE__SAMPLER_FAILED, "no pages");
}

static void a_modeld_that_breaks_a_rule_ends_it(void **state) {
    (void)state;
    has_begun();
    draws(first_modeld, 1, 1, 0xc3);
    is_shown(1, 1, "");         /* half a character */
    Trivium__Drawn drawn = TRIVIUM__DRAWN__INIT;
    Trivium__Token token = TRIVIUM__TOKEN__INIT;
    drawn.id = 256 + SCENE_BYTE;        /* one past the last */
    token.request = wire_id;
    token.attempt = 1;
    token.step = 2;
    token.drawn = &drawn;
    modeld_says(first_modeld, REPLY(TOKEN, token, &token), NULL, 0);
    is_shown(1, 2, "\xef\xbf\xbd");     /* what was held back is let go */
    fails(TRIVIUM__CODE__BAD_ID, "is outside the vocabulary of 'm'");
    ASKED(first_modeld, CLOSE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_text_waits_for_its_model_and_is_written),
        TEST(nobody_is_waited_for_longer_than_asked),
        TEST(whoever_waits_is_told_for_what),
        TEST(an_own_wait_is_kept_for_a_model_that_nobody_knows),
        TEST(a_stop_string_ends_it_at_both_ends),
        TEST(a_cancelled_text_is_closed_and_stays_so),
        TEST(a_client_that_is_gone_is_not_written_for),
        TEST(an_attempt_that_was_refused_has_ended),
        TEST(what_cannot_be_carried_is_refused_once),
        TEST(only_the_step_that_is_due_counts),
        TEST(a_higher_attempt_takes_over),
        TEST(another_modeld_has_no_say),
        TEST(a_text_goes_on_where_another_modeld_is),
        TEST(a_text_that_ends_every_modeld_ends),
        TEST(a_token_makes_up_for_losses),
        TEST(who_has_not_begun_hears_that_there_is_no_room),
        TEST(what_has_begun_is_tried_again_where_there_is_room),
        TEST(any_other_error_ends_it),
        TEST(a_modeld_that_breaks_a_rule_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
