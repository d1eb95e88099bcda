/* Blanks at both ends of a text, as Python's str.strip knows them: what "trim" in a chat template takes away.
 * ASCII's, and those beyond it in UTF-8. */
#ifndef TRIVIUM_BLANKS_H
#define TRIVIUM_BLANKS_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the blanks that the text starts with, or ends in. */
size_t blanks_at_start(const uint8_t *text, size_t n_bytes);
size_t blanks_at_end(const uint8_t *text, size_t n_bytes);

#endif
