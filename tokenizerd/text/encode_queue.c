#include "encode_queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"
#include "tokenizerd/tokenizer/encode.h"

struct queued_text {
    encode_queue *home;
    uint8_t *bytes;             /* of all pieces, end to end; NULL once the encoding has its copy */
    prompt_piece *pieces;       /* their bytes lie there; NULL with them */
    size_t n_pieces, n_bytes;
    encoding *encoding;         /* NULL before queued_text_start */
    int32_t first;              /* the id before the text; negative: none */
    queued_text_listener listener;
    bool queued;
    queued_text *next;          /* in the rotation */
};

struct encode_queue {
    queued_text *first;         /* whose turn it is */
    size_t n_bytes;             /* of all texts that live */
    size_t n_texts;
};

encode_queue *encode_queue_new(void) {
    return calloc(1, sizeof(encode_queue));
}

void encode_queue_free(encode_queue **q) {
    if (!*q) return;
    assert((*q)->n_texts == 0);
    free(*q);
    *q = NULL;
}

static void queue_append(encode_queue *q, queued_text *text) {
    queued_text **place = &q->first;
    while (*place) place = &(*place)->next;
    *place = text;
    text->next = NULL;
    text->queued = true;
}

static void queue_remove(encode_queue *q, queued_text *text) {
    if (!text->queued) return;
    queued_text **place = &q->first;
    while (*place != text) place = &(*place)->next;
    *place = text->next;
    text->queued = false;
}

static status pieces_check(const encode_queue *q, const prompt_piece *pieces, size_t n_pieces,
                           size_t *n_bytes, failure *f) {
    *n_bytes = 0;
    for (size_t i = 0; i < n_pieces; i++) {
        if (pieces[i].n_bytes > TEXT_BYTES_MAX - *n_bytes)
            return fail(f, STATUS_TOO_LONG, "the text is longer than %d bytes", TEXT_BYTES_MAX);
        *n_bytes += pieces[i].n_bytes;
    }
    if (*n_bytes > TEXTS_BYTES_MAX - q->n_bytes)
        return fail(f, STATUS_BUSY, "texts of %zu bytes wait already; try again later",
                    q->n_bytes);
    for (size_t i = 0; i < n_pieces; i++)
        if (!text_is_utf8(pieces[i].bytes, pieces[i].n_bytes))
            return fail(f, STATUS_NOT_UTF8, "the text is not valid UTF-8");
    return STATUS_OK;
}

status encode_queue_add(encode_queue *q, const prompt_piece *pieces, size_t n_pieces,
                        queued_text_listener listener, queued_text **out, failure *f) {
    size_t n_bytes;
    status st = pieces_check(q, pieces, n_pieces, &n_bytes, f);
    if (st != STATUS_OK) return st;
    queued_text *text = calloc(1, sizeof *text);
    uint8_t *bytes = malloc(n_bytes + 1);
    prompt_piece *own = calloc(n_pieces + 1, sizeof *own);
    if (!text || !bytes || !own) {
        free(text);
        free(bytes);
        free(own);
        return fail(f, STATUS_NO_MEMORY, "no memory for a text of %zu bytes", n_bytes);
    }
    uint8_t *at = bytes;
    for (size_t i = 0; i < n_pieces; i++) {
        own[i] = pieces[i];
        own[i].bytes = at;
        if (own[i].n_bytes > 0) memcpy(at, pieces[i].bytes, own[i].n_bytes);
        at += own[i].n_bytes;
    }
    *text = (queued_text){.home = q,
                          .bytes = bytes,
                          .pieces = own,
                          .n_pieces = n_pieces,
                          .n_bytes = n_bytes,
                          .listener = listener};
    q->n_bytes += n_bytes;
    q->n_texts++;
    *out = text;
    return STATUS_OK;
}

static void forget_pieces(queued_text *text) {
    free(text->bytes);
    free(text->pieces);
    text->bytes = NULL;
    text->pieces = NULL;
}

void queued_text_free(queued_text **out) {
    queued_text *text = *out;
    if (!text) return;
    *out = NULL;
    queue_remove(text->home, text);
    text->home->n_bytes -= text->n_bytes;
    text->home->n_texts--;
    encoding_free(&text->encoding);
    forget_pieces(text);
    free(text);
}

status queued_text_start(queued_text *text, const tokenizer *t, int32_t first, failure *f) {
    assert(!text->encoding);
    text->first = first;
    text->encoding = encoding_new(t);
    if (!text->encoding || (first >= 0 && encoding_add_id(text->encoding, first) != STATUS_OK))
        return fail(f, STATUS_NO_MEMORY, "no memory to encode a text");
    for (size_t i = 0; i < text->n_pieces; i++) {
        const prompt_piece *s = &text->pieces[i];
        status st = encoding_add(text->encoding, s->bytes, s->n_bytes, s->special, f);
        if (st != STATUS_OK) return st;
    }
    forget_pieces(text);
    queue_append(text->home, text);
    return STATUS_OK;
}

bool encode_queue_turn(encode_queue *q) {
    queued_text *text = q->first;
    if (!text) return false;
    failure why = {.code = STATUS_OK};
    bool done = false;
    status st = encoding_advance(text->encoding, ENCODE_SLICE_BYTES, &done, &why);
    queue_remove(q, text);
    if (st == STATUS_OK && !done) queue_append(q, text);
    else text->listener.encoded(text->listener.context, text->listener.owner, st == STATUS_OK ? NULL : &why);
    return q->first != NULL;
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
