/* The runtime folder and the default endpoints in it. */
#ifndef TRIVIUM_PATHS_H
#define TRIVIUM_PATHS_H

#include <stddef.h>

#include "proto/base/status.h"

/* $XDG_RUNTIME_DIR/trivium, else /tmp/trivium-UID. */
status paths_runtime(char *out, size_t out_bytes, failure *f);

/* Refuse the folder if it is one that another user owns or may enter; it may be missing. */
status paths_check_runtime(char *out, size_t out_bytes, failure *f);

/* The same, and make the folder (0700) where it is missing. */
status paths_ensure_runtime(char *out, size_t out_bytes, failure *f);

/* "ipc://RUNTIME/clients" for name "clients"; also "models" and "samplers". */
status paths_endpoint(const char *name, char *out, size_t out_bytes, failure *f);

/* The file that a --model means: "chapter" is the embedded one, beside the running program or in
 * ../share/trivium; anything else is a path already. STATUS_NOT_FOUND: it is at neither place.
 * STATUS_BAD_REQUEST: `asked` is empty. */
status paths_model(const char *asked, char *out, size_t out_bytes, failure *f);

/* Another of our programs: the file beside the running one, else its bare name, for PATH to decide. */
status paths_program(const char *name, char *out, size_t out_bytes, failure *f);

#endif
