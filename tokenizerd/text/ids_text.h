/* The text of many ids, some of them at a time: special tokens are written out, and what is no character becomes
 * U+FFFD. It is what `detokenize` prints. */
#ifndef TRIVIUM_IDS_TEXT_H
#define TRIVIUM_IDS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/buffer.h"
#include "proto/base/status.h"
#include "tokenizerd/vocab/vocab.h"

/* All zero is one that has not begun. */
typedef struct ids_text {
    buffer text;                /* so far; the whole text once it is whole */
    buffer raw;                 /* bytes that may not be whole characters yet */
    size_t n_done;              /* ids */
    size_t n_token_bytes;       /* of these */
    bool whole;
} ids_text;

/* Go on by up to n_more ids of ids [n_ids], which are in range and the same at each call, until it is whole.
 * STATUS_TOO_LONG: their bytes are more than a text may have, STATUS_NO_MEMORY; it is of no more use then. */
status ids_text_advance(ids_text *t, const vocab *v, const int32_t *ids, size_t n_ids, size_t n_more, failure *f);

void ids_text_clear(ids_text *t);       /* frees; all zero afterwards */

#endif
