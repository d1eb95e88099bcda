#include "tuning.h"

#include "changes.h"
#include "tokenizerd/links/asked.h"
#include "tokenizerd/requests/text_log.h"

void tuning_tune(tuning *t, const sender *who, const tune_order *order) {
    failure f;
    request *r;
    status st = asked_match(t->requests, who, order->id, order->n_id_bytes, &r, &f);
    if (st == STATUS_OK && order->fault) {
        f = *order->fault;
        st = f.code;
    }
    if (st == STATUS_OK)
        st = request_tune(r, order->replace, order->strategy, who->client, order->number, &f);
    if (st != STATUS_OK) {
        client_link_failed(t->clients, who->client, order->number, &f);
        return;
    }
    if (r->state == REQUEST_RUNNING) {
        st = modeld_link_retune(t->modelds, r->modeld, r);
        if (st == STATUS_OK || st == STATUS_BUSY) return;
        fail(&f, st, "there is no memory for the new strategy");
        generating_end(t->generating, r, FINISH_ERROR, &f);
    } else {
        text_log(r, "request_tuned", "change=%u step=%u", r->change, request_step(r));
        changes_tell(t->clients, r);
    }
}

void tuning_acknowledged(tuning *t, const peer *client, const uint8_t id[REQUEST_BYTES],
                         uint32_t attempt, uint32_t change) {
    request *r = requests_of_client(t->requests, client, id);
    if (r && r->attempt == attempt)
        changes_acknowledged(t->clients, r, change);
}
