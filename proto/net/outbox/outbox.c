#include "outbox.h"

#include <stdlib.h>
#include <sys/queue.h>

typedef struct letter {
    STAILQ_ENTRY(letter) link;
    wire_parcel *parcel;
} letter;

struct outbox {
    LIST_ENTRY(outbox) link;
    STAILQ_HEAD(, letter) letters;
    size_t n_messages, n_bytes;
    bool overrun;
};

/* All outboxes of the process that hold something or are overrun, and what they hold. */
static LIST_HEAD(, outbox) busy_ones;
static size_t n_bytes_all;

static bool has_letters(const outbox *o) {
    return !STAILQ_EMPTY(&o->letters);
}

outbox *outbox_new(void) {
    outbox *o = calloc(1, sizeof *o);
    if (o) STAILQ_INIT(&o->letters);
    return o;
}

bool outbox_empty(const outbox *o) {
    return !has_letters(o) && !o->overrun;
}

bool outbox_overrun(const outbox *o) {
    return o->overrun;
}

bool outboxes_quiet(void) {
    return LIST_EMPTY(&busy_ones);
}

static void remove_first(outbox *o, size_t n_bytes) {
    letter *one = STAILQ_FIRST(&o->letters);
    STAILQ_REMOVE_HEAD(&o->letters, link);
    free(one);
    o->n_messages--;
    o->n_bytes -= n_bytes;
    n_bytes_all -= n_bytes;
    if (outbox_empty(o)) LIST_REMOVE(o, link);
}

static void throw_away(outbox *o) {
    while (has_letters(o)) {
        letter *first = STAILQ_FIRST(&o->letters);
        size_t n_bytes = wire_parcel_bytes(first->parcel);
        wire_parcel_free(&first->parcel);
        remove_first(o, n_bytes);
    }
}

/* Whoever would hold most with what is to be put into `o`. */
static outbox *largest(outbox *o, size_t n_bytes) {
    outbox *most = o, *other;
    size_t n_most = o->n_bytes + n_bytes;
    LIST_FOREACH(other, &busy_ones, link) {
        if (other == o || other->n_bytes <= n_most) continue;
        most = other;
        n_most = other->n_bytes;
    }
    return most;
}

/* Room for n_bytes among all. False: `o` itself would hold most. */
static bool make_room(outbox *o, size_t n_bytes) {
    while (n_bytes > OUTBOXES_BYTES_MAX - n_bytes_all) {
        outbox *most = largest(o, n_bytes);
        if (most == o) return false;
        most->overrun = true;   /* first: it stays among the busy ones, until its peer has ended */
        throw_away(most);
    }
    return true;
}

status outbox_push(outbox *o, wire_parcel **parcel) {
    size_t n_bytes = wire_parcel_bytes(*parcel);
    if (o->overrun || o->n_messages == OUTBOX_MESSAGES_MAX || n_bytes > OUTBOX_BYTES_MAX - o->n_bytes)
        return STATUS_BUSY;
    if (!make_room(o, n_bytes)) return STATUS_BUSY;
    letter *one = malloc(sizeof *one);
    if (!one) return STATUS_NO_MEMORY;
    if (outbox_empty(o)) LIST_INSERT_HEAD(&busy_ones, o, link);
    *one = (letter){.parcel = *parcel};
    *parcel = NULL;
    STAILQ_INSERT_TAIL(&o->letters, one, link);
    o->n_messages++;
    o->n_bytes += n_bytes;
    n_bytes_all += n_bytes;
    return STATUS_OK;
}

status outbox_flush(outbox *o, void *socket, const wire_route *route) {
    while (has_letters(o)) {
        letter *first = STAILQ_FIRST(&o->letters);
        size_t n_bytes = wire_parcel_bytes(first->parcel);
        status st = wire_send_parcel(socket, route, &first->parcel);
        if (st == STATUS_NOT_FOUND) return st;
        if (st != STATUS_OK) return STATUS_BUSY;
        remove_first(o, n_bytes);
    }
    return STATUS_OK;
}

void outbox_free(outbox **o_pointer) {
    outbox *o = *o_pointer;
    *o_pointer = NULL;
    if (!o) return;
    throw_away(o);
    if (o->overrun) LIST_REMOVE(o, link);
    free(o);
}
