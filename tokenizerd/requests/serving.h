/* Who serves requests, calls and watches, as this room sees them: opaque, held and counted through functions
 * that come from whoever knows them. */
#ifndef TRIVIUM_SERVING_H
#define TRIVIUM_SERVING_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"
#include "tokenizerd/vocab/vocab.h"

typedef struct served_model served_model;   /* here only held, compared and handed out */
typedef struct modeld modeld;               /* the same, of one that serves it */

/* What a text needs of its model. Borrowed from it, so valid while it is held. */
typedef struct model_facts {
    const char *name, *fingerprint;
    const vocab *vocab;
    uint32_t n_vocab, n_ctx;
} model_facts;

/* Every hold is released and every take given back, whatever becomes of the request, call or watch. */
typedef struct serving_events {
    void (*hold)(served_model *m);      /* it stays until it is released */
    void (*release)(served_model *m);   /* as often as it was held; it may be gone afterwards */
    void (*take)(modeld *d);            /* one sequence or call more is under way there */
    void (*give)(modeld *d);            /* one less */
} serving_events;

/* STATUS_BAD_ID with a sentence unless all lie in the vocabulary. */
status model_check_ids(const model_facts *m, const int32_t *ids, size_t n_ids, failure *f);

#endif
