#include "changes.h"

void changes_tell(client_link *clients, request *r) {
    for (request_change *c; (c = request_due(r)) != NULL; request_change_shown(c))
        if (client_link_change(clients, r, c) != STATUS_OK) return;   /* then with the next token */
}

void changes_drop(client_link *clients, request *r) {
    failure f;
    fail(&f, STATUS_UNKNOWN_REQUEST,
         "the text ended before the change of its strategy was confirmed");
    for (request_change *c; (c = request_drop_change(r)) != NULL; request_change_free(&c))
        client_link_failed(clients, c->asker, c->call, &f);
}

status changes_meet(client_link *clients, request *r, failure *f) {
    for (request_change *c; (c = request_unfit_change(r, f)) != NULL; request_change_free(&c))
        client_link_failed(clients, c->asker, c->call, f);
    return request_adopt_changes(r, f);
}

void changes_acknowledged(client_link *clients, request *r, uint32_t ordinal) {
    for (request_change *c; (c = request_acknowledged(r, ordinal)) != NULL; request_change_free(&c))
        client_link_tuned(clients, c->asker, c->call, r, c);
}
