/* Bytes that grow at the end. */
#ifndef TRIVIUM_BUFFER_H
#define TRIVIUM_BUFFER_H

#include <stddef.h>

#include "status.h"

/* All zero is an empty one. */
typedef struct buffer {
    char *bytes;                /* owned; NULL until something is added */
    size_t n_bytes, capacity;
} buffer;

/* STATUS_NO_MEMORY: nothing was added. */
status buffer_add(buffer *b, const void *bytes, size_t n_bytes);
void buffer_drop(buffer *b, size_t n_bytes);    /* the first n_bytes go; n_bytes ≤ b->n_bytes */
void buffer_clear(buffer *b);                   /* frees; empty afterwards */

#endif
