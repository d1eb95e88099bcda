#include "draining.h"

#include <signal.h>
#include <stdlib.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/process/pid_files.h"

enum { LOOK_MS = 20 };          /* between two looks at what is under way */

struct draining {
    draining_options options;
    uint64_t until_ms;          /* 0: not begun */
    int timer;                  /* -1: not set */
};

static void on_look(void *context) {
    draining *d = context;
    bool idle = d->options.is_idle(d->options.context);
    if (!idle && clock_ms() < d->until_ms) return;
    log_event(LOG_INFO, "drained", "rest=%s", idle ? "none" : "handed_over");
    loop_stop(d->options.loop);
}

static void begin(draining *d, const char *asker) {
    if (draining_has_begun(d)) return;
    loop *l = d->options.loop;
    loop_on_signal(l, SIGTERM, NULL, NULL);     /* the next one ends it */
    d->until_ms = clock_ms() + (uint64_t)(d->options.patience_s * 1000) + 1;
    log_event(LOG_INFO, "draining", "asked_by=\"%s\" patience_s=%g", asker, d->options.patience_s);
    if (d->options.patience_s > 0) {
        d->options.begin(d->options.context);
        d->timer = loop_every(l, LOOK_MS, on_look, d);
    }
    if (d->timer < 0) loop_stop(l);
}

bool draining_has_begun(const draining *d) {
    return d->until_ms > 0;
}

static void on_signal(void *context) {
    begin(context, "SIGTERM");
}

void draining_order(draining *d) {
    pid_files_forget_own();
    begin(d, "an operator");
}

draining *draining_new(const draining_options *options) {
    draining *d = calloc(1, sizeof *d);
    if (!d) return NULL;
    d->options = *options;
    d->timer = -1;
    loop_on_signal(options->loop, SIGTERM, on_signal, d);
    return d;
}

void draining_free(draining **d) {
    if (!*d) return;
    loop_on_signal((*d)->options.loop, SIGTERM, NULL, NULL);
    loop_cancel((*d)->options.loop, (*d)->timer);
    free(*d);
    *d = NULL;
}
