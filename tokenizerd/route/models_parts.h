/* Private to the files of models, which are one module: models.c (joining, looking up), served_model.c (what there is to know of
 * one). */
#ifndef TRIVIUM_MODELS_PARTS_H
#define TRIVIUM_MODELS_PARTS_H

#include "models.h"
#include "refusals.h"
#include "seen_names.h"

struct served_model {
    models *home;
    char name[NAME_BYTES_MAX + 1], fingerprint[NAME_BYTES_MAX + 1];
    uint32_t n_vocab, n_ctx;
    shared_vocab *vocabulary;
    modeld *modelds;                /* in order of joining */
    uint32_t n_holders;
    int64_t replaces_ms;            /* others of its name that began by then, once it is usable; INT64_MIN: none */
    served_model *next;
};

struct modeld {
    served_model *model;
    void *peer;
    uint64_t kv_tokens;             /* 0: not told */
    uint32_t load;
    int64_t started_ms;             /* its process */
    bool replaces;                  /* it joined by an operator's word */
    samplers_told samplers;
    bool is_draining;               /* it takes nothing new */
    bool is_untold;                 /* … since another one has its name: it does not know yet */
    modeld *next;
};

struct models {
    served_model *first;
    default_model by_default;
    seen_names seen;
    bool is_settled;
    shared_vocabs *vocabularies;
    refusals refused;
};

#endif
