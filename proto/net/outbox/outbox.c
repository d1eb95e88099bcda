#include "outbox.h"

#include <stdlib.h>
#include <sys/queue.h>

typedef struct letter {
    STAILQ_ENTRY(letter) link;
    wire_parcel *parcel;
} letter;

struct outbox {
    LIST_ENTRY(outbox) link;        /* of all */
    STAILQ_HEAD(, letter) letters;
    size_t n_messages, n_bytes;     /* that wait */
    transit *way;
    bool counts_way;                /* also of what is sent */
    bool overrun;
};

static LIST_HEAD(, outbox) all_ones;        /* of the process */
static size_t n_busy;                       /* in which something waits, or which are overrun */
static size_t n_bytes_all;                  /* that wait in all */

static bool has_letters(const outbox *o) {
    return !STAILQ_EMPTY(&o->letters);
}

outbox *outbox_new(bool counts_way) {
    outbox *o = calloc(1, sizeof *o);
    transit *way = transit_new();
    if (!o || !way) {
        transit_free(&way);
        free(o);
        return NULL;
    }
    o->way = way;
    o->counts_way = counts_way;
    STAILQ_INIT(&o->letters);
    LIST_INSERT_HEAD(&all_ones, o, link);
    return o;
}

bool outbox_empty(const outbox *o) {
    return !has_letters(o) && !o->overrun;
}

bool outbox_overrun(const outbox *o) {
    return o->overrun;
}

bool outboxes_quiet(void) {
    return n_busy == 0;
}

bool outbox_on_its_way(const outbox *o) {
    return transit_bytes(o->way) > 0;
}

static void remove_first(outbox *o, size_t n_bytes) {
    letter *one = STAILQ_FIRST(&o->letters);
    STAILQ_REMOVE_HEAD(&o->letters, link);
    free(one);
    o->n_messages--;
    o->n_bytes -= n_bytes;
    n_bytes_all -= n_bytes;
    if (outbox_empty(o)) n_busy--;
}

static void throw_away(outbox *o) {
    while (has_letters(o)) {
        letter *first = STAILQ_FIRST(&o->letters);
        size_t n_bytes = wire_parcel_bytes(first->parcel);
        wire_parcel_free(&first->parcel);
        remove_first(o, n_bytes);
    }
}

static void overrun(outbox *o) {
    if (outbox_empty(o)) n_busy++;
    o->overrun = true;          /* first: it stays busy until its peer has ended */
    throw_away(o);
}

/* What is overrun has given all back, or will when its connection is shut. */
size_t outbox_bytes(const outbox *o) {
    return o->overrun ? 0 : o->n_bytes + transit_bytes(o->way);
}

bool outbox_half_full(const outbox *o) {
    return o->n_messages >= OUTBOX_MESSAGES_MAX / 2 || o->n_bytes >= OUTBOX_BYTES_MAX / 2;
}

static bool one_has_room(const outbox *o, size_t n_bytes) {
    return outbox_bytes(o) + n_bytes <= OUTBOX_BYTES_MAX;
}

/* Those that live: what comes back from the others is on its way here. Near the bound they are asked one by one. */
static bool all_have_room(size_t n_bytes) {
    size_t n_held = n_bytes_all + transits_bytes();
    if (n_held + n_bytes <= OUTBOXES_BYTES_MAX) return true;
    n_held = 0;
    const outbox *o;
    LIST_FOREACH(o, &all_ones, link) n_held += outbox_bytes(o);
    return n_held + n_bytes <= OUTBOXES_BYTES_MAX;
}

/* Whoever would hold most with what is to be put into `o`. */
static outbox *largest(outbox *o, size_t n_bytes) {
    outbox *most = o, *other;
    size_t n_most = outbox_bytes(o) + n_bytes;
    LIST_FOREACH(other, &all_ones, link) {
        size_t n_held = outbox_bytes(other);
        if (other == o || n_held <= n_most) continue;
        most = other;
        n_most = n_held;
    }
    return most;
}

/* Room for n_bytes among all. False: `o` itself would hold most. */
static bool make_room(outbox *o, size_t n_bytes) {
    while (!all_have_room(n_bytes)) {
        outbox *most = largest(o, n_bytes);
        if (most == o) return false;
        overrun(most);
    }
    return true;
}

status outbox_push(outbox *o, wire_parcel **parcel) {
    size_t n_bytes = wire_parcel_bytes(*parcel);
    if (o->overrun || o->n_messages == OUTBOX_MESSAGES_MAX || !one_has_room(o, n_bytes)) return STATUS_BUSY;
    if (!make_room(o, n_bytes)) return STATUS_BUSY;
    letter *one = malloc(sizeof *one);
    if (!one) return STATUS_NO_MEMORY;
    if (outbox_empty(o)) n_busy++;
    *one = (letter){.parcel = *parcel};
    *parcel = NULL;
    STAILQ_INSERT_TAIL(&o->letters, one, link);
    o->n_messages++;
    o->n_bytes += n_bytes;
    n_bytes_all += n_bytes;
    return STATUS_OK;
}

static transit *way_of_sent(const outbox *o) {
    return o->counts_way ? o->way : NULL;
}

status outbox_send(outbox *o, void *socket, const wire_route *route, wire_parcel **parcel) {
    size_t n_bytes = wire_parcel_bytes(*parcel);
    bool counts = o->counts_way && wire_parcel_large(*parcel);
    if (counts && !(one_has_room(o, n_bytes) && all_have_room(n_bytes))) return STATUS_BUSY;
    return wire_send_parcel(socket, route, parcel, way_of_sent(o));
}

status outbox_offer(outbox *o, void *socket, const wire_route *route, wire_parcel **parcel) {
    size_t n_bytes = wire_parcel_bytes(*parcel), n_held = n_bytes_all + transits_bytes();
    bool fits = one_has_room(o, n_bytes) && n_held + n_bytes <= OUTBOXES_BYTES_MAX / 4;
    return fits ? wire_send_parcel(socket, route, parcel, o->way) : STATUS_BUSY;
}

status outbox_flush(outbox *o, void *socket, const wire_route *route) {
    while (has_letters(o)) {
        letter *first = STAILQ_FIRST(&o->letters);
        size_t n_bytes = wire_parcel_bytes(first->parcel);
        status st = wire_send_parcel(socket, route, &first->parcel, way_of_sent(o));
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
    if (o->overrun) n_busy--;
    LIST_REMOVE(o, link);
    transit_free(&o->way);
    free(o);
}
