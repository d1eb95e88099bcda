#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../proto/strategy_wire.h"
#include "client_private.h"

enum { CANCEL_MS = 2000 };      /* how long the Done of a cancelled request is waited for */

/* A strategy, its ordinal, and the first step that it draws. */
typedef struct strategy_at {
    strategy chain;
    uint32_t ordinal, step;
} strategy_at;

/* The client's own copy of a request: all that another tokenizerd needs to go on with it. */
struct generation {
    const generation_request *request;
    generation_events events;
    void *context;
    uint32_t attempt;           /* 0 before the first was sent */
    bool started;               /* prompt ids, model and fingerprint are known */
    uint32_t first_step;        /* of this attempt */
    size_t n_ahead;             /* bytes shown beyond the ids' text: let go, they were held back */
    size_t n_again;             /* of them, still to come again in this attempt; not shown twice */
    bool cancelled;
    int cancel_timer;           /* -1: not set */
    int32_t *ids;               /* [n_ids], prompt first; room for max_new_tokens more */
    uint32_t n_ids, n_prompt;
    char model[NAME_BYTES_MAX + 1], semantics[NAME_BYTES_MAX + 1], fingerprint[NAME_BYTES_MAX + 1];
    uint8_t state[STATE_BYTES_MAX];     /* of the sampler, after the last id */
    size_t n_state;
    strategy_at now;            /* draws the next step */
    strategy_at next;           /* tuned, for a step not yet drawn; ordinal 0: none */
    Trivium__Acknowledge acknowledge, *acknowledged[1];
};

const char *finish_reason_name(finish_reason reason) {
    static const char *const names[] = {"stop", "length", "cancelled", "superseded", "error"};
    return names[reason];
}

static uint32_t next_step(const generation *g) {
    return g->n_ids - g->n_prompt;
}

/* ---- the end ---- */

void generation_free(client *c) {
    generation *g = c->generation;
    if (!g) return;
    timer_clear(c, &g->cancel_timer);
    strategy_clear(&g->now.chain);
    strategy_clear(&g->next.chain);
    free(g->ids);
    free(g);
    c->generation = NULL;
}

static void generation_finish(client *c, const generation_done *done) {
    generation_events events = c->generation->events;
    void *context = c->generation->context;
    generation_free(c);         /* so that `done` may begin the next one */
    events.done(context, done);
}

void generation_fail(client *c, const failure *f) {
    if (!c->generation) return;
    generation_finish(c, &(generation_done){
        .reason = FINISHED_ERROR, .code = f->code, .message = f->message,
        .n_tokens = next_step(c->generation),
    });
}

static void finish_cancelled(client *c) {
    generation_finish(
        c, &(generation_done){.reason = FINISHED_CANCELLED, .n_tokens = next_step(c->generation)});
}

/* ---- sending ---- */

static ProtobufCBinaryData request_bytes(const generation *g) {
    return (ProtobufCBinaryData){.len = REQUEST_BYTES, .data = (uint8_t *)g->request->id};
}

/* Segments and stops as the generated code wants them. */
typedef struct generate_lists {
    Trivium__Segment *segments, **segment_list;
    ProtobufCBinaryData *stops;
} generate_lists;

static void lists_free(generate_lists *lists) {
    free(lists->segments);
    free(lists->segment_list);
    free(lists->stops);
}

static bool lists_fill(generate_lists *lists, const generation_request *r) {
    lists->segments = calloc(r->n_segments + 1, sizeof *lists->segments);
    lists->segment_list = calloc(r->n_segments + 1, sizeof *lists->segment_list);
    lists->stops = calloc(r->n_stops + 1, sizeof *lists->stops);
    if (!lists->segments || !lists->segment_list || !lists->stops) return false;
    for (size_t i = 0; i < r->n_segments; i++) {
        const generation_segment *from = &r->segments[i];
        trivium__segment__init(&lists->segments[i]);
        lists->segments[i].text = (ProtobufCBinaryData){from->n_bytes, (uint8_t *)from->text};
        lists->segments[i].special = from->special;
        lists->segment_list[i] = &lists->segments[i];
    }
    for (size_t i = 0; i < r->n_stops; i++) {
        lists->stops[i] = (ProtobufCBinaryData){strlen(r->stops[i]), (uint8_t *)r->stops[i]};
    }
    return true;
}

/* Where the text stands: nothing drawn yet, or everything that the client's copy holds. */
static void put_progress(Trivium__Generate *m, generation *g, const generate_lists *lists) {
    m->change = g->now.ordinal;
    if (!g->started) {
        m->model = name_or_empty(g->request->model);
        m->n_segments = g->request->n_segments;
        m->segments = lists->segment_list;
        m->n_prompt = (uint32_t)g->request->n_ids;
        return;
    }
    m->model = g->model;
    m->fingerprint = g->fingerprint;
    m->semantics = g->semantics;
    m->n_prompt = g->n_prompt;
    m->state = (ProtobufCBinaryData){g->n_state, g->state};
}

/* The frame of ids: the client's copy, else a prompt that was given as ids; empty for a text. */
static wire_raw ids_frame(const generation *g) {
    if (g->started) return (wire_raw){g->ids, g->n_ids * sizeof *g->ids};
    return (wire_raw){g->request->ids, g->request->n_ids * sizeof *g->request->ids};
}

static status generate_send(client *c, generation *g, const generate_lists *lists,
                            Trivium__Strategy *chain, failure *f) {
    const generation_request *r = g->request;
    Trivium__Generate m = TRIVIUM__GENERATE__INIT;
    m.request = request_bytes(g);
    m.attempt = g->attempt;
    m.pool = name_or_empty(r->pool);
    m.session = name_or_empty(r->session);
    m.strategy = chain;
    m.seed = r->seed;
    m.max_new_tokens = r->max_new_tokens;
    m.n_stops = r->n_stops;
    m.stops = lists->stops;
    m.n_stop_ids = r->n_stop_ids;
    m.stop_ids = (int32_t *)r->stop_ids;
    m.ignore_eos = r->ignore_eos;
    m.no_cache = r->no_cache;
    m.n_candidates = r->n_candidates;
    m.wait_ms = c->wait_ms;
    put_progress(&m, g, lists);
    Trivium__TextRequest message = TRIVIUM__TEXT_REQUEST__INIT;
    message.body_case = TRIVIUM__TEXT_REQUEST__BODY_GENERATE;
    message.generate = &m;
    const wire_raw ids = ids_frame(g);
    return client_send(c, &message, &ids, ids.n_bytes > 0 ? 1 : 0, f);
}

/* The next attempt: the first one, or a resume. */
static status generation_send(client *c, failure *f) {
    generation *g = c->generation;
    generate_lists lists = {0};
    Trivium__Strategy *chain = strategy_to_wire(&g->now.chain);
    g->attempt++;
    g->first_step = g->started ? next_step(g) : 0;
    g->n_again = g->n_ahead;
    status st = chain && lists_fill(&lists, g->request)
                    ? generate_send(c, g, &lists, chain, f)
                    : fail(f, STATUS_NO_MEMORY, "no memory for a request");
    lists_free(&lists);
    trivium__strategy__free_unpacked(chain, NULL);
    return st;
}

static void send_acknowledge(client *c, generation *g) {
    Trivium__TextRequest message = TRIVIUM__TEXT_REQUEST__INIT;
    message.body_case = TRIVIUM__TEXT_REQUEST__BODY_ACKNOWLEDGE;
    message.acknowledge = &g->acknowledge;
    failure f;
    client_send(c, &message, NULL, 0, &f); /* when it is lost, the next heartbeat says the same */
}

static void send_cancel(client *c, generation *g) {
    Trivium__Cancel m = TRIVIUM__CANCEL__INIT;
    m.request = request_bytes(g);
    Trivium__TextRequest message = TRIVIUM__TEXT_REQUEST__INIT;
    message.body_case = TRIVIUM__TEXT_REQUEST__BODY_CANCEL;
    message.cancel = &m;
    failure f;
    client_send(c, &message, NULL, 0, &f);      /* the timer covers a loss */
}

void generation_joined(client *c) {
    if (!c->generation) return;
    failure f;
    if (c->generation->cancelled) finish_cancelled(c);
    else if (generation_send(c, &f) != STATUS_OK) generation_fail(c, &f);
}

void generation_heartbeat(client *c, Trivium__Heartbeat *beat) {
    generation *g = c->generation;
    if (!g || !g->started) return;
    g->acknowledged[0] = &g->acknowledge;
    beat->n_acknowledged = 1;
    beat->acknowledged = g->acknowledged;
}

status client_generate(client *c, const generation_request *request,
                       const generation_events *events, void *context, failure *f) {
    assert(!c->generation);
    assert(request->n_segments == 0 || request->n_ids == 0);
    if (c->over.code != STATUS_OK) {
        *f = c->over;
        return f->code;
    }
    generation *g = calloc(1, sizeof *g);
    if (!g) return fail(f, STATUS_NO_MEMORY, "no memory for a request");
    g->request = request;
    g->events = *events;
    g->context = context;
    g->cancel_timer = -1;
    trivium__acknowledge__init(&g->acknowledge);
    g->acknowledge.request = request_bytes(g);
    c->generation = g;
    status st = strategy_copy(&g->now.chain, request->chain);
    if (st != STATUS_OK) fail(f, st, "no memory for the chain");
    else if (c->tokenizerd) st = generation_send(c, f);
    if (st != STATUS_OK) generation_free(c);
    return st;
}

static void on_cancel_over(void *context) {
    client *c = context;
    c->generation->cancel_timer = -1;
    finish_cancelled(c);
}

void client_cancel(client *c) {
    generation *g = c->generation;
    if (!g || g->cancelled) return;
    g->cancelled = true;
    if (c->tokenizerd && g->attempt > 0) send_cancel(c, g);
    g->cancel_timer = loop_once(c->loop, c->tokenizerd ? CANCEL_MS : 0, on_cancel_over, c);
}

/* ---- what comes ---- */

/* Of this very attempt? Everything else is a word to somebody who is gone. */
static bool is_ours(const generation *g, ProtobufCBinaryData request, uint32_t attempt) {
    return request.len == REQUEST_BYTES && attempt == g->attempt &&
           memcmp(request.data, g->request->id, REQUEST_BYTES) == 0;
}

static bool name_copy(char out[NAME_BYTES_MAX + 1], const char *name) {
    size_t n_bytes = strlen(name);
    if (n_bytes > NAME_BYTES_MAX) return false;
    memcpy(out, name, n_bytes + 1);
    return true;
}

/* Fills the copy; false when the message does not hold what it must. */
static bool start_copy(generation *g, const wire_message *m, const Trivium__Started *started) {
    const int32_t *ids = wire_array(m, 0, started->n_prompt, sizeof *ids);
    if (!ids || started->n_prompt > TOKENIZE_IDS_MAX) return false;
    if (!name_copy(g->model, started->model) || !name_copy(g->fingerprint, started->fingerprint))
        return false;
    g->ids = malloc(((size_t)started->n_prompt + g->request->max_new_tokens) * sizeof *g->ids);
    if (!g->ids) return false;
    memcpy(g->ids, ids, started->n_prompt * sizeof *ids);
    g->n_ids = g->n_prompt = started->n_prompt;
    return true;
}

static void on_started(client *c, const wire_message *m, const Trivium__Started *started) {
    generation *g = c->generation;
    if (g->started || !is_ours(g, started->request, started->attempt)) return;
    if (!start_copy(g, m, started)) {
        failure f;
        fail(&f, STATUS_BAD_MESSAGE, "the start that tokenizerd sent cannot be kept");
        generation_fail(c, &f);
        return;
    }
    g->started = true;
    g->acknowledge.attempt = g->attempt;
    g->events.started(g->context, &(generation_start){g->model, g->n_prompt, started->seed});
}

/* A change for a step still to come waits for it: until then a resume must draw as before. */
static void change_settle(client *c, generation *g) {
    if (g->next.ordinal == 0 || g->next.step > next_step(g)) return;
    strategy_clear(&g->now.chain);
    g->now = g->next;           /* takes over the chain */
    g->next = (strategy_at){0};
    g->acknowledge.change = g->now.ordinal;
    send_acknowledge(c, g);
}

static void change_take(generation *g, const Trivium__StrategyChange *change) {
    if (!change || change->ordinal <= g->now.ordinal || change->ordinal < g->next.ordinal) return;
    strategy chain;
    strategy_init(&chain);
    failure f;
    /* One that cannot be read is never acknowledged, so whoever tuned will know. */
    if (strategy_from_wire(&chain, change->strategy, &f) != STATUS_OK) return;
    strategy_clear(&g->next.chain);
    g->next = (strategy_at){chain, change->ordinal, change->step};
}

/* Is this the chunk that is due, and can the copy hold what it brings? */
static bool chunk_is_due(const generation *g, const Trivium__Chunk *chunk) {
    if (!g->started || !is_ours(g, chunk->request, chunk->attempt)) return false;
    if (chunk->n_drawn == 0) return true;
    const Trivium__Drawn *last = chunk->drawn[chunk->n_drawn - 1];
    return chunk->step == next_step(g) &&
           chunk->n_drawn <= g->request->max_new_tokens - next_step(g) &&
           last->state.len <= STATE_BYTES_MAX && strlen(chunk->semantics) <= NAME_BYTES_MAX;
}

/* The ids and the sampler's memory after them, kept before they are shown. */
static void chunk_keep(generation *g, const Trivium__Chunk *chunk) {
    for (size_t i = 0; i < chunk->n_drawn; i++) g->ids[g->n_ids++] = chunk->drawn[i]->id;
    const Trivium__Drawn *last = chunk->drawn[chunk->n_drawn - 1];
    g->n_state = last->state.len;
    if (g->n_state > 0) memcpy(g->state, last->state.data, g->n_state);
    name_copy(g->semantics, chunk->semantics);
}

bool token_from_wire(generation_token *out, const Trivium__Drawn *drawn, uint32_t at_step) {
    *out = (generation_token){
        .step = at_step, .id = drawn->id, .logprob = drawn->logprob,
        .candidates = candidates_from_wire(drawn->candidates, drawn->n_candidates),
        .n_candidates = drawn->n_candidates,
        .n_left = drawn->n_left,
        .n_left_items = drawn->n_n_left,
    };
    return out->candidates || drawn->n_candidates == 0;
}

void token_clear(generation_token *token) {
    free((candidate *)token->candidates);
}

static void tokens_free(generation_token *tokens, size_t n) {
    for (size_t i = 0; tokens && i < n; i++) token_clear(&tokens[i]);
    free(tokens);
}

/* [n_drawn], the caller frees; NULL: no memory. */
static generation_token *tokens_from_wire(const Trivium__Chunk *chunk) {
    generation_token *tokens = calloc(chunk->n_drawn + 1, sizeof *tokens);
    for (size_t i = 0; tokens && i < chunk->n_drawn; i++) {
        if (token_from_wire(&tokens[i], chunk->drawn[i], chunk->step + (uint32_t)i)) continue;
        tokens_free(tokens, i);
        tokens = NULL;
    }
    return tokens;
}

/* How many bytes at the beginning of a chunk's text were shown already, by an attempt that was lost
 * after it had let go what it held back. Where that was half a character, the whole one counts as
 * shown. */
static size_t bytes_again(generation *g, const Trivium__Chunk *chunk) {
    size_t n = chunk->text.len < g->n_again ? chunk->text.len : g->n_again;
    g->n_again -= n;
    if (chunk->n_drawn > 0) g->n_ahead -= n;
    else g->n_ahead += chunk->text.len - n;
    while (n > 0 && n < chunk->text.len && (chunk->text.data[n] & 0xc0) == 0x80) n++;
    return n;
}

static void chunk_show(client *c, const Trivium__Chunk *chunk, uint32_t first_step) {
    generation *g = c->generation;
    size_t n_again = bytes_again(g, chunk);
    if (chunk->n_drawn == 0 && n_again == chunk->text.len) return;
    generation_token *tokens = tokens_from_wire(chunk);
    if (!tokens) {
        failure f;
        fail(&f, STATUS_NO_MEMORY, "no memory for the text");
        generation_fail(c, &f);
        return;
    }
    g->events.chunk(g->context, &(generation_chunk){
                                    .tokens = tokens,
                                    .n_tokens = chunk->n_drawn,
                                    .text = n_again > 0 ? chunk->text.data + n_again : chunk->text.data,
                                    .n_bytes = chunk->text.len - n_again,
                                    .step = first_step,
                                    .forward_ms = chunk->forward_ms,
                                    .sample_ms = chunk->sample_ms,
                                    .chain = &g->now.chain,
                                });
    tokens_free(tokens, chunk->n_drawn);
}

static void on_chunk(client *c, const Trivium__Chunk *chunk) {
    generation *g = c->generation;
    if (!chunk_is_due(g, chunk)) return;
    uint32_t first_step = next_step(g);
    change_take(g, chunk->change);
    change_settle(c, g);        /* the chain that drew this chunk */
    if (chunk->n_drawn > 0) chunk_keep(g, chunk);
    g->acknowledge.step = next_step(g);
    g->acknowledge.attempt = g->attempt;
    if (chunk->n_drawn > 0 || chunk->text.len > 0) chunk_show(c, chunk, first_step);
    if (c->generation == g) change_settle(c, g);        /* the chain that draws the next */
}

finish_reason finish_reason_from_wire(Trivium__FinishReason reason) {
    switch (reason) {
    case TRIVIUM__FINISH_REASON__FINISH_STOP: return FINISHED_STOP;
    case TRIVIUM__FINISH_REASON__FINISH_LENGTH: return FINISHED_LENGTH;
    case TRIVIUM__FINISH_REASON__FINISH_CANCELLED: return FINISHED_CANCELLED;
    case TRIVIUM__FINISH_REASON__FINISH_SUPERSEDED: return FINISHED_SUPERSEDED;
    default: return FINISHED_ERROR;
    }
}

static void on_done(client *c, const Trivium__Done *done) {
    if (!is_ours(c->generation, done->request, done->attempt)) return;
    static const Trivium__Timings nothing = TRIVIUM__TIMINGS__INIT;
    const Trivium__Timings *t = done->timings ? done->timings : &nothing;
    failure f = {.code = STATUS_OK};
    finish_reason reason = finish_reason_from_wire(done->reason);
    if (reason == FINISHED_ERROR) failure_from_wire(done->error, &f);
    generation_finish(c, &(generation_done){
                             .reason = reason,
                             .code = f.code,
                             .message = f.message,
                             .n_tokens = done->n_tokens,
                             .n_tokens_timed = next_step(c->generation) - c->generation->first_step,
                             .timings = {t->queue_ms, t->prefill_ms, t->decode_ms, t->forward_ms,
                                         t->sample_ms, t->n_cached},
                         });
}

void generation_message(client *c, const wire_message *m, const Trivium__TextReply *reply) {
    if (!c->generation) return;
    switch (reply->body_case) {
    case TRIVIUM__TEXT_REPLY__BODY_STARTED: on_started(c, m, reply->started); break;
    case TRIVIUM__TEXT_REPLY__BODY_CHUNK: on_chunk(c, reply->chunk); break;
    case TRIVIUM__TEXT_REPLY__BODY_DONE: on_done(c, reply->done); break;
    default: break;
    }
}
