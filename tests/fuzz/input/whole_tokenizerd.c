#include "whole_tokenizerd.h"

#include <string.h>

#include "proto/base/log.h"
#include "tests/support/modeld/wire_chain.h"
#include "tests/support/tokenizerd/scene_texts.h"

enum { N_UNDER_WAY = 1 + WHICH_MAX, ROW_WIDTH = 4, N_LOGPROBS_MAX = 64 };
enum { SCORE_CALL = 1, PROBE_CALL, WATCH_CALL, TUNE_CALL, STATUS_CALL, LIST_CALL };

static link_speaker *client, *modeld;

/* ---- what the modeld was asked ---- */

typedef struct asked_text {
    uint8_t request[REQUEST_BYTES];
    uint32_t attempt, n_drawn;
} asked_text;

typedef struct asked_call {
    uint64_t call;
    Trivium__TokensRequest__BodyCase kind;
    bool is_answered;
} asked_call;

static asked_text texts[N_UNDER_WAY];   /* rings */
static asked_call calls[N_UNDER_WAY];
static size_t n_texts, n_calls;
static bool wants_vocabulary;
static uint8_t clients_text[REQUEST_BYTES];     /* the id of its text, in each input another: one that was cancelled is over */
static uint32_t last_attempt;           /* of it */

static void on_asked(const ProtobufCMessage *message) {
    const Trivium__TokensRequest *m = (const Trivium__TokensRequest *)message;
    switch (m->body_case) {
    case TRIVIUM__TOKENS_REQUEST__BODY_VOCABULARY: wants_vocabulary = true; return;
    case TRIVIUM__TOKENS_REQUEST__BODY_OPEN:
        texts[n_texts % N_UNDER_WAY] = (asked_text){.attempt = m->open->attempt};
        memcpy(texts[n_texts++ % N_UNDER_WAY].request, m->open->request.data, REQUEST_BYTES);
        return;
    case TRIVIUM__TOKENS_REQUEST__BODY_SCORE:
        calls[n_calls++ % N_UNDER_WAY] = (asked_call){m->score->call, m->body_case, false};
        return;
    case TRIVIUM__TOKENS_REQUEST__BODY_PROBE:
        calls[n_calls++ % N_UNDER_WAY] = (asked_call){m->probe->call, m->body_case, false};
        return;
    default: return;
    }
}

/* Number `which` of the texts, 0 being the newest; where there is none, one that never was. */
static asked_text *text_asked(unsigned which) {
    static asked_text none;
    return which < n_texts ? &texts[(n_texts - 1 - which) % N_UNDER_WAY] : &none;
}

/* The same of the calls of this kind. */
static uint64_t call_asked(Trivium__TokensRequest__BodyCase kind, unsigned which) {
    for (size_t i = 0; i < n_calls && i < N_UNDER_WAY; i++) {
        const asked_call *one = &calls[(n_calls - 1 - i) % N_UNDER_WAY];
        if (one->kind == kind && which-- == 0) return one->call;
    }
    return 0;
}

static size_t name_call(uint64_t call, uint8_t *out) {
    Trivium__CloseCall named = TRIVIUM__CLOSE_CALL__INIT;   /* as in all that is said of a call */
    named.call = call;
    return trivium__close_call__pack(&named, out);
}

static ProtobufCBinaryData id_of(asked_text *text) {
    return (ProtobufCBinaryData){REQUEST_BYTES, text->request};
}

static size_t name_asked(uint32_t body, unsigned which, uint8_t *out) {
    asked_text *text = text_asked(which);
    Trivium__Close named = TRIVIUM__CLOSE__INIT;            /* as in most of what is said of a text */
    Trivium__Glimpse glimpse = TRIVIUM__GLIMPSE__INIT;
    named.request = glimpse.request = id_of(text);
    named.attempt = glimpse.attempt = text->attempt;
    switch (body) {
    case TRIVIUM__TOKENS_REPLY__BODY_TOKEN:
    case TRIVIUM__TOKENS_REPLY__BODY_TUNED:
    case TRIVIUM__TOKENS_REPLY__BODY_CLOSED: return trivium__close__pack(&named, out);
    case TRIVIUM__TOKENS_REPLY__BODY_GLIMPSE: return trivium__glimpse__pack(&glimpse, out);
    case TRIVIUM__TOKENS_REPLY__BODY_SCORED: return name_call(call_asked(TRIVIUM__TOKENS_REQUEST__BODY_SCORE, which), out);
    case TRIVIUM__TOKENS_REPLY__BODY_PROBED:
    case TRIVIUM__TOKENS_REPLY__BODY_FAILED: return name_call(call_asked(TRIVIUM__TOKENS_REQUEST__BODY_PROBE, which), out);
    default: return 0;
    }
}

/* ---- what the modeld says beside a client under test ---- */

static void says(Trivium__TokensReply m, const wire_raw *raw, size_t n_raw) {
    link_input_tells(modeld, &m.base, raw, n_raw);
}

static void draw(asked_text *text) {
    Trivium__Drawn drawn = TRIVIUM__DRAWN__INIT;
    Trivium__Token token = TRIVIUM__TOKEN__INIT;
    drawn.id = 'b' + SCENE_BYTE;        /* which is no stop of the seeds */
    token.request = id_of(text);
    token.attempt = text->attempt;
    token.step = text->n_drawn++;
    token.drawn = &drawn;
    says(REPLY(TOKEN, token, &token), NULL, 0);
}

static void answer(asked_call *one) {
    static const double logprobs[N_LOGPROBS_MAX];
    const wire_raw three = {logprobs, 3 * sizeof *logprobs}, row = {logprobs, ROW_WIDTH * sizeof *logprobs};
    Trivium__ScoredIds scored = TRIVIUM__SCORED_IDS__INIT;
    Trivium__ProbedRow probed = TRIVIUM__PROBED_ROW__INIT;
    scored.call = probed.call = one->call;
    if (one->kind == TRIVIUM__TOKENS_REQUEST__BODY_SCORE) says(REPLY(SCORED, scored, &scored), &three, 1);
    else says(REPLY(PROBED, probed, &probed), &row, 1);
    one->is_answered = true;
}

static void answer_all(void) {
    link_input_turn(modeld);
    for (unsigned i = 0; i < N_UNDER_WAY; i++)
        if (i < n_texts) draw(text_asked(i));
    for (size_t i = 0; i < n_calls && i < N_UNDER_WAY; i++)
        if (!calls[i].is_answered) answer(&calls[i]);
}

static ProtobufCBinaryData id_of_clients(void) {
    return (ProtobufCBinaryData){REQUEST_BYTES, clients_text};
}

static size_t name_text(uint32_t body, unsigned which, uint8_t *out) {
    Trivium__Close named = TRIVIUM__CLOSE__INIT;
    Trivium__Cancel of_call = TRIVIUM__CANCEL__INIT;        /* as in all calls about a text */
    answer_all();
    named.request = of_call.request = id_of_clients();
    switch (body) {
    case TRIVIUM__TEXT_REQUEST__BODY_GENERATE:
        last_attempt += which == 0;
        named.attempt = last_attempt;
        return trivium__close__pack(&named, out);
    case TRIVIUM__TEXT_REQUEST__BODY_ACKNOWLEDGE:
    case TRIVIUM__TEXT_REQUEST__BODY_PAUSE: named.attempt = last_attempt; return trivium__close__pack(&named, out);
    case TRIVIUM__TEXT_REQUEST__BODY_TUNE:
    case TRIVIUM__TEXT_REQUEST__BODY_CANCEL:
    case TRIVIUM__TEXT_REQUEST__BODY_WATCH: return trivium__cancel__pack(&of_call, out);
    default: return 0;
    }
}

/* ---- what the client asks beside a modeld under test ---- */

static void asks(Trivium__TextRequest m, const wire_raw *raw, size_t n_raw) {
    link_input_tells(client, &m.base, raw, n_raw);
}

static void generate(void) {
    static ProtobufCBinaryData stop = {1, (uint8_t *)"."};
    Trivium__Segment said = TRIVIUM__SEGMENT__INIT, *pieces[] = {&said};
    Trivium__Generate g = TRIVIUM__GENERATE__INIT;
    said.n_bytes = 2;
    g.request = id_of_clients();
    g.attempt = ++last_attempt;
    g.segments = pieces;
    g.n_segments = 1;
    g.max_new_tokens = 8;
    g.stops = &stop;
    g.n_stops = 1;
    g.n_candidates = 2;
    asks(ASK(GENERATE, generate, &g), &(wire_raw){"hi", 2}, 1);
}

static void score(void) {
    Trivium__Score s = TRIVIUM__SCORE__INIT;
    s.call = SCORE_CALL;
    s.has_ids = true;
    s.n_top = 2;
    asks(ASK(SCORE, score, &s), &wire_three, 1);
}

static void probe(void) {
    static const float row[ROW_WIDTH] = {0, 1, 2, 3};
    const wire_raw raw[] = {{row, sizeof row}, wire_none};
    Trivium__Probe p = TRIVIUM__PROBE__INIT;
    p.call = PROBE_CALL;
    p.strategy = wire_temperature(0.5);
    asks(ASK(PROBE, probe, &p), raw, 2);
}

static void watch_and_tune(void) {
    Trivium__Watch w = TRIVIUM__WATCH__INIT;
    Trivium__Tune t = TRIVIUM__TUNE__INIT;
    w.call = WATCH_CALL;
    w.request = t.request = id_of_clients();
    w.n_candidates = 2;
    t.call = TUNE_CALL;
    t.strategy = wire_temperature(0.5);
    asks(ASK(WATCH, watch, &w), NULL, 0);
    asks(ASK(TUNE, tune, &t), NULL, 0);
}

void whole_tokenizerd_works(void) {
    generate();
    score();
    probe();
    link_input_turn(client);            /* in which the text becomes ids */
    watch_and_tune();
}

void whole_tokenizerd_is_seen(void) {
    Trivium__StatusQuery query = TRIVIUM__STATUS_QUERY__INIT;
    Trivium__List list = TRIVIUM__LIST__INIT;
    query.call = STATUS_CALL;
    list.call = LIST_CALL;
    asks(ASK(STATUS, status, &query), NULL, 0);
    asks(ASK(LIST, list, &list), NULL, 0);
}

/* ---- the modeld's coming ---- */

static void say_piece(void *unused, Trivium__VocabularyPiece *piece) {
    (void)unused;
    says(REPLY(VOCABULARY, vocabulary, piece), NULL, 0);
}

void whole_tokenizerd_has_modeld(void) {
    static uint64_t n_inputs;
    n_inputs++;
    memcpy(clients_text, &n_inputs, sizeof n_inputs);
    n_texts = n_calls = last_attempt = 0;
    wants_vocabulary = false;
    modeld->from++;                     /* one that was cut may not come back */
    link_input_joins(modeld);
    if (wants_vocabulary) scene_vocabulary(say_piece, NULL);
}

void whole_tokenizerd_begin(link_speaker *as_client, link_speaker *as_modeld) {
    const asker *asking = &tokenizerd.client;
    client = as_client;
    modeld = as_modeld;
    log_open("tokenizerd", LOG_QUIET);
    service_scene_begin(NULL);
    link_input_removes(&tokenizerd.clients_at);
    link_input_removes(&tokenizerd.modelds_at);
    modeld_joins(first_modeld);
    *client = (link_speaker){tokenizerd.loop, 0, true, asking->peer.from, asking->peer.to,
                             fake_hello_of_the_silent(TRIVIUM__ROLE__CLIENT), name_text};
    *modeld = (link_speaker){tokenizerd.loop, 1, true, first_modeld->peer.from, first_modeld->peer.to,
                             first_modeld->hello, name_asked};
    modeld->hello.heartbeat_ms = HEARTBEAT_MS_MAX;
    link_input_listen(modeld, &trivium__tokens_request__descriptor, on_asked);
    link_input_begin();
}
