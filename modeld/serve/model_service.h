/* What modeld serves: ids in from the tokenizerds it joined, rows out to the samplerds that joined
 * it. */
#ifndef TRIVIUM_MODEL_SERVICE_H
#define TRIVIUM_MODEL_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "modeld/engine/model.h"
#include "modeld/pages/kv_cache.h"
#include "proto/base/status.h"
#include "proto/net/keys/keys.h"
#include "proto/net/loop.h"
#include "proto/numeric/cpu.h"

typedef struct model_service model_service;

typedef struct model_service_options {
    const char *name;         /* of the model */
    bool replaces;            /* another one of its name */
    const char *const *joins; /* endpoints of tokenizerds */
    size_t n_joins;           /* 1 … JOINS_MAX */
    const char *bind_samplers;
    uint32_t heartbeat_ms;
    uint32_t step_deadline_ms; /* for one answer of a sampler */
    double drain_s;            /* in which what is under way may end after SIGTERM */
    isa isa;                   /* that the machine has (cpu_isa) */
    bool share_rows;           /* samplerds of this host may read rows where they lie */
    keys *keys;                /* for endpoints over tcp; NULL: there are none */
    bool insecure;             /* tcp without keys is allowed */
} model_service_options;

/* Bind, join, attach to the loop. Loop, model and cache (made with KV_SEQUENCES_MAX handles) are
 * borrowed, as is what the options point to. The failure says which endpoint and why. */
status model_service_new(model_service **out, loop *l, model *m, kv_cache *cache,
                         const model_service_options *options, failure *f);

/* As step_deadline_ms of the options, for rows that are sent from now on. */
void model_service_set_step_deadline(model_service *s, uint32_t deadline_ms);

/* Says Leave to all; what was under way ends without a word, its owners go elsewhere. */
void model_service_free(model_service **s);

/* Where samplerds join, with the port that * became. */
const char *model_service_samplers_at(const model_service *s);

/* Why the last tokenizerd refused this model for good, as all others did before: then the loop was
 * stopped. NULL: there is one left. */
const failure *model_service_refusal(const model_service *s);

#endif
