#include "outbox.h"

#include <stdlib.h>
#include <sys/queue.h>

typedef struct letter {
    STAILQ_ENTRY(letter) link;
    wire_parcel *parcel;
} letter;

struct outbox {
    STAILQ_HEAD(, letter) letters;
    size_t n_messages, n_bytes;
};

outbox *outbox_new(void) {
    outbox *o = calloc(1, sizeof *o);
    if (o) STAILQ_INIT(&o->letters);
    return o;
}

bool outbox_empty(const outbox *o) {
    return STAILQ_EMPTY(&o->letters);
}

status outbox_push(outbox *o, wire_parcel **parcel) {
    size_t n_bytes = wire_parcel_bytes(*parcel);
    if (o->n_messages == OUTBOX_MESSAGES_MAX || n_bytes > OUTBOX_BYTES_MAX - o->n_bytes)
        return STATUS_BUSY;
    letter *one = malloc(sizeof *one);
    if (!one) return STATUS_NO_MEMORY;
    *one = (letter){.parcel = *parcel};
    *parcel = NULL;
    STAILQ_INSERT_TAIL(&o->letters, one, link);
    o->n_messages++;
    o->n_bytes += n_bytes;
    return STATUS_OK;
}

static void remove_first(outbox *o) {
    letter *one = STAILQ_FIRST(&o->letters);
    STAILQ_REMOVE_HEAD(&o->letters, link);
    o->n_messages--;
    free(one);
}

status outbox_flush(outbox *o, void *socket, const wire_route *route) {
    while (!outbox_empty(o)) {
        letter *first = STAILQ_FIRST(&o->letters);
        size_t n_bytes = wire_parcel_bytes(first->parcel);
        status st = wire_send_parcel(socket, route, &first->parcel);
        if (st == STATUS_NOT_FOUND) return st;
        if (st != STATUS_OK) return STATUS_BUSY;
        o->n_bytes -= n_bytes;
        remove_first(o);
    }
    return STATUS_OK;
}

void outbox_free(outbox **o_pointer) {
    outbox *o = *o_pointer;
    *o_pointer = NULL;
    if (!o) return;
    while (!outbox_empty(o)) {
        wire_parcel_free(&STAILQ_FIRST(&o->letters)->parcel);
        remove_first(o);
    }
    free(o);
}
