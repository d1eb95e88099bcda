#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "resume.h"

enum { CANCEL_MS = 2000 };      /* how long the Done of a cancelled request is waited for */

/* A text that is under way: one item of a list in order of asking. */
struct generation {
    generation *next;
    client *client;
    request_copy copy;
    generation_events events;
    void *context;
    bool cancelled;
    bool paused;                /* nothing runs for it, and tokens that still come are of no use */
    int cancel_timer;           /* -1: not set */
    Trivium__Acknowledge acknowledge;
};

const char *finish_reason_name(finish_reason reason) {
    static const char *const names[] = {"stop", "length", "cancelled", "superseded", "error"};
    return names[reason];
}

/* ---- the list ---- */

/* The one whose request has this id; NULL: none. */
static generation *generation_find(const client *c, const uint8_t *request) {
    generation *g = c->generations;
    while (g && memcmp(g->copy.request->id, request, REQUEST_BYTES) != 0) g = g->next;
    return g;
}

static void generation_add(client *c, generation *g) {
    generation **end = &c->generations;
    while (*end) end = &(*end)->next;
    *end = g;
    c->n_generations++;
}

static void generation_free(generation *g) {
    client *c = g->client;
    generation **at = &c->generations;
    while (*at != g) at = &(*at)->next;
    *at = g->next;
    c->n_generations--;
    timer_clear(c, &g->cancel_timer);
    copy_clear(&g->copy);
    free(g);
}

void generations_free(client *c) {
    while (c->generations) generation_free(c->generations);
}

/* ---- the end ---- */

static void generation_finish(generation *g, const generation_done *done) {
    generation_events events = g->events;
    void *context = g->context;
    generation_free(g);         /* so that `done` may begin the next one */
    events.done(context, done);
}

static void generation_fail(generation *g, const failure *f) {
    generation_finish(g, &(generation_done){
        .reason = FINISHED_ERROR, .code = f->code, .message = f->message,
        .n_tokens = copy_next_step(&g->copy),
    });
}

static void finish_cancelled(generation *g) {
    generation_finish(
        g, &(generation_done){.reason = FINISHED_CANCELLED, .n_tokens = copy_next_step(&g->copy)});
}

/* Nothing new begins meanwhile: the wait of the client is over. */
void generations_fail(client *c, const failure *f) {
    assert(c->over.code != STATUS_OK);
    while (c->generations) generation_fail(c->generations, f);
}

/* ---- sending ---- */

static void send_acknowledge(generation *g) {
    Trivium__TextRequest message = TRIVIUM__TEXT_REQUEST__INIT;
    message.body_case = TRIVIUM__TEXT_REQUEST__BODY_ACKNOWLEDGE;
    message.acknowledge = &g->acknowledge;
    failure f;
    client_send(g->client, &message, NULL, 0, &f);  /* lost, the next heartbeat says the same */
}

static void send_cancel(generation *g) {
    Trivium__Cancel m = TRIVIUM__CANCEL__INIT;
    m.request = copy_request_bytes(&g->copy);
    Trivium__TextRequest message = TRIVIUM__TEXT_REQUEST__INIT;
    message.body_case = TRIVIUM__TEXT_REQUEST__BODY_CANCEL;
    message.cancel = &m;
    failure f;
    client_send(g->client, &message, NULL, 0, &f);  /* the timer covers a loss */
}

static void send_pause(generation *g) {
    Trivium__Pause m = TRIVIUM__PAUSE__INIT;
    m.request = copy_request_bytes(&g->copy);
    m.attempt = g->copy.attempt;
    m.step = copy_next_step(&g->copy);
    Trivium__TextRequest message = TRIVIUM__TEXT_REQUEST__INIT;
    message.body_case = TRIVIUM__TEXT_REQUEST__BODY_PAUSE;
    message.pause = &m;
    failure f;
    client_send(g->client, &message, NULL, 0, &f);  /* lost, the attempt is computed for nobody */
}

static void generation_resume(generation *g) {
    failure f;
    if (g->cancelled) finish_cancelled(g);
    else if (!g->paused && copy_send(&g->copy, g->client, &f) != STATUS_OK) generation_fail(g, &f);
}

/* Those that a `done` begins meanwhile stand behind the last one and have been sent already. */
void generations_joined(client *c) {
    generation *last = c->generations;
    while (last && last->next) last = last->next;
    for (generation *g = c->generations, *next; g; g = next) {
        next = g == last ? NULL : g->next;
        generation_resume(g);
    }
}

void generations_heartbeat(client *c, Trivium__Heartbeat *beat) {
    size_t n = 0;
    for (generation *g = c->generations; g; g = g->next) {
        if (g->copy.started) c->acknowledged[n++] = &g->acknowledge;
    }
    beat->n_acknowledged = n;
    beat->acknowledged = c->acknowledged;
}

status client_generate(client *c, const generation_request *request,
                       const generation_events *events, void *context, failure *f) {
    assert(!generation_find(c, request->id));
    assert(request->n_segments == 0 || request->n_ids == 0);
    if (c->over.code != STATUS_OK) {
        *f = c->over;
        return f->code;
    }
    if (c->n_generations == GENERATIONS_MAX) {
        return fail(f, STATUS_BUSY, "a client has at most %d texts under way", GENERATIONS_MAX);
    }
    generation *g = calloc(1, sizeof *g);
    if (!g) return fail(f, STATUS_NO_MEMORY, "no memory for a request");
    g->client = c;
    g->events = *events;
    g->context = context;
    g->cancel_timer = -1;
    generation_add(c, g);
    status st = copy_init(&g->copy, request, f);
    trivium__acknowledge__init(&g->acknowledge);
    g->acknowledge.request = copy_request_bytes(&g->copy);
    if (st == STATUS_OK && c->tokenizerd) st = copy_send(&g->copy, c, f);
    if (st != STATUS_OK) generation_free(g);
    return st;
}

static void on_cancel_over(void *context) {
    generation *g = context;
    g->cancel_timer = -1;
    finish_cancelled(g);
}

void client_cancel(client *c, const uint8_t request[REQUEST_BYTES]) {
    generation *g = generation_find(c, request);
    if (!g || g->cancelled) return;
    g->cancelled = true;
    if (c->tokenizerd && g->copy.attempt > 0) send_cancel(g);
    g->cancel_timer = loop_once(c->loop, c->tokenizerd ? CANCEL_MS : 0, on_cancel_over, g);
}

void client_pause(client *c, const uint8_t request[REQUEST_BYTES]) {
    generation *g = generation_find(c, request);
    if (!g || g->cancelled || g->paused) return;
    g->paused = true;
    if (c->tokenizerd && g->copy.attempt > 0) send_pause(g);
}

void client_resume(client *c, const uint8_t request[REQUEST_BYTES]) {
    generation *g = generation_find(c, request);
    if (!g || g->cancelled || !g->paused) return;
    g->paused = false;
    if (c->tokenizerd) generation_resume(g);
}

const strategy *client_change(client *c, const uint8_t request[REQUEST_BYTES],
                              const strategy *steps, bool replace, failure *f) {
    generation *g = generation_find(c, request);
    assert(g && (g->paused || g->cancelled));
    if (copy_change_chain(&g->copy, steps, replace, f) != STATUS_OK) return NULL;
    g->acknowledge.change = g->copy.now.ordinal;
    return &g->copy.now.chain;
}

/* ---- what comes ---- */

/* What comes can be of no use to us: it shall not be computed for nobody. */
static void give_up(generation *g, status why, const char *sentence) {
    failure f;
    fail(&f, why, "%s", sentence);
    send_cancel(g);
    generation_fail(g, &f);
}

/* Whom a message is for, by its request and its very attempt. Everything else is a word to somebody
 * who is gone: NULL. */
static generation *addressee(const client *c, ProtobufCBinaryData request, uint32_t attempt) {
    generation *g = request.len == REQUEST_BYTES ? generation_find(c, request.data) : NULL;
    return g && attempt == g->copy.attempt ? g : NULL;
}

static void on_started(client *c, const wire_message *m, const Trivium__Started *started) {
    generation *g = addressee(c, started->request, started->attempt);
    if (!g || g->copy.started) return;
    if (!copy_start(&g->copy, m, started)) {
        give_up(g, STATUS_BAD_MESSAGE, "the start that tokenizerd sent cannot be kept");
        return;
    }
    g->acknowledge.attempt = g->copy.attempt;
    g->events.started(g->context,
                      &(generation_start){.model = g->copy.model, .n_models = started->n_models,
                                          .n_prompt = g->copy.n_prompt, .seed = started->seed,
                                          .has_own_bos = started->has_own_bos});
}

static void change_settle(generation *g) {
    if (!copy_settle_change(&g->copy)) return;
    g->acknowledge.change = g->copy.now.ordinal;
    send_acknowledge(g);
}

bool token_from_wire(generation_token *out, const Trivium__Drawn *drawn, uint32_t at_step) {
    *out = (generation_token){
        .step = at_step, .id = drawn->id, .logprob = drawn->logprob,
        .text = drawn->text.data, .n_bytes = drawn->text.len,
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

static status chunk_show(generation *g, const Trivium__Chunk *chunk, uint32_t first_step) {
    size_t n_again = copy_bytes_shown(&g->copy, chunk);
    if (chunk->n_drawn == 0 && n_again == chunk->text.len) return STATUS_OK;
    generation_token *tokens = tokens_from_wire(chunk);
    if (!tokens) return STATUS_NO_MEMORY;
    const generation_chunk shown = {
        .tokens = tokens,
        .n_tokens = chunk->n_drawn,
        .text = n_again > 0 ? chunk->text.data + n_again : chunk->text.data,
        .n_bytes = chunk->text.len - n_again,
        .step = first_step,
        .forward_ms = chunk->forward_ms,
        .sample_ms = chunk->sample_ms,
        .chain = &g->copy.now.chain,
    };
    g->events.chunk(g->context, &shown);
    tokens_free(tokens, chunk->n_drawn);
    return STATUS_OK;
}

static void on_chunk(client *c, const Trivium__Chunk *chunk) {
    generation *g = addressee(c, chunk->request, chunk->attempt);
    if (!g || (g->paused && (chunk->n_drawn > 0 || chunk->text.len > 0))) return;
    if (!copy_is_due(&g->copy, chunk)) return;
    uint32_t first_step = copy_next_step(&g->copy);
    copy_take_change(&g->copy, chunk->change);
    change_settle(g);           /* the chain that drew this chunk */
    copy_take_ids(&g->copy, chunk);
    g->acknowledge.step = copy_next_step(&g->copy);
    g->acknowledge.attempt = g->copy.attempt;
    status st = chunk_show(g, chunk, first_step);
    if (st == STATUS_OK) change_settle(g);      /* the chain that draws the next */
    else give_up(g, st, "no memory for the text");
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

/* The end of one that rests may be that of tokens which are of no use: it is ended by a cancel alone. */
static bool is_end(const generation *g, const Trivium__Done *done) {
    return !g->paused || g->cancelled || done->reason == TRIVIUM__FINISH_REASON__FINISH_CANCELLED;
}

static void on_done(client *c, const Trivium__Done *done) {
    generation *g = addressee(c, done->request, done->attempt);
    if (!g || !is_end(g, done)) return;
    static const Trivium__Timings nothing = TRIVIUM__TIMINGS__INIT;
    const Trivium__Timings *t = done->timings ? done->timings : &nothing;
    failure f = {.code = STATUS_OK};
    finish_reason reason = finish_reason_from_wire(done->reason);
    if (reason == FINISHED_ERROR) error_from_wire(done->error, "tokenizerd", &f);
    generation_finish(g, &(generation_done){
                             .reason = reason,
                             .code = f.code,
                             .message = f.message,
                             .n_tokens = done->n_tokens,
                             .n_tokens_timed = copy_next_step(&g->copy) - g->copy.first_step,
                             .timings = {t->queue_ms, t->prefill_ms, t->decode_ms, t->forward_ms,
                                         t->sample_ms, t->n_cached},
                         });
}

void generations_message(client *c, const wire_message *m, const Trivium__TextReply *reply) {
    switch (reply->body_case) {
    case TRIVIUM__TEXT_REPLY__BODY_STARTED: on_started(c, m, reply->started); break;
    case TRIVIUM__TEXT_REPLY__BODY_CHUNK: on_chunk(c, reply->chunk); break;
    case TRIVIUM__TEXT_REPLY__BODY_DONE: on_done(c, reply->done); break;
    default: break;
    }
}
