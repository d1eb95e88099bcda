/* A text that comes in pieces, without the blanks at its two ends: blanks wait until something else
 * follows them. */
#ifndef TRIVIUM_TRIMMED_H
#define TRIVIUM_TRIMMED_H

#include "proto/base/buffer.h"

/* All zero is an empty one. */
typedef struct trimmed {
    buffer text;                /* what may be shown, all of it */
    buffer blanks;              /* that came after it */
} trimmed;

/* Add a piece; what it adds to the text follows the *from bytes that were there. STATUS_NO_MEMORY. */
status trimmed_add(trimmed *t, const void *bytes, size_t n_bytes, size_t *from);
void trimmed_clear(trimmed *t);                 /* frees; empty afterwards */

#endif
