#include "modelds.h"

#include <stdlib.h>

#include "proto/base/limits.h"
#include "proto/net/endpoint/endpoint.h"
#include "proto/net/names/join_table.h"

struct modelds {
    loop *loop;
    logits_link_options how;        /* each of them is joined */
    logits_calls calls;             /* of our owner, with its context */
    void *context;
    join_table *joins;
    bool is_draining;
};

static status draw(void *context, unsigned drawer, const sample_rows *rows, sampled_rows *out, failure *f) {
    modelds *m = context;
    return m->calls.draw(m->context, drawer, rows, out, f);
}

static void on_drain(void *context) {
    modelds *m = context;
    m->calls.drain(m->context);
}

static bool asks_who(void *context, const char *address) {
    const modelds *m = context;
    return join_table_asks_who(m->joins, address);
}

static bool on_met(void *context, logits_link *link, uint64_t incarnation) {
    modelds *m = context;
    return join_table_met(m->joins, link, incarnation);
}

static void on_joined(void *context, logits_link *link, uint64_t incarnation) {
    modelds *m = context;
    join_table_joined(m->joins, link, incarnation);
}

static void on_lost(void *context, logits_link *link) {
    modelds *m = context;
    join_table_lost(m->joins, link);
}

static void *join(void *context, const char *address, failure *f) {
    modelds *m = context;
    logits_link *link;
    m->how.address = address;
    logits_link_join(&link, m->loop, &m->how, f);
    if (link && m->is_draining) logits_link_drain(link);
    return link;
}

static void leave(void *context, void *link) {
    (void)context;
    logits_link_free(&(logits_link *){link});
}

status modelds_join(modelds **out, loop *l, const char *const *endpoints, size_t n_endpoints, const logits_link_options *how,
                    failure *f) {
    const endpoint_options guard = {.keys = how->keys, .insecure = how->insecure};
    *out = NULL;
    if (endpoint_check_joins(endpoints, n_endpoints, &guard, f) != STATUS_OK) return f->code;
    modelds *m = *out = calloc(1, sizeof *m);
    if (!m) return fail(f, STATUS_NO_MEMORY, "no memory for links to modelds");
    *m = (modelds){.loop = l, .how = *how, .calls = how->calls, .context = how->context};
    m->how.calls = (logits_calls){.draw = draw, .drain = on_drain, .asks_who = asks_who, .met = on_met,
                             .joined = on_joined, .lost = on_lost};
    m->how.context = m;
    status st = join_table_new(&m->joins, l, endpoints, n_endpoints, &(join_table_events){join, leave}, m, f);
    if (st != STATUS_OK) modelds_free(out);
    return st;
}

void modelds_drain(modelds *m) {
    m->is_draining = true;
    for (size_t i = 0; i < JOINS_MAX; i++) {
        logits_link *link = join_table_link(m->joins, i);
        if (link) logits_link_drain(link);
    }
}

bool modelds_are_over(const modelds *m) {
    bool over = true;
    for (size_t i = 0; i < JOINS_MAX; i++) {
        const logits_link *link = join_table_link(m->joins, i);
        over = over && (!link || logits_link_is_over(link));
    }
    return over;
}

void modelds_free(modelds **m) {
    if (!*m) return;
    join_table_free(&(*m)->joins);
    free(*m);
    *m = NULL;
}
