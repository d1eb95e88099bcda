#include "stream.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/buffer.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

/* Looked for byte by byte (Knuth, Morris and Pratt 1977), so that a long one costs no more a byte. */
typedef struct stop {
    uint8_t *bytes;             /* [n_bytes], owned */
    size_t *borders;            /* [n_bytes], owned; of its first i + 1 bytes the longest end that
                                 * is also their beginning */
    size_t n_bytes;
    size_t n_matched;           /* of its bytes, that the text so far ends with */
} stop;

struct stream {
    const vocab *v;
    stop *stops;
    size_t n_stops;
    bool stopped;
    buffer raw;                 /* not decoded yet: the beginning of a character */
    buffer text;                /* decoded: what the last call gave away, then what is held back */
    size_t n_shown;             /* bytes that the last call gave away */
};

/* ---- what it is made of ---- */

/* One byte of text more for a stop that is not whole yet. */
static void stop_feed(stop *at, uint8_t byte) {
    while (at->n_matched > 0 && at->bytes[at->n_matched] != byte)
        at->n_matched = at->borders[at->n_matched - 1];
    if (at->bytes[at->n_matched] == byte) at->n_matched++;
}

/* False: no memory. */
static bool stop_init(stop *at, const uint8_t *bytes, size_t n_bytes) {
    assert(n_bytes > 0);
    at->bytes = malloc(n_bytes);
    at->borders = calloc(n_bytes, sizeof *at->borders);
    if (!at->bytes || !at->borders) return false;
    memcpy(at->bytes, bytes, n_bytes);
    at->n_bytes = n_bytes;
    for (size_t i = 1; i < n_bytes; i++) {
        stop_feed(at, bytes[i]);
        at->borders[i] = at->n_matched;
    }
    at->n_matched = 0;
    return true;
}

stream *stream_new(const vocab *v, const uint8_t *const *stops, const size_t *stop_bytes,
                   size_t n_stops) {
    stream *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->v = v;
    s->stops = calloc(n_stops + 1, sizeof *s->stops);
    bool whole = s->stops != NULL;
    while (whole && s->n_stops < n_stops) {
        whole = stop_init(&s->stops[s->n_stops], stops[s->n_stops], stop_bytes[s->n_stops]);
        s->n_stops++;
    }
    if (!whole) stream_free(&s);
    return s;
}

void stream_free(stream **s) {
    if (!*s) return;
    for (size_t i = 0; i < (*s)->n_stops; i++) {
        free((*s)->stops[i].bytes);
        free((*s)->stops[i].borders);
    }
    free((*s)->stops);
    buffer_clear(&(*s)->raw);
    buffer_clear(&(*s)->text);
    free(*s);
    *s = NULL;
}

/* ---- from bytes to text ---- */

static bool is_text(token_type type) {
    return type == TOKEN_NORMAL || type == TOKEN_USER_DEFINED || type == TOKEN_BYTE ||
           type == TOKEN_FOREIGN;
}

/* Decode the first n_bytes raw bytes. */
static status decode(stream *s, size_t n_bytes) {
    if (n_bytes == 0) return STATUS_OK;
    size_t n_text;
    char *text = text_replace_ill_formed((const uint8_t *)s->raw.bytes, n_bytes, &n_text);
    if (!text) return STATUS_NO_MEMORY;
    status st = buffer_add(&s->text, text, n_text);
    free(text);
    if (st == STATUS_OK) buffer_drop(&s->raw, n_bytes);
    return st;
}

/* ---- stop strings ---- */

/* Feed the stops the text from `from` on. Where the first one in it begins; n_bytes: none. */
static size_t find_stop(stream *s, size_t from) {
    size_t first = s->text.n_bytes;
    for (size_t i = 0; i < s->n_stops; i++) {
        stop *at = &s->stops[i];
        size_t end = from;
        while (end < s->text.n_bytes && at->n_matched < at->n_bytes)
            stop_feed(at, (uint8_t)s->text.bytes[end++]);
        if (at->n_matched == at->n_bytes && end - at->n_bytes < first) first = end - at->n_bytes;
    }
    return first;
}

/* How many bytes at the text's end could be the beginning of a stop. */
static size_t stop_beginning_bytes(const stream *s) {
    size_t longest = 0;
    for (size_t i = 0; i < s->n_stops; i++)
        if (s->stops[i].n_matched > longest) longest = s->stops[i].n_matched;
    return longest;
}

/* Give away what may be shown of the text, which is new from `from` on; at the end nothing needs to
 * be held back. */
static void show(stream *s, size_t from, bool at_end, stream_text *out) {
    size_t n = find_stop(s, from);
    s->stopped = n < s->text.n_bytes;
    if (!s->stopped && !at_end) n -= stop_beginning_bytes(s);
    s->n_shown = n;
    *out = (stream_text){(const uint8_t *)s->text.bytes, n, s->stopped};
}

status stream_feed(stream *s, int32_t id, stream_text *out) {
    *out = (stream_text){.stopped = s->stopped};
    if (s->stopped) return STATUS_OK;
    buffer_drop(&s->text, s->n_shown);
    s->n_shown = 0;
    if (!is_text(vocab_type(s->v, id))) return STATUS_OK;
    size_t n_held = s->text.n_bytes;
    vocab_bytes token = vocab_token(s->v, id);
    status st = buffer_add(&s->raw, token.bytes, token.n_bytes);
    if (st == STATUS_OK)
        st = decode(s, text_whole_prefix((const uint8_t *)s->raw.bytes, s->raw.n_bytes));
    if (st == STATUS_OK) show(s, n_held, false, out);
    return st;
}

status stream_end(stream *s, stream_text *out) {
    *out = (stream_text){.stopped = s->stopped};
    if (s->stopped) return STATUS_OK;
    buffer_drop(&s->text, s->n_shown);
    s->n_shown = 0;
    size_t n_held = s->text.n_bytes;
    status st = decode(s, s->raw.n_bytes);
    if (st == STATUS_OK) show(s, n_held, true, out);
    return st;
}
