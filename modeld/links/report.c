/* How this modeld is doing, as `status` shows it. */
#include "proto/base/clock.h"
#include "service_parts.h"

static void fill_sampler(Trivium__SamplerReport *r, const sampler *one) {
    const Trivium__Hello *hello = peer_hello(one->peer);
    trivium__sampler_report__init(r);
    r->name = hello->name;
    r->pool = (char *)one->pool;
    r->semantics = (char *)one->semantics;
    r->pid = hello->pid;
    r->host = hello->host;
    r->uptime_ms = peer_uptime_ms(one->peer);
    r->outstanding = one->n_outstanding;
    r->steps = one->n_steps;
}

/* Every link asks for a report at its own pace; the rate is that of whole windows. */
static double rate(report *r) {
    uint64_t now_us = clock_us(), elapsed_us = now_us - r->window_us;
    if (elapsed_us >= RATE_WINDOW_MS * 1000) {
        r->tokens_per_s = (double)(r->n_drawn - r->n_drawn_before) * 1e6 / (double)elapsed_us;
        r->window_us = now_us;
        r->n_drawn_before = r->n_drawn;
    }
    return r->tokens_per_s;
}

Trivium__ModelReport *report_fill(service *s) {
    report *r = &s->report;
    trivium__model_report__init(&r->model);
    r->model.samplers = r->pointers;
    for (const sampler *one = samplers_first(s->samplers); one; one = samplers_next(one)) {
        size_t i = r->model.n_samplers++;
        fill_sampler(&r->samplers[i], one);
        r->pointers[i] = &r->samplers[i];
    }
    r->model.kv_pages_used = kv_cache_pages_used(s->cache);
    r->model.kv_pages = kv_cache_pages(s->cache);
    r->model.kv_page_tokens = PAGE_TOKENS;
    r->model.sequences = sequences_count(s->sequences);
    r->model.waiting = sequences_n_queued(s->sequences);
    r->model.tokens_per_s = rate(r);
    r->model.garbage = s->n_garbage + peers_garbage(s->sampler_peers);
    for (size_t i = 0; i < s->n_fronts; i++)
        if (s->fronts[i].peers) r->model.garbage += peers_garbage(s->fronts[i].peers);
    return &r->model;
}

void report_send(service *s) {
    for (size_t i = 0; i < s->n_fronts; i++)
        if (s->fronts[i].peers) peers_beat(s->fronts[i].peers);
}
