#include "two_tokenizerds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* after ours: it has a macro named fail */

static const generation_piece prompt = {(const uint8_t *)"Once", 4, true};
static strategy chain;
place first_at, second_at;
text_peer first, second;
client *under_test;

text one, two;
size_t n_answers;

/* ---- the client's side ---- */

static void on_started(void *context, const generation_start *start) {
    (void)context;
    (void)start;
}

static void on_chunk(void *context, const generation_chunk *chunk) {
    ((text *)context)->n_tokens += chunk->n_tokens;
}

static void on_done(void *context, const generation_done *done) {
    text *t = context;
    t->n_done++;
    t->reason = done->reason;
    t->code = done->code;
}

void begins(text *t, uint8_t name) {
    static const generation_events events = {.started = on_started, .chunk = on_chunk, .done = on_done};
    failure f;
    *t = (text){.request = {.id = {name}, .pieces = &prompt, .n_pieces = 1, .chain = &chain, .max_new_tokens = 20}};
    assert_int_equal(client_generate(under_test, &t->request, &events, t, &f), STATUS_OK);
}

static void on_answer(void *context, const answer *a) {
    (void)context;
    (void)a;
    n_answers++;
}

void asks(question_kind kind) {
    static question asked[2];
    question *q = &asked[kind == ASK_TOKENIZE];
    failure f;
    *q = (question){.kind = kind};
    if (kind == ASK_TOKENIZE) q->tokenize.text = (question_text){.bytes = (const uint8_t *)"Once", .n_bytes = 4};
    assert_int_equal(client_call(under_test, q, on_answer, NULL, &f), STATUS_OK);
}

void knows_for_ms(size_t n_endpoints, uint32_t wait_ms) {
    static const char *const endpoints[] = {first_at.address, second_at.address};
    failure f;
    const client_options how = {.endpoints = endpoints, .n_endpoints = n_endpoints, .wait_ms = wait_ms};
    assert_int_equal(client_open(&under_test, &how, &f), STATUS_OK);
}

void client_knows(size_t n_endpoints) {
    knows_for_ms(n_endpoints, WAIT_LONG_MS);
}

/* ---- the tokenizerds' side ---- */

void opens(text_peer *t) {
    text_peer_open(t, client_loop(under_test), t == &first ? first_at.address : second_at.address);
}

static bool is_true(void *context) {
    return (*(bool (**)(void))context)();
}

bool comes_true(bool (*wanted)(void)) {
    return turns_until(client_loop(under_test), is_true, &wanted);
}

bool first_is_joined(void) { return first.client != NULL; }
bool first_is_joined_again(void) { return first.client && first.n_joined == 2; }
bool second_is_joined_again(void) { return second.client && second.n_joined == 2; }
bool second_is_joined(void) { return second.client != NULL; }
bool one_has_a_token(void) { return one.n_tokens == 1; }
bool one_has_two_tokens(void) { return one.n_tokens == 2; }
bool one_is_done(void) { return one.n_done == 1; }
bool two_is_done(void) { return two.n_done == 1; }
bool is_answered(void) { return n_answers == 1; }

const text_peer_asked *looked_for(const text_peer *t, const text *of, size_t n) {
    for (size_t i = 0; i < t->n_asked; i++) {
        const Trivium__TextRequest *m = t->asked[i].m;
        if (m->body_case == TRIVIUM__TEXT_REQUEST__BODY_GENERATE && m->generate->request.data[0] == of->request.id[0] &&
            n-- == 0)
            return &t->asked[i];
    }
    return NULL;
}

bool first_has_one(void) { return looked_for(&first, &one, 0) != NULL; }
bool first_has_two(void) { return looked_for(&first, &two, 0) != NULL; }
bool second_has_one(void) { return looked_for(&second, &one, 0) != NULL; }
bool second_has_two(void) { return looked_for(&second, &two, 0) != NULL; }

bool has_asked(const text_peer *t, Trivium__TextRequest__BodyCase body) {
    return text_peer_find(t, body, 0) != NULL;
}

bool first_is_asked_for_status(void) { return ASKED(first, STATUS); }
bool first_is_asked_to_watch(void) { return ASKED(first, WATCH); }
bool first_is_asked_to_pause(void) { return ASKED(first, PAUSE); }
bool first_is_asked_to_tokenize(void) { return ASKED(first, TOKENIZE); }
bool second_is_asked_to_tokenize(void) { return ASKED(second, TOKENIZE); }

/* The attempt that it was last asked for there. */
static uint32_t newest_attempt(const text_peer *t, const text *of) {
    const text_peer_asked *asked, *newest = NULL;
    for (size_t n = 0; (asked = looked_for(t, of, n)) != NULL; n++) newest = asked;
    return newest ? newest->m->generate->attempt : 1;
}

void says_token(text_peer *t, const text *of, uint32_t step) {
    static const int32_t prompt_id = 5;
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    const ProtobufCBinaryData id = {REQUEST_BYTES, (uint8_t *)of->request.id};
    if (step == 0) {
        Trivium__Started m = TRIVIUM__STARTED__INIT;
        m.request = id;
        m.attempt = newest_attempt(t, of);
        m.n_prompt = 1;
        reply.body_case = TRIVIUM__TEXT_REPLY__BODY_STARTED;
        reply.started = &m;
        text_peer_say(t, &reply, &(wire_raw){&prompt_id, sizeof prompt_id}, 1);
    }
    Trivium__Drawn drawn = TRIVIUM__DRAWN__INIT, *list[] = {&drawn};
    Trivium__Chunk m = TRIVIUM__CHUNK__INIT;
    m.request = id;
    m.attempt = newest_attempt(t, of);
    m.n_drawn = 1;
    m.step = step;
    m.drawn = list;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_CHUNK;
    reply.chunk = &m;
    text_peer_say(t, &reply, NULL, 0);
}

/* code: OK, or why it failed. */
void says_end(text_peer *t, const text *of, Trivium__Code code) {
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    Trivium__Error error = TRIVIUM__ERROR__INIT;
    Trivium__Done m = TRIVIUM__DONE__INIT;
    error.code = code;
    m.request = (ProtobufCBinaryData){REQUEST_BYTES, (uint8_t *)of->request.id};
    m.attempt = newest_attempt(t, of);
    m.reason = code ? TRIVIUM__FINISH_REASON__FINISH_ERROR : TRIVIUM__FINISH_REASON__FINISH_LENGTH;
    m.error = &error;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_DONE;
    reply.done = &m;
    text_peer_say(t, &reply, NULL, 0);
}

void says_done(text_peer *t, const text *of) {
    says_end(t, of, TRIVIUM__CODE__OK);
}

void says_failed(text_peer *t, uint64_t call, Trivium__Code code) {
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    Trivium__Error error = TRIVIUM__ERROR__INIT;
    Trivium__Failed failed = TRIVIUM__FAILED__INIT;
    error.code = code;
    failed.call = call;
    failed.error = &error;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_FAILED;
    reply.failed = &failed;
    text_peer_say(t, &reply, NULL, 0);
}

/* Nobody else is there yet, so that a slow machine does not come to the other's turn. */
void joins_the_first(size_t n_endpoints) {
    client_knows(n_endpoints);
    opens(&first);
    assert_true(comes_true(first_is_joined));
}

/* The first text has a token there; then it drains, and the client has heard that. */
void drains_in_a_text(size_t n_endpoints) {
    joins_the_first(n_endpoints);
    opens(&second);
    begins(&one, 1);
    assert_true(comes_true(first_has_one));
    says_token(&first, &one, 0);
    assert_true(comes_true(one_has_a_token));
    peers_drain(first.peers);
    says_token(&first, &one, 1);
    assert_true(comes_true(one_has_two_tokens));
}

int two_tokenizerds_begin(void **state) {
    (void)state;
    place_make(&first_at);
    place_make(&second_at);
    text_peer_init(&first);
    text_peer_init(&second);
    strategy_init(&chain);
    strategy_defaults(&chain);
    memset(&one, 0, sizeof one);
    memset(&two, 0, sizeof two);
    n_answers = 0;
    return 0;
}

int two_tokenizerds_end(void **state) {
    (void)state;
    text_peer_clear(&first);
    text_peer_clear(&second);
    client_close(&under_test);
    strategy_clear(&chain);
    return place_remove(&first_at) && place_remove(&second_at) ? 0 : -1;
}
