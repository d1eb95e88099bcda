/* Modelds: joining, vocabularies, what they say. */
#include <stdlib.h>

#include "service_parts.h"

status modeld_send(service *s, const modeld *d, Trivium__TokensRequest *m, const wire_raw *raw,
                   size_t n_raw) {
    const worker *w = modeld_peer(d);
    return peers_send(s->modelds, w->peer, &m->base, raw, n_raw);
}

void modeld_tell(service *s, const modeld *d, Trivium__TokensRequest *m) {
    const worker *w = modeld_peer(d);
    status st = modeld_send(s, d, m, NULL, 0);
    if (st != STATUS_OK && st != STATUS_BUSY)
        peers_cut(s->modelds, w->peer, "a message to it could not be sent");
}

void worker_free(worker *w) {
    if (w->report) trivium__model_report__free_unpacked(w->report, NULL);
    free(w);
}

/* ---- joining ---- */

/* Once in a row for each process: some say Hello again and again. */
static void log_refusal(service *s, const peer *p, const failure *why) {
    if (s->refused_last == peer_incarnation(p)) return;
    s->refused_last = peer_incarnation(p);
    log_event(LOG_INFO, "modeld_refused", "name=\"%s\" why=\"%s\"", peer_name(p), why->message);
}

static void default_tell(service *s, const modeld *d) {
    const default_model *known = models_default(s->models);
    Trivium__DefaultModel word = TRIVIUM__DEFAULT_MODEL__INIT;
    word.name = (char *)known->first;
    word.since_ms = known->since_ms;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_DEFAULT_MODEL;
    m.default_model = &word;
    modeld_tell(s, d, &m);
}

static void defaults_tell(service *s) {
    log_event(LOG_INFO, "first_model", "name=\"%s\"", models_default(s->models)->first);
    for (const served_model *m = models_first(s->models); m; m = models_next(m))
        for (const modeld *d = served_model_modelds(m); d; d = modeld_next(d)) default_tell(s, d);
}

/* What it heard of a tokenizerd before us counts before its own joining, as does what others heard who are
 * still to come back. */
static void default_learn(service *s, const modeld *joiner, const Trivium__Hello *hello) {
    default_model *known = models_default(s->models);
    const Trivium__DefaultModel *word = hello->default_model;
    bool is_news = word && default_model_heard(known, word->name, word->since_ms);
    if (s->return_timer < 0 && default_model_joined(known, hello->name, clock_since_1970_ms()))
        is_news = true;
    if (is_news) defaults_tell(s);
    else if (known->first[0]) default_tell(s, joiner);
}

/* Nobody knows of one: this is a beginning. */
void modelds_returned(void *context) {
    service *s = context;
    const served_model *m = models_first(s->models);
    s->return_timer = -1;
    while (m && !served_model_modelds(m)) m = models_next(m);
    if (!m || !default_model_joined(models_default(s->models), served_model_name(m),
                                    clock_since_1970_ms()))
        return;
    defaults_tell(s);
    s->models_changed = true;
    service_wake(s);
}

static status on_joined(void *context, peer *p, const Trivium__Hello *hello, failure *f) {
    service *s = context;
    if (hello->role != TRIVIUM__ROLE__MODELD || !hello->model)
        return fail(f, STATUS_BAD_REQUEST,
                    "this endpoint is for modelds; clients use the other one");
    worker *w = calloc(1, sizeof *w);
    if (!w) return fail(f, STATUS_NO_MEMORY, "no memory for another modeld");
    model_offer offer = {
        .name = hello->name,
        .fingerprint = hello->model->fingerprint,
        .vocabulary = hello->model->vocabulary,
        .n_vocab = hello->model->n_vocab,
        .n_ctx = hello->model->n_ctx,
    };
    status st = models_join(s->models, &offer, peer_incarnation(p), w, &w->modeld, f);
    if (st != STATUS_OK) {
        log_refusal(s, p, f);
        free(w);
        return st;
    }
    w->peer = p;
    peer_set_user(p, w);
    default_learn(s, w->modeld, hello);
    s->models_changed = true;
    service_wake(s);
    log_event(LOG_INFO, "modeld_joined", "name=\"%s\" pid=%d", offer.name, hello->pid);
    return STATUS_OK;
}

static void on_left(void *context, peer *p, const char *why) {
    service *s = context;
    worker *w = peer_user(p);
    log_event(LOG_INFO, "modeld_left", "name=\"%s\" why=\"%s\"", peer_name(p), why);
    generations_of_modeld_lost(s, w->modeld);
    calls_of_modeld_lost(s, w->modeld);
    models_leave(&w->modeld);
    worker_free(w);
    peer_set_user(p, NULL);
    s->models_changed = true;
    service_wake(s);
}

/* What cannot be used is cut; it says Hello again, and is then refused with the reason. */
static void modeld_refuse(service *s, peer *p, const failure *why) {
    log_event(LOG_ERROR, "modeld_unusable", "name=\"%s\" why=\"%s\"", peer_name(p), why->message);
    models_refuse(s->models, peer_incarnation(p), why);
    peers_cut(s->modelds, p, why->message);
}

/* Keep a copy of its report for `status`; without memory the last one stays. */
static void on_heard(void *context, peer *p, const Trivium__Heartbeat *beat) {
    (void)context;
    worker *w = peer_user(p);
    if (!beat->report) return;
    size_t n_bytes = trivium__model_report__get_packed_size(beat->report);
    uint8_t *bytes = malloc(n_bytes + 1);
    if (!bytes) return;
    trivium__model_report__pack(beat->report, bytes);
    Trivium__ModelReport *copy = trivium__model_report__unpack(NULL, n_bytes, bytes);
    free(bytes);
    if (!copy) return;
    if (w->report) trivium__model_report__free_unpacked(w->report, NULL);
    w->report = copy;
}

/* ---- vocabularies ---- */

void vocabularies_ask(service *s) {
    for (modeld *d; (d = models_query(s->models)) != NULL;) {
        Trivium__VocabularyQuery query = TRIVIUM__VOCABULARY_QUERY__INIT;
        query.vocabulary = (char *)served_model_vocabulary(modeld_model(d));
        Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
        m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_VOCABULARY;
        m.vocabulary = &query;
        modeld_tell(s, d, &m);
    }
}

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

static status piece_take(modeld *d, const Trivium__VocabularyPiece *m, bool *complete, failure *f) {
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
    vocab_piece piece = {
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
    status st = models_piece(d, &piece, complete, f);
    free(items);
    return st;
}

static void on_piece(service *s, peer *p, modeld *d, const Trivium__VocabularyPiece *m) {
    failure f;
    bool complete = false;
    if (piece_take(d, m, &complete, &f) != STATUS_OK) {
        modeld_refuse(s, p, &f);
        return;
    }
    if (!complete) return;
    log_event(LOG_INFO, "model_ready", "name=\"%s\" tokens=%u", served_model_name(modeld_model(d)),
              served_model_n_vocab(modeld_model(d)));
    s->models_changed = true;
    service_wake(s);
}

/* ---- messages ---- */

static void on_message(void *context, peer *p, const wire_message *message) {
    service *s = context;
    modeld *d = ((worker *)peer_user(p))->modeld;
    const Trivium__TokensReply *m = (const Trivium__TokensReply *)message->header;
    switch (m->body_case) {
    case TRIVIUM__TOKENS_REPLY__BODY_VOCABULARY: on_piece(s, p, d, m->vocabulary); return;
    case TRIVIUM__TOKENS_REPLY__BODY_TOKEN: generation_token(s, d, m->token); return;
    case TRIVIUM__TOKENS_REPLY__BODY_TUNED: generation_retuned(s, d, m->tuned); return;
    case TRIVIUM__TOKENS_REPLY__BODY_CLOSED: generation_closed(s, d, m->closed); return;
    case TRIVIUM__TOKENS_REPLY__BODY_SCORED: call_scored(s, d, m->scored, message); return;
    case TRIVIUM__TOKENS_REPLY__BODY_PROBED: call_probed(s, d, m->probed, message); return;
    case TRIVIUM__TOKENS_REPLY__BODY_GLIMPSE: watch_glimpse(s, m->glimpse); return;
    case TRIVIUM__TOKENS_REPLY__BODY_FAILED: call_failed(s, d, m->failed); return;
    default: service_garbage(s, "tokens_reply");
    }
}

const peers_events modeld_events = {
    .joined = on_joined,
    .left = on_left,
    .message = on_message,
    .heard = on_heard,
};
