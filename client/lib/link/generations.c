#include "generations.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "proto/net/errors.h"
#include "resume.h"
#include "text_wire.h"

enum { CANCEL_MS = 2000 };      /* how long the Done of a cancelled request is waited for */

/* A text that is under way: one item of a list in order of asking. */
typedef struct generation generation;
struct generation {
    generation *next;
    generations *list;
    resume_state *resume;
    generation_events events;
    void *context;
    bool is_there;              /* the tokenizerd that is joined has it */
    bool cancelled;
    bool paused;                /* nothing runs for it, and tokens that still come are of no use */
    timer cancel_timer;
    bool is_taken;              /* this attempt has started */
    timer room_timer;           /* set: its next attempt waits for room, */
    uint64_t room_until_ms;     /* until then at most; 0: nobody has lacked it yet */
    Trivium__Acknowledge acknowledge;
};

struct generations {
    text_link *link;            /* borrowed */
    generation *first;          /* in order of asking */
    size_t n;
    Trivium__Acknowledge *acknowledged[GENERATIONS_MAX];    /* of them, as a heartbeat says it */
};

generations *generations_new(text_link *link) {
    generations *gs = calloc(1, sizeof *gs);
    if (gs) gs->link = link;
    return gs;
}

/* ---- the list ---- */

/* The one whose request has this id; NULL: none. */
static generation *generation_find(const generations *gs, const uint8_t *request) {
    generation *g = gs->first;
    while (g && memcmp(resume_id(g->resume), request, REQUEST_BYTES) != 0) g = g->next;
    return g;
}

static void generation_add(generations *gs, generation *g) {
    generation **end = &gs->first;
    while (*end) end = &(*end)->next;
    *end = g;
    g->list = gs;
    gs->n++;
}

static void generation_free(generation *g) {
    generations *gs = g->list;
    generation **at = &gs->first;
    while (*at != g) at = &(*at)->next;
    *at = g->next;
    gs->n--;
    loop_cancel(text_link_loop(gs->link), &g->cancel_timer);
    loop_cancel(text_link_loop(gs->link), &g->room_timer);
    resume_free(&g->resume);
    free(g);
}

void generations_free(generations **gs) {
    if (!*gs) return;
    while ((*gs)->first) generation_free((*gs)->first);
    free(*gs);
    *gs = NULL;
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
        .n_tokens = resume_next_step(g->resume),
    });
}

static void finish_cancelled(generation *g) {
    generation_finish(
        g, &(generation_done){.reason = FINISHED_CANCELLED, .n_tokens = resume_next_step(g->resume)});
}

bool generations_any(const generations *gs) {
    const generation *g = gs->first;
    while (g && g->paused) g = g->next;
    return g != NULL;
}

bool generations_under_way(const generations *gs) {
    const generation *g = gs->first;
    while (g && (g->paused || !g->is_there)) g = g->next;
    return g != NULL;
}

bool generations_wait(const generations *gs) {
    const generation *g = gs->first;
    while (g && (g->paused || g->is_there)) g = g->next;
    return g != NULL;
}

bool generations_have_text(const generations *gs) {
    const generation *g = gs->first;
    while (g && (g->paused || resume_next_step(g->resume) == 0)) g = g->next;
    return g != NULL;
}

/* Nothing new begins meanwhile: the link is over. */
void generations_fail(generations *gs, const failure *f) {
    while (gs->first) generation_fail(gs->first, f);
}

/* ---- sending ---- */

static void send_acknowledge(generation *g) {
    Trivium__TextRequest message = TRIVIUM__TEXT_REQUEST__INIT;
    message.body_case = TRIVIUM__TEXT_REQUEST__BODY_ACKNOWLEDGE;
    message.acknowledge = &g->acknowledge;
    failure f;
    text_link_send(g->list->link, &message, NULL, 0, &f);  /* lost, the next heartbeat says the same */
}

static void send_cancel(generation *g) {
    Trivium__Cancel m = TRIVIUM__CANCEL__INIT;
    m.request = bytes_of(resume_id(g->resume), REQUEST_BYTES);
    Trivium__TextRequest message = TRIVIUM__TEXT_REQUEST__INIT;
    message.body_case = TRIVIUM__TEXT_REQUEST__BODY_CANCEL;
    message.cancel = &m;
    failure f;
    text_link_send(g->list->link, &message, NULL, 0, &f);  /* the timer covers a loss */
}

static void send_pause(generation *g) {
    Trivium__Pause m = TRIVIUM__PAUSE__INIT;
    m.request = bytes_of(resume_id(g->resume), REQUEST_BYTES);
    m.attempt = resume_attempt(g->resume);
    m.step = resume_next_step(g->resume);
    Trivium__TextRequest message = TRIVIUM__TEXT_REQUEST__INIT;
    message.body_case = TRIVIUM__TEXT_REQUEST__BODY_PAUSE;
    message.pause = &m;
    failure f;
    text_link_send(g->list->link, &message, NULL, 0, &f);  /* lost, the attempt is computed for nobody */
}

/* Its next attempt, where something new may begin; else it waits. */
static status generation_send(generation *g, failure *f) {
    g->is_there = text_link_takes(g->list->link);
    g->is_taken = false;
    loop_cancel(text_link_loop(g->list->link), &g->room_timer);
    return g->is_there ? resume_send(g->resume, g->list->link, f) : STATUS_OK;
}

static void generation_resume(generation *g) {
    failure f;
    if (g->cancelled) finish_cancelled(g);
    else if (!g->paused && generation_send(g, &f) != STATUS_OK) generation_fail(g, &f);
}

static void on_room_turn(void *context) {
    generation_resume(context);
}

/* A limit is for what is new: a text that others have seen the beginning of asks again where it found no room, for as long as
 * a missing daemon is waited for. */
static bool awaits_room(generation *g, status why) {
    if (why != STATUS_BUSY || g->cancelled || g->is_taken || resume_next_step(g->resume) == 0) return false;
    const text_link *link = g->list->link;
    if (g->room_until_ms == 0) g->room_until_ms = clock_ms() + text_link_wait_ms(link);
    if (clock_ms() >= g->room_until_ms) return false;
    g->is_there = false;
    loop_once(text_link_loop(link), &g->room_timer, BUSY_RETRY_MS, on_room_turn, g);
    return true;
}

void generations_lost(generations *gs) {
    for (generation *g = gs->first; g; g = g->next) g->is_there = false;
}

/* Those that a `done` begins meanwhile stand after the last one and have been sent already. */
void generations_joined(generations *gs) {
    generation *last = gs->first;
    while (last && last->next) last = last->next;
    for (generation *g = gs->first, *next; g; g = next) {
        next = g == last ? NULL : g->next;
        generation_resume(g);
    }
}

void generations_acknowledge(generations *gs, Trivium__Heartbeat *beat) {
    size_t n = 0;
    for (generation *g = gs->first; g; g = g->next) {
        if (resume_has_started(g->resume)) gs->acknowledged[n++] = &g->acknowledge;
    }
    beat->n_acknowledged = n;
    beat->acknowledged = gs->acknowledged;
}

status generations_begin(generations *gs, const generation_request *request,
                         const generation_events *events, void *context, failure *f) {
    assert(!generation_find(gs, request->id));
    assert((request->n_pieces > 0) + (request->n_ids > 0) + (request->conversation != NULL) <= 1);
    if (text_link_check(gs->link, f) != STATUS_OK) return f->code;
    if (gs->n == GENERATIONS_MAX) {
        return fail(f, STATUS_BUSY, "a client has at most %d texts under way", GENERATIONS_MAX);
    }
    resume_state *resume = resume_new(request, f);
    if (!resume) return f->code;
    generation *g = calloc(1, sizeof *g);
    if (!g) {
        resume_free(&resume);
        return fail(f, STATUS_NO_MEMORY, "no memory for a request");
    }
    g->resume = resume;
    g->events = *events;
    g->context = context;
    generation_add(gs, g);
    trivium__acknowledge__init(&g->acknowledge);
    g->acknowledge.request = bytes_of(request->id, REQUEST_BYTES);
    status st = generation_send(g, f);
    if (st != STATUS_OK) generation_free(g);
    return st;
}

static void on_cancel_over(void *context) {
    finish_cancelled(context);
}

void generations_cancel(generations *gs, const uint8_t request[REQUEST_BYTES]) {
    generation *g = generation_find(gs, request);
    if (!g || g->cancelled) return;
    g->cancelled = true;
    if (g->is_there) send_cancel(g);
    loop_once(text_link_loop(gs->link), &g->cancel_timer, g->is_there ? CANCEL_MS : 0, on_cancel_over, g);
}

void generations_pause(generations *gs, const uint8_t request[REQUEST_BYTES]) {
    generation *g = generation_find(gs, request);
    if (!g || g->cancelled || g->paused) return;
    g->paused = true;
    if (g->is_there) send_pause(g);
}

void generations_resume(generations *gs, const uint8_t request[REQUEST_BYTES]) {
    generation *g = generation_find(gs, request);
    if (!g || g->cancelled || !g->paused) return;
    g->paused = false;
    g->room_until_ms = 0;
    if (text_link_is_joined(gs->link)) generation_resume(g);
}

const strategy *generations_change(generations *gs, const uint8_t request[REQUEST_BYTES],
                                   const strategy *stages, bool replace, failure *f) {
    generation *g = generation_find(gs, request);
    assert(g && (g->paused || g->cancelled));
    if (resume_change_chain(g->resume, stages, replace, f) != STATUS_OK) return NULL;
    g->acknowledge.change = resume_ordinal(g->resume);
    return resume_chain(g->resume);
}

/* ---- what comes ---- */

/* What comes can be of no use to us: it must not be computed for nobody. */
static void give_up(generation *g, status why, const char *sentence) {
    failure f;
    fail(&f, why, "%s", sentence);
    send_cancel(g);
    generation_fail(g, &f);
}

/* Whom a message is for, by its request and this very attempt. Everything else is a word to a text
 * that is gone: NULL. */
static generation *addressee(const generations *gs, ProtobufCBinaryData request, uint32_t attempt) {
    generation *g = request.len == REQUEST_BYTES ? generation_find(gs, request.data) : NULL;
    return g && attempt == resume_attempt(g->resume) ? g : NULL;
}

void generations_started(generations *gs, const wire_message *m, const Trivium__Started *started) {
    generation *g = addressee(gs, started->request, started->attempt);
    if (!g) return;
    g->is_taken = true;
    g->room_until_ms = 0;
    if (resume_has_started(g->resume)) return;
    if (!resume_start(g->resume, m, started)) {
        give_up(g, STATUS_BAD_MESSAGE, "the start that tokenizerd sent cannot be kept");
        return;
    }
    g->acknowledge.attempt = resume_attempt(g->resume);
    g->events.started(g->context, &(generation_start){
        .model = resume_model(g->resume),
        .n_models = started->n_models,
        .n_prompt = resume_n_prompt(g->resume),
        .seed = started->seed,
        .has_own_bos = started->has_own_bos,
        .made = form_from_wire(started->template_, started->origin, started->n_dropped, started->n_cut),
        .max_new_tokens = started->max_new_tokens,
        .n_vocab = started->n_vocab,
        .n_ctx = started->n_ctx,
        .kv_tokens = started->kv_tokens,
    });
}

static void change_settle(generation *g) {
    if (!resume_settle_change(g->resume)) return;
    g->acknowledge.change = resume_ordinal(g->resume);
    send_acknowledge(g);
}

static status chunk_show(generation *g, const Trivium__Chunk *chunk, uint32_t first_step) {
    size_t n_again = resume_bytes_shown(g->resume, chunk);
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
        .chain = resume_chain(g->resume),
    };
    g->events.chunk(g->context, &shown);
    tokens_free(tokens, chunk->n_drawn);
    return STATUS_OK;
}

void generations_chunk(generations *gs, const Trivium__Chunk *chunk) {
    generation *g = addressee(gs, chunk->request, chunk->attempt);
    if (!g || (g->paused && (chunk->n_drawn > 0 || chunk->text.len > 0))) return;
    if (!resume_is_due(g->resume, chunk)) return;
    uint32_t first_step = resume_next_step(g->resume);
    resume_take_change(g->resume, chunk->change);
    change_settle(g);           /* the chain that drew this chunk */
    resume_take_ids(g->resume, chunk);
    g->acknowledge.step = resume_next_step(g->resume);
    g->acknowledge.attempt = resume_attempt(g->resume);
    status st = chunk_show(g, chunk, first_step);
    if (st == STATUS_OK) change_settle(g);      /* the chain that draws the next */
    else give_up(g, st, "no memory for the text");
}

/* The end of one that rests may come from tokens that are of no use: only a cancel ends it. */
static bool is_end(const generation *g, const Trivium__Done *done) {
    return !g->paused || g->cancelled || done->reason == TRIVIUM__FINISH_REASON__FINISH_CANCELLED;
}

void generations_done(generations *gs, const Trivium__Done *done) {
    generation *g = addressee(gs, done->request, done->attempt);
    if (!g || !is_end(g, done)) return;
    static const Trivium__Timings nothing = TRIVIUM__TIMINGS__INIT;
    const Trivium__Timings *t = done->timings ? done->timings : &nothing;
    failure f = {.code = STATUS_OK};
    finish_reason reason = finish_reason_from_wire(done->reason);
    if (reason == FINISHED_ERROR) error_from_wire(done->error, "tokenizerd", &f);
    if (f.code == STATUS_DRAINING && !g->cancelled) {
        g->is_there = false;    /* another one, or the next, goes on with it */
        text_link_hear_draining(gs->link);
        return;
    }
    if (awaits_room(g, f.code)) return;
    generation_finish(g, &(generation_done){
                             .reason = reason,
                             .code = f.code,
                             .message = f.message,
                             .n_tokens = done->n_tokens,
                             .n_tokens_timed = resume_n_drawn(g->resume),
                             .timings = {t->queue_ms, t->prefill_ms, t->decode_ms, t->forward_ms,
                                         t->sample_ms, t->n_cached},
                         });
}
