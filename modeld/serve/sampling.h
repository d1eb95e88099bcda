/* Rows of logits at samplerds: who gets which, until when it is to be answered, what becomes of it.
 *
 * A row is kept until it is answered: whoever fails, another takes it. */
#ifndef TRIVIUM_MODELD_SAMPLING_H
#define TRIVIUM_MODELD_SAMPLING_H

#include "endings.h"
#include "modeld/links/samplerd_link.h"
#include "proto/numeric/cpu.h"
#include "tokenizerds.h"

typedef struct sampling sampling;

typedef struct sampling_options {
    loop *loop;
    sequences *sequences;
    samplers *samplers;
    tokenizerds *tokenizerds;
    const endings *endings;
    wakeup *turn;              /* there is something to do */
    departing *departing;
    uint32_t step_deadline_ms; /* for one answer */
    isa isa;                   /* that the machine has */
    const char *model_name;
} sampling_options;

/* All that the options point to is borrowed; `link`'s samplers, events and context are filled in here.
 * Fails as samplerd_link_new. */
status sampling_new(sampling **out, const sampling_options *options, samplerd_link_options link,
                    failure *f);
void sampling_free(sampling **s); /* says Leave to all; NULL is fine */

/* This modeld drains: all are told, now and later. */
void sampling_drain(sampling *s);
/* Such a samplerd is to drain (samplerd_link_find). NULL: why is in `f`. */
sampler *sampling_ask_to_drain(sampling *s, const drain_worker *order, failure *f);

/* Send all rows that wait and have a sampler with room. */
void sampling_send(sampling *s);

void sampling_set_step_deadline(sampling *s, uint32_t deadline_ms);     /* for rows that are sent from now on */

uint64_t sampling_n_drawn(const sampling *s);   /* tokens since the start */
uint64_t sampling_garbage(const sampling *s);   /* messages of samplerds that could not be read */
const char *sampling_address(const sampling *s); /* where they join */

#endif
