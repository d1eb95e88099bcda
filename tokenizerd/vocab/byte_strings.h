/* An append-only list of byte strings in one block of memory, with a look-up by content. */
#ifndef TRIVIUM_BYTE_STRINGS_H
#define TRIVIUM_BYTE_STRINGS_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"

typedef struct byte_strings byte_strings;

/* Room for n_max strings of bytes_max bytes in all; memory grows as they come. NULL: no memory. */
byte_strings *byte_strings_new(size_t n_max, size_t bytes_max);
void byte_strings_free(byte_strings **s);

/* Append a copy. STATUS_TOO_LONG past either bound, STATUS_NO_MEMORY; then nothing was appended. */
status byte_strings_add(byte_strings *s, const uint8_t *bytes, size_t n_bytes);

size_t byte_strings_count(const byte_strings *s);

/* String `index` (in range). The bytes of strings that follow each other are contiguous; they stay
 * where they are until the next byte_strings_add. */
const uint8_t *byte_strings_at(const byte_strings *s, size_t index, size_t *n_bytes);

/* Make string `index` known to byte_strings_find, except when one of the same content is already.
 * STATUS_NO_MEMORY. */
status byte_strings_index(byte_strings *s, size_t index);

/* The indexed string of this content; -1: none. */
int64_t byte_strings_find(const byte_strings *s, const uint8_t *bytes, size_t n_bytes);

#endif
