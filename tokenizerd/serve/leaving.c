#include "leaving.h"

static void begin(void *context) {
    const leaving *l = context;
    client_link_drain(l->clients);
    modeld_link_drain(l->modelds);
}

static bool is_idle(void *context) {
    const leaving *l = context;
    const request *r = requests_first(l->requests);
    while (r && r->state == REQUEST_RESTING) r = requests_next(r);
    return !r && !calls_first(l->calls) && client_link_has_sent(l->clients);
}

status leaving_begin(leaving *l, loop *on, double patience_s, failure *f) {
    const draining_options options = {
        .loop = on,
        .patience_s = patience_s,
        .begin = begin,
        .is_idle = is_idle,
        .context = l,
    };
    l->draining = draining_new(&options);
    return l->draining ? STATUS_OK : fail(f, STATUS_NO_MEMORY, "no memory");
}

void leaving_end(leaving *l) {
    draining_free(&l->draining);
}

status leaving_check(const leaving *l, failure *f) {
    if (!draining_has_begun(l->draining)) return STATUS_OK;
    return fail(f, STATUS_DRAINING, "this tokenizerd is draining and takes nothing new; ask another one, or the next");
}
