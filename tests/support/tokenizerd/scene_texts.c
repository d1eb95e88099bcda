#include "scene_texts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "tests/support/traceparents.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

asker *const first_modeld = &tokenizerd.modelds[0], *const second_modeld = &tokenizerd.modelds[1];

/* ---- what the client says ---- */

enum { SCENE_PRIORITY = -4 };

static ProtobufCBinaryData stop = {1, (uint8_t *)"."};

static Trivium__Generate generate_new(uint32_t attempt) {
    Trivium__Generate g = TRIVIUM__GENERATE__INIT;
    g.request = wire_id;
    g.attempt = attempt;
    g.model = "m";
    g.max_new_tokens = 8;
    g.stops = &stop;
    g.n_stops = 1;
    g.priority = SCENE_PRIORITY;
    g.traceparent = SOME_TRACEPARENT;
    return g;
}

void sends_a_text(uint32_t wait_ms) {
    Trivium__Segment said = TRIVIUM__SEGMENT__INIT, *pieces[] = {&said};
    said.n_bytes = 2;
    Trivium__Generate g = generate_new(1);
    g.segments = pieces;
    g.n_segments = 1;
    g.wait_ms = wait_ms;
    Trivium__TextRequest m = ASK(GENERATE, generate, &g);
    fake_peer_send(&tokenizerd.client.peer, &m.base, &(wire_raw){"hi", 2}, 1);
}

void asks_for_a_text(uint32_t wait_ms) {
    sends_a_text(wait_ms);
    asker_is_heard(&tokenizerd.client);
}

/* The next attempt, with the prompt and what was drawn so far. */
void resumes(uint32_t attempt, const char *drawn) {
    int32_t ids[32] = {'h' + SCENE_BYTE, 'i' + SCENE_BYTE};
    size_t n = 2;
    for (; *drawn; drawn++) ids[n++] = (uint8_t)*drawn + SCENE_BYTE;
    Trivium__Generate g = generate_new(attempt);
    g.n_prompt = 2;
    const wire_raw raw = {ids, n * sizeof *ids};
    client_says(ASK(GENERATE, generate, &g), &raw, 1);
}

/* ---- what a modeld says ---- */

static uint32_t numbers[2];     /* of the text, as each modeld was told it last */

static uint32_t *number_at(const asker *modeld) {
    return &numbers[modeld == second_modeld];
}

void draws(asker *modeld, uint32_t attempt, uint32_t step, uint8_t byte) {
    Trivium__Drawn drawn = TRIVIUM__DRAWN__INIT;
    Trivium__Token token = TRIVIUM__TOKEN__INIT;
    drawn.id = byte + SCENE_BYTE;
    token.request = wire_id;
    token.attempt = attempt;
    token.number = *number_at(modeld);
    token.step = step;
    token.drawn = &drawn;
    modeld_says(modeld, REPLY(TOKEN, token, &token), NULL, 0);
}

void closes(asker *modeld, uint32_t attempt, Trivium__CloseReason reason, Trivium__Code code) {
    Trivium__Error error = TRIVIUM__ERROR__INIT;
    Trivium__Closed closed = TRIVIUM__CLOSED__INIT;
    error.code = code;
    error.message = "no pages";
    closed.request = wire_id;
    closed.attempt = attempt;
    closed.number = *number_at(modeld);
    closed.reason = reason;
    closed.error = &error;
    modeld_says(modeld, REPLY(CLOSED, closed, &closed), NULL, 0);
}

/* ---- what they hear ---- */

void is_opened(asker *modeld, uint32_t attempt, const char *text) {
    const Trivium__Open *open = ASKED(modeld, OPEN)->open;
    assert_memory_equal(open->request.data, wire_id_bytes, REQUEST_BYTES);
    assert_int_equal(open->attempt, attempt);
    assert_int_equal(open->n_prompt, 2);
    assert_int_equal(open->priority, SCENE_PRIORITY);
    assert_string_equal(open->traceparent, SOME_TRACEPARENT);
    *number_at(modeld) = open->number;
    assert_string_equal(heard_as_text(modeld), text);
}

void is_shown(uint32_t attempt, uint32_t step, const char *text) {
    const Trivium__Chunk *chunk = TOLD(CHUNK)->chunk;
    assert_int_equal(chunk->attempt, attempt);
    assert_int_equal(chunk->step, step);
    assert_int_equal(chunk->text.len, strlen(text));
    assert_memory_equal(chunk->text.data, text, strlen(text));
}

void is_done(uint32_t attempt, Trivium__FinishReason reason, uint32_t n_tokens) {
    const Trivium__Done *done = TOLD(DONE)->done;
    assert_int_equal(done->attempt, attempt);
    assert_int_equal(done->reason, reason);
    assert_int_equal(done->n_tokens, n_tokens);
}

void fails(Trivium__Code code, const char *sentence) {
    const Trivium__Done *done = TOLD(DONE)->done;
    assert_int_equal(done->reason, TRIVIUM__FINISH_REASON__FINISH_ERROR);
    assert_int_equal(done->error->code, code);
    assert_non_null(strstr(done->error->message, sentence));
}

/* "hi", with "a" drawn by the first modeld. */
void has_begun(void) {
    modeld_joins(first_modeld);
    asks_for_a_text(0);
    assert_string_equal(TOLD(STARTED)->started->model, "m");
    is_opened(first_modeld, 1, "hi");
    draws(first_modeld, 1, 0, 'a');
    is_shown(1, 0, "a");
}
