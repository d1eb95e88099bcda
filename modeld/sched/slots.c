#include "slots.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

typedef struct slot {
    sequence *sequence;             /* NULL: it is free */
    bool was_text;                  /* the one that is here or was the last; then it was this: */
    owner *owner;                   /* held, by the slot */
    text_home place;
    uint8_t request[REQUEST_BYTES];
    uint64_t first_sending;         /* those before it were another's */
    uint64_t n_taken;               /* slots were taken so often before */
} slot;

struct slots {
    slot slots[SLOTS_MAX];
    uint32_t free[SLOTS_MAX], first_free, n_free;   /* a ring: the one that was left first is taken first */
    uint64_t n_sendings, n_taken;
};

slots *slots_new(void) {
    slots *ss = calloc(1, sizeof *ss);
    for (uint32_t i = 0; ss && i < SLOTS_MAX; i++) ss->free[ss->n_free++] = i;
    return ss;
}

void slots_free(slots **ss) {
    for (uint32_t i = 0; *ss && i < SLOTS_MAX; i++) owner_release(&(*ss)->slots[i].owner);
    free(*ss);
    *ss = NULL;
}

uint32_t slots_take(slots *ss, sequence *s) {
    assert(ss->n_free > 0);
    uint32_t at = ss->free[ss->first_free];
    ss->first_free = (ss->first_free + 1) % SLOTS_MAX;
    ss->n_free--;
    owner_release(&ss->slots[at].owner);
    ss->slots[at] = (slot){.sequence = s, .was_text = s->kind == SEQUENCE_TEXT, .first_sending = ss->n_sendings + 1,
                            .n_taken = ss->n_taken++};
    if (s->kind != SEQUENCE_TEXT) return at;
    ss->slots[at].owner = owner_hold(s->owner);
    ss->slots[at].place = (text_home){s->from, sequence_text(s)->number};
    memcpy(ss->slots[at].request, sequence_text(s)->request, REQUEST_BYTES);
    return at;
}

void slots_give(slots *ss, uint32_t at) {
    ss->slots[at].sequence = NULL;
    ss->free[(ss->first_free + ss->n_free++) % SLOTS_MAX] = at;
}

void slots_forget(slots *ss, const void *from) {
    for (uint32_t i = 0; i < SLOTS_MAX; i++) {
        slot *one = &ss->slots[i];
        if (!one->was_text || one->place.from != from) continue;
        one->was_text = false;
        owner_release(&one->owner);
    }
}

uint64_t slots_ticket(slots *ss, uint32_t at) {
    return ++ss->n_sendings * SLOTS_MAX + at;
}

sequence *slots_find(const slots *ss, uint64_t ticket) {
    sequence *s = ss->slots[ticket % SLOTS_MAX].sequence;
    return s && ticket != 0 && s->sending.ticket == ticket ? s : NULL;
}

/* ---- traces ---- */

static bool is_text(const slot *one, const uint8_t request[REQUEST_BYTES]) {
    return one->was_text && memcmp(one->request, request, REQUEST_BYTES) == 0;
}

/* The last attempt of the only one. */
static bool only_text(const slots *ss, const uint8_t request[REQUEST_BYTES], text_home *out) {
    const slot *found = NULL;
    for (uint32_t i = 0; i < SLOTS_MAX; i++) {
        const slot *one = &ss->slots[i];
        if (!is_text(one, request)) continue;
        if (found && found->owner != one->owner) return false;
        if (!found || one->n_taken > found->n_taken) found = one;
    }
    if (found) *out = found->place;
    return found;
}

bool slots_text_of(const slots *ss, uint64_t ticket, const uint8_t request[REQUEST_BYTES], text_home *out) {
    if (ticket == 0) return only_text(ss, request, out);
    const slot *one = &ss->slots[ticket % SLOTS_MAX];
    const uint64_t n_sending = ticket / SLOTS_MAX;
    if (!is_text(one, request) || n_sending < one->first_sending || n_sending > ss->n_sendings) return false;
    *out = one->place;
    return true;
}
