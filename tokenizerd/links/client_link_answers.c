/* Answers to calls: each gets exactly one. */
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/chain/strategy_wire.h"
#include "proto/net/errors.h"
#include "client_link_parts.h"
#include "daemons.h"

void client_link_failed(client_link *l, peer *client, uint64_t number, const failure *why) {
    Trivium__Error error = error_to_wire(why);
    Trivium__Failed failed = TRIVIUM__FAILED__INIT;
    failed.call = number;
    failed.error = &error;
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_FAILED;
    m.failed = &failed;
    client_link_tell(l, client, &m, NULL, 0);
}

void client_link_call_waits(client_link *l, peer *client, uint64_t number, const char *sentence) {
    Trivium__Waiting waiting = TRIVIUM__WAITING__INIT;
    waiting.call = number;
    waiting.message = (char *)sentence;
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_WAITING;
    m.waiting = &waiting;
    client_link_tell(l, client, &m, NULL, 0);
}

void client_link_tokenized(client_link *l, peer *client, uint64_t number, const int32_t *ids,
                           size_t n_ids) {
    Trivium__Tokenized tokenized = TRIVIUM__TOKENIZED__INIT;
    tokenized.call = number;
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_TOKENIZED;
    m.tokenized = &tokenized;
    client_link_answer(l, client, number, &m, &(wire_raw){ids, n_ids * sizeof *ids}, 1);
}

void client_link_detokenized(client_link *l, peer *client, uint64_t number, const uint8_t *text,
                             size_t n_bytes) {
    Trivium__Detokenized detokenized = TRIVIUM__DETOKENIZED__INIT;
    detokenized.call = number;
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_DETOKENIZED;
    m.detokenized = &detokenized;
    client_link_answer(l, client, number, &m, &(wire_raw){text, n_bytes}, 1);
}

size_t stop_to_wire(const rendered_prompt *prompt, ProtobufCBinaryData *out) {
    if (!prompt->stop) return 0;
    *out = bytes_to_wire((const uint8_t *)prompt->stop, strlen(prompt->stop));
    return 1;
}

Trivium__TemplateOrigin origin_to_wire(chat_origin origin) {
    switch (origin) {
    case CHAT_ASKED: return TRIVIUM__TEMPLATE_ORIGIN__TEMPLATE_ASKED;
    case CHAT_OWN: return TRIVIUM__TEMPLATE_ORIGIN__TEMPLATE_OWN;
    case CHAT_UNKNOWN: return TRIVIUM__TEMPLATE_ORIGIN__TEMPLATE_UNKNOWN;
    case CHAT_NO_TEMPLATE: break;
    }
    return TRIVIUM__TEMPLATE_ORIGIN__TEMPLATE_NONE;
}

void client_link_rendered(client_link *l, peer *client, uint64_t number, const rendered_prompt *prompt) {
    ProtobufCBinaryData stop;
    Trivium__Rendered rendered = TRIVIUM__RENDERED__INIT;
    rendered.call = number;
    rendered.template_ = (char *)chat_form_name(prompt->form);
    rendered.origin = origin_to_wire(prompt->origin);
    rendered.n_dropped = (uint32_t)prompt->n_dropped;
    rendered.n_cut = (uint32_t)prompt->n_cut;
    rendered.n_vocab = prompt->n_vocab;
    rendered.model = (char *)prompt->model;
    rendered.n_ctx = prompt->n_ctx;
    rendered.kv_tokens = prompt->kv_tokens;
    rendered.n_stops = stop_to_wire(prompt, &stop);
    rendered.stops = &stop;
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_RENDERED;
    m.rendered = &rendered;
    client_link_answer(l, client, number, &m,
                       &(wire_raw){prompt->ids, prompt->n_ids * sizeof *prompt->ids}, 1);
}

void client_link_scored(client_link *l, peer *client, uint64_t number, const scored_ids *of, const modeld_scores *scores) {
    Trivium__Scored scored = TRIVIUM__SCORED__INIT;
    scored.call = number;
    scored.n_top = scores->n_top;
    scored.top = scores->top;
    scored.model = (char *)of->model;
    scored.fingerprint = (char *)of->fingerprint;
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_SCORED;
    m.scored = &scored;
    const wire_raw raw[] = {{of->ids, of->n_ids * sizeof *of->ids},
                            {scores->logprobs, scores->n_logprobs * sizeof *scores->logprobs}};
    client_link_answer(l, client, number, &m, raw, 2);
}

void client_link_probed(client_link *l, peer *client, uint64_t number, int32_t id,
                        const double *probabilities, size_t n_probabilities) {
    Trivium__Probed probed = TRIVIUM__PROBED__INIT;
    probed.call = number;
    probed.id = id;
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_PROBED;
    m.probed = &probed;
    client_link_answer(l, client, number, &m,
                       &(wire_raw){probabilities, n_probabilities * sizeof *probabilities}, 1);
}

void client_link_tuned(client_link *l, peer *client, uint64_t number, const request *r,
                       const request_change *change) {
    Trivium__StrategyChange wire;
    if (!change_to_wire(&wire, change)) {
        client_link_failed(l, client, number, &(failure){STATUS_NO_MEMORY, "no memory for the answer"});
        return;
    }
    Trivium__Tuned tuned = TRIVIUM__TUNED__INIT;
    tuned.call = number;
    tuned.request = bytes_to_wire(r->id, sizeof r->id);
    tuned.change = &wire;
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_TUNED;
    m.tuned = &tuned;
    client_link_answer(l, client, number, &m, NULL, 0);
    trivium__strategy__free_unpacked(wire.strategy, NULL);
}

void client_link_cancelled(client_link *l, peer *client, uint64_t number,
                           const uint8_t id[REQUEST_BYTES], uint32_t n_tokens) {
    Trivium__Cancelled cancelled = TRIVIUM__CANCELLED__INIT;
    cancelled.call = number;
    cancelled.request = bytes_to_wire(id, REQUEST_BYTES);
    cancelled.n_tokens = n_tokens;
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_CANCELLED;
    m.cancelled = &cancelled;
    client_link_answer(l, client, number, &m, NULL, 0);
}

static const Trivium__Role roles[] = {
    [DAEMON_TOKENIZERD] = TRIVIUM__ROLE__TOKENIZERD,
    [DAEMON_MODELD] = TRIVIUM__ROLE__MODELD,
    [DAEMON_SAMPLERD] = TRIVIUM__ROLE__SAMPLERD,
};

void client_link_drained(client_link *l, peer *client, uint64_t number, const named_daemon *who, uint32_t n_texts,
                         uint32_t n_left) {
    Trivium__Drained drained = TRIVIUM__DRAINED__INIT;
    drained.call = number;
    drained.role = roles[who->role];
    drained.name = (char *)who->name;
    drained.pid = who->pid;
    drained.host = (char *)who->host;
    drained.n_texts = n_texts;
    drained.n_left = n_left;
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_DRAINED;
    m.drained = &drained;
    client_link_answer(l, client, number, &m, NULL, 0);
}

/* ---- what runs ---- */

static const char *const state_names[REQUEST_STATES] = {
    [REQUEST_ENCODING] = "encoding", [REQUEST_WAITING] = "waiting", [REQUEST_RUNNING] = "running",
    [REQUEST_RESTING] = "resting",   [REQUEST_CLOSING] = "closing", [REQUEST_DONE] = "done",
};

bool client_link_call_owner(void *context, const char *name, char out[OWNER_BYTES_MAX + 1]) {
    const client_link *l = context;
    _Static_assert((int)KEY_NAME_BYTES_MAX <= (int)OWNER_BYTES_MAX, "there is room for the name of a key");
    return peers_owner_name(l->bound.peers, name, out);
}

static bool is_own(const sender *who, const request *r) {
    return strcmp(who->owner, r->owner->name) == 0;
}

typedef struct listed_request {
    Trivium__RequestReport report;
    char owner_name[KEY_NAME_BYTES_MAX + 1];
} listed_request;

static void report_fill(const client_link *l, listed_request *one, const request *r,
                        const sender *who, uint64_t now_us) {
    Trivium__RequestReport *m = &one->report;
    trivium__request_report__init(m);
    m->request = bytes_to_wire(r->id, sizeof r->id);
    m->attempt = r->attempt;
    m->session = (char *)r->session;
    m->model = (char *)r->model_name;
    m->state = (char *)state_names[r->state == REQUEST_RUNNING && r->is_queued ? REQUEST_WAITING : r->state];
    m->n_prompt = (uint32_t)r->n_prompt;
    m->step = request_step(r);
    m->tokens_per_s = request_tokens_per_s(r);
    m->strategy = strategy_to_wire(&r->strategy);
    m->age_ms = (now_us - r->created_us) / 1000;
    if (is_own(who, r)) return;
    m->owner = r->owner->name;
    if (peers_owner_name(l->bound.peers, m->owner, one->owner_name)) m->owner_name = one->owner_name;
}

/* The list is one frame, whoever asks for how large strategies: those for which there is no room are left out. */
static void strategy_fit(Trivium__RequestReport *m, size_t *n_bytes_left) {
    if (!m->strategy) return;
    size_t n_bytes = trivium__strategy__get_packed_size(m->strategy);
    if (n_bytes <= *n_bytes_left) {
        *n_bytes_left -= n_bytes;
        return;
    }
    trivium__strategy__free_unpacked(m->strategy, NULL);
    m->strategy = NULL;
}

static void tell_listed(client_link *l, peer *client, uint64_t number, const Trivium__RequestList *list) {
    wire_raw raw;
    if (wire_pack_raw(&list->base, &raw) != STATUS_OK) {
        client_link_failed(l, client, number, &(failure){STATUS_NO_MEMORY, "no memory for the list"});
        return;
    }
    Trivium__Listed listed = TRIVIUM__LISTED__INIT;
    listed.call = number;
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_LISTED;
    m.listed = &listed;
    client_link_answer(l, client, number, &m, &raw, 1);
    free((void *)raw.bytes);
}

void client_link_listed(client_link *l, const sender *who, uint64_t number, const requests *rs) {
    enum { REST_BYTES_MAX = 1024 };     /* of a report, without its strategy */
    _Static_assert(REQUESTS_MAX * REST_BYTES_MAX < RAW_BYTES_MAX, "all requests can be listed");
    size_t n = 0, n_max = requests_count(rs), n_bytes_left = RAW_BYTES_MAX - REQUESTS_MAX * REST_BYTES_MAX;
    listed_request *reports = calloc(n_max + 1, sizeof *reports);
    Trivium__RequestReport **pointers = calloc(n_max + 1, sizeof *pointers);
    if (reports && pointers) {
        uint64_t now_us = clock_us();
        for (const request *r = requests_first(rs); r; r = requests_next(r)) {
            if (!who->is_operator && !is_own(who, r)) continue;
            report_fill(l, &reports[n], r, who, now_us);
            strategy_fit(&reports[n].report, &n_bytes_left);
            pointers[n] = &reports[n].report;
            n++;
        }
        Trivium__RequestList list = TRIVIUM__REQUEST_LIST__INIT;
        list.requests = pointers;
        list.n_requests = n;
        tell_listed(l, who->client, number, &list);
    } else {
        client_link_failed(l, who->client, number, &(failure){STATUS_NO_MEMORY, "no memory for the list"});
    }
    for (size_t i = 0; i < n; i++)
        if (reports[i].report.strategy) trivium__strategy__free_unpacked(reports[i].report.strategy, NULL);
    free(pointers);
    free(reports);
}
