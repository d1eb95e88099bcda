#include "departing.h"

#include <stdlib.h>

#include "modeld/links/tokenizerd_answer.h"
#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "sampling.h"
#include "tokenizerds.h"

/* Somebody waits for an end. */
typedef struct awaited_departure {
    tokenizerd_link *asker;
    uint64_t call;
    const sampler *sampler;     /* NULL: this modeld's */
} awaited_departure;

struct departing {
    departing_options options;
    tokenizerds *tokenizerds;
    sampling *sampling;
    draining *draining;
    uint64_t n_texts_before;    /* that it was told to drain */
    uint64_t returns_until_ms;  /* texts of a lost tokenizerd */
    awaited_departure awaited[DRAINS_MAX];
    size_t n_awaited;
};

static void begin(void *context) {
    departing *l = context;
    l->n_texts_before = *l->options.n_texts;
    tokenizerds_drain(l->tokenizerds);
    sampling_drain(l->sampling);
}

static bool is_idle(void *context) {
    const departing *l = context;
    return sequences_count(l->options.sequences) == 0 && tokenizerds_have_sent(l->tokenizerds) &&
           clock_ms() >= l->returns_until_ms;
}

/* ---- who asked ---- */

static void forget(departing *l, size_t at) {
    l->awaited[at] = l->awaited[--l->n_awaited];
}

void departing_order(departing *l, tokenizerd_link *from, const drain_worker *order) {
    failure f = {.code = STATUS_OK};
    awaited_departure end = {.asker = from, .call = order->call};
    if (order->call == 0 && !order->is_sampler) {
        draining_replaced(l->draining);
        return;
    }
    if (l->n_awaited == DRAINS_MAX) fail(&f, STATUS_BUSY, "%d ends are waited for already", DRAINS_MAX);
    else if (order->is_sampler) end.sampler = sampling_ask_to_drain(l->sampling, order, &f);
    if (f.code != STATUS_OK) {
        tokenizerd_answer_failed(from, order->call, &f);
        return;
    }
    l->awaited[l->n_awaited++] = end;
    if (!order->is_sampler) draining_order(l->draining);
}

void departing_cancel(departing *l, const tokenizerd_link *from, uint64_t call) {
    for (size_t i = l->n_awaited; i-- > 0;)
        if (l->awaited[i].asker == from && l->awaited[i].call == call) forget(l, i);
}

void departing_forget(departing *l, const tokenizerd_link *from) {
    for (size_t i = l->n_awaited; i-- > 0;)
        if (l->awaited[i].asker == from) forget(l, i);
}

void departing_texts_lost(departing *l) {
    l->returns_until_ms = clock_ms() + WAIT_MS;
}

void departing_sampler_left(departing *l, const sampler *gone) {
    failure f;
    for (size_t i = l->n_awaited; i-- > 0;) {
        const awaited_departure *end = &l->awaited[i];
        if (end->sampler != gone) continue;
        if (samplerd_link_in_order(gone)) {
            tokenizerd_answer_drained(end->asker, end->call, 0, 0);
        } else {
            fail(&f, STATUS_IO, "%s was lost before it had drained; what it had goes to another one", samplerd_link_name(gone));
            tokenizerd_answer_failed(end->asker, end->call, &f);
        }
        forget(l, i);
    }
}

void departing_end(const departing *l) {
    if (!l) return;
    uint32_t n_left = 0;
    for (const sequence *q = sequences_first(l->options.sequences); q; q = sequences_next(q))
        n_left += q->kind == SEQUENCE_TEXT;
    for (size_t i = 0; i < l->n_awaited; i++) {
        const awaited_departure *end = &l->awaited[i];
        if (!end->sampler)
            tokenizerd_answer_drained(end->asker, end->call, (uint32_t)(*l->options.n_texts - l->n_texts_before), n_left);
    }
}

/* ---- its life ---- */

departing *departing_new(const departing_options *options) {
    departing *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    l->options = *options;
    l->draining = draining_new(&(draining_options){
        .loop = options->loop,
        .patience_s = options->patience_s,
        .begin = begin,
        .is_idle = is_idle,
        .context = l,
    });
    if (!l->draining) departing_free(&l);
    return l;
}

void departing_wire(departing *l, tokenizerds *to, sampling *s) {
    l->tokenizerds = to;
    l->sampling = s;
}

void departing_free(departing **l) {
    if (!*l) return;
    draining_free(&(*l)->draining);
    free(*l);
    *l = NULL;
}
