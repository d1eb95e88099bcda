#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "gguf_parts.h"
#include "proto/base/text.h"

enum { KEY_BYTES_SHOWN = 100 };

typedef enum value_type {       /* numbers as in the file */
    VALUE_U8, VALUE_I8, VALUE_U16, VALUE_I16, VALUE_U32, VALUE_I32, VALUE_F32,
    VALUE_BOOL, VALUE_TEXT, VALUE_ARRAY, VALUE_U64, VALUE_I64, VALUE_F64,
    VALUE_TYPES
} value_type;

typedef enum value_kind { KIND_UINT, KIND_INT, KIND_REAL, KIND_OTHER } value_kind;

static const struct {
    const char *name;
    value_kind kind;
    size_t n_bytes_min;         /* numbers and bools: exactly */
} value_types[VALUE_TYPES] = {
    [VALUE_U8] = {"uint8", KIND_UINT, 1},     [VALUE_I8] = {"int8", KIND_INT, 1},
    [VALUE_U16] = {"uint16", KIND_UINT, 2},   [VALUE_I16] = {"int16", KIND_INT, 2},
    [VALUE_U32] = {"uint32", KIND_UINT, 4},   [VALUE_I32] = {"int32", KIND_INT, 4},
    [VALUE_U64] = {"uint64", KIND_UINT, 8},   [VALUE_I64] = {"int64", KIND_INT, 8},
    [VALUE_F32] = {"float32", KIND_REAL, 4},  [VALUE_F64] = {"float64", KIND_REAL, 8},
    [VALUE_BOOL] = {"bool", KIND_OTHER, 1},   [VALUE_TEXT] = {"text", KIND_OTHER, 8},
    [VALUE_ARRAY] = {"array", KIND_OTHER, 0},
};

static int shown(gguf_view key) {
    return key.n_bytes < KEY_BYTES_SHOWN ? (int)key.n_bytes : KEY_BYTES_SHOWN;
}

static int view_compare(gguf_view a, gguf_view b) {
    int order = memcmp(a.bytes, b.bytes, a.n_bytes < b.n_bytes ? a.n_bytes : b.n_bytes);
    return order ? order : (a.n_bytes > b.n_bytes) - (a.n_bytes < b.n_bytes);
}

/* ---- reading ---- */

static bool read_type(gguf_reader *r, const gguf_entry *e, uint32_t *out) {
    if (!gguf_read_u32(r, out)) return false;
    if (*out >= VALUE_TYPES)
        return gguf_fails(r, STATUS_UNSUPPORTED,
                          "key %.*s has a value of unknown type %u; uint8 … float64, bool, text "
                          "and arrays of them are supported", shown(e->key), e->key.bytes, *out);
    return true;
}

/* Before anything is allocated for them: can that many items be in what is left of the file? */
static bool check_count(const gguf_reader *r, const gguf_entry *e) {
    size_t n_max = (r->g->n_bytes - r->at) / value_types[e->item_type].n_bytes_min;
    if (e->n_items > n_max)
        return gguf_fails(r, STATUS_IO,
                          "the file is cut short or damaged: key %.*s with %llu items of type %s goes "
                          "beyond its end", shown(e->key), e->key.bytes,
                          (unsigned long long)e->n_items, value_types[e->item_type].name);
    return true;
}

static bool read_texts(gguf_reader *r, gguf_entry *e) {
    e->views = calloc(e->n_items + 1, sizeof *e->views);
    if (!e->views) return gguf_no_memory(r);
    for (uint64_t i = 0; i < e->n_items; i++)
        if (!gguf_read_text(r, &e->views[i])) return false;
    return true;
}

static bool read_numbers(gguf_reader *r, gguf_entry *e) {
    e->items = gguf_take(r, e->n_items * value_types[e->item_type].n_bytes_min);
    bool is_int = e->item_type == VALUE_I32 || e->item_type == VALUE_U32;
    if (e->type != VALUE_ARRAY || !is_int) return true;
    e->ints = calloc(e->n_items + 1, sizeof *e->ints);
    if (!e->ints) return gguf_no_memory(r);
    memcpy(e->ints, e->items, e->n_items * sizeof *e->ints);
    return true;
}

static bool read_entry(gguf_reader *r, size_t index, gguf_entry *e) {
    if (!gguf_read_name(r, "key", index, GGUF_KEY_BYTES_MAX, &e->key)) return false;
    size_t start = r->at;
    if (!read_type(r, e, &e->type)) return false;
    e->item_type = e->type;
    e->n_items = 1;
    if (e->type == VALUE_ARRAY && (!read_type(r, e, &e->item_type) || !gguf_read_u64(r, &e->n_items)))
        return false;
    if (e->item_type == VALUE_ARRAY)
        return gguf_fails(r, STATUS_UNSUPPORTED,
                          "key %.*s is an array of arrays; arrays of numbers, bools or texts are "
                          "supported", shown(e->key), e->key.bytes);
    if (!check_count(r, e)) return false;
    if (!(e->item_type == VALUE_TEXT ? read_texts(r, e) : read_numbers(r, e))) return false;
    e->raw = r->g->bytes + start;
    e->raw_bytes = r->at - start;
    return true;
}

static int entry_compare(const void *a, const void *b) {
    return view_compare(((const gguf_entry *)a)->key, ((const gguf_entry *)b)->key);
}

static const gguf_entry *find(const gguf *g, const char *key) {
    gguf_entry wanted = {.key = {key, strlen(key)}};
    return bsearch(&wanted, g->entries, g->n_entries, sizeof wanted, entry_compare);
}

bool gguf_read_entries(gguf_reader *r) {
    gguf *g = r->g;
    g->metadata_start = r->at;
    for (size_t i = 0; i < g->n_entries; i++)
        if (!read_entry(r, i, &g->entries[i])) return false;
    g->metadata_end = r->at;
    qsort(g->entries, g->n_entries, sizeof *g->entries, entry_compare);
    for (size_t i = 1; i < g->n_entries; i++)
        if (entry_compare(&g->entries[i - 1], &g->entries[i]) == 0)
            return gguf_fails(r, STATUS_IO, "key %.*s is there twice", shown(g->entries[i].key),
                              g->entries[i].key.bytes);
    uint64_t n_parts = 0;
    if (gguf_uint_or(g, "split.count", 0, UINT16_MAX, 1, &n_parts, r->f) != STATUS_OK) return false;
    if (n_parts > 1)
        return gguf_fails(r, STATUS_UNSUPPORTED,
                          "this is one of %llu parts of a split model; merge them into one file "
                          "first", (unsigned long long)n_parts);
    return true;
}

void gguf_free_entries(gguf *g) {
    for (size_t i = 0; i < g->n_entries; i++) {
        free(g->entries[i].views);
        free(g->entries[i].ints);
    }
    free(g->entries);
}

/* ---- values ---- */

bool gguf_has(const gguf *g, const char *key) {
    return find(g, key) != NULL;
}

bool gguf_is_array(const gguf *g, const char *key) {
    const gguf_entry *e = find(g, key);
    return e && e->type == VALUE_ARRAY;
}

static status absent(const gguf *g, const char *key, failure *f) {
    return gguf_refuse(g, f, STATUS_NOT_FOUND, "key %s is missing", key);
}

static status wrong_type(const gguf *g, const char *key, const gguf_entry *e, const char *wanted,
                         failure *f) {
    bool is_array = e->type == VALUE_ARRAY;
    return gguf_refuse(g, f, STATUS_BAD_REQUEST, "key %s is %s%s; %s is wanted", key,
                       is_array ? "an array of " : "of type ", value_types[e->item_type].name,
                       wanted);
}

static status take_uint(const gguf *g, const char *key, const gguf_entry *e, uint64_t min, uint64_t max,
                        uint64_t *out, failure *f) {
    value_kind kind = value_types[e->type].kind;
    size_t n_bytes = value_types[e->type].n_bytes_min;
    if (kind != KIND_UINT && kind != KIND_INT) return wrong_type(g, key, e, "a whole number", f);
    uint64_t value = 0;
    memcpy(&value, e->items, n_bytes);
    if (kind == KIND_INT && value >> (8 * n_bytes - 1))
        return gguf_refuse(g, f, STATUS_BAD_REQUEST, "key %s is negative, not %llu to %llu", key,
                           (unsigned long long)min, (unsigned long long)max);
    if (value < min || value > max)
        return gguf_refuse(g, f, STATUS_BAD_REQUEST, "key %s is %llu, not %llu to %llu", key,
                           (unsigned long long)value, (unsigned long long)min,
                           (unsigned long long)max);
    *out = value;
    return STATUS_OK;
}

status gguf_uint(const gguf *g, const char *key, uint64_t min, uint64_t max, uint64_t *out, failure *f) {
    const gguf_entry *e = find(g, key);
    return e ? take_uint(g, key, e, min, max, out, f) : absent(g, key, f);
}

status gguf_uint_or(const gguf *g, const char *key, uint64_t min, uint64_t max, uint64_t fallback,
                    uint64_t *out, failure *f) {
    const gguf_entry *e = find(g, key);
    if (e) return take_uint(g, key, e, min, max, out, f);
    *out = fallback;
    return STATUS_OK;
}

status gguf_real_or(const gguf *g, const char *key, double fallback, double *out, failure *f) {
    const gguf_entry *e = find(g, key);
    double value = fallback;
    if (e && value_types[e->type].kind != KIND_REAL) return wrong_type(g, key, e, "a real number", f);
    if (e && e->type == VALUE_F64) memcpy(&value, e->items, sizeof value);
    if (e && e->type == VALUE_F32) {
        float narrow;
        memcpy(&narrow, e->items, sizeof narrow);
        value = (double)narrow;
    }
    if (e && !isfinite(value))
        return gguf_refuse(g, f, STATUS_BAD_REQUEST, "key %s is not a finite number", key);
    *out = value;
    return STATUS_OK;
}

status gguf_bool_or(const gguf *g, const char *key, bool fallback, bool *out, failure *f) {
    const gguf_entry *e = find(g, key);
    if (e && e->type != VALUE_BOOL) return wrong_type(g, key, e, "a bool", f);
    if (e && *e->items > 1)
        return gguf_refuse(g, f, STATUS_BAD_REQUEST, "key %s is a bool of %u, not 0 or 1", key,
                           *e->items);
    *out = e ? *e->items == 1 : fallback;
    return STATUS_OK;
}

status gguf_text(const gguf *g, const char *key, const char **text, size_t *n_bytes, failure *f) {
    const gguf_entry *e = find(g, key);
    if (!e) return absent(g, key, f);
    if (e->type != VALUE_TEXT) return wrong_type(g, key, e, "a text", f);
    *text = e->views[0].bytes;
    *n_bytes = e->views[0].n_bytes;
    return STATUS_OK;
}

status gguf_texts(const gguf *g, const char *key, const gguf_view **views, size_t *n, failure *f) {
    const gguf_entry *e = find(g, key);
    if (!e) return absent(g, key, f);
    if (e->type != VALUE_ARRAY || e->item_type != VALUE_TEXT)
        return wrong_type(g, key, e, "an array of texts", f);
    *views = e->views;
    *n = e->n_items;
    return STATUS_OK;
}

status gguf_ints(const gguf *g, const char *key, const int32_t **items, size_t *n, failure *f) {
    const gguf_entry *e = find(g, key);
    if (!e) return absent(g, key, f);
    if (!e->ints) return wrong_type(g, key, e, "an array of int32 or uint32", f);
    for (uint64_t i = 0; e->item_type == VALUE_U32 && i < e->n_items; i++)
        if (e->ints[i] < 0)
            return gguf_refuse(g, f, STATUS_BAD_REQUEST, "key %s has an item above 2147483647",
                               key);
    *items = e->ints;
    *n = e->n_items;
    return STATUS_OK;
}

const uint8_t *gguf_metadata(const gguf *g, size_t *n_bytes, size_t *n_keys) {
    *n_bytes = g->metadata_end - g->metadata_start;
    *n_keys = g->n_entries;
    return g->bytes + g->metadata_start;
}

/* A chain over the keys in their sorted order, so that their order in the file does not matter. */
void gguf_tokenizer_hash(const gguf *g, char out[33]) {
    static const char prefix[] = "tokenizer.";
    struct { XXH128_canonical_t before, key, value; } link = {0};
    for (size_t i = 0; i < g->n_entries; i++) {
        const gguf_entry *e = &g->entries[i];
        if (e->key.n_bytes < sizeof prefix - 1 || memcmp(e->key.bytes, prefix, sizeof prefix - 1) != 0)
            continue;
        XXH128_canonicalFromHash(&link.key, XXH3_128bits(e->key.bytes, e->key.n_bytes));
        XXH128_canonicalFromHash(&link.value, XXH3_128bits(e->raw, e->raw_bytes));
        XXH128_canonicalFromHash(&link.before, XXH3_128bits(&link, sizeof link));
    }
    text_hex(link.before.digest, sizeof link.before.digest, out);
}
