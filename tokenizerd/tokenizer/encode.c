#include "encode.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "byte_bpe.h"
#include "proto/base/grow.h"
#include "proto/base/limits.h"

enum {
    NO_ID = -1,
    SEARCH_FACTOR = 4,          /* bytes in which a special token is looked for, where one is encoded */
};

/* What one call added: a part of the text, or a ready id. */
typedef struct encoding_piece {
    size_t begin, end;          /* in the text; equal for an id */
    bool special;
    int32_t id;                 /* NO_ID: it is text */
} encoding_piece;

struct encoding {
    const vocab *v;
    const uint8_t *text;        /* of all pieces, end to end; borrowed */
    size_t n_bytes;             /* of the pieces so far */
    encoding_piece *pieces;
    size_t n_pieces, pieces_capacity;

    /* where we are: the pieces before `current` are done */
    size_t current;
    size_t pos;                 /* in the text: what lies before went to the stretch */
    bool searching;             /* for the special token that ends the next stretch: */
    size_t searched;            /* none begins before this place */
    byte_bpe_stretch *stretch;  /* what lies between two special tokens */
    int32_t special_after;      /* the special token after that stretch, NO_ID: none */

    token_ids ids;
};

encoding *encoding_new(const tokenizer *t, const uint8_t *text) {
    encoding *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    e->v = tokenizer_vocab(t);
    e->text = text;
    e->special_after = NO_ID;
    e->stretch = byte_bpe_stretch_new(tokenizer_byte_bpe(t));
    if (!e->stretch) encoding_free(&e);
    return e;
}

void encoding_free(encoding **e) {
    if (!*e) return;
    free((*e)->pieces);
    byte_bpe_stretch_free(&(*e)->stretch);
    free((*e)->ids.ids);
    free(*e);
    *e = NULL;
}

/* ---- what is to be encoded ---- */

static status add_piece(encoding *e, encoding_piece s) {
    encoding_piece *pieces =
        grow(e->pieces, &e->pieces_capacity, e->n_pieces + 1, sizeof *pieces);
    if (!pieces) return STATUS_NO_MEMORY;
    e->pieces = pieces;
    e->pieces[e->n_pieces++] = s;
    e->n_bytes = s.end;
    return STATUS_OK;
}

status encoding_add(encoding *e, size_t n_bytes, bool special) {
    assert(e->current == 0 && e->pos == 0);
    if (n_bytes == 0) return STATUS_OK;
    return add_piece(e, (encoding_piece){e->n_bytes, e->n_bytes + n_bytes, special, NO_ID});
}

status encoding_add_id(encoding *e, int32_t id) {
    assert(id >= 0 && (uint32_t)id < vocab_size(e->v));
    return add_piece(e, (encoding_piece){.begin = e->n_bytes, .end = e->n_bytes, .id = id});
}

/* ---- encoding it ---- */

/* The stretch up to this place is known, and where the special token after it ends. */
static void stretch_begin(encoding *e, size_t begin, size_t end) {
    byte_bpe_stretch_start(e->stretch, e->text + e->pos, begin - e->pos);
    e->pos = end;
    e->searching = false;
}

/* Look for the end of the next stretch: a special token, a ready id or the end of the text. It may run through
 * several pieces, a special token lies within one. Some n_bytes_max further; returns how many. */
static size_t search(encoding *e, size_t n_bytes_max) {
    const encoding_piece *s = &e->pieces[e->current];
    size_t from = e->searched, until = s->end - from > n_bytes_max ? from + n_bytes_max : s->end, begin, end;
    e->special_after = specials_find(vocab_specials(e->v, s->special), e->text + s->begin, s->end - s->begin,
                                     from - s->begin, until - s->begin, &begin, &end);
    e->searched = until;
    if (e->special_after != NO_ID) {
        stretch_begin(e, s->begin + begin, s->begin + end);
        return begin + s->begin - from;
    }
    if (until == s->end) {
        bool is_last = e->current + 1 == e->n_pieces || s[1].id != NO_ID;
        if (is_last) stretch_begin(e, until, until);
        else e->current++;
    }
    return until - from;
}

/* Nothing is left of the stretch: its special token, the next stretch, or the next piece. */
static status move_on(encoding *e, failure *f) {
    int32_t id = e->special_after;
    e->special_after = NO_ID;
    if (id != NO_ID) return token_ids_add(&e->ids, id, f);
    const encoding_piece *s = &e->pieces[e->current];
    if (e->pos < s->end) {
        e->searching = true;
        e->searched = e->pos;
        return STATUS_OK;
    }
    e->current++;
    return s->id != NO_ID ? token_ids_add(&e->ids, s->id, f) : STATUS_OK;
}

status encoding_advance(encoding *e, size_t n_bytes, bool *done, failure *f) {
    status st = STATUS_OK;
    size_t n_spent = 0;
    while (st == STATUS_OK && n_spent < n_bytes && e->current < e->n_pieces) {
        if (e->searching) {
            n_spent += 1 + search(e, ENCODE_SLICE_BYTES) / SEARCH_FACTOR;
            continue;
        }
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
