/* modeld's end in order: once it drains, tokenizerds send it nothing new; it serves what comes all the same (it crossed the
 * word, or nobody else serves its model), and ends when it has nothing under way. And who asked for that, or for the end of
 * a samplerd: each is told when it is done. */
#ifndef TRIVIUM_MODELD_DEPARTING_H
#define TRIVIUM_MODELD_DEPARTING_H

#include "modeld/links/tokenizerd_link.h"
#include "modeld/sched/sequences.h"
#include "proto/net/draining.h"

typedef struct departing departing;
struct tokenizerds;
struct sampling;

typedef struct departing_options {
    loop *loop;
    double patience_s;
    const sequences *sequences;
    const uint64_t *n_texts;        /* that were told their end */
} departing_options;

/* All that the options point to is borrowed. From here on SIGTERM drains. NULL: no memory. */
departing *departing_new(const departing_options *options);
/* Whom it concerns, before anything is ordered. */
void departing_wire(departing *l, struct tokenizerds *tokenizerds, struct sampling *sampling);
/* Tells whoever asked for this modeld's end, while tokenizerds are there. NULL is fine. */
void departing_end(const departing *l);
void departing_free(departing **l);         /* after them and samplers, whose last words it hears. NULL is fine */

/* Another modeld has this one's name, and nobody waits for its end, where the order's call is 0: there is always room for that. */
void departing_order(departing *l, tokenizerd_link *from, const drain_worker *order);
/* It does not wait for that any more; who was told to drain does so all the same. None of this number is fine. */
void departing_cancel(departing *l, const tokenizerd_link *from, uint64_t call);
void departing_forget(departing *l, const tokenizerd_link *from);   /* nothing can be told to it any more */
/* The tokenizerd of texts was lost. They come again, and perhaps nobody else serves this model: for as long as their clients
 * look for it, this one does not count as idle. */
void departing_texts_lost(departing *l);
void departing_sampler_left(departing *l, const sampler *gone);

#endif
