#include "modeld_link.h"

#include <stdlib.h>
#include <string.h>

#include "modeld_link_parts.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/net/errors.h"

/* ---- joining ---- */

/* Once in a row for each process: some say Hello again and again. */
static void log_refusal(modeld_link *l, const peer *p, const failure *why) {
    if (l->refused_last == peer_incarnation(p)) return;
    l->refused_last = peer_incarnation(p);
    log_event(LOG_INFO, "modeld_refused", "name=\"%s\" why=\"%s\"", peer_name(p), why->message);
}

static void joiner_link(modeld_link *l, joiner *j) {
    j->next = l->joiners;
    l->joiners = j;
}

static void report_forget(modeld_link *l, joiner *j) {
    if (!j->report) return;
    l->n_report_bytes -= j->n_report_bytes;
    l->n_reported -= j->report->n_samplers;
    trivium__model_report__free_unpacked(j->report, NULL);
    j->report = NULL;
    j->n_report_bytes = 0;
}

static void joiner_free(modeld_link *l, joiner *j) {
    joiner **place = &l->joiners;
    while (*place != j) place = &(*place)->next;
    *place = j->next;
    report_forget(l, j);
    free(j);
}

static status on_joined(void *context, peer *p, const Trivium__Hello *hello, failure *f) {
    modeld_link *l = context;
    if (hello->role != TRIVIUM__ROLE__MODELD || !hello->model)
        return fail(f, STATUS_BAD_REQUEST,
                    "this endpoint is for modelds; clients use the other one");
    if (hello->replaces && !peer_is_operator(p)) {
        fail(f, STATUS_FORBIDDEN, "to replace a model is for operators, such as the user who runs tokenizerd");
        log_refusal(l, p, f);
        return f->code;
    }
    joiner *j = calloc(1, sizeof *j);
    if (!j) return fail(f, STATUS_NO_MEMORY, "no memory for another modeld");
    j->peer = p;
    joiner_link(l, j);
    const Trivium__DefaultModel *word = hello->default_model;
    const modeld_hello said = {
        .offer = {.name = hello->name,
                  .fingerprint = hello->model->fingerprint,
                  .vocabulary = hello->model->vocabulary,
                  .n_vocab = hello->model->n_vocab,
                  .n_ctx = hello->model->n_ctx,
                  .kv_tokens = hello->model->kv_tokens,
                  .replaces = hello->replaces,
                  .started_ms = (int64_t)clock_ms() - (int64_t)(peer_uptime_ms(p) & INT64_MAX)},
        .incarnation = peer_incarnation(p),
        .first_model = word ? word->name : NULL,
        .first_since_ms = word ? word->since_ms : 0,
    };
    status st = l->events.joined(l->context, &said, j, &j->modeld, f);
    if (st != STATUS_OK) {
        log_refusal(l, p, f);
        joiner_free(l, j);
        return st;
    }
    peer_set_user(p, j);
    char place[PEER_PLACE_BYTES];
    log_event(LOG_INFO, "modeld_joined", "name=\"%s\" %s protocol=%u", hello->name, peer_place(p, place), peer_version(p));
    return STATUS_OK;
}

static void on_draining(void *context, peer *p) {
    modeld_link *l = context;
    char place[PEER_PLACE_BYTES];
    log_event(LOG_INFO, "modeld_draining", "name=\"%s\" %s", peer_name(p), peer_place(p, place));
    l->events.draining(l->context, ((joiner *)peer_user(p))->modeld);
}

static void on_left(void *context, peer *p, const char *why) {
    modeld_link *l = context;
    joiner *j = peer_user(p);
    char place[PEER_PLACE_BYTES];
    log_event(LOG_INFO, "modeld_left", "name=\"%s\" %s why=\"%s\"", peer_name(p), peer_place(p, place), why);
    l->events.left(l->context, j->modeld);
    joiner_free(l, j);
    peer_set_user(p, NULL);
}

/* What cannot be used is cut; it says Hello again, and is then refused with the reason. */
static void refuse(modeld_link *l, peer *p, const failure *why) {
    log_event(LOG_ERROR, "modeld_unusable", "name=\"%s\" why=\"%s\"", peer_name(p), why->message);
    l->events.unusable(l->context, peer_incarnation(p), why);
    peers_cut(l->bound.peers, p, why->message);
}

/* As many of its samplers as there is room for. */
static Trivium__ModelReport report_cut(const modeld_link *l, const Trivium__ModelReport *from) {
    Trivium__ModelReport cut = *from;
    size_t n_max = SAMPLERS_REPORTED_MAX - l->n_reported;
    if (cut.n_samplers > n_max) cut.n_samplers = n_max;
    return cut;
}

/* Keep a copy of its report, as much of it as there is room for; without memory there is none. */
static void report_keep(modeld_link *l, joiner *j, const Trivium__ModelReport *report) {
    report_forget(l, j);
    Trivium__ModelReport cut = report_cut(l, report);
    size_t n_bytes = trivium__model_report__get_packed_size(&cut);
    if (n_bytes > REPORTS_BYTES_MAX - l->n_report_bytes) return;
    uint8_t *bytes = malloc(n_bytes + 1);
    if (!bytes) return;
    trivium__model_report__pack(&cut, bytes);
    j->report = trivium__model_report__unpack(NULL, n_bytes, bytes);
    free(bytes);
    if (!j->report) return;
    j->is_cut = cut.n_samplers < report->n_samplers;
    j->n_report_bytes = n_bytes;
    l->n_report_bytes += n_bytes;
    l->n_reported += j->report->n_samplers;
}

static bool samplers_are(const Trivium__ModelReport *kept, const Trivium__ModelReport *told) {
    if (!kept || kept->n_samplers != told->n_samplers) return false;
    for (size_t i = 0; i < told->n_samplers; i++) {
        const Trivium__SamplerReport *a = kept->samplers[i], *b = told->samplers[i];
        if (a->hanging != b->hanging || a->draining != b->draining || strcmp(a->pool, b->pool) != 0 ||
            strcmp(a->semantics, b->semantics) != 0)
            return false;
    }
    return true;
}

static void on_heard(void *context, peer *p, const Trivium__Heartbeat *beat) {
    modeld_link *l = context;
    joiner *j = peer_user(p);
    if (!beat->report) return;
    bool has_news = !samplers_are(j->report, beat->report);
    report_keep(l, j, beat->report);
    if (has_news) l->events.samplers_changed(l->context, j->modeld);
}

/* ---- vocabularies ---- */

static vocab_meta meta_from_wire(const Trivium__VocabularyMeta *m) {
    return (vocab_meta){
        .kind = m->kind,
        .split = m->split,
        .bos = m->bos,
        .eos = m->eos,
        .eot = m->eot,
        .eom = m->eom,
        .add_bos = m->add_bos,
        .add_bos_told = m->add_bos_told,
        .ends = m->ends,
        .n_ends = m->n_ends,
        .chat_template = m->chat_template.data,
        .chat_template_bytes = m->chat_template.len,
    };
}

static void items_from_wire(vocab_bytes *to, const ProtobufCBinaryData *from, size_t n_items) {
    for (size_t i = 0; i < n_items; i++)
        to[i] = (vocab_bytes){.bytes = from[i].data, .n_bytes = from[i].len};
}

static status piece_take(modeld_link *l, modeld *d, const Trivium__VocabularyPiece *m, failure *f) {
    if (m->n_tokens > VOCABULARY_PIECE_ITEMS || m->n_merges > VOCABULARY_PIECE_ITEMS ||
        m->types.len != m->n_tokens)
        return fail(f, STATUS_BAD_MESSAGE, "a piece of a vocabulary has sizes that do not fit");
    if (m->meta && m->meta->chat_template.len > CHAT_TEMPLATE_BYTES_MAX)
        return fail(f, STATUS_TOO_LONG, "a chat template may have %d bytes",
                    CHAT_TEMPLATE_BYTES_MAX);
    vocab_bytes *items = malloc((m->n_tokens + m->n_merges + 1) * sizeof *items);
    if (!items) return fail(f, STATUS_NO_MEMORY, "no memory for a vocabulary");
    items_from_wire(items, m->tokens, m->n_tokens);
    items_from_wire(items + m->n_tokens, m->merges, m->n_merges);
    vocab_meta meta;
    if (m->meta) meta = meta_from_wire(m->meta);
    const vocab_piece piece = {
        .hash = m->vocabulary,
        .n_tokens_all = m->n_tokens_all,
        .n_merges_all = m->n_merges_all,
        .first_token = m->first_token,
        .first_merge = m->first_merge,
        .tokens = items,
        .types = m->types.data,
        .n_tokens = m->n_tokens,
        .merges = items + m->n_tokens,
        .n_merges = m->n_merges,
        .meta = m->meta ? &meta : NULL,
    };
    status st = l->events.piece(l->context, d, &piece, f);
    free(items);
    return st;
}

/* ---- texts ---- */

static bool id_fits(modeld_link *l, const ProtobufCBinaryData *id) {
    if (id->len != REQUEST_BYTES) bound_link_garbage(&l->bound, "request_id");
    return id->len == REQUEST_BYTES;
}

static void take_token(modeld_link *l, const modeld *d, const Trivium__Token *m) {
    if (!id_fits(l, &m->request)) return;
    if (!m->drawn || m->drawn->n_candidates > CANDIDATES_MAX) {
        bound_link_garbage(&l->bound, "token");
        return;
    }
    const request_token token = {
        .step = m->step,
        .id = m->drawn->id,
        .sampler_state = {m->drawn->state.data, m->drawn->state.len},
        .semantics = m->semantics,
        .forward_ms = m->forward_ms,
        .sample_ms = m->sample_ms,
    };
    l->events.token(l->context, d, (named_text){m->request.data, m->attempt, m->number}, &token, m->drawn);
}

static void take_retuned(modeld_link *l, const modeld *d, const Trivium__Retuned *m) {
    if (id_fits(l, &m->request))
        l->events.retuned(l->context, d, (named_text){m->request.data, m->attempt, m->number}, m->change, m->step);
}

static void take_queued(modeld_link *l, const modeld *d, const Trivium__Queued *m) {
    if (id_fits(l, &m->request))
        l->events.queued(l->context, d, (named_text){m->request.data, m->attempt, m->number}, m->over);
}

static void take_closed(modeld_link *l, const modeld *d, const Trivium__Closed *m) {
    if (!id_fits(l, &m->request)) return;
    failure f = {.code = STATUS_OK};
    request_finish finish = FINISH_ERROR;
    switch (m->reason) {
    case TRIVIUM__CLOSE_REASON__CLOSE_END_ID: finish = FINISH_STOP; break;
    case TRIVIUM__CLOSE_REASON__CLOSE_LENGTH: finish = FINISH_LENGTH; break;
    case TRIVIUM__CLOSE_REASON__CLOSE_SUPERSEDED: finish = FINISH_SUPERSEDED; break;
    case TRIVIUM__CLOSE_REASON__CLOSE_ERROR: error_from_wire(m->error, "the modeld", &f); break;
    default: fail(&f, STATUS_BAD_MESSAGE, "the modeld closed the text without being asked");
    }
    const request_closing closing = {m->queue_ms, m->prefill_ms, m->n_cached};
    l->events.closed(l->context, d, (named_text){m->request.data, m->attempt, m->number}, finish, &closing, &f);
}

static void take_trace(modeld_link *l, const Trivium__Glimpse *m) {
    if (m->request.len != REQUEST_BYTES || !m->drawn || m->drawn->n_candidates > CANDIDATES_MAX)
        bound_link_garbage(&l->bound, "glimpse");
    else l->events.trace(l->context, (named_text){m->request.data, m->attempt, m->number}, m);
}

/* ---- calls ---- */

static void take_scored(modeld_link *l, const modeld *d, const Trivium__ScoredIds *m,
                        const wire_message *message) {
    int32_t top_ids[CANDIDATES_MAX];
    for (size_t i = 0; i < m->n_top && i < CANDIDATES_MAX; i++) top_ids[i] = m->top[i]->id;
    modeld_scores scores = {.top = m->top, .top_ids = top_ids, .n_top = m->n_top};
    scores.logprobs = wire_items(message, 0, sizeof *scores.logprobs, &scores.n_logprobs);
    l->events.scored(l->context, d, m->call, &scores);
}

static void take_probed(modeld_link *l, const modeld *d, const Trivium__ProbedRow *m,
                        const wire_message *message) {
    size_t n = 0;
    const double *probabilities = wire_items(message, 0, sizeof *probabilities, &n);
    l->events.probed(l->context, d, m->call, m->id, probabilities, n);
}

static void take_call_failed(modeld_link *l, const modeld *d, const Trivium__CallFailed *m) {
    failure f;
    error_from_wire(m->error, "the modeld", &f);
    l->events.call_failed(l->context, d, m->call, &f);
}

/* ---- its own life ---- */

static void on_message(void *context, peer *p, const wire_message *message) {
    modeld_link *l = context;
    modeld *d = ((joiner *)peer_user(p))->modeld;
    failure f;
    const Trivium__TokensReply *m = (const Trivium__TokensReply *)message->header;
    switch (m->body_case) {
    case TRIVIUM__TOKENS_REPLY__BODY_VOCABULARY:
        if (piece_take(l, d, m->vocabulary, &f) != STATUS_OK) refuse(l, p, &f);
        return;
    case TRIVIUM__TOKENS_REPLY__BODY_TOKEN: take_token(l, d, m->token); return;
    case TRIVIUM__TOKENS_REPLY__BODY_TUNED: take_retuned(l, d, m->tuned); return;
    case TRIVIUM__TOKENS_REPLY__BODY_QUEUED: take_queued(l, d, m->queued); return;
    case TRIVIUM__TOKENS_REPLY__BODY_CLOSED: take_closed(l, d, m->closed); return;
    case TRIVIUM__TOKENS_REPLY__BODY_SCORED: take_scored(l, d, m->scored, message); return;
    case TRIVIUM__TOKENS_REPLY__BODY_PROBED: take_probed(l, d, m->probed, message); return;
    case TRIVIUM__TOKENS_REPLY__BODY_GLIMPSE: take_trace(l, m->glimpse); return;
    case TRIVIUM__TOKENS_REPLY__BODY_FAILED: take_call_failed(l, d, m->failed); return;
    case TRIVIUM__TOKENS_REPLY__BODY_DRAINED:
        l->events.drained(l->context, d, m->drained->call, m->drained->n_texts, m->drained->n_left);
        return;
    default: bound_link_garbage(&l->bound, "tokens_reply");
    }
}

static void on_refuse(void *context, peer *p, const wire_message *message, const failure *why) {
    modeld_link *l = context;
    const modeld *d = ((joiner *)peer_user(p))->modeld;
    const Trivium__TokensReply *m = (const Trivium__TokensReply *)message->header;
    switch (m->body_case) {
    case TRIVIUM__TOKENS_REPLY__BODY_SCORED: l->events.call_failed(l->context, d, m->scored->call, why); return;
    case TRIVIUM__TOKENS_REPLY__BODY_PROBED: l->events.call_failed(l->context, d, m->probed->call, why); return;
    default: bound_link_garbage(&l->bound, "pieces");
    }
}

status modeld_link_new(modeld_link **out, const link_options *options,
                       const modeld_link_events *events, void *context, failure *f) {
    static const peers_events heard = {
        .joined = on_joined,
        .left = on_left,
        .message = on_message,
        .refuse = on_refuse,
        .heard = on_heard,
        .draining = on_draining,
    };
    modeld_link *l = calloc(1, sizeof *l);
    if (!l) return fail(f, STATUS_NO_MEMORY, "no memory");
    l->events = *events;
    l->context = context;
    l->has_keys = options->keys != NULL;
    status st = bound_link_open(&l->bound, options, &trivium__tokens_reply__descriptor, &heard, l, f);
    if (st == STATUS_OK) *out = l;
    else free(l);
    return st;
}

void modeld_link_free(modeld_link **l) {
    if (!*l) return;
    bound_link_close(&(*l)->bound);
    while ((*l)->joiners) joiner_free(*l, (*l)->joiners);
    free(*l);
    *l = NULL;
}

void modeld_link_drain(modeld_link *l) {
    peers_drain(l->bound.peers);
}

const char *modeld_link_address(const modeld_link *l) {
    return peers_address(l->bound.peers);
}

join_place modeld_link_place(const modeld_link *l) {
    return (join_place){modeld_link_address(l), peers_hello(l->bound.peers)->host, l->has_keys};
}

uint64_t modeld_link_garbage(const modeld_link *l) {
    return bound_link_garbage_count(&l->bound);
}

const Trivium__Hello *modeld_link_hello(const modeld *d) {
    return peer_hello(((const joiner *)modeld_peer(d))->peer);
}

uint64_t modeld_link_uptime_ms(const modeld *d) {
    return peer_uptime_ms(((const joiner *)modeld_peer(d))->peer);
}

const Trivium__ModelReport *modeld_link_report(const modeld *d) {
    return ((const joiner *)modeld_peer(d))->report;
}

static samplerd_seen seen(const Trivium__SamplerReport *one) {
    if (one->hanging) return SAMPLERD_HANGS;
    return one->draining ? SAMPLERD_DRAINS : SAMPLERD_ANSWERS;
}

samplerd_seen modeld_link_samplerd(const modeld *d, const char *pool, const char *semantics) {
    const joiner *j = modeld_peer(d);
    samplerd_seen best = j->report && !j->is_cut ? SAMPLERD_ABSENT : SAMPLERD_UNTOLD;
    if (!pool[0]) pool = DEFAULT_POOL;
    for (size_t i = 0; j->report && i < j->report->n_samplers; i++) {
        const Trivium__SamplerReport *one = j->report->samplers[i];
        if (strcmp(one->pool, pool) != 0 || (semantics[0] && strcmp(one->semantics, semantics) != 0)) continue;
        if (seen(one) > best) best = seen(one);
    }
    return best;
}
