#include "outbox.h"

#include <stdlib.h>

typedef struct letter {
    struct letter *next;
    wire_parcel *parcel;
} letter;

struct outbox {
    letter *first, *last;
    size_t n_messages, n_bytes;
};

outbox *outbox_new(void) {
    return calloc(1, sizeof(outbox));
}

bool outbox_empty(const outbox *o) {
    return o->first == NULL;
}

status outbox_push(outbox *o, wire_parcel **parcel) {
    size_t n_bytes = wire_parcel_bytes(*parcel);
    if (o->n_messages == OUTBOX_MESSAGES_MAX || n_bytes > OUTBOX_BYTES_MAX - o->n_bytes)
        return STATUS_BUSY;
    letter *one = malloc(sizeof *one);
    if (!one) return STATUS_NO_MEMORY;
    *one = (letter){.parcel = *parcel};
    *parcel = NULL;
    if (o->last)
        o->last->next = one;
    else
        o->first = one;
    o->last = one;
    o->n_messages++;
    o->n_bytes += n_bytes;
    return STATUS_OK;
}

static void remove_first(outbox *o) {
    letter *one = o->first;
    o->first = one->next;
    if (!o->first) o->last = NULL;
    o->n_messages--;
    free(one);
}

status outbox_flush(outbox *o, void *zsock, const wire_route *route) {
    while (o->first) {
        size_t n_bytes = wire_parcel_bytes(o->first->parcel);
        status st = wire_send_parcel(zsock, route, &o->first->parcel);
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
    while (o->first) {
        wire_parcel_free(&o->first->parcel);
        remove_first(o);
    }
    free(o);
}
