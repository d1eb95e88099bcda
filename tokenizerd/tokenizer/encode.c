#include "encode.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/buffer.h"
#include "proto/base/grow.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

enum { NO_ID = -1 };

/* What one call added: a part of the text, or a ready id. */
typedef struct segment {
    size_t begin, end;          /* in the text; equal for an id */
    bool special;
    int32_t id;                 /* NO_ID: it is text */
} segment;

struct encoding {
    const vocab *v;
    buffer text;                /* of all segments, end to end */
    segment *segments;
    size_t n_segments, segments_capacity;

    /* where we are: the segments before `current` are done */
    size_t current;
    size_t pos;                 /* in the text: what lies before went to the splitter */
    splitter *split;            /* the stretch between two special tokens */
    int32_t special_after;      /* the special token behind that stretch, NO_ID: none */
    bpe_run *run;               /* a long piece that is being merged; NULL: none */

    int32_t *ids;
    size_t n_ids, ids_capacity;
};

encoding *encoding_new(const vocab *v) {
    encoding *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    e->v = v;
    e->special_after = NO_ID;
    e->split = splitter_new(vocab_pretokenizer(v));
    if (e->split) splitter_start(e->split, NULL, 0);
    else encoding_free(&e);
    return e;
}

void encoding_free(encoding **e) {
    if (!*e) return;
    buffer_clear(&(*e)->text);
    free((*e)->segments);
    splitter_free(&(*e)->split);
    bpe_run_free(&(*e)->run);
    free((*e)->ids);
    free(*e);
    *e = NULL;
}

/* ---- what is to be encoded ---- */

static bool add_segment(encoding *e, segment s) {
    segment *segments =
        grow(e->segments, &e->segments_capacity, e->n_segments + 1, sizeof *segments);
    if (!segments) return false;
    e->segments = segments;
    e->segments[e->n_segments++] = s;
    return true;
}

status encoding_add(encoding *e, const uint8_t *text, size_t n_bytes, bool special, failure *f) {
    assert(e->current == 0 || e->current == e->n_segments);     /* the splitter is in none */
    if (n_bytes > TEXT_BYTES_MAX - e->text.n_bytes)
        return fail(f, STATUS_TOO_LONG, "the text is longer than %d bytes", (int)TEXT_BYTES_MAX);
    if (!text_is_utf8(text, n_bytes)) return fail(f, STATUS_NOT_UTF8, "the text is not UTF-8");
    if (n_bytes == 0) return STATUS_OK;
    segment s = {.begin = e->text.n_bytes, .special = special, .id = NO_ID};
    s.end = s.begin + n_bytes;
    if (buffer_add(&e->text, text, n_bytes) != STATUS_OK || !add_segment(e, s))
        return fail(f, STATUS_NO_MEMORY, "no memory for a text of %zu bytes", n_bytes);
    return STATUS_OK;
}

status encoding_add_id(encoding *e, int32_t id) {
    assert(id >= 0 && (uint32_t)id < vocab_size(e->v));
    segment s = {.begin = e->text.n_bytes, .end = e->text.n_bytes, .id = id};
    return add_segment(e, s) ? STATUS_OK : STATUS_NO_MEMORY;
}

/* ---- encoding it ---- */

/* Room for n more ids, which may be more than will be used. */
static status reserve_ids(encoding *e, size_t n, failure *f) {
    int32_t *ids = grow(e->ids, &e->ids_capacity, e->n_ids + n, sizeof *ids);
    if (!ids) return fail(f, STATUS_NO_MEMORY, "no memory for %zu ids", e->n_ids + n);
    e->ids = ids;
    return STATUS_OK;
}

static status check_n_ids(size_t n_ids, failure *f) {
    if (n_ids <= TOKENIZE_IDS_MAX) return STATUS_OK;
    return fail(f, STATUS_TOO_LONG, "the text has more than %d tokens", (int)TOKENIZE_IDS_MAX);
}

static status append_id(encoding *e, int32_t id, failure *f) {
    status st = check_n_ids(e->n_ids + 1, f);
    if (st == STATUS_OK) st = reserve_ids(e, 1, f);
    if (st == STATUS_OK) e->ids[e->n_ids++] = id;
    return st;
}

static status encode_short(encoding *e, const uint8_t *piece, size_t n_bytes, failure *f) {
    status st = reserve_ids(e, n_bytes, f);
    if (st != STATUS_OK) return st;
    e->n_ids += bpe_short(vocab_merges(e->v), piece, n_bytes, e->ids + e->n_ids);
    return check_n_ids(e->n_ids, f);
}

static status encode_piece(encoding *e, const uint8_t *piece, size_t n_bytes, failure *f) {
    int32_t whole = vocab_whole_piece(e->v, piece, n_bytes);
    if (whole >= 0) return append_id(e, whole, f);
    if (n_bytes <= BPE_SHORT_BYTES) return encode_short(e, piece, n_bytes, f);
    e->run = bpe_run_new(vocab_merges(e->v), piece, n_bytes);
    if (e->run) return STATUS_OK;
    return fail(f, STATUS_NO_MEMORY, "no memory for a word of %zu bytes", n_bytes);
}

static status finish_run(encoding *e, failure *f) {
    size_t n = bpe_run_count(e->run);
    status st = check_n_ids(e->n_ids + n, f);
    if (st == STATUS_OK) st = reserve_ids(e, n, f);
    if (st != STATUS_OK) return st;
    bpe_run_ids(e->run, e->ids + e->n_ids);
    e->n_ids += n;
    bpe_run_free(&e->run);
    return STATUS_OK;
}

/* The stretch up to the next special token, a ready id or the end goes to the splitter: it may run
 * through several segments, a special token lies within one. */
static void next_stretch(encoding *e) {
    const uint8_t *text = (const uint8_t *)e->text.bytes;
    size_t first = e->pos, begin = first, end = first;
    for (e->special_after = NO_ID; e->special_after == NO_ID; e->current++) {
        const segment *s = &e->segments[e->current];
        size_t from = first > s->begin ? first : s->begin;
        e->special_after = specials_find(vocab_specials(e->v, s->special), text + s->begin,
                                         s->end - s->begin, from - s->begin, &begin, &end);
        begin += s->begin;
        end += s->begin;
        bool is_last = e->current + 1 == e->n_segments || s[1].id != NO_ID;
        if (e->special_after != NO_ID || is_last) break;
    }
    splitter_start(e->split, text + first, begin - first);
    e->pos = end;
}

/* No piece is left in the stretch: its special token, the next stretch, or the next segment. */
static status move_on(encoding *e, failure *f) {
    int32_t id = e->special_after;
    e->special_after = NO_ID;
    if (id != NO_ID) return append_id(e, id, f);
    const segment *s = &e->segments[e->current];
    if (e->pos < s->end) {
        next_stretch(e);
        return STATUS_OK;
    }
    e->current++;
    return s->id != NO_ID ? append_id(e, s->id, f) : STATUS_OK;
}

/* The smallest piece of work; adds about as much as it was worth in bytes to *n_spent. */
static status step(encoding *e, size_t n_bytes_left, size_t *n_spent, failure *f) {
    if (e->run) {
        size_t n_steps = bpe_run_advance(e->run, n_bytes_left);
        *n_spent += n_steps;
        return n_steps < n_bytes_left ? finish_run(e, f) : STATUS_OK;
    }
    const uint8_t *piece;
    size_t piece_bytes;
    status st = splitter_next(e->split, &piece, &piece_bytes, f);
    if (st != STATUS_OK) return st;
    *n_spent += piece_bytes > 0 ? piece_bytes : 1;
    return piece_bytes > 0 ? encode_piece(e, piece, piece_bytes, f) : move_on(e, f);
}

status encoding_advance(encoding *e, size_t n_bytes, bool *done, failure *f) {
    status st = STATUS_OK;
    size_t n_spent = 0;
    while (st == STATUS_OK && n_spent < n_bytes && e->current < e->n_segments)
        st = step(e, n_bytes - n_spent, &n_spent, f);
    *done = st == STATUS_OK && e->current == e->n_segments;
    return st;
}

const int32_t *encoding_ids(const encoding *e, size_t *n_ids) {
    *n_ids = e->n_ids;
    return e->ids;
}
