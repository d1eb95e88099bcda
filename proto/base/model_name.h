/* A model's name: how requests call it. */
#ifndef TRIVIUM_MODEL_NAME_H
#define TRIVIUM_MODEL_NAME_H

#include <stdbool.h>

#include "limits.h"
#include "status.h"

/* 1 to NAME_BYTES_MAX bytes of UTF-8 without control characters, as peers accept it; else
 * STATUS_BAD_REQUEST. */
status model_name_check(const char *name, failure *f);

/* That of a file: "/models/smol.gguf" → "smol". STATUS_BAD_REQUEST where that is no name. */
status model_name_of_file(const char *path, char out[NAME_BYTES_MAX + 1], failure *f);

/* Where either may stand, as in TRIVIUM_MODEL: what has a / in it, or ends in .gguf, is a file, all else a name. */
bool model_name_is_file(const char *name_or_path);

#endif
