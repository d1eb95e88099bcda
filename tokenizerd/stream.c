#include "stream.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../proto/rt/text.h"

typedef struct stop {
    uint8_t *bytes;             /* owned */
    size_t n_bytes;
} stop;

typedef struct buffer {
    uint8_t *bytes;
    size_t n_bytes, capacity;
} buffer;

struct stream {
    const vocab *v;
    stop *stops;
    size_t n_stops;
    bool stopped;
    buffer raw;                 /* not decoded yet: the beginning of a character */
    buffer text;                /* decoded: what the last call gave away, then what is held back */
    size_t n_shown;             /* bytes that the last call gave away */
};

/* ---- memory ---- */

static status buffer_append(buffer *b, const void *bytes, size_t n_bytes) {
    if (n_bytes == 0) return STATUS_OK;
    if (b->capacity - b->n_bytes < n_bytes) {
        size_t capacity = (b->n_bytes + n_bytes) * 2;
        uint8_t *grown = realloc(b->bytes, capacity);
        if (!grown) return STATUS_NO_MEMORY;
        b->bytes = grown;
        b->capacity = capacity;
    }
    memcpy(b->bytes + b->n_bytes, bytes, n_bytes);
    b->n_bytes += n_bytes;
    return STATUS_OK;
}

static void buffer_drop_front(buffer *b, size_t n_bytes) {
    assert(n_bytes <= b->n_bytes);
    if (n_bytes == 0) return;
    b->n_bytes -= n_bytes;
    memmove(b->bytes, b->bytes + n_bytes, b->n_bytes);
}

stream *stream_new(const vocab *v, const uint8_t *const *stops, const size_t *stop_bytes,
                   size_t n_stops) {
    stream *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->v = v;
    s->stops = calloc(n_stops + 1, sizeof *s->stops);
    for (size_t i = 0; s->stops && i < n_stops; i++) {
        assert(stop_bytes[i] > 0);
        s->stops[i].bytes = malloc(stop_bytes[i]);
        if (!s->stops[i].bytes) break;
        memcpy(s->stops[i].bytes, stops[i], stop_bytes[i]);
        s->stops[i].n_bytes = stop_bytes[i];
        s->n_stops++;
    }
    if (!s->stops || s->n_stops < n_stops) stream_free(&s);
    return s;
}

void stream_free(stream **s) {
    if (!*s) return;
    for (size_t i = 0; i < (*s)->n_stops; i++) free((*s)->stops[i].bytes);
    free((*s)->stops);
    free((*s)->raw.bytes);
    free((*s)->text.bytes);
    free(*s);
    *s = NULL;
}

/* ---- from bytes to text ---- */

static bool is_text(token_type type) {
    return type == TOKEN_NORMAL || type == TOKEN_USER_DEFINED || type == TOKEN_BYTE;
}

/* Decode the first n_bytes raw bytes. */
static status decode(stream *s, size_t n_bytes) {
    if (n_bytes == 0) return STATUS_OK;
    size_t n_text;
    char *text = text_replace_ill_formed(s->raw.bytes, n_bytes, &n_text);
    if (!text) return STATUS_NO_MEMORY;
    status st = buffer_append(&s->text, text, n_text);
    free(text);
    if (st == STATUS_OK) buffer_drop_front(&s->raw, n_bytes);
    return st;
}

/* ---- stop strings ---- */

/* Where the first stop in the text begins; n_bytes: none. */
static size_t find_stop(const stream *s) {
    size_t first = s->text.n_bytes;
    for (size_t i = 0; i < s->n_stops && first > 0; i++) {
        const stop *at = &s->stops[i];
        const uint8_t *found = memmem(s->text.bytes, s->text.n_bytes, at->bytes, at->n_bytes);
        size_t begin = found ? (size_t)(found - s->text.bytes) : first;
        if (begin < first) first = begin;
    }
    return first;
}

/* How many bytes at the text's end could be the beginning of a stop. */
static size_t stop_beginning_bytes(const stream *s) {
    size_t longest = 0;
    for (size_t i = 0; i < s->n_stops; i++) {
        const stop *at = &s->stops[i];
        size_t n = at->n_bytes - 1 < s->text.n_bytes ? at->n_bytes - 1 : s->text.n_bytes;
        while (n > longest && memcmp(s->text.bytes + s->text.n_bytes - n, at->bytes, n) != 0) n--;
        if (n > longest) longest = n;
    }
    return longest;
}

/* Give away what may be shown; at the end nothing needs to be held back. */
static void show(stream *s, bool at_end, stream_text *out) {
    size_t n = find_stop(s);
    s->stopped = n < s->text.n_bytes;
    if (!s->stopped && !at_end) n -= stop_beginning_bytes(s);
    s->n_shown = n;
    *out = (stream_text){.bytes = s->text.bytes, .n_bytes = n, .stopped = s->stopped};
}

status stream_feed(stream *s, int32_t id, stream_text *out) {
    *out = (stream_text){.stopped = s->stopped};
    if (s->stopped) return STATUS_OK;
    buffer_drop_front(&s->text, s->n_shown);
    s->n_shown = 0;
    if (!is_text(vocab_type(s->v, id))) return STATUS_OK;
    vocab_bytes token = vocab_token(s->v, id);
    status st = buffer_append(&s->raw, token.bytes, token.n_bytes);
    if (st == STATUS_OK) st = decode(s, text_whole_prefix(s->raw.bytes, s->raw.n_bytes));
    if (st == STATUS_OK) show(s, false, out);
    return st;
}

status stream_end(stream *s, stream_text *out) {
    *out = (stream_text){.stopped = s->stopped};
    if (s->stopped) return STATUS_OK;
    buffer_drop_front(&s->text, s->n_shown);
    s->n_shown = 0;
    status st = decode(s, s->raw.n_bytes);
    if (st == STATUS_OK) show(s, true, out);
    return st;
}

/* ---- in one go ---- */

uint8_t *stream_detokenize(const vocab *v, const int32_t *ids, size_t n_ids, size_t *n_bytes) {
    buffer raw = {0};
    status st = STATUS_OK;
    for (size_t i = 0; i < n_ids && st == STATUS_OK; i++) {
        vocab_bytes token = vocab_token(v, ids[i]);
        st = buffer_append(&raw, token.bytes, token.n_bytes);
    }
    char *text = st == STATUS_OK ? text_replace_ill_formed(raw.bytes, raw.n_bytes, n_bytes) : NULL;
    free(raw.bytes);
    return (uint8_t *)text;
}
