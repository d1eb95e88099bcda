#include "daemons.h"

#include <stdio.h>
#include <string.h>

#include "client_link_parts.h"

typedef struct daemon_search {
    const drain_order *wanted;
    named_daemon *found;
    size_t n;
} daemon_search;

/* A samplerd that joined several modelds is one. */
static void look_at(daemon_search *s, daemon_role role, const char *name, int32_t pid, const char *host, modeld *d) {
    const drain_order *o = s->wanted;
    if (strcmp(o->name, name) != 0 || (o->pid && o->pid != pid) || (o->host[0] && strcmp(o->host, host) != 0)) return;
    if (s->n > 0 && s->found->role == role && s->found->pid == pid && strcmp(s->found->host, host) == 0) return;
    if (s->n++ > 0) return;
    *s->found = (named_daemon){.role = role, .pid = pid, .modeld = d};
    snprintf(s->found->name, sizeof s->found->name, "%s", name);
    snprintf(s->found->host, sizeof s->found->host, "%s", host);
}

static void look_at_modeld(daemon_search *s, modeld *d) {
    const Trivium__Hello *hello = modeld_link_hello(d);
    const Trivium__ModelReport *report = modeld_link_report(d);
    look_at(s, DAEMON_MODELD, hello->name, hello->pid, hello->host, d);
    for (size_t i = 0; report && i < report->n_samplers; i++) {
        const Trivium__SamplerReport *one = report->samplers[i];
        look_at(s, DAEMON_SAMPLERD, one->name, one->pid, one->host, d);
    }
}

static status not_found(const drain_order *order, failure *f) {
    char pid[32] = "";
    if (order->pid) snprintf(pid, sizeof pid, " with pid %d", (int)order->pid);
    return fail(f, STATUS_NOT_FOUND, "no such daemon as %.80s%s%s%.80s is here: `trivium status` shows which are",
                order->name, pid, order->host[0] ? " on host " : "", order->host);
}

status daemons_find(const client_link *l, const models *ms, const drain_order *order, named_daemon *out, failure *f) {
    daemon_search s = {.wanted = order, .found = out};
    const Trivium__Hello *own = peers_hello(l->bound.peers);
    look_at(&s, DAEMON_TOKENIZERD, own->name, own->pid, own->host, NULL);
    for (const served_model *m = models_first(ms); m; m = models_next(m))
        for (modeld *d = served_model_modelds(m); d; d = modeld_next(d)) look_at_modeld(&s, d);
    if (s.n == 1) return STATUS_OK;
    if (s.n == 0) return not_found(order, f);
    return fail(f, STATUS_BAD_REQUEST, "%zu daemons are called %.80s: --pid, and --host, say which one", s.n, order->name);
}
