/* What this modeld says of itself when it joins, the same on both links. */
#ifndef TRIVIUM_MODELD_INTRODUCTION_H
#define TRIVIUM_MODELD_INTRODUCTION_H

#include "common.pb-c.h"
#include "modeld/engine/model.h"

/* For as long as the links that say it. */
typedef struct introduction {
    Trivium__ModelOffer offer;
    Trivium__Hello hello; /* the offer and our name, to which `peers` adds the rest */
} introduction;

/* Borrows model and name. kv_tokens: positions that the KV-cache holds. */
void introduction_fill(introduction *i, const model *m, uint64_t kv_tokens, const char *name);

#endif
