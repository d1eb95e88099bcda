/* What a header may ask for, checked on its bytes before anything of it is unpacked or allocated. Each repeated, string
 * and bytes field of the four schemas has a row in field_bounds.c. What lies past one is no message: it is dropped and
 * counted. Where a link answers with a sentence, its own bound is smaller. */
#ifndef TRIVIUM_BOUNDS_H
#define TRIVIUM_BOUNDS_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"

enum {
    BOUNDS_FIELDS_MAX = 32,         /* of one message of the schemas */
    BOUNDS_DEPTH_MAX = 8,           /* messages within messages */
    BOUNDS_PIECES_MAX = 64,         /* in which numbers of one repeated field may come; unpacked, each is one */
    BOUNDS_UNKNOWN_MAX = 1024,      /* fields of one header that this build does not know */
};

typedef struct field_bound {
    const ProtobufCMessageDescriptor *message;
    const char *field;
    size_t items_max;               /* 1 unless it is repeated */
    size_t bytes_max;               /* of each item; 0: it is no string or bytes */
} field_bound;

/* NULL: it has no row. */
const field_bound *field_bound_of(const ProtobufCFieldDescriptor *field);
/* Is it one that needs a row? */
bool field_is_sized(const ProtobufCFieldDescriptor *field);

/* STATUS_OK: a header of this type, as far as sizes go; to unpack it takes at most *memory_bytes from an allocator that
 * rounds each piece up to 8 bytes and gets none back. STATUS_BAD_MESSAGE: it is none, or past a bound. */
status bounds_measure(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t n_bytes,
                      size_t *memory_bytes);

#endif
