#include "byte_strings.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "proto/base/buffer.h"

typedef struct string_slot {
    uint32_t tag;               /* upper half of the hash: spares most comparisons */
    uint32_t number;            /* index + 1; 0: free */
} string_slot;

struct byte_strings {
    size_t n, n_max;
    size_t bytes_max;
    buffer bytes;
    size_t *ends;               /* [n_max] string i ends here; it begins where string i - 1 ends */
    string_slot *slots;         /* [mask + 1] open addressing, half full; NULL: nothing indexed */
    size_t mask;
};

byte_strings *byte_strings_new(size_t n_max, size_t bytes_max) {
    assert(n_max < UINT32_MAX);
    byte_strings *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->n_max = n_max;
    s->bytes_max = bytes_max;
    s->ends = malloc((n_max + 1) * sizeof *s->ends);    /* + 1: an empty list is no failure */
    if (!s->ends) byte_strings_free(&s);
    return s;
}

void byte_strings_free(byte_strings **s) {
    if (!*s) return;
    buffer_clear(&(*s)->bytes);
    free((*s)->ends);
    free((*s)->slots);
    free(*s);
    *s = NULL;
}

status byte_strings_add(byte_strings *s, const uint8_t *bytes, size_t n_bytes) {
    if (s->n == s->n_max || n_bytes > s->bytes_max - s->bytes.n_bytes) return STATUS_TOO_LONG;
    status st = buffer_add(&s->bytes, bytes, n_bytes);
    if (st == STATUS_OK) s->ends[s->n++] = s->bytes.n_bytes;
    return st;
}

size_t byte_strings_count(const byte_strings *s) {
    return s->n;
}

const uint8_t *byte_strings_at(const byte_strings *s, size_t index, size_t *n_bytes) {
    assert(index < s->n);
    size_t begin = index > 0 ? s->ends[index - 1] : 0;
    *n_bytes = s->ends[index] - begin;
    return *n_bytes > 0 ? (const uint8_t *)s->bytes.bytes + begin : (const uint8_t *)"";
}

/* The slot that holds this content, or the free one where it belongs. */
static string_slot *find_slot(const byte_strings *s, const uint8_t *bytes, size_t n_bytes, uint64_t hash) {
    uint32_t tag = (uint32_t)(hash >> 32);
    for (size_t i = hash & s->mask;; i = (i + 1) & s->mask) {
        string_slot *at = &s->slots[i];
        if (at->number == 0) return at;
        if (at->tag != tag) continue;
        size_t n;
        const uint8_t *known = byte_strings_at(s, at->number - 1, &n);
        if (n == n_bytes && memcmp(known, bytes, n) == 0) return at;
    }
}

status byte_strings_index(byte_strings *s, size_t index) {
    if (!s->slots) {
        size_t n_slots = 2;
        while (n_slots < s->n_max * 2) n_slots *= 2;
        s->slots = calloc(n_slots, sizeof *s->slots);
        if (!s->slots) return STATUS_NO_MEMORY;
        s->mask = n_slots - 1;
    }
    size_t n_bytes;
    const uint8_t *bytes = byte_strings_at(s, index, &n_bytes);
    uint64_t hash = XXH3_64bits(bytes, n_bytes);
    string_slot *at = find_slot(s, bytes, n_bytes, hash);
    if (at->number == 0) *at = (string_slot){.tag = (uint32_t)(hash >> 32), .number = (uint32_t)index + 1};
    return STATUS_OK;
}

int64_t byte_strings_find(const byte_strings *s, const uint8_t *bytes, size_t n_bytes) {
    if (!s->slots) return -1;
    const string_slot *at = find_slot(s, bytes, n_bytes, XXH3_64bits(bytes, n_bytes));
    return (int64_t)at->number - 1;
}
