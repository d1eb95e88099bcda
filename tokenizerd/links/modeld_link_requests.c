/* What modelds are told. */
#include "modeld_link_parts.h"
#include "proto/chain/strategy_wire.h"

static peer *peer_of(const modeld *d) {
    return ((const joiner *)modeld_peer(d))->peer;
}

static status modeld_send(modeld_link *l, const modeld *d, Trivium__TokensRequest *m,
                          const wire_raw *raw, size_t n_raw) {
    return peers_send(l->bound.peers, peer_of(d), &m->base, raw, n_raw);
}

/* The same for what must not be missed: when it cannot be sent, the modeld is cut. */
static void modeld_tell(modeld_link *l, const modeld *d, Trivium__TokensRequest *m) {
    status st = modeld_send(l, d, m, NULL, 0);
    if (st != STATUS_OK && st != STATUS_BUSY)
        peers_cut(l->bound.peers, peer_of(d), "a message to it could not be sent");
}

/* ---- texts ---- */

status modeld_link_open(modeld_link *l, const modeld *d, const request *r, uint32_t n_watched) {
    Trivium__Open open = TRIVIUM__OPEN__INIT;
    open.request = bytes_to_wire(r->id, sizeof r->id);
    open.attempt = r->attempt;
    open.n_prompt = (uint32_t)r->n_prompt;
    open.session = (char *)r->session;
    open.pool = (char *)r->pool;
    open.change = r->change;
    open.seed = r->seed;
    open.state = bytes_to_wire(r->sampler_state, r->sampler_state_bytes);
    open.semantics = (char *)r->semantics;
    open.max_new_tokens = r->max_new_tokens;
    open.end_ids = r->end_ids;
    open.n_end_ids = r->n_end_ids;
    open.n_candidates = r->n_candidates;
    open.wait_ms = r->wait_ms;
    open.no_cache = r->no_cache;
    open.n_watched = n_watched;
    open.priority = r->priority;
    open.traceparent = (char *)r->traceparent;
    open.owner = r->owner->name;
    open.number = r->number;
    open.strategy = strategy_to_wire(&r->strategy);
    if (!open.strategy) return STATUS_NO_MEMORY;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_OPEN;
    m.open = &open;
    status st = modeld_send(l, d, &m, &(wire_raw){r->ids, r->n_ids * sizeof *r->ids}, 1);
    trivium__strategy__free_unpacked(open.strategy, NULL);
    return st;
}

status modeld_link_retune(modeld_link *l, const modeld *d, const request *r) {
    Trivium__Retune retune = TRIVIUM__RETUNE__INIT;
    retune.request = bytes_to_wire(r->id, sizeof r->id);
    retune.attempt = r->attempt;
    retune.number = r->number;
    retune.change = r->change;
    retune.strategy = strategy_to_wire(&r->strategy);
    if (!retune.strategy) return STATUS_NO_MEMORY;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_TUNE;
    m.tune = &retune;
    status st = modeld_send(l, d, &m, NULL, 0);
    trivium__strategy__free_unpacked(retune.strategy, NULL);
    return st;
}

void modeld_link_close(modeld_link *l, const modeld *d, const request *r) {
    Trivium__Close close = TRIVIUM__CLOSE__INIT;
    close.request = bytes_to_wire(r->id, sizeof r->id);
    close.attempt = r->attempt;
    close.number = r->number;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_CLOSE;
    m.close = &close;
    modeld_tell(l, d, &m);
}

void modeld_link_watch(modeld_link *l, const modeld *d, const request *r, uint32_t n_watched) {
    Trivium__WatchText watch_text = TRIVIUM__WATCH_TEXT__INIT;
    watch_text.request = bytes_to_wire(r->id, sizeof r->id);
    watch_text.attempt = r->attempt;
    watch_text.number = r->number;
    watch_text.n_watched = n_watched;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_WATCH;
    m.watch = &watch_text;
    modeld_tell(l, d, &m);
}

/* ---- calls ---- */

status modeld_link_score(modeld_link *l, const modeld *d, call *c) {
    score_call *from = call_as_score(c);
    Trivium__ScoreIds score = TRIVIUM__SCORE_IDS__INIT;
    score.call = c->number;
    score.pool = from->errand.pool;
    score.traceparent = from->errand.traceparent;
    score.owner = c->owner->name;
    score.n_top = from->n_top;
    score.wait_ms = c->wait_ms;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_SCORE;
    m.score = &score;
    const call_ids *ids = &from->scored;
    return modeld_send(l, d, &m, &(wire_raw){ids->ids, ids->n_ids * sizeof *ids->ids}, 1);
}

status modeld_link_probe(modeld_link *l, const modeld *d, call *c) {
    probe_call *from = call_as_probe(c);
    Trivium__ProbeRow probe = TRIVIUM__PROBE_ROW__INIT;
    probe.call = c->number;
    probe.pool = from->errand.pool;
    probe.traceparent = from->errand.traceparent;
    probe.owner = c->owner->name;
    probe.seed = from->seed;
    probe.step = from->step;
    probe.wait_ms = c->wait_ms;
    probe.strategy = strategy_to_wire(from->strategy);
    if (!probe.strategy) return STATUS_NO_MEMORY;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_PROBE;
    m.probe = &probe;
    const call_ids *history = &from->history;
    const wire_raw raw[] = {{from->row, from->n_row * sizeof *from->row},
                            {history->ids, history->n_ids * sizeof *history->ids}};
    status st = modeld_send(l, d, &m, raw, 2);
    trivium__strategy__free_unpacked(probe.strategy, NULL);
    return st;
}

void modeld_link_close_call(modeld_link *l, const modeld *d, uint64_t number) {
    Trivium__CloseCall close = TRIVIUM__CLOSE_CALL__INIT;
    close.call = number;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_CLOSE_CALL;
    m.close_call = &close;
    modeld_tell(l, d, &m);
}

void modeld_link_ask_to_drain(modeld_link *l, const modeld *d, uint64_t number, const char *sampler, int32_t pid,
                              const char *host) {
    Trivium__DrainWorker drain = TRIVIUM__DRAIN_WORKER__INIT;
    drain.call = number;
    drain.is_sampler = sampler != NULL;
    if (sampler) {
        drain.name = (char *)sampler;
        drain.pid = pid;
        drain.host = (char *)host;
    }
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_DRAIN;
    m.drain = &drain;
    modeld_tell(l, d, &m);
}

/* ---- models ---- */

void modeld_link_query(modeld_link *l, const modeld *d, const char *hash) {
    Trivium__VocabularyQuery query = TRIVIUM__VOCABULARY_QUERY__INIT;
    query.vocabulary = (char *)hash;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_VOCABULARY;
    m.vocabulary = &query;
    modeld_tell(l, d, &m);
}

void modeld_link_default(modeld_link *l, const modeld *d, const default_model *known) {
    Trivium__DefaultModel word = TRIVIUM__DEFAULT_MODEL__INIT;
    word.name = (char *)known->first;
    word.since_ms = known->since_ms;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_DEFAULT_MODEL;
    m.default_model = &word;
    modeld_tell(l, d, &m);
}
