/* Texts on their way to ids: kept until their model's vocabulary is here, then encoded in slices,
 * one slice a turn, in rotation. So a long text delays neither the others nor the heartbeats. */
#ifndef TRIVIUM_ENCODE_QUEUE_H
#define TRIVIUM_ENCODE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/limits.h"
#include "proto/base/status.h"
#include "tokenizerd/tokenizer/tokenizer.h"

typedef struct passages passages;
typedef struct passage passage;

typedef struct passage_segment {
    const uint8_t *bytes;
    size_t n_bytes;
    bool special;               /* special tokens written in it count as such */
} passage_segment;

/* The owner's text is encoded (why NULL), or refused. The owner frees it, in the call or later. */
typedef void passage_encoded(void *context, void *owner, const failure *why);

typedef struct passage_listener {
    passage_encoded *encoded;
    void *context, *owner;      /* what it is called with */
} passage_listener;

passages *passages_new(void);         /* NULL: no memory */
void passages_free(passages **ps);    /* no text may be left */

/* Keep a copy of the segments. STATUS_NOT_UTF8 or STATUS_TOO_LONG (past TEXT_BYTES_MAX in all),
 * STATUS_BUSY when TEXTS_BYTES_MAX wait already, STATUS_NO_MEMORY. The caller owns *out. */
status passages_add(passages *ps, const passage_segment *segments, size_t n_segments,
                    passage_listener listener, passage **out, failure *f);
void passage_free(passage **p);       /* at any time; sets *p NULL, NULL is fine */

/* Its model's tokenizer is here (borrowed until the text is freed): let it be encoded, after the id
 * `first` unless that is negative, or what the text begins with anyway. Codes of encoding_add. */
status passage_start(passage *p, const tokenizer *t, int32_t first, failure *f);

/* One slice of ENCODE_SLICE_BYTES for the text whose turn it is. Whether another turn is needed. */
bool passages_turn(passages *ps);

const int32_t *passage_ids(const passage *p, size_t *n_ids);  /* of an encoded text, owned by it */
bool passage_had_first(const passage *p);   /* an encoded text begins with `first` itself */

#endif
