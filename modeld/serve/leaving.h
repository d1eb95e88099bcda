/* modeld's end in order: once it drains, tokenizerds send it nothing new; it serves what comes all the same (it crossed the
 * word, or nobody else serves its model), and ends when it has nothing under way. And who asked for that, or for the end of
 * a samplerd: each is told when it is done. */
#ifndef TRIVIUM_MODELD_LEAVING_H
#define TRIVIUM_MODELD_LEAVING_H

#include "modeld/links/tokenizerd_link.h"
#include "modeld/sched/sequences.h"
#include "proto/net/draining.h"

typedef struct leaving leaving;
struct tokenizerds;
struct sampling;

typedef struct leaving_options {
    loop *loop;
    double patience_s;
    const sequences *sequences;
    const uint64_t *n_texts;        /* that were told their end */
} leaving_options;

/* All that the options point to is borrowed. From here on SIGTERM drains. NULL: no memory. */
leaving *leaving_new(const leaving_options *options);
/* Whom it concerns, before anything is ordered. */
void leaving_wire(leaving *l, struct tokenizerds *tokenizerds, struct sampling *sampling);
/* Tells whoever asked for this modeld's end. NULL is fine. */
void leaving_free(leaving **l);

void leaving_order(leaving *l, tokenizerd_link *from, const drain_order *order);
void leaving_forget(leaving *l, const tokenizerd_link *from);   /* nothing can be told to it any more */
void leaving_sampler_left(leaving *l, const sampler *gone);

#endif
