/* generating.h and rendering.h: texts that begin with messages, from Generate to what modelds and the client hear. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/limits.h"
#include "tests/support/tokenizerd/scene_texts.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

/* ---- what the client says ---- */

/* "Hi!" and "Hi!" in turns, in a form whose replies a text ends. */
static Trivium__Generate talk(uint32_t attempt, size_t n_messages) {
    Trivium__Generate g = TRIVIUM__GENERATE__INIT;
    g.request = wire_id;
    g.attempt = attempt;
    g.model = "m";
    g.max_new_tokens = 8;
    g.messages = wire_conversation(n_messages);
    g.n_messages = n_messages;
    g.template_ = "plain";
    return g;
}

static void says(Trivium__Generate *g) {
    client_says(ASK(GENERATE, generate, g), &(wire_raw){"Hi!Hi!Hi!Hi!Hi!Hi!Hi!Hi!", 3 * g->n_messages}, 1);
}

static void asks(uint32_t attempt, size_t n_messages) {
    Trivium__Generate g = talk(attempt, n_messages);
    says(&g);
}

static void is_asked_to_write_after(const char *prompt) {
    const Trivium__Open *open = ASKED(first_modeld, OPEN)->open;
    assert_int_equal(open->n_prompt, strlen(prompt));
    assert_string_equal(heard_as_text(first_modeld), prompt);
}

/* ---- a prompt ---- */

static void messages_become_the_prompt(void **state) {
    (void)state;
    asks(1, 3);
    assert_true(asker_is_silent(&tokenizerd.client));       /* nobody knows the model yet */
    modeld_joins(first_modeld);
    const Trivium__Started *started = TOLD(STARTED)->started;
    assert_string_equal(started->model, "m");
    assert_string_equal(started->template_, "plain");
    assert_int_equal(started->origin, TRIVIUM__TEMPLATE_ORIGIN__TEMPLATE_ASKED);
    assert_int_equal(started->n_dropped, 0);
    assert_int_equal(started->n_cut, 0);
    assert_int_equal(started->n_ctx, 64);
    assert_int_equal(started->max_new_tokens, 8);
    assert_int_equal(started->n_stops, 1);
    assert_int_equal(started->stops[0].len, 5);
    assert_memory_equal(started->stops[0].data, "User:", 5);
    assert_false(started->has_own_bos);
    assert_true(started->n_vocab > 256);
    static const char prompt[] = "User: Hi!\nAssistant: Hi!\nUser: Hi!\nAssistant:";
    assert_string_equal(heard_as_text(&tokenizerd.client), prompt);
    is_asked_to_write_after(prompt);
}

static void what_does_not_fit_is_left_out(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    Trivium__Generate g = talk(1, 3);
    g.n_ids_max = 30;
    says(&g);
    assert_int_equal(TOLD(STARTED)->started->n_dropped, 2);
    assert_string_equal(heard_as_text(&tokenizerd.client), "User: Hi!\nAssistant:");
    is_asked_to_write_after("User: Hi!\nAssistant:");
    g = talk(2, 1);
    g.n_ids_max = 19;
    says(&g);
    is_done(1, TRIVIUM__FINISH_REASON__FINISH_SUPERSEDED, 0);
    assert_int_equal(TOLD(STARTED)->started->n_cut, 1);
    assert_string_equal(heard_as_text(&tokenizerd.client), "User: i!\nAssistant:");
    g = talk(3, 1);
    g.n_ids_max = 17;           /* nothing of it would be left */
    says(&g);
    is_done(2, TRIVIUM__FINISH_REASON__FINISH_SUPERSEDED, 0);
    fails(TRIVIUM__CODE__TOO_LONG, "17 are allowed");
    assert_true(asker_is_silent(&tokenizerd.client));
}

static void the_form_ends_a_reply(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    asks(1, 1);
    TOLD(STARTED);
    ASKED(first_modeld, OPEN);
    static const char reply[] = "Yo";
    for (uint32_t i = 0; i < 2; i++) {
        draws(first_modeld, 1, i, (uint8_t)reply[i]);
        is_shown(1, i, (char[]){reply[i], '\0'});
    }
    for (uint32_t i = 0; i < 5; i++) {
        draws(first_modeld, 1, 2 + i, (uint8_t)"User:"[i]);
        is_shown(1, 2 + i, "");
    }
    is_done(1, TRIVIUM__FINISH_REASON__FINISH_STOP, 7);
}

/* ---- how long its reply may be ---- */

static void a_reply_has_the_room_that_there_is(void **state) {
    (void)state;
    static const struct {
        uint64_t kv_tokens;
        uint32_t asked, used;
        bool as_room_allows;
    } cases[] = {               /* of a context of 64, of which the prompt takes 20 */
        {0, 50, 50, false}, {0, 50, 44, true},  {0, 8, 8, true},     {10000, 50, 44, true},
        {60, 50, 15, true}, {60, 50, 50, false}, {60, 10, 10, true}, {22, 50, 2, true},
        {20, 50, 1, true},
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tokenizerd.offer.kv_tokens = cases[i].kv_tokens;
        modeld_joins(first_modeld);
        Trivium__Generate g = talk(i + 1, 1);
        g.max_new_tokens = cases[i].asked;
        g.as_room_allows = cases[i].as_room_allows;
        says(&g);
        const Trivium__Started *started = TOLD(STARTED)->started;
        assert_int_equal(started->kv_tokens, cases[i].kv_tokens);
        assert_int_equal(started->max_new_tokens, cases[i].used);
        assert_int_equal(ASKED(first_modeld, OPEN)->open->max_new_tokens, cases[i].used);
        closes(first_modeld, i + 1, TRIVIUM__CLOSE_REASON__CLOSE_LENGTH, 0);
        is_done(i + 1, TRIVIUM__FINISH_REASON__FINISH_LENGTH, 0);
        modeld_leaves(first_modeld);
    }
}

/* ---- before it has begun ---- */

static void it_may_be_cancelled_while_it_waits(void **state) {
    (void)state;
    asks(1, 1);
    Trivium__Cancel cancel = TRIVIUM__CANCEL__INIT;
    cancel.call = 5;
    cancel.request = wire_id;
    client_says(ASK(CANCEL, cancel, &cancel), NULL, 0);
    is_done(1, TRIVIUM__FINISH_REASON__FINISH_CANCELLED, 0);
    TOLD(CANCELLED);
    modeld_joins(first_modeld);
    assert_true(asker_is_silent(&tokenizerd.client));
}

static void it_may_rest_and_be_said_again(void **state) {
    (void)state;
    asks(1, 1);
    Trivium__Pause pause = TRIVIUM__PAUSE__INIT;
    pause.request = wire_id;
    pause.attempt = 1;
    client_says(ASK(PAUSE, pause, &pause), NULL, 0);
    modeld_joins(first_modeld);
    assert_true(asker_is_silent(&tokenizerd.client));
    asks(2, 1);
    is_done(1, TRIVIUM__FINISH_REASON__FINISH_SUPERSEDED, 0);
    assert_int_equal(TOLD(STARTED)->started->attempt, 2);
    assert_string_equal(heard_as_text(&tokenizerd.client), "User: Hi!\nAssistant:");
}

static void nobody_is_waited_for_longer_than_asked(void **state) {
    (void)state;
    Trivium__Generate g = talk(1, 1);
    g.wait_ms = 1;
    says(&g);
    fails(TRIVIUM__CODE__NO_MODELD, "no modeld of 'm' is here");
}

/* ---- what makes no sense ---- */

/* Each of these gets its one Done, before its model is there or after. */
static void check_refused(Trivium__Generate *g, const wire_raw *text, Trivium__Code code, const char *sentence) {
    static uint32_t attempt;
    g->attempt = ++attempt;
    client_says(ASK(GENERATE, generate, g), text, 1);
    fails(code, sentence);
    assert_true(asker_is_silent(&tokenizerd.client));
}

static void what_makes_no_sense_gets_a_sentence(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    const wire_raw text = {"Hi!Hi!", 6}, half = {"\xc3!!Hi!", 6};
    Trivium__Generate g = talk(1, 0);
    check_refused(&g, &(wire_raw){"", 0}, TRIVIUM__CODE__EMPTY_PROMPT, "the conversation is empty");
    g = talk(1, 2);
    g.messages[1]->role = "tool";
    check_refused(&g, &text, TRIVIUM__CODE__BAD_REQUEST, "the role of message 2 is none of");
    g.messages[1]->role = "system";
    check_refused(&g, &text, TRIVIUM__CODE__BAD_REQUEST, "message 2 is a system message");
    g = talk(1, 2);
    check_refused(&g, &half, TRIVIUM__CODE__NOT_UTF8, "the content of message 1 is not valid UTF-8");
    check_refused(&g, &(wire_raw){"Hi!Hi", 5}, TRIVIUM__CODE__BAD_MESSAGE, "the messages do not fill the frame of text");
    g.template_ = "alpaca";
    check_refused(&g, &text, TRIVIUM__CODE__BAD_REQUEST, "there are chatml, llama3 and plain");
    Trivium__Segment segment = TRIVIUM__SEGMENT__INIT, *segments[] = {&segment};
    g = talk(1, 2);
    g.segments = segments;
    g.n_segments = 1;
    check_refused(&g, &text, TRIVIUM__CODE__BAD_REQUEST, "segments or of messages, and here are both");
    g = talk(1, 2);
    g.n_prompt = 2;
    check_refused(&g, &text, TRIVIUM__CODE__BAD_REQUEST, "ids or of messages, and here are both");
    Trivium__Message **list = calloc(MESSAGES_MAX + 1, sizeof *list);
    assert_non_null(list);
    g = talk(1, 1);
    g.messages[0]->n_bytes = 0;
    for (size_t i = 0; i <= MESSAGES_MAX; i++) list[i] = g.messages[0];
    g.messages = list;
    g.n_messages = MESSAGES_MAX + 1;
    check_refused(&g, &(wire_raw){"", 0}, TRIVIUM__CODE__TOO_LONG, "a conversation may have");
    free(list);
}

static void the_stop_of_the_form_needs_its_place(void **state) {
    (void)state;
    modeld_joins(first_modeld);
    ProtobufCBinaryData stops[STOPS_MAX];
    for (size_t i = 0; i < STOPS_MAX; i++) stops[i] = (ProtobufCBinaryData){1, (uint8_t *)"."};
    Trivium__Generate g = talk(1, 1);
    g.stops = stops;
    g.n_stops = STOPS_MAX;
    says(&g);
    fails(TRIVIUM__CODE__BAD_REQUEST, "more than 64 stop strings");
    g.attempt = 2;
    g.n_stops = STOPS_MAX - 1;
    says(&g);
    TOLD(STARTED);
    g.attempt = 3;
    g.n_stops = STOPS_MAX;
    g.template_ = "chatml";     /* whose close is an id that ends all texts of this model */
    says(&g);
    is_done(2, TRIVIUM__FINISH_REASON__FINISH_SUPERSEDED, 0);
    assert_int_equal(TOLD(STARTED)->started->n_stops, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(messages_become_the_prompt),
        TEST(what_does_not_fit_is_left_out),
        TEST(the_form_ends_a_reply),
        TEST(a_reply_has_the_room_that_there_is),
        TEST(it_may_be_cancelled_while_it_waits),
        TEST(it_may_rest_and_be_said_again),
        TEST(nobody_is_waited_for_longer_than_asked),
        TEST(what_makes_no_sense_gets_a_sentence),
        TEST(the_stop_of_the_form_needs_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
