#include "draining.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/process/pid_files.h"

enum { LOOK_MS = 20 };          /* between two looks at what is under way */

struct draining {
    draining_options options;
    uint64_t until_ms;          /* 0: not begun; UINT64_MAX: however long it takes */
    timer looks;
};

static void on_look(void *context) {
    draining *d = context;
    bool idle = d->options.is_idle(d->options.context);
    if (!idle && clock_ms() < d->until_ms) return;
    log_event(LOG_INFO, "drained", "rest=%s", idle ? "none" : "handed_over");
    loop_stop(d->options.loop);
}

static void begin(draining *d, const char *asker, double patience_s) {
    loop *l = d->options.loop;
    bool is_bounded = isfinite(patience_s), is_first = !draining_has_begun(d);
    if (!is_first && (!is_bounded || d->until_ms != UINT64_MAX)) return;
    if (is_bounded) loop_on_signal(l, SIGTERM, NULL, NULL);      /* the next one ends it */
    d->until_ms = is_bounded ? clock_ms() + (uint64_t)(patience_s * 1000) + 1 : UINT64_MAX;
    log_event(LOG_INFO, "draining", "asked_by=\"%s\" patience_s=%g", asker, patience_s);
    if (patience_s > 0 && is_first) {
        d->options.begin(d->options.context);
        loop_every(l, &d->looks, LOOK_MS, on_look, d);
    }
    if (patience_s <= 0) loop_stop(l);
}

bool draining_has_begun(const draining *d) {
    return d->until_ms > 0;
}

static void on_signal(void *context) {
    draining *d = context;
    begin(d, "SIGTERM", d->options.patience_s);
}

void draining_order(draining *d) {
    pid_files_forget_own();
    begin(d, "an operator", d->options.patience_s);
}

void draining_replaced(draining *d) {
    pid_files_forget_own();
    begin(d, "whoever replaces it", INFINITY);
}

draining *draining_new(const draining_options *options) {
    draining *d = calloc(1, sizeof *d);
    if (!d) return NULL;
    d->options = *options;
    loop_on_signal(options->loop, SIGTERM, on_signal, d);
    return d;
}

void draining_free(draining **d) {
    if (!*d) return;
    loop_on_signal((*d)->options.loop, SIGTERM, NULL, NULL);
    loop_cancel((*d)->options.loop, &(*d)->looks);
    free(*d);
    *d = NULL;
}
