/* Which model a request without a name means: the one of the setting, else the one whose modeld joined
 * first. Pure.
 *
 * Who was first is a word, a name and a time, that outlives the tokenizerd: it tells its modelds, and each
 * brings the word back to the next one. Of two that differ the older counts, so neither a restart nor the
 * order in which modelds come back changes it. It is forgotten when nobody is left who has heard it
 * (TEXTS.md, The default model). */
#ifndef TRIVIUM_DEFAULT_MODEL_H
#define TRIVIUM_DEFAULT_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/limits.h"

/* Zero: nothing is set, nothing is known. */
typedef struct default_model {
    char setting[NAME_BYTES_MAX + 1];   /* "": none */
    char first[NAME_BYTES_MAX + 1];     /* "": not known */
    uint64_t since_ms;                  /* when that one joined: milliseconds since 1970 */
} default_model;

/* A setting wins over whatever is heard. It is not passed on: it is given where tokenizerd is started.
 * Names, here and below, are at most NAME_BYTES_MAX bytes long. */
void default_model_set(default_model *d, const char *name);

/* Somebody says that `name` ("": they do not know) is the first since then. Returns whether that is news, to
 * be told to all modelds. */
bool default_model_heard(default_model *d, const char *name, uint64_t since_ms);

/* A modeld of `name` has joined. The same. */
bool default_model_joined(default_model *d, const char *name, uint64_t now_ms);

/* The name that counts; "": not known yet. */
const char *default_model_name(const default_model *d);

#endif
