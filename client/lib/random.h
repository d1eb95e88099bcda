/* Bytes that nobody can guess: request ids, seeds, prompts that no cache holds. */
#ifndef TRIVIUM_RANDOM_H
#define TRIVIUM_RANDOM_H

#include <stddef.h>

#include "proto/base/status.h"

/* Fill out[n_bytes] from the kernel. STATUS_IO. */
status random_bytes(void *out, size_t n_bytes, failure *f);

#endif
