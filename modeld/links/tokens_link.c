/* What tokenizerds ask. */
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/chain/strategy_wire.h"
#include "service_parts.h"

/* ---- joining ---- */

/* Its sequences end without a word: it is gone, or has forgotten them. Keys and values stay as
 * cache. */
static void end_all_of(front *from) {
    service *s = from->service;
    sequence *next = NULL;
    for (sequence *q = sequences_first(s->sequences); q; q = next) {
        next = sequences_next(q);
        if (q->owner == from) sequences_close(s->sequences, q);
    }
    service_wake(s);
}

static status on_joined(void *context, peer *p, const Trivium__Hello *hello, failure *f) {
    front *from = context;
    if (hello->role != TRIVIUM__ROLE__TOKENIZERD)
        return fail(f, STATUS_BAD_REQUEST, "%s is not a tokenizerd's endpoint", from->address);
    end_all_of(from);
    from->peer = p;
    log_event(LOG_INFO, "joined", "tokenizerd=\"%s\" pid=%d endpoint=%s", hello->name, hello->pid,
              from->address);
    return STATUS_OK;
}

static void on_left(void *context, peer *p, const char *why) {
    front *from = context;
    log_event(LOG_INFO, "left", "tokenizerd=\"%s\" endpoint=%s why=\"%s\"", peer_name(p),
              from->address, why);
    from->peer = NULL;
    end_all_of(from);
}

static bool all_given_up(const service *s) {
    for (size_t i = 0; i < s->n_fronts; i++)
        if (!s->fronts[i].given_up) return false;
    return true;
}

static void give_up(void *context) {
    front *one = context;
    peers_free(&one->peers);
    one->peer = NULL;
    end_all_of(one);
}

static void on_default_model(front *from, const Trivium__DefaultModel *m) {
    if (!m->name[0] || !text_is_printable(m->name, NAME_BYTES_MAX)) {
        service_garbage(from->service, "default_model");
        return;
    }
    strcpy(from->default_name, m->name);
    from->default_model.since_ms = m->since_ms;
    log_event(LOG_INFO, "first_model", "name=\"%s\" endpoint=%s", m->name, from->address);
}

/* A full table may have room later; whatever else it says, it would say again. */
static void on_refused(void *context, const Trivium__Error *error) {
    front *from = context;
    failure f, told;
    error_from_wire(error, "it", &told);
    fail(&f, told.code, "refused by the tokenizerd at %s: %s", from->address, told.message);
    log_event(LOG_ERROR, "refused", "why=\"%s\"", f.message);
    if (f.code == STATUS_BUSY || f.code == STATUS_NO_MEMORY) return;
    from->given_up = true;
    if (!all_given_up(from->service)) {
        /* Not within its own event. Without memory for the timer Hello goes on being said. */
        loop_once(from->service->loop, 0, give_up, from);
        return;
    }
    from->service->refusal = f;
    loop_stop(from->service->loop);
}

static void on_heartbeat(void *context, peer *p, Trivium__Heartbeat *beat) {
    (void)p;
    front *to = context;
    beat->report = report_fill(to->service);
}

/* ---- texts ---- */

static void open_text(front *from, const Trivium__Open *m, const int32_t *ids, size_t n_ids) {
    service *s = from->service;
    failure f = {.code = STATUS_OK};
    sequence *q = sequences_find(s->sequences, m->request.data);
    if (q && sequence_text(q)->attempt >= m->attempt) {
        reply_refused_text(from, m->request.data, m->attempt, END_SUPERSEDED, &f);
        return;
    }
    if (q) reply_end(s, q, END_SUPERSEDED, &f);
    strategy chain;
    strategy_init(&chain);
    job asked = {
        .kind = SEQUENCE_TEXT,
        .owner = from,
        .ids = ids,
        .n_ids = n_ids,
        .pool = m->pool,
        .wait_ms = m->wait_ms,
        .text.request = m->request.data,
        .text.attempt = m->attempt,
        .text.n_prompt = m->n_prompt,
        .text.session = m->session,
        .text.semantics = m->semantics,
        .text.strategy = &chain,
        .text.change = m->change,
        .text.seed = m->seed,
        .text.sampler_state = m->state.data,
        .text.n_sampler_state_bytes = m->state.len,
        .text.end_ids = m->end_ids,
        .text.n_end_ids = m->n_end_ids,
        .text.no_cache = m->no_cache,
        .text.max_new_tokens = m->max_new_tokens,
        .text.n_candidates = m->n_candidates,
        .text.n_watched = m->n_watched,
    };
    if (strategy_from_wire(&chain, m->strategy, &f) != STATUS_OK ||
        sequences_open(s->sequences, &asked, clock_us(), &q, &f) != STATUS_OK)
        reply_refused_text(from, m->request.data, m->attempt, END_ERROR, &f);
    else if (sequence_over(q) != END_NONE) reply_end(s, q, sequence_over(q), &f);
    strategy_clear(&chain);
    service_wake(s);
}

static void on_open(front *from, const Trivium__Open *m, const wire_message *message) {
    size_t n_ids = 0;
    const int32_t *ids = wire_items(message, 0, sizeof *ids, &n_ids);
    if (m->request.len != REQUEST_BYTES || !ids || message->n_raw != 1)
        service_garbage(from->service, "open");
    else open_text(from, m, ids, n_ids);
}

/* The open text that is meant; NULL: it has ended, its Closed is on the way or was never ours. */
static sequence *find_text(front *from, const ProtobufCBinaryData *request, uint32_t attempt) {
    if (request->len != REQUEST_BYTES) return NULL;
    sequence *q = sequences_find(from->service->sequences, request->data);
    return q && q->owner == from && sequence_text(q)->attempt == attempt ? q : NULL;
}

static void on_retune(front *from, const Trivium__Retune *m) {
    sequence *q = find_text(from, &m->request, m->attempt);
    if (!q) return;
    failure f;
    uint32_t step_from = 0;
    strategy chain;
    strategy_init(&chain);
    status st = strategy_from_wire(&chain, m->strategy, &f);
    if (st == STATUS_OK) st = sequence_retune(q, m->change, &chain, &step_from, &f);
    if (st == STATUS_OK) reply_retuned(q, m->change, step_from);
    else if (st == STATUS_NO_MEMORY) reply_end(from->service, q, END_ERROR, &f);
    else service_garbage(from->service, "retune");
    strategy_clear(&chain);
}

static void on_watch(front *from, const Trivium__WatchText *m) {
    sequence *q = find_text(from, &m->request, m->attempt);
    if (m->n_watched > CANDIDATES_MAX) service_garbage(from->service, "watch");
    else if (q) sequence_text(q)->n_watched = m->n_watched;
}

static void on_close(front *from, const Trivium__Close *m) {
    sequence *q = find_text(from, &m->request, m->attempt);
    if (q) reply_end(from->service, q, END_ASKED, NULL);
}

/* ---- calls ---- */

static void open_call(front *from, const job *asked) {
    service *s = from->service;
    failure f;
    sequence *q = NULL;
    if (sequences_open(s->sequences, asked, clock_us(), &q, &f) != STATUS_OK)
        reply_refused_call(from, asked->kind == SEQUENCE_SCORE ? asked->score.call : asked->probe.call, &f);
    service_wake(s);
}

static void on_score(front *from, const Trivium__ScoreIds *m, const wire_message *message) {
    job asked = {
        .kind = SEQUENCE_SCORE,
        .owner = from,
        .pool = m->pool,
        .wait_ms = m->wait_ms,
        .score.call = m->call,
        .score.n_candidates = m->n_top,
    };
    asked.ids = wire_items(message, 0, sizeof *asked.ids, &asked.n_ids);
    if (!asked.ids || message->n_raw != 1) service_garbage(from->service, "score");
    else open_call(from, &asked);
}

static void on_probe(front *from, const Trivium__ProbeRow *m, const wire_message *message) {
    failure f;
    strategy chain;
    strategy_init(&chain);
    job asked = {
        .kind = SEQUENCE_PROBE,
        .owner = from,
        .pool = m->pool,
        .wait_ms = m->wait_ms,
        .probe.call = m->call,
        .probe.step = m->step,
        .probe.strategy = &chain,
        .probe.seed = m->seed,
    };
    asked.probe.row = wire_items(message, 0, sizeof *asked.probe.row, &asked.probe.row_width);
    asked.ids = wire_items(message, 1, sizeof *asked.ids, &asked.n_ids);
    if (!asked.probe.row || !asked.ids) service_garbage(from->service, "probe");
    else if (strategy_from_wire(&chain, m->strategy, &f) != STATUS_OK)
        reply_refused_call(from, m->call, &f);
    else open_call(from, &asked);
    strategy_clear(&chain);
}

/* ---- messages ---- */

static void on_message(void *context, peer *p, const wire_message *message) {
    (void)p;
    front *from = context;
    const Trivium__TokensRequest *m = (const Trivium__TokensRequest *)message->header;
    switch (m->body_case) {
    case TRIVIUM__TOKENS_REQUEST__BODY_VOCABULARY: vocabulary_send(from); return;
    case TRIVIUM__TOKENS_REQUEST__BODY_OPEN: on_open(from, m->open, message); return;
    case TRIVIUM__TOKENS_REQUEST__BODY_TUNE: on_retune(from, m->tune); return;
    case TRIVIUM__TOKENS_REQUEST__BODY_CLOSE: on_close(from, m->close); return;
    case TRIVIUM__TOKENS_REQUEST__BODY_SCORE: on_score(from, m->score, message); return;
    case TRIVIUM__TOKENS_REQUEST__BODY_PROBE: on_probe(from, m->probe, message); return;
    case TRIVIUM__TOKENS_REQUEST__BODY_WATCH: on_watch(from, m->watch); return;
    case TRIVIUM__TOKENS_REQUEST__BODY_DEFAULT_MODEL: on_default_model(from, m->default_model); return;
    default: service_garbage(from->service, "tokens_request");
    }
}

const peers_events tokens_events = {
    .joined = on_joined,
    .left = on_left,
    .message = on_message,
    .heartbeat = on_heartbeat,
    .refused = on_refused,
};
