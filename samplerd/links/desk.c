#include "desk.h"

#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/chain/strategy_wire.h"
#include "sample_request.h"

void desk_take(desk *d, peer *from, const wire_message *m, const Trivium__SampleRequest *request) {
    *d = (desk){.from = from, .message = wire_keep(m), .request = request};
    strategy_init(&d->strategy);
}

static status draw(desk *d, const shared_view *view, desk_draws *draws, void *context, unsigned drawer) {
    sample_rows rows;
    failure *f = &d->failure;
    status st = sample_request_read(&rows, view, &d->message, d->request, f);
    if (st == STATUS_OK) st = strategy_from_wire(&d->strategy, d->request->strategy, f);
    rows.strategy = &d->strategy;
    if (st == STATUS_OK) st = draws(context, drawer, &rows, &d->sampled, f);
    status late = sample_request_recheck(&rows, view, d->request, f);
    return late == STATUS_OK ? st : late;
}

void desk_work(desk *d, const shared_view *view, desk_draws *draws, void *context, unsigned drawer) {
    uint64_t begin_us = clock_us();
    d->failure.code = draw(d, view, draws, context, drawer);
    d->sample_ms = (double)(clock_us() - begin_us) / 1000.0;
}

void desk_clear(desk *d) {
    strategy_clear(&d->strategy);
    wire_release(&d->message);
}

void desk_name(const desk *d, char out[2 * REQUEST_BYTES + 1]) {
    const ProtobufCBinaryData *id = &d->request->request;
    text_hex(id->data, id->len < REQUEST_BYTES ? id->len : REQUEST_BYTES, out);
    if (id->len == 0) strcpy(out, "-");
}
