/* What this modeld says of itself when it joins, the same on both links. */
#ifndef TRIVIUM_MODELD_INTRODUCTION_H
#define TRIVIUM_MODELD_INTRODUCTION_H

#include "common.pb-c.h"
#include "modeld/engine/model.h"

typedef struct introduction introduction;

/* Model and name are borrowed. STATUS_NO_MEMORY. */
status introduction_new(introduction **out, const model *m, const char *name, failure *f);
void introduction_free(introduction **i); /* NULL is fine */

const Trivium__Hello *introduction_hello(const introduction *i);

#endif
