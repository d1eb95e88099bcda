#include "transit.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

struct transit {
    atomic_size_t n_holders;        /* its peer, and each frame on its way */
    atomic_size_t n_bytes;
};

/* What lies before a frame's bytes, which are aligned as malloc aligns. */
typedef union waybill {
    struct {
        _Atomic(transit *) transit; /* NULL: it is not on its way, or not counted */
        size_t n_bytes;             /* with this */
    };
    max_align_t alignment;
} waybill;

/* Also what hands a frame over: changed after all else when it is sent, read before all else when it comes back. */
static atomic_size_t n_bytes_all;

transit *transit_new(void) {
    transit *t = calloc(1, sizeof *t);
    if (t) atomic_init(&t->n_holders, 1);
    return t;
}

static void let_go(transit *t) {
    if (atomic_fetch_sub(&t->n_holders, 1) == 1) free(t);
}

void transit_free(transit **t) {
    if (*t) let_go(*t);
    *t = NULL;
}

size_t transit_bytes(const transit *t) {
    return t ? t->n_bytes : 0;
}

size_t transits_bytes(void) {
    return n_bytes_all;
}

/* ---- Frames ---- */

static void come_back(waybill *bill) {
    transit *t = atomic_exchange(&bill->transit, NULL);
    if (!t) return;
    atomic_fetch_sub(&t->n_bytes, bill->n_bytes);
    atomic_fetch_sub(&n_bytes_all, bill->n_bytes);
    let_go(t);
}

static void on_free(void *bytes, void *hint) {
    (void)bytes;
    (void)atomic_load(&n_bytes_all);
    come_back(hint);
    free(hint);
}

bool transit_frame(zmq_msg_t *frame, size_t n_bytes) {
    if (n_bytes > SIZE_MAX - sizeof(waybill)) return false;
    waybill *bill = malloc(sizeof *bill + n_bytes);
    if (!bill) return false;
    bill->n_bytes = sizeof *bill + n_bytes;
    atomic_store(&bill->transit, NULL);
    if (zmq_msg_init_data(frame, bill + 1, n_bytes, on_free, bill) == 0) return true;
    free(bill);
    return false;
}

static waybill *bill_of(zmq_msg_t *frame) {
    return (waybill *)zmq_msg_data(frame) - 1;
}

void transit_begin(transit *t, zmq_msg_t *frame) {
    waybill *bill = bill_of(frame);
    if (t) {
        atomic_fetch_add(&t->n_holders, 1);
        atomic_fetch_add(&t->n_bytes, bill->n_bytes);
    }
    atomic_store(&bill->transit, t);
    atomic_fetch_add(&n_bytes_all, t ? bill->n_bytes : 0);
}

void transit_cancel(zmq_msg_t *frame) {
    come_back(bill_of(frame));
}
