/* libFuzzer: any ids and stop strings as a text that is written: it is the text of the same ids without stops, which ends
 * where the first stop in it begins. (An input is the number of stops, each with a byte for its length before it, then ids
 * of two bytes.) */
#include <stdlib.h>
#include <string.h>

#include "proto/base/buffer.h"
#include "proto/base/text.h"
#include "tests/fuzz/input/target.h"
#include "tests/support/tokenizer/small_tokenizer.h"
#include "tokenizerd/text/stream.h"

enum { STOPS = 4, INPUT_BYTES_MAX = 2048 };

typedef struct stop_strings {
    const uint8_t *bytes[STOPS];
    size_t n_bytes[STOPS];
    size_t n;
} stop_strings;

static void must(bool holds) {
    if (!holds) abort();
}

static const uint8_t *take_stops(stop_strings *stops, const uint8_t *at, const uint8_t *end) {
    size_t n = *at++ % (STOPS + 1);
    for (size_t i = 0; i < n && at < end; i++) {
        size_t n_bytes = *at++;
        if (n_bytes > (size_t)(end - at)) n_bytes = (size_t)(end - at);
        stops->bytes[stops->n] = at;
        stops->n_bytes[stops->n] = n_bytes;
        stops->n += n_bytes > 0;
        at += n_bytes;
    }
    return at;
}

/* Where the first stop in this text begins; its length: none does. */
static size_t first_stop(const buffer *text, const stop_strings *stops) {
    size_t first = text->n_bytes;
    for (size_t i = 0; i < stops->n && text->n_bytes > 0; i++) {
        const char *found = memmem(text->bytes, text->n_bytes, stops->bytes[i], stops->n_bytes[i]);
        if (found && (size_t)(found - text->bytes) < first) first = (size_t)(found - text->bytes);
    }
    return first;
}

/* One id more, or the end (-1). */
static bool feed(stream *s, int32_t id, buffer *shown) {
    stream_text out;
    must((id >= 0 ? stream_feed(s, id, &out) : stream_end(s, &out)) == STATUS_OK);
    must(buffer_add(shown, (const char *)out.bytes, out.n_bytes) == STATUS_OK);
    return out.stopped;
}

static void is_beginning(const buffer *shown, const buffer *all) {
    must(shown->n_bytes <= all->n_bytes);
    must(shown->n_bytes == 0 || memcmp(shown->bytes, all->bytes, shown->n_bytes) == 0);
}

static void check(const vocab *v, const stop_strings *stops, const uint8_t *ids, size_t n_ids) {
    stream *plain = stream_new(v, NULL, NULL, 0), *stopping = stream_new(v, stops->bytes, stops->n_bytes, stops->n);
    must(plain && stopping);
    buffer all = {0}, shown = {0};
    bool stopped = false;
    for (size_t i = 0; i <= n_ids && !stopped; i++) {
        uint32_t number = i < n_ids ? (uint32_t)ids[2 * i] | (uint32_t)ids[2 * i + 1] << 8 : 0;
        int32_t id = i < n_ids ? (int32_t)(number % vocab_size(v)) : -1;
        must(!feed(plain, id, &all));
        stopped = feed(stopping, id, &shown);
        size_t first = first_stop(&all, stops);
        is_beginning(&shown, &all);
        must(stopped == (first < all.n_bytes));
        must(!(stopped || id < 0) || shown.n_bytes == first);
    }
    must(text_is_utf8((const uint8_t *)all.bytes, all.n_bytes));
    if (stopped) must(feed(stopping, 0, &shown));
    stream_free(&plain);
    stream_free(&stopping);
    buffer_clear(&all);
    buffer_clear(&shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static tokenizer *t;
    if (!t) t = small_tokenizer_default();
    if (size == 0 || size > INPUT_BYTES_MAX) return 0;
    stop_strings stops = {0};
    const uint8_t *at = take_stops(&stops, data, data + size);
    check(tokenizer_vocab(t), &stops, at, (size_t)(data + size - at) / 2);
    return 0;
}
