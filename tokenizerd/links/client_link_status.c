/* Who is here: the answer to a StatusQuery, with what models and modelds are here and what they report. */
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "client_link_parts.h"

static const failure no_memory = {STATUS_NO_MEMORY, "no memory for the report"};

/* All that a StatusReport points to, and its frame. */
typedef struct overview {
    Trivium__DaemonReport *daemons, **daemon_pointers;
    size_t n_daemons;
    Trivium__ModelSummary *models, **model_pointers;
    Trivium__ModelReport *sums;                 /* one a served_model */
    size_t n_models;
    Trivium__SamplerReport **samplers; /* of all models, borrowed from the modelds' reports */
    size_t n_samplers;
} overview;

static void overview_free(overview *o) {
    free(o->daemons);
    free(o->daemon_pointers);
    free(o->models);
    free(o->model_pointers);
    free(o->sums);
    free(o->samplers);
}

static bool overview_new(overview *o, const models *ms) {
    size_t n_models = 0, n_modelds = 0, n_samplers = 0;
    for (const served_model *m = models_first(ms); m; m = models_next(m)) {
        n_models++;
        for (const modeld *d = served_model_modelds(m); d; d = modeld_next(d)) {
            const Trivium__ModelReport *report = modeld_link_report(d);
            n_modelds++;
            n_samplers += report ? report->n_samplers : 0;
        }
    }
    size_t n_daemons = 1 + n_modelds + n_samplers;
    *o = (overview){
        .daemons = calloc(n_daemons, sizeof *o->daemons),
        .daemon_pointers = calloc(n_daemons, sizeof *o->daemon_pointers),
        .models = calloc(n_models + 1, sizeof *o->models),
        .model_pointers = calloc(n_models + 1, sizeof *o->model_pointers),
        .sums = calloc(n_models + 1, sizeof *o->sums),
        .samplers = calloc(n_samplers + 1, sizeof *o->samplers),
    };
    return o->daemons && o->daemon_pointers && o->models && o->model_pointers && o->sums &&
           o->samplers;
}

static Trivium__DaemonReport *daemon_add(overview *o, Trivium__Role role, const char *name,
                                         int32_t pid, const char *host, uint64_t uptime_ms,
                                         const char *state) {
    Trivium__DaemonReport *m = &o->daemons[o->n_daemons];
    o->daemon_pointers[o->n_daemons++] = m;
    trivium__daemon_report__init(m);
    m->role = role;
    m->name = (char *)name;
    m->pid = pid;
    m->host = (char *)host;
    m->uptime_ms = uptime_ms;
    m->state = (char *)state;
    return m;
}

/* A samplerd that joined several modelds of one model is shown once. */
static Trivium__DaemonReport *sampler_find(const overview *o, const Trivium__SamplerReport *one,
                                           const char *model_name) {
    for (size_t i = 0; i < o->n_daemons; i++) {
        Trivium__DaemonReport *m = &o->daemons[i];
        if (m->role == TRIVIUM__ROLE__SAMPLERD && m->pid == one->pid &&
            strcmp(m->host, one->host) == 0 && strcmp(m->name, one->name) == 0 &&
            strcmp(m->model, model_name) == 0)
            return m;
    }
    return NULL;
}

static void samplers_add(overview *o, const Trivium__ModelReport *from, const char *model_name) {
    for (size_t i = 0; i < from->n_samplers; i++) {
        Trivium__SamplerReport *one = from->samplers[i];
        o->samplers[o->n_samplers++] = one;
        Trivium__DaemonReport *m = sampler_find(o, one, model_name);
        if (!m)
            m = daemon_add(o, TRIVIUM__ROLE__SAMPLERD, one->name, one->pid, one->host,
                           one->uptime_ms, one->draining ? "draining" : "ready");
        m->model = (char *)model_name;
        m->pool = one->pool;
        m->semantics = one->semantics;
        m->outstanding += one->outstanding;
        m->steps += one->steps;
    }
}

static void sum_add(Trivium__ModelReport *sum, const Trivium__ModelReport *one) {
    sum->n_samplers += one->n_samplers;
    sum->kv_pages_used += one->kv_pages_used;
    sum->kv_pages += one->kv_pages;
    sum->kv_page_tokens = one->kv_page_tokens;
    sum->sequences += one->sequences;
    sum->waiting += one->waiting;
    sum->tokens_per_s += one->tokens_per_s;
    sum->garbage += one->garbage;
}

static void modeld_add(overview *o, const served_model *m, const modeld *d) {
    const Trivium__Hello *hello = modeld_link_hello(d);
    const char *state = modeld_is_draining(d) ? "draining" : served_model_vocab(m) ? "ready" : "loading";
    Trivium__DaemonReport *daemon =
        daemon_add(o, TRIVIUM__ROLE__MODELD, hello->name, hello->pid, hello->host,
                   modeld_link_uptime_ms(d), state);
    daemon->model = (char *)served_model_name(m);
    daemon->outstanding = modeld_load(d);
    daemon->lacks_sampler = modeld_link_samplerd(d, DEFAULT_POOL, "") != SAMPLERD_ANSWERS;
}

static void model_add(overview *o, const served_model *m) {
    Trivium__ModelSummary *summary = &o->models[o->n_models];
    Trivium__ModelReport *sum = &o->sums[o->n_models];
    o->model_pointers[o->n_models++] = summary;
    trivium__model_summary__init(summary);
    trivium__model_report__init(sum);
    summary->name = (char *)served_model_name(m);
    summary->fingerprint = (char *)served_model_fingerprint(m);
    summary->n_vocab = served_model_n_vocab(m);
    summary->n_ctx = served_model_n_ctx(m);
    summary->draining = served_model_is_draining(m);
    summary->report = sum;
    sum->samplers = o->samplers + o->n_samplers;
    for (const modeld *d = served_model_modelds(m); d; d = modeld_next(d)) {
        const Trivium__ModelReport *report = modeld_link_report(d);
        modeld_add(o, m, d);
        summary->loads++;
        if (!report) continue;
        samplers_add(o, report, served_model_name(m));
        sum_add(sum, report);
    }
}

/* Of two of one name the one that the name means comes first. */
static void models_add(overview *o, const models *ms, bool draining) {
    for (const served_model *one = models_first(ms); one; one = models_next(one))
        if (served_model_modelds(one) && served_model_is_draining(one) == draining) model_add(o, one);
}

static void tell_status(client_link *l, peer *client, const overview *o, Trivium__StatusReport *report) {
    wire_raw raw;
    Trivium__DaemonList list = TRIVIUM__DAEMON_LIST__INIT;
    list.daemons = o->daemon_pointers;
    list.n_daemons = o->n_daemons;
    if (wire_pack_raw(&list.base, &raw) != STATUS_OK) {
        client_link_failed(l, client, report->call, &no_memory);
        return;
    }
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_STATUS;
    m.status = report;
    client_link_answer(l, client, report->call, &m, &raw, 1);
    free((void *)raw.bytes);
}

void client_link_status(client_link *l, peer *client, uint64_t number, models *ms,
                        const modeld_link *modelds, size_t n_requests) {
    overview o;
    if (overview_new(&o, ms)) {
        const Trivium__Hello *own = peers_hello(l->bound.peers);
        daemon_add(&o, TRIVIUM__ROLE__TOKENIZERD, own->name, own->pid, own->host,
                   (clock_us() - l->started_us) / 1000, l->is_draining ? "draining" : "ready");
        models_add(&o, ms, false);
        models_add(&o, ms, true);
        Trivium__StatusReport report = TRIVIUM__STATUS_REPORT__INIT;
        report.call = number;
        report.models = o.model_pointers;
        report.n_models = o.n_models;
        report.default_model = (char *)default_model_name(models_default(ms));
        report.requests = (uint32_t)n_requests;
        const peers *clients = l->bound.peers;
        for (const peer *p = peers_first(clients); p; p = peers_next(clients, p)) report.clients++;
        report.garbage = bound_link_garbage_count(&l->bound) + modeld_link_garbage(modelds);
        tell_status(l, client, &o, &report);
    } else {
        client_link_failed(l, client, number, &no_memory);
    }
    overview_free(&o);
}
