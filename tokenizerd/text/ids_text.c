#include "ids_text.h"

#include <stdlib.h>

#include "proto/base/limits.h"
#include "proto/base/text.h"

/* Decoded together. What they become may be three times as long. */
enum { DECODE_BYTES = 64 * 1024 };

static status decode(ids_text *t, size_t n_bytes) {
    size_t n_text;
    char *some = text_replace_ill_formed((const uint8_t *)t->raw.bytes, n_bytes, &n_text);
    status st = some ? buffer_add(&t->text, some, n_text) : STATUS_NO_MEMORY;
    free(some);
    if (st == STATUS_OK) buffer_drop(&t->raw, n_bytes);
    return st;
}

static status add_token(ids_text *t, vocab_bytes token) {
    t->n_token_bytes += token.n_bytes;
    if (t->n_token_bytes > TEXT_BYTES_MAX) return STATUS_TOO_LONG;
    status st = buffer_add(&t->raw, token.bytes, token.n_bytes);
    if (st != STATUS_OK || t->raw.n_bytes < DECODE_BYTES) return st;
    return decode(t, text_whole_prefix((const uint8_t *)t->raw.bytes, t->raw.n_bytes));
}

status ids_text_advance(ids_text *t, const vocab *v, const int32_t *ids, size_t n_ids, size_t n_more, failure *f) {
    status st = STATUS_OK;
    size_t end = n_more < n_ids - t->n_done ? t->n_done + n_more : n_ids;
    while (st == STATUS_OK && t->n_done < end && t->text.n_bytes <= RAW_BYTES_MAX)
        st = add_token(t, vocab_token(v, ids[t->n_done++]));
    t->whole = t->n_done == n_ids || t->text.n_bytes > RAW_BYTES_MAX;    /* longer than any message */
    if (st == STATUS_OK && t->whole) st = decode(t, t->raw.n_bytes);
    if (st == STATUS_OK) return STATUS_OK;
    if (st == STATUS_TOO_LONG)
        return fail(f, st, "the text of these ids is longer than %d bytes", TEXT_BYTES_MAX);
    return fail(f, st, "no memory for the text of %zu ids", n_ids);
}

void ids_text_clear(ids_text *t) {
    buffer_clear(&t->text);
    buffer_clear(&t->raw);
    *t = (ids_text){0};
}
