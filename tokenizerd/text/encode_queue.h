/* Texts on their way to ids: kept until their model's vocabulary is here, then encoded in slices,
 * one slice a turn, in rotation: by owner, and by text among those of one. So a long text delays neither the others nor
 * the heartbeats, and however many one owner has, another one's next is as near.
 *
 * An encoder needs several times the memory of its text, so not all of them are in the rotation at once: one
 * text of more than BRIEF_BYTES_MAX, and as many others as have BRIEF_OPEN_BYTES_MAX together. */
#ifndef TRIVIUM_ENCODE_QUEUE_H
#define TRIVIUM_ENCODE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/limits.h"
#include "proto/base/status.h"
#include "tokenizerd/owners/holdings.h"
#include "tokenizerd/tokenizer/tokenizer.h"

typedef struct encode_queue encode_queue;
typedef struct queued_text queued_text;

typedef struct prompt_piece {
    const uint8_t *bytes;
    size_t n_bytes;
    bool special;               /* special tokens written in it count as such */
} prompt_piece;

/* The text of `of`, a request or a call, is encoded (why NULL), or refused. It is freed in the call or later. */
typedef void queued_text_encoded(void *context, void *of, const failure *why);

typedef struct queued_text_listener {
    queued_text_encoded *encoded;
    void *context, *of;         /* what it is called with */
} queued_text_listener;

encode_queue *encode_queue_new(void);       /* NULL: no memory */
void encode_queue_free(encode_queue **q);   /* no text may be left */

/* Keep a copy of the pieces, the only one, as one of `whose` (NULL: nobody's). STATUS_NOT_UTF8 or STATUS_TOO_LONG (past
 * TEXT_BYTES_MAX in all), STATUS_BUSY when TEXTS_BYTES_MAX wait already (an eighth of that only for brief ones) or the
 * owner has what it may have of them (owners.h), STATUS_NO_MEMORY. A long text is checked in its turns: then the listener
 * hears of STATUS_NOT_UTF8. The caller owns *out. */
status encode_queue_add(encode_queue *q, owner *whose, const prompt_piece *pieces, size_t n_pieces,
                        queued_text_listener listener, queued_text **out, failure *f);
void queued_text_free(queued_text **text);     /* at any time; sets *text NULL, NULL is fine */

/* Its model's tokenizer is here (borrowed until the text is freed): let it be encoded, after the id
 * `first` unless that is negative, or what the text begins with anyway. */
void queued_text_start(queued_text *text, const tokenizer *t, int32_t first);

/* One slice for the text whose turn it is: ENCODE_SLICE_BYTES, or ENCODE_SLICE_MS. Whether another turn is needed. */
bool encode_queue_turn(encode_queue *q);

const int32_t *queued_text_ids(const queued_text *text, size_t *n_ids);  /* of an encoded text, owned by it */
bool queued_text_had_first(const queued_text *text);   /* an encoded text begins with `first` itself */

#endif
