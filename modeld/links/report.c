#include "report.h"

#include <stdlib.h>

#include "samplerd_link.h"
#include "proto/base/clock.h"

enum { RATE_WINDOW_MS = 2000 };

struct report {
    const samplers *table;
    report_source *source;
    void *context;
    Trivium__ModelReport wire;
    Trivium__SamplerReport entries[PEERS_MAX];
    Trivium__SamplerReport *pointers[PEERS_MAX];
    uint64_t window_us, n_drawn_before; /* when the window of the rate began, and n_drawn then */
    double tokens_per_s;                /* of the window before */
};

report *report_new(const samplers *table, report_source *source, void *context) {
    report *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->table = table;
    r->source = source;
    r->context = context;
    for (size_t i = 0; i < PEERS_MAX; i++) r->pointers[i] = &r->entries[i];
    return r;
}

void report_free(report **r) {
    free(*r);
    *r = NULL;
}

/* Every link asks for a report at its own pace; the rate is that of whole windows. */
static double rate(report *r, uint64_t n_drawn) {
    uint64_t now_us = clock_us(), elapsed_us = now_us - r->window_us;
    if (elapsed_us >= RATE_WINDOW_MS * 1000) {
        r->tokens_per_s = (double)(n_drawn - r->n_drawn_before) * 1e6 / (double)elapsed_us;
        r->window_us = now_us;
        r->n_drawn_before = n_drawn;
    }
    return r->tokens_per_s;
}

Trivium__ModelReport *report_fill(report *r) {
    report_figures now = {0};
    r->source(r->context, &now);
    trivium__model_report__init(&r->wire);
    r->wire.samplers = r->pointers;
    for (const sampler *one = samplers_first(r->table); one; one = samplers_next(one))
        samplerd_link_describe(one, &r->entries[r->wire.n_samplers++]);
    r->wire.kv_pages_used = now.kv_pages_used;
    r->wire.kv_pages = now.kv_pages;
    r->wire.kv_page_tokens = PAGE_TOKENS;
    r->wire.sequences = now.n_sequences;
    r->wire.waiting = now.n_queued;
    r->wire.tokens_per_s = rate(r, now.n_drawn);
    r->wire.garbage = now.n_garbage;
    return &r->wire;
}
