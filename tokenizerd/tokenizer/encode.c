#include "encode.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "byte_bpe.h"
#include "proto/base/buffer.h"
#include "proto/base/grow.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

enum { NO_ID = -1 };

/* What one call added: a part of the text, or a ready id. */
typedef struct encoding_piece {
    size_t begin, end;          /* in the text; equal for an id */
    bool special;
    int32_t id;                 /* NO_ID: it is text */
} encoding_piece;

struct encoding {
    const vocab *v;
    buffer text;                /* of all pieces, end to end */
    encoding_piece *pieces;
    size_t n_pieces, pieces_capacity;

    /* where we are: the pieces before `current` are done */
    size_t current;
    size_t pos;                 /* in the text: what lies before went to the stretch */
    byte_bpe_stretch *stretch;  /* what lies between two special tokens */
    int32_t special_after;      /* the special token after that stretch, NO_ID: none */

    token_ids ids;
};

encoding *encoding_new(const tokenizer *t) {
    encoding *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    e->v = tokenizer_vocab(t);
    e->special_after = NO_ID;
    e->stretch = byte_bpe_stretch_new(tokenizer_byte_bpe(t));
    if (!e->stretch) encoding_free(&e);
    return e;
}

void encoding_free(encoding **e) {
    if (!*e) return;
    buffer_clear(&(*e)->text);
    free((*e)->pieces);
    byte_bpe_stretch_free(&(*e)->stretch);
    free((*e)->ids.ids);
    free(*e);
    *e = NULL;
}

/* ---- what is to be encoded ---- */

static bool add_segment(encoding *e, encoding_piece s) {
    encoding_piece *pieces =
        grow(e->pieces, &e->pieces_capacity, e->n_pieces + 1, sizeof *pieces);
    if (!pieces) return false;
    e->pieces = pieces;
    e->pieces[e->n_pieces++] = s;
    return true;
}

status encoding_add(encoding *e, const uint8_t *text, size_t n_bytes, bool special, failure *f) {
    assert(e->current == 0 || e->current == e->n_pieces);       /* the stretch is in none */
    if (n_bytes > TEXT_BYTES_MAX - e->text.n_bytes)
        return fail(f, STATUS_TOO_LONG, "the text is longer than %d bytes", (int)TEXT_BYTES_MAX);
    if (!text_is_utf8(text, n_bytes)) return fail(f, STATUS_NOT_UTF8, "the text is not UTF-8");
    if (n_bytes == 0) return STATUS_OK;
    encoding_piece s = {.begin = e->text.n_bytes, .special = special, .id = NO_ID};
    s.end = s.begin + n_bytes;
    if (buffer_add(&e->text, text, n_bytes) != STATUS_OK || !add_segment(e, s))
        return fail(f, STATUS_NO_MEMORY, "no memory for a text of %zu bytes", n_bytes);
    return STATUS_OK;
}

status encoding_add_id(encoding *e, int32_t id) {
    assert(id >= 0 && (uint32_t)id < vocab_size(e->v));
    encoding_piece s = {.begin = e->text.n_bytes, .end = e->text.n_bytes, .id = id};
    return add_segment(e, s) ? STATUS_OK : STATUS_NO_MEMORY;
}

/* ---- encoding it ---- */

/* Begin the stretch up to the next special token, a ready id or the end: it may run through several pieces, a
 * special token lies within one. */
static void next_stretch(encoding *e) {
    const uint8_t *text = (const uint8_t *)e->text.bytes;
    size_t first = e->pos, begin = first, end = first;
    for (e->special_after = NO_ID; e->special_after == NO_ID; e->current++) {
        const encoding_piece *s = &e->pieces[e->current];
        size_t from = first > s->begin ? first : s->begin;
        e->special_after = specials_find(vocab_specials(e->v, s->special), text + s->begin,
                                         s->end - s->begin, from - s->begin, &begin, &end);
        begin += s->begin;
        end += s->begin;
        bool is_last = e->current + 1 == e->n_pieces || s[1].id != NO_ID;
        if (e->special_after != NO_ID || is_last) break;
    }
    byte_bpe_stretch_start(e->stretch, text + first, begin - first);
    e->pos = end;
}

/* Nothing is left of the stretch: its special token, the next stretch, or the next encoding_piece. */
static status move_on(encoding *e, failure *f) {
    int32_t id = e->special_after;
    e->special_after = NO_ID;
    if (id != NO_ID) return token_ids_add(&e->ids, id, f);
    const encoding_piece *s = &e->pieces[e->current];
    if (e->pos < s->end) {
        next_stretch(e);
        return STATUS_OK;
    }
    e->current++;
    return s->id != NO_ID ? token_ids_add(&e->ids, s->id, f) : STATUS_OK;
}

status encoding_advance(encoding *e, size_t n_bytes, bool *done, failure *f) {
    status st = STATUS_OK;
    size_t n_spent = 0;
    while (st == STATUS_OK && n_spent < n_bytes && e->current < e->n_pieces) {
        bool stretch_done;
        st = byte_bpe_stretch_step(e->stretch, n_bytes - n_spent, &e->ids, &n_spent, &stretch_done, f);
        if (st == STATUS_OK && stretch_done) st = move_on(e, f);
    }
    *done = st == STATUS_OK && e->current == e->n_pieces;
    return st;
}

const int32_t *encoding_ids(const encoding *e, size_t *n_ids) {
    *n_ids = e->ids.n_ids;
    return e->ids.ids;
}
