#include "encode_text.h"

#include <stdio.h>
#include <stdlib.h>

status encode_rest(encoding *e, size_t slice_bytes, failure *f) {
    bool done = false;
    status st = STATUS_OK;
    while (st == STATUS_OK && !done) st = encoding_advance(e, slice_bytes, &done, f);
    return st;
}

encoding *encode_text(const tokenizer *t, const void *text, size_t n_bytes, bool special, size_t slice_bytes) {
    failure f = {.message = "no memory"};
    encoding *e = encoding_new(t, text);
    status st = e ? encoding_add(e, n_bytes, special) : STATUS_NO_MEMORY;
    if (st == STATUS_OK) st = encode_rest(e, slice_bytes, &f);
    if (st == STATUS_OK) return e;
    fprintf(stderr, "a text is not encoded: %s\n", f.message);
    abort();
}

uint8_t *text_of_ids(const vocab *v, const int32_t *ids, size_t n_ids, size_t n_at_once, size_t *n_bytes) {
    failure f;
    ids_text t = {.whole = false};
    while (!t.whole) {
        if (ids_text_advance(&t, v, ids, n_ids, n_at_once, &f) == STATUS_OK) continue;
        fprintf(stderr, "ids have no text: %s\n", f.message);
        abort();
    }
    *n_bytes = t.text.n_bytes;
    if (buffer_add(&t.text, "", 1) != STATUS_OK) abort(); /* NULL is no text, not an empty one */
    uint8_t *text = (uint8_t *)t.text.bytes;
    buffer_clear(&t.raw);
    return text;
}
