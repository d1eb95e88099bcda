#include "encode_queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "tokenizerd/tokenizer/encode.h"

enum {
    ADVANCE_BYTES = ENCODE_SLICE_BYTES / 16,    /* encoded between two looks at the clock */
    CHECK_SLICE_BYTES = ENCODE_SLICE_BYTES * 16,    /* that is how much faster a check is */
};

typedef enum text_place {       /* of a text in its queue */
    NOT_STARTED,
    WAITING,                    /* in its lane */
    OPEN,                       /* in the rotation; it may have an encoding */
    OUT,                        /* encoded or refused */
} text_place;

struct queued_text {
    encode_queue *home;
    owner *owner;               /* held; NULL: nobody's */
    uint8_t *bytes;             /* [n_bytes] of all pieces, end to end; owned, NULL once it is encoded */
    prompt_piece *pieces;       /* their bytes lie there; NULL with them */
    size_t n_pieces, n_bytes;
    size_t n_held_bytes;        /* that it counts for in the queue */
    size_t n_checked_pieces, n_checked_bytes;   /* well-formed; n_checked_bytes: of the piece after those */
    encoding *encoding;         /* NULL before it is its turn */
    const tokenizer *tokenizer;
    int32_t first;              /* the id before the text; negative: none */
    queued_text_listener listener;
    text_place place;
    queued_text *next;          /* in the lane or the rotation */
};

/* Texts whose model is here and who wait for room to be encoded, in order of coming. */
typedef struct lane {
    queued_text *waiting;
    size_t n_open_bytes;        /* of those in the rotation */
    size_t n_open_bytes_max;    /* more of them only where nobody is */
} lane;

struct encode_queue {
    lane brief, large;
    queued_text *rotation;      /* of one owner's the first one is whose turn it is */
    size_t n_bytes;             /* of all texts that live */
    size_t n_texts;
};

encode_queue *encode_queue_new(void) {
    encode_queue *q = calloc(1, sizeof *q);
    if (q) q->brief.n_open_bytes_max = BRIEF_OPEN_BYTES_MAX;
    return q;
}

void encode_queue_free(encode_queue **q) {
    if (!*q) return;
    assert((*q)->n_texts == 0);
    free(*q);
    *q = NULL;
}

/* ---- where a text stands ---- */

static lane *lane_of(queued_text *text) {
    return text->n_bytes <= BRIEF_BYTES_MAX ? &text->home->brief : &text->home->large;
}

static void list_append(queued_text **list, queued_text *text) {
    while (*list) list = &(*list)->next;
    *list = text;
    text->next = NULL;
}

static void list_remove(queued_text **list, queued_text *text) {
    while (*list != text) list = &(*list)->next;
    *list = text->next;
}

static void leave_place(queued_text *text) {
    if (text->place == WAITING) list_remove(&lane_of(text)->waiting, text);
    if (text->place == OPEN) {
        list_remove(&text->home->rotation, text);
        lane_of(text)->n_open_bytes -= text->n_bytes;
        if (text->owner) text->owner->n_active--;
    }
    text->place = OUT;
}

/* ---- whose turn it is ---- */

static size_t open_texts(const queued_text *text) {
    return text->owner ? text->owner->n_active : 0;
}

static uint64_t last_turn(const queued_text *text) {
    return text->owner ? text->owner->last_turn : 0;
}

/* Of those that wait, the first of the owner that has the fewest open. NULL: none waits. */
static queued_text *next_to_open(const lane *l) {
    queued_text *next = l->waiting;
    for (queued_text *text = next; text; text = text->next)
        if (open_texts(text) < open_texts(next)) next = text;
    return next;
}

/* Of the rotation, the first of the owner that has not had a turn for the longest time. NULL: it is empty. */
static queued_text *next_to_encode(const encode_queue *q) {
    queued_text *next = q->rotation;
    for (queued_text *text = next; text; text = text->next)
        if (last_turn(text) < last_turn(next)) next = text;
    if (next && next->owner) next->owner->last_turn = owners_next_turn(next->owner->home);
    return next;
}

/* Whoever has room goes from the lane into the rotation. */
static void lane_open(encode_queue *q, lane *l) {
    for (queued_text *text; (text = next_to_open(l)) != NULL;) {
        if (l->n_open_bytes > 0 && l->n_open_bytes + text->n_bytes > l->n_open_bytes_max) return;
        list_remove(&l->waiting, text);
        text->place = OPEN;
        l->n_open_bytes += text->n_bytes;
        if (text->owner) text->owner->n_active++;
        list_append(&q->rotation, text);
    }
}

/* ---- taking up ---- */

static status sizes_check(const encode_queue *q, const prompt_piece *pieces, size_t n_pieces, size_t *n_bytes,
                          size_t *n_held_bytes, failure *f) {
    *n_bytes = *n_held_bytes = 0;
    for (size_t i = 0; i < n_pieces; i++) {
        if (pieces[i].n_bytes > TEXT_BYTES_MAX - *n_bytes)
            return fail(f, STATUS_TOO_LONG, "the text is longer than %d bytes", TEXT_BYTES_MAX);
        *n_bytes += pieces[i].n_bytes;
    }
    *n_held_bytes = *n_bytes + n_pieces * sizeof *pieces;
    const size_t n_bytes_max = *n_bytes > BRIEF_BYTES_MAX ? TEXTS_BYTES_MAX - TEXTS_BYTES_MAX / 8 : TEXTS_BYTES_MAX;
    if (q->n_bytes + *n_held_bytes > n_bytes_max && q->n_bytes > 0)
        return fail(f, STATUS_BUSY, "texts of %zu bytes wait already; try again later",
                    q->n_bytes);
    return STATUS_OK;
}

/* Check some of what is left: a slice, which ends between characters. */
static status check_on(queued_text *text, failure *f) {
    for (size_t n_left = CHECK_SLICE_BYTES; n_left > 0 && text->n_checked_pieces < text->n_pieces;) {
        const prompt_piece *piece = &text->pieces[text->n_checked_pieces];
        const uint8_t *from = piece->bytes + text->n_checked_bytes;
        size_t n_rest = piece->n_bytes - text->n_checked_bytes, n = n_rest;
        if (n > n_left) n = text_whole_prefix(from, n_left);
        if (!text_is_utf8(from, n)) return fail(f, STATUS_NOT_UTF8, "the text is not valid UTF-8");
        text->n_checked_bytes += n;
        n_left = n == n_rest ? n_left - n : 0;
        if (n < n_rest) continue;
        text->n_checked_pieces++;
        text->n_checked_bytes = 0;
    }
    return STATUS_OK;
}

static bool is_checked(const queued_text *text) {
    return text->n_checked_pieces == text->n_pieces;
}

/* `text` has none yet. False: no memory. */
static bool pieces_copy(queued_text *text, const prompt_piece *pieces, size_t n_pieces) {
    text->bytes = malloc(text->n_bytes + 1);
    text->pieces = calloc(n_pieces + 1, sizeof *text->pieces);
    if (!text->bytes || !text->pieces) return false;
    uint8_t *at = text->bytes;
    for (size_t i = 0; i < n_pieces; at += pieces[i++].n_bytes) {
        if (pieces[i].n_bytes > 0) memcpy(at, pieces[i].bytes, pieces[i].n_bytes);
        text->pieces[i] = (prompt_piece){at, pieces[i].n_bytes, pieces[i].special};
    }
    text->n_pieces = n_pieces;
    return true;
}

status encode_queue_add(encode_queue *q, owner *whose, const prompt_piece *pieces, size_t n_pieces,
                        queued_text_listener listener, queued_text **out, failure *f) {
    size_t n_bytes, n_held_bytes;
    status st = sizes_check(q, pieces, n_pieces, &n_bytes, &n_held_bytes, f);
    if (st == STATUS_OK) st = owner_take(whose, HOLDING_TEXT_BYTES, n_held_bytes, f);
    if (st != STATUS_OK) return st;
    queued_text *text = calloc(1, sizeof *text);
    if (!text) {
        owner_give(whose, HOLDING_TEXT_BYTES, n_held_bytes);
        return fail(f, STATUS_NO_MEMORY, "no memory for another text");
    }
    *text = (queued_text){
        .home = q, .owner = owner_hold(whose), .n_bytes = n_bytes, .n_held_bytes = n_held_bytes, .listener = listener};
    q->n_bytes += n_held_bytes;
    q->n_texts++;
    st = pieces_copy(text, pieces, n_pieces)
             ? check_on(text, f)
             : fail(f, STATUS_NO_MEMORY, "no memory for a text of %zu bytes", n_bytes);
    if (st == STATUS_OK) *out = text;
    else queued_text_free(&text);
    return st;
}

/* Its text is not needed any more. */
static void forget_text(queued_text *text) {
    free(text->bytes);
    free(text->pieces);
    text->bytes = NULL;
    text->pieces = NULL;
    text->home->n_bytes -= text->n_held_bytes;
    owner_give(text->owner, HOLDING_TEXT_BYTES, text->n_held_bytes);
    text->n_held_bytes = 0;
}

void queued_text_free(queued_text **out) {
    queued_text *text = *out;
    if (!text) return;
    *out = NULL;
    leave_place(text);
    encoding_free(&text->encoding);
    forget_text(text);
    text->home->n_texts--;
    owner_release(&text->owner);
    free(text);
}

void queued_text_start(queued_text *text, const tokenizer *t, int32_t first) {
    assert(text->place == NOT_STARTED);
    text->tokenizer = t;
    text->first = first;
    text->place = WAITING;
    list_append(&lane_of(text)->waiting, text);
}

/* ---- its turns ---- */

static status begin(queued_text *text, failure *f) {
    text->encoding = encoding_new(text->tokenizer, text->bytes);
    status st = text->encoding ? STATUS_OK : STATUS_NO_MEMORY;
    if (st == STATUS_OK && text->first >= 0) st = encoding_add_id(text->encoding, text->first);
    for (size_t i = 0; st == STATUS_OK && i < text->n_pieces; i++)
        st = encoding_add(text->encoding, text->pieces[i].n_bytes, text->pieces[i].special);
    return st == STATUS_OK ? st : fail(f, st, "no memory to encode a text");
}

/* A slice of it, in bytes and in time. */
static status encode_on(queued_text *text, bool *done, failure *f) {
    const uint64_t end_us = clock_us() + ENCODE_SLICE_MS * 1000;
    status st = STATUS_OK;
    for (size_t n = 0; st == STATUS_OK && !*done && n < ENCODE_SLICE_BYTES; n += ADVANCE_BYTES) {
        st = encoding_advance(text->encoding, ADVANCE_BYTES, done, f);
        if (clock_us() >= end_us) break;
    }
    return st;
}

bool encode_queue_turn(encode_queue *q) {
    lane_open(q, &q->brief);
    lane_open(q, &q->large);
    queued_text *text = next_to_encode(q);
    if (!text) return false;
    failure why = {.code = STATUS_OK};
    bool done = false;
    status st = STATUS_OK;
    if (!is_checked(text)) st = check_on(text, &why);
    else if (!text->encoding) st = begin(text, &why);
    if (st == STATUS_OK && text->encoding) st = encode_on(text, &done, &why);
    if (st == STATUS_OK && !done) {
        list_remove(&q->rotation, text);
        list_append(&q->rotation, text);
    } else {
        leave_place(text);
        forget_text(text);
        text->listener.encoded(text->listener.context, text->listener.of, st == STATUS_OK ? NULL : &why);
    }
    return q->rotation || q->brief.waiting || q->large.waiting;
}

bool queued_text_had_first(const queued_text *text) {
    size_t n_ids;
    const int32_t *ids = encoding_ids(text->encoding, &n_ids);
    return text->first >= 0 && n_ids >= 2 && ids[1] == text->first;
}

const int32_t *queued_text_ids(const queued_text *text, size_t *n_ids) {
    const int32_t *ids = encoding_ids(text->encoding, n_ids);
    if (!queued_text_had_first(text)) return ids;
    (*n_ids)--;
    return ids + 1;
}
