#include "tokenizerd_link.h"

#include <stdlib.h>
#include <string.h>

#include "job_wire.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/chain/strategy_wire.h"
#include "proto/net/errors.h"
#include "proto/net/peer.h"
#include "tokenizerd_answer.h"
#include "vocabulary_pieces.h"
#include "vocabulary_sender.h"

struct tokenizerd_link {
    tokenizerd_link_options options;
    loop *loop;
    peers *peers; /* NULL: closed after a refusal */
    peer *peer;   /* NULL: not joined now */
    bool was_joined;
    timer closing; /* refused for good: set to the next turn, in which `peers` goes */
    vocabulary_sender *vocabulary;
    /* What it told us, for whoever takes its place at this address: part of our Hello there. */
    Trivium__DefaultModel default_model;
    char default_name[NAME_BYTES_MAX + 1];
    Trivium__Hello hello;
};

static void over(tokenizerd_link *link) {
    link->options.events->over(link->options.context, link);
}

static void garbage_of(tokenizerd_link *link, const char *message) {
    garbage_count(link->options.garbage, message);
}

/* ---- its vocabulary ---- */

static bool offer_piece(peers *ps, peer *to, Trivium__VocabularyPiece *piece) {
    Trivium__TokensReply m = TRIVIUM__TOKENS_REPLY__INIT;
    m.body_case = TRIVIUM__TOKENS_REPLY__BODY_VOCABULARY;
    m.vocabulary = piece;
    return peers_offer(ps, to, &m.base);
}

static void on_vocabulary(tokenizerd_link *link, const Trivium__VocabularyQuery *query) {
    if (vocabulary_pieces_wanted(link->options.model, query))
        vocabulary_sender_begin(link->vocabulary, link->peers, link->peer);
    else garbage_of(link, "vocabulary");
}

/* ---- joining ---- */

static status on_joined(void *context, peer *p, const Trivium__Hello *hello, failure *f) {
    tokenizerd_link *link = context;
    if (hello->role != TRIVIUM__ROLE__TOKENIZERD)
        return fail(f, STATUS_BAD_REQUEST, "%s is not a tokenizerd's endpoint",
                    link->options.address);
    over(link);
    link->peer = p;
    link->was_joined = true;
    log_event(LOG_INFO, "joined", "tokenizerd=\"%s\" pid=%d endpoint=%s protocol=%u", hello->name, hello->pid,
              link->options.address, peer_version(p));
    link->options.events->joined(link->options.context, link, peer_incarnation(p));
    return STATUS_OK;
}

static bool asks_who(void *context) {
    tokenizerd_link *link = context;
    return link->options.events->asks_who && link->options.events->asks_who(link->options.context, link->options.address);
}

static bool on_met(void *context, uint64_t incarnation) {
    tokenizerd_link *link = context;
    return link->options.events->met(link->options.context, link, incarnation);
}

static void on_left(void *context, peer *p, const char *why) {
    tokenizerd_link *link = context;
    log_event(LOG_INFO, "left", "tokenizerd=\"%s\" endpoint=%s why=\"%s\"", peer_name(p),
              link->options.address, why);
    link->peer = NULL;
    vocabulary_sender_forget(link->vocabulary, p);
    over(link);
    link->options.events->lost(link->options.context, link);
}

static void close_link(void *context) {
    tokenizerd_link *link = context;
    if (link->peer) vocabulary_sender_forget(link->vocabulary, link->peer);
    peers_free(&link->peers);
    link->peer = NULL;
    over(link);
}

/* A full table may have room later. So may a key be authorised again; but whoever asks to replace another model, and was not
 * let in before, is told that this is for operators. Any other refusal would only be repeated. */
static bool may_end(const tokenizerd_link *link, status code) {
    if (code == STATUS_FORBIDDEN) return !link->hello.replaces || link->was_joined;
    return code == STATUS_BUSY || code == STATUS_NO_MEMORY;
}

static void on_refused(void *context, const Trivium__Error *error) {
    tokenizerd_link *link = context;
    failure f, told;
    error_from_wire(error, "it", &told);
    fail(&f, told.code, "refused by the tokenizerd at %s: %s", link->options.address, told.message);
    log_event(LOG_ERROR, "refused", "why=\"%s\"", f.message);
    if (may_end(link, f.code)) return;
    loop_once(link->loop, &link->closing, 0, close_link, link);     /* not within its own event */
    link->options.events->refused(link->options.context, link, &f);
}

static void on_heartbeat(void *context, peer *p, Trivium__Heartbeat *beat) {
    (void)p;
    tokenizerd_link *link = context;
    beat->report = report_fill(link->options.report);
}

/* ---- texts ---- */

/* False, here and below: it has not the frames that the schema says. */
static bool on_open(tokenizerd_link *link, const Trivium__Open *m, const wire_message *message) {
    failure f;
    strategy chain;
    job asked;
    if (!job_from_open(&asked, m, message)) return false;
    strategy_init(&chain);
    bool readable = strategy_from_wire(&chain, m->strategy, &f) == STATUS_OK;
    asked.from = link;
    asked.text.strategy = &chain;
    link->options.events->open(link->options.context, &asked, readable ? NULL : &f);
    strategy_clear(&chain);
    return true;
}

/* False: no text of ours has such a name. */
static bool read_name(const ProtobufCBinaryData *request, uint32_t attempt, uint32_t number, text_name *name) {
    *name = (text_name){request->data, attempt, number};
    return request->len == REQUEST_BYTES;
}

static void on_retune(tokenizerd_link *link, const Trivium__Retune *m) {
    text_name name;
    if (!read_name(&m->request, m->attempt, m->number, &name)) return;
    failure f;
    strategy chain;
    strategy_init(&chain);
    bool readable = strategy_from_wire(&chain, m->strategy, &f) == STATUS_OK;
    link->options.events->retune(link->options.context, link, name, m->change, &chain,
                                 readable ? NULL : &f);
    strategy_clear(&chain);
}

static void on_watch(tokenizerd_link *link, const Trivium__WatchText *m) {
    text_name name;
    if (m->n_watched > CANDIDATES_MAX) garbage_of(link, "watch");
    else if (read_name(&m->request, m->attempt, m->number, &name))
        link->options.events->watch(link->options.context, link, name, m->n_watched);
}

static void on_close(tokenizerd_link *link, const Trivium__Close *m) {
    text_name name;
    if (read_name(&m->request, m->attempt, m->number, &name))
        link->options.events->close(link->options.context, link, name);
}

/* ---- calls ---- */

static bool on_score(tokenizerd_link *link, const Trivium__ScoreIds *m, const wire_message *message) {
    job asked;
    if (!job_from_score(&asked, m, message)) return false;
    asked.from = link;
    asked.n_unread_bytes = peer_unread_bytes(link->peer);
    link->options.events->call(link->options.context, &asked, NULL);
    return true;
}

static bool on_probe(tokenizerd_link *link, const Trivium__ProbeRow *m, const wire_message *message) {
    failure f;
    strategy chain;
    job asked;
    if (!job_from_probe(&asked, m, message)) return false;
    strategy_init(&chain);
    bool readable = strategy_from_wire(&chain, m->strategy, &f) == STATUS_OK;
    asked.from = link;
    asked.n_unread_bytes = peer_unread_bytes(link->peer);
    asked.probe.strategy = &chain;
    link->options.events->call(link->options.context, &asked, readable ? NULL : &f);
    strategy_clear(&chain);
    return true;
}

/* ---- what the link does on its own ---- */

static void on_default_model(tokenizerd_link *link, const Trivium__DefaultModel *m) {
    if (!m->name[0] || !text_is_printable(m->name, NAME_BYTES_MAX)) {
        garbage_of(link, "default_model");
        return;
    }
    strcpy(link->default_name, m->name);
    link->default_model.since_ms = m->since_ms;
    log_event(LOG_INFO, "first_model", "name=\"%s\" endpoint=%s", m->name, link->options.address);
}

static void on_drain(tokenizerd_link *link, const Trivium__DrainWorker *m) {
    link->options.events->drain(link->options.context, link,
                                &(drain_worker){m->call, m->is_sampler, m->name, m->pid, m->host});
}

/* ---- messages ---- */

static void on_refuse(void *context, peer *p, const wire_message *message, const failure *why) {
    (void)p;
    tokenizerd_link *link = context;
    const Trivium__TokensRequest *m = (const Trivium__TokensRequest *)message->header;
    const Trivium__Open *o = m->body_case == TRIVIUM__TOKENS_REQUEST__BODY_OPEN ? m->open : NULL;
    if (o && o->request.len == REQUEST_BYTES)
        tokenizerd_answer_closed(link, (text_name){o->request.data, o->attempt, o->number},
                                 &(told_end){.why = END_ERROR, .failure = why});
    else if (m->body_case == TRIVIUM__TOKENS_REQUEST__BODY_SCORE)
        tokenizerd_answer_failed(link, m->score->call, why);
    else if (m->body_case == TRIVIUM__TOKENS_REQUEST__BODY_PROBE)
        tokenizerd_answer_failed(link, m->probe->call, why);
    else garbage_of(link, "frames");
}

static void on_message(void *context, peer *p, const wire_message *message) {
    tokenizerd_link *link = context;
    bool fits = true;
    const Trivium__TokensRequest *m = (const Trivium__TokensRequest *)message->header;
    switch (m->body_case) {
    case TRIVIUM__TOKENS_REQUEST__BODY_VOCABULARY: on_vocabulary(link, m->vocabulary); return;
    case TRIVIUM__TOKENS_REQUEST__BODY_OPEN: fits = on_open(link, m->open, message); break;
    case TRIVIUM__TOKENS_REQUEST__BODY_TUNE: on_retune(link, m->tune); return;
    case TRIVIUM__TOKENS_REQUEST__BODY_CLOSE: on_close(link, m->close); return;
    case TRIVIUM__TOKENS_REQUEST__BODY_SCORE: fits = on_score(link, m->score, message); break;
    case TRIVIUM__TOKENS_REQUEST__BODY_PROBE: fits = on_probe(link, m->probe, message); break;
    case TRIVIUM__TOKENS_REQUEST__BODY_CLOSE_CALL:
        link->options.events->close_call(link->options.context, link, m->close_call->call);
        return;
    case TRIVIUM__TOKENS_REQUEST__BODY_WATCH: on_watch(link, m->watch); return;
    case TRIVIUM__TOKENS_REQUEST__BODY_DEFAULT_MODEL:
        on_default_model(link, m->default_model);
        return;
    case TRIVIUM__TOKENS_REQUEST__BODY_DRAIN: on_drain(link, m->drain); return;
    default: garbage_of(link, "tokens_request");
    }
    const failure odd = {STATUS_BAD_MESSAGE, "a message came without the frames that belong to it"};
    if (!fits) on_refuse(context, p, message, &odd);
}

/* The id of the text that it is about; "-": it is about none. */
static void text_of(const Trivium__TokensReply *m, char digits[2 * REQUEST_BYTES + 1]) {
    const ProtobufCBinaryData *request = NULL;
    if (m->body_case == TRIVIUM__TOKENS_REPLY__BODY_TOKEN) request = &m->token->request;
    if (m->body_case == TRIVIUM__TOKENS_REPLY__BODY_TUNED) request = &m->tuned->request;
    if (m->body_case == TRIVIUM__TOKENS_REPLY__BODY_CLOSED) request = &m->closed->request;
    if (request) text_hex(request->data, REQUEST_BYTES, digits);
    else strcpy(digits, "-");
}

status tokenizerd_link_send(tokenizerd_link *to, Trivium__TokensReply *m, const wire_raw *raw,
                            size_t n_raw) {
    if (!to->peer) return STATUS_NOT_FOUND;
    status st = peers_send(to->peers, to->peer, &m->base, raw, n_raw);
    if (st != STATUS_OK && st != STATUS_BUSY) { /* BUSY: it is cut already */
        char request[2 * REQUEST_BYTES + 1];
        text_of(m, request);
        log_event(LOG_ERROR, "unsent", "request=%s tokenizerd=\"%s\" why=%s", request, peer_name(to->peer),
                  status_name(st));
        peers_cut(to->peers, to->peer, "a message to it was lost");
    }
    return st;
}

bool tokenizerd_link_behind(const tokenizerd_link *link) {
    return link->peer && peer_is_behind(link->peer);
}

void tokenizerd_link_offer(tokenizerd_link *to, Trivium__TokensReply *m) {
    if (to->peer) peers_offer(to->peers, to->peer, &m->base);
}

/* ---- making and ending it ---- */

static void introduce(tokenizerd_link *link) {
    link->hello = *link->options.hello;
    trivium__default_model__init(&link->default_model);
    link->default_model.name = link->default_name;
    link->hello.default_model = &link->default_model;
}

static status join(tokenizerd_link *link, failure *f) {
    const tokenizerd_link_options *options = &link->options;
    const endpoint_options where = {
        .address = options->address,
        .high_water = HIGH_WATER_MESSAGES,
        .high_water_out = HIGH_WATER_TOKENS,
        .link = LINK_TOKENS,
        .keys = options->keys,
        .insecure = options->insecure,
    };
    const peers_options who = {
        .incoming = &trivium__tokens_request__descriptor,
        .hello = &link->hello,
        .incarnation = options->incarnation,
        .heartbeat_ms = options->heartbeat_ms,
        .liveness = LIVENESS_BOTH,
        .events = {.joined = on_joined,
                   .left = on_left,
                   .message = on_message,
                   .refuse = on_refuse,
                   .heartbeat = on_heartbeat,
                   .asks_who = asks_who,
                   .met = on_met,
                   .refused = on_refused},
        .context = link,
    };
    return peers_join(&link->peers, link->loop, &where, &who, f);
}

status tokenizerd_link_new(tokenizerd_link **out, loop *l, const tokenizerd_link_options *options,
                           failure *f) {
    tokenizerd_link *link = *out = calloc(1, sizeof *link);
    if (!link) return fail(f, STATUS_NO_MEMORY, "no memory for the link to %s", options->address);
    link->options = *options;
    link->loop = l;
    link->vocabulary = vocabulary_sender_new(l, options->model, offer_piece);
    introduce(link);
    status st = link->vocabulary ? join(link, f) : fail(f, STATUS_NO_MEMORY, "no memory for the link to %s", options->address);
    if (st != STATUS_OK) tokenizerd_link_free(out);
    return st;
}

void tokenizerd_link_free(tokenizerd_link **link) {
    if (!*link) return;
    loop_cancel((*link)->loop, &(*link)->closing);
    vocabulary_sender_free(&(*link)->vocabulary);
    peers_free(&(*link)->peers);
    free(*link);
    *link = NULL;
}

void tokenizerd_link_drain(tokenizerd_link *link) {
    if (link->peers) peers_drain(link->peers);
}

bool tokenizerd_link_has_sent(const tokenizerd_link *link) {
    return !link->peers || peers_have_sent(link->peers);
}

void tokenizerd_link_beat(tokenizerd_link *link) {
    if (link->peers) peers_beat(link->peers);
}

uint64_t tokenizerd_link_garbage(const tokenizerd_link *link) {
    return link->peers ? peers_garbage(link->peers) : 0;
}
