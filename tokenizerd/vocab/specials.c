#include "specials.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"

typedef struct special {
    const uint8_t *bytes;       /* in the list of texts */
    size_t n_bytes;
    int32_t id;
} special;

/* Sorted by bytes, so those with a common beginning lie together and the shorter comes first. */
struct specials {
    size_t n;
    size_t first[257];          /* those that begin with byte b: first[b] … first[b + 1] */
    special sorted[];
};

static int compare_specials(const void *left, const void *right) {
    const special *a = left, *b = right;
    int order = memcmp(a->bytes, b->bytes, a->n_bytes < b->n_bytes ? a->n_bytes : b->n_bytes);
    if (order != 0) return order;
    if (a->n_bytes != b->n_bytes) return a->n_bytes < b->n_bytes ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

specials *specials_new(const byte_strings *texts, const int32_t *ids, size_t n_ids) {
    specials *s = calloc(1, sizeof *s + n_ids * sizeof s->sorted[0]);
    if (!s) return NULL;
    for (size_t i = 0; i < n_ids; i++) {
        special *at = &s->sorted[s->n];
        at->bytes = byte_strings_at(texts, (size_t)ids[i], &at->n_bytes);
        at->id = ids[i];
        s->n += at->n_bytes > 0 && text_is_utf8(at->bytes, at->n_bytes);
    }
    qsort(s->sorted, s->n, sizeof s->sorted[0], compare_specials);
    for (size_t i = 0; i < s->n; i++) s->first[s->sorted[i].bytes[0] + 1]++;
    for (size_t b = 0; b < 256; b++) s->first[b + 1] += s->first[b];
    return s;
}

void specials_free(specials **s) {
    free(*s);
    *s = NULL;
}

/* The first of sorted[low … high) whose byte at `depth` is at least `byte`; all of them are longer
 * than `depth`. */
static size_t lower_bound(const specials *s, size_t low, size_t high, size_t depth, unsigned byte) {
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->sorted[middle].bytes[depth] < byte) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* The longest special that `text` begins with; NULL: none. Narrows the range byte by byte. */
static const special *match_here(const specials *s, const uint8_t *text, size_t n_bytes) {
    const special *longest = NULL;
    size_t low = s->first[text[0]], high = s->first[text[0] + 1];
    for (size_t depth = 1; low < high; depth++) {
        if (s->sorted[low].n_bytes == depth) {
            longest = &s->sorted[low];
            /* of equals the first, which has the lowest id, is taken */
            while (low < high && s->sorted[low].n_bytes == depth) low++;
        }
        if (depth == n_bytes || low == high) break;
        unsigned byte = text[depth];
        if (s->sorted[low].bytes[depth] != byte)
            low = lower_bound(s, low, high, depth, byte);
        if (low < high && s->sorted[high - 1].bytes[depth] != byte)
            high = lower_bound(s, low, high, depth, byte + 1);
    }
    return longest;
}

int32_t specials_find(const specials *s, const uint8_t *text, size_t n_bytes, size_t from, size_t until,
                      size_t *begin, size_t *end) {
    assert(from <= until && until <= n_bytes);
    *begin = *end = n_bytes;
    for (size_t at = from; s->n > 0 && at < until; at++) {
        const special *found = match_here(s, text + at, n_bytes - at);
        if (!found) continue;
        *begin = at;
        *end = at + found->n_bytes;
        return found->id;
    }
    return -1;
}
