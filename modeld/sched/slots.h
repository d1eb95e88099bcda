/* The places of sequences, and the tickets of their sendings: where a ticket leads. Pure.
 *
 * A ticket is (number of the sending) × SLOTS_MAX + slot: unique, and it says where to look. A slot that is left is taken
 * again after all others that are free, and until then it remembers whose text was there: traces come after answers. */
#ifndef TRIVIUM_SLOTS_H
#define TRIVIUM_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/limits.h"
#include "sequence.h"

enum { SLOTS_MAX = SEQUENCES_MAX + CALLS_MAX };

typedef struct slots slots;

slots *slots_new(void);             /* NULL: no memory */
void slots_free(slots **ss);        /* NULL is fine */

/* For s->slot; there is one as long as no more than SLOTS_MAX are taken. */
uint32_t slots_take(slots *ss, sequence *s);
void slots_give(slots *ss, uint32_t slot);

/* Nobody is there any more: no trace finds the texts that came from there, none of which is open. */
void slots_forget(slots *ss, const void *from);

uint64_t slots_ticket(slots *ss, uint32_t slot);        /* of one more sending */
/* Whose rows are out under this ticket; NULL: the answer is late, or nobody's. */
sequence *slots_find(const slots *ss, uint64_t ticket);

typedef struct text_home {         /* where a text is, or was, known */
    void *from;                     /* as its job had it */
    uint32_t number;
} text_home;

/* Of which text of this id a sending with this ticket was. Where a sampler does not say (0): of the last one there is or, as
 * far as that is remembered, was, if all were one owner's. False: it cannot be told. */
bool slots_text_of(const slots *ss, uint64_t ticket, const uint8_t request[REQUEST_BYTES], text_home *out);

#endif
