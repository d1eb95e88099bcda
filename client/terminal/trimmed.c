#include "trimmed.h"

#include "proto/base/text.h"

status trimmed_add(trimmed *t, const void *bytes, size_t n_bytes, size_t *from) {
    const char *piece = bytes;
    size_t n_text = n_bytes;
    *from = t->text.n_bytes;
    while (n_text > 0 && text_is_blank((uint8_t)piece[n_text - 1])) n_text--;
    size_t n_before = 0;
    if (t->text.n_bytes == 0) {
        while (n_before < n_text && text_is_blank((uint8_t)piece[n_before])) n_before++;
        if (n_text == 0) return STATUS_OK;      /* nothing but blanks so far */
    }
    status st = STATUS_OK;
    if (n_text > 0) {
        st = buffer_add(&t->text, t->blanks.bytes, t->blanks.n_bytes);
        if (st == STATUS_OK) st = buffer_add(&t->text, piece + n_before, n_text - n_before);
        buffer_drop(&t->blanks, t->blanks.n_bytes);
    }
    return st == STATUS_OK ? buffer_add(&t->blanks, piece + n_text, n_bytes - n_text) : st;
}

void trimmed_clear(trimmed *t) {
    buffer_clear(&t->text);
    buffer_clear(&t->blanks);
}
