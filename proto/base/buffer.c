#include "buffer.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "grow.h"

status buffer_add(buffer *b, const void *bytes, size_t n_bytes) {
    if (n_bytes == 0) return STATUS_OK;
    if (n_bytes > SIZE_MAX - b->n_bytes) return STATUS_NO_MEMORY;
    char *grown = grow(b->bytes, &b->capacity, b->n_bytes + n_bytes, 1);
    if (!grown) return STATUS_NO_MEMORY;
    b->bytes = grown;
    memcpy(b->bytes + b->n_bytes, bytes, n_bytes);
    b->n_bytes += n_bytes;
    return STATUS_OK;
}

void buffer_drop(buffer *b, size_t n_bytes) {
    assert(n_bytes <= b->n_bytes);
    b->n_bytes -= n_bytes;
    if (b->n_bytes > 0) memmove(b->bytes, b->bytes + n_bytes, b->n_bytes);
}

void buffer_clear(buffer *b) {
    free(b->bytes);
    *b = (buffer){0};
}
