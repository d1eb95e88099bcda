#include "kv_cache.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "proto/base/limits.h"
#include "proto/numeric/half.h"

enum { PAGE_PANELS = PAGE_TOKENS / KV_PANEL, PAGE_BYTES_UNIT = 4096, KEY_STRIP = 64 };

typedef enum use { USE_NONE, USE_OPEN, USE_CACHED } use;

typedef struct kept_sequence {
    use use;
    char key[KV_KEY_BYTES_MAX + 1];
    uint32_t n_positions;           /* computed so far */
    uint32_t n_positions_max;       /* open: what its pages are reserved for */
    uint32_t n_pages;
    uint32_t *pages;                /* [n_pages], owned: the page of positions PAGE_TOKENS·i … */
    uint64_t closed_at;             /* cached: count of closings then, for the order of eviction */
} kept_sequence;

struct kv_cache {
    kv_shape shape;
    uint32_t n_pages, n_free, n_sequences_max;
    uint32_t n_pages_open;          /* of open sequences: the others are free or can be evicted */
    uint64_t n_closings;
    size_t panel_items;             /* float16s in one panel of keys, or of values */
    size_t page_bytes, memory_bytes;
    uint8_t *memory;                /* [n_pages][page_bytes]; in a page [layer][kv head][panel][2][panel_items] */
    int32_t *ids;                   /* [n_pages][PAGE_TOKENS]: what was computed there */
    uint32_t *free_pages;           /* [n_free], a stack: the last one freed is taken first */
    kept_sequence *sequences;       /* [n_sequences_max] */
};

size_t kv_cache_page_bytes(kv_shape shape) {
    size_t bytes = (size_t)shape.n_layers * shape.n_kv_heads * shape.head_dim * PAGE_TOKENS * 2
                   * sizeof(uint16_t);
    return (bytes + PAGE_BYTES_UNIT - 1) / PAGE_BYTES_UNIT * PAGE_BYTES_UNIT;
}

static uint32_t pages_for(uint32_t n_positions) {
    return n_positions / PAGE_TOKENS + (n_positions % PAGE_TOKENS != 0);
}

static bool map_pages(kv_cache *c) {
    if (__builtin_mul_overflow(c->page_bytes, c->n_pages, &c->memory_bytes)) return false;
    void *memory = mmap(NULL, c->memory_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return false;
    c->memory = memory;
    return true;
}

static bool make_tables(kv_cache *c) {
    c->ids = calloc(c->n_pages, sizeof *c->ids * PAGE_TOKENS);
    c->free_pages = calloc(c->n_pages, sizeof *c->free_pages);
    c->sequences = calloc(c->n_sequences_max, sizeof *c->sequences);
    if (!c->ids || !c->free_pages || !c->sequences) return false;
    while (c->n_free < c->n_pages) {
        c->free_pages[c->n_free] = c->n_pages - 1 - c->n_free;
        c->n_free++;
    }
    return true;
}

kv_cache *kv_cache_new(kv_shape shape, uint32_t n_pages, uint32_t n_sequences_max) {
    assert(n_pages > 0 && n_sequences_max > 0);
    kv_cache *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->shape = shape;
    c->panel_items = (size_t)shape.head_dim * KV_PANEL;
    c->page_bytes = kv_cache_page_bytes(shape);
    c->n_pages = n_pages;
    c->n_sequences_max = n_sequences_max;
    if (!map_pages(c) || !make_tables(c)) kv_cache_free(&c);
    return c;
}

void kv_cache_free(kv_cache **cache) {
    kv_cache *c = *cache;
    if (!c) return;
    for (uint32_t i = 0; c->sequences && i < c->n_sequences_max; i++) free(c->sequences[i].pages);
    if (c->memory) munmap(c->memory, c->memory_bytes);
    free(c->ids);
    free(c->free_pages);
    free(c->sequences);
    free(c);
    *cache = NULL;
}

/* ---- pages ---- */

/* Give back the pages from the n_kept-th on. */
static void release_pages(kv_cache *c, kept_sequence *s, uint32_t n_kept) {
    while (s->n_pages > n_kept) c->free_pages[c->n_free++] = s->pages[--s->n_pages];
}

static void forget(kv_cache *c, kept_sequence *s) {
    release_pages(c, s, 0);
    free(s->pages);
    *s = (kept_sequence){.use = USE_NONE};
}

static kept_sequence *least_recently_closed(const kv_cache *c) {
    kept_sequence *oldest = NULL;
    for (uint32_t i = 0; i < c->n_sequences_max; i++) {
        kept_sequence *s = &c->sequences[i];
        if (s->use == USE_CACHED && (!oldest || s->closed_at < oldest->closed_at)) oldest = s;
    }
    return oldest;
}

static kept_sequence *find_cached(const kv_cache *c, const char *key) {
    for (uint32_t i = 0; i < c->n_sequences_max; i++)
        if (c->sequences[i].use == USE_CACHED && strcmp(c->sequences[i].key, key) == 0)
            return &c->sequences[i];
    return NULL;
}

/* A handle that holds nothing: a free one, else the one whose cache is oldest. NULL: all are open. */
static kept_sequence *vacant_sequence(kv_cache *c) {
    for (uint32_t i = 0; i < c->n_sequences_max; i++)
        if (c->sequences[i].use == USE_NONE) return &c->sequences[i];
    kept_sequence *oldest = least_recently_closed(c);
    if (oldest) forget(c, oldest);
    return oldest;
}

static uint32_t common_prefix(const kv_cache *c, const kept_sequence *s, const int32_t *ids, uint32_t n_ids) {
    uint32_t n_max = n_ids < s->n_positions ? n_ids : s->n_positions, n = 0;
    while (n < n_max && c->ids[(size_t)s->pages[n / PAGE_TOKENS] * PAGE_TOKENS + n % PAGE_TOKENS] == ids[n])
        n++;
    return n;
}

/* ---- sequences ---- */

status kv_cache_open(kv_cache *cache, const char *key, const int32_t *ids, uint32_t n_ids,
                     uint32_t n_positions_max, kv_sequence *out, uint32_t *n_cached) {
    assert(strlen(key) <= KV_KEY_BYTES_MAX && n_ids <= n_positions_max);
    uint32_t n_pages = pages_for(n_positions_max);
    if (n_pages > cache->n_pages) return STATUS_TOO_LONG;
    if (n_pages > cache->n_pages - cache->n_pages_open) return STATUS_BUSY;
    kept_sequence *s = find_cached(cache, key);
    if (!s) s = vacant_sequence(cache);
    if (!s) return STATUS_BUSY;

    uint32_t n_kept = n_ids ? common_prefix(cache, s, ids, n_ids - 1) : 0;
    uint32_t n_table = n_pages > s->n_pages ? n_pages : s->n_pages;
    uint32_t *pages = realloc(s->pages, (n_table + 1) * sizeof *pages);
    if (!pages) return STATUS_NO_MEMORY;
    s->pages = pages;
    release_pages(cache, s, pages_for(n_kept));
    s->use = USE_OPEN;              /* from here on it is not evicted for its own pages */
    s->n_positions = n_kept;
    s->n_positions_max = n_positions_max;
    memcpy(s->key, key, strlen(key) + 1);

    while (cache->n_free < n_pages - s->n_pages) forget(cache, least_recently_closed(cache));
    while (s->n_pages < n_pages) s->pages[s->n_pages++] = cache->free_pages[--cache->n_free];
    cache->n_pages_open += n_pages;
    *out = (kv_sequence)(s - cache->sequences);
    *n_cached = n_kept;
    return STATUS_OK;
}

static kept_sequence *open_sequence(const kv_cache *c, kv_sequence handle) {
    assert(handle < c->n_sequences_max && c->sequences[handle].use == USE_OPEN);
    return &c->sequences[handle];
}

void kv_cache_close(kv_cache *cache, kv_sequence handle) {
    kept_sequence *s = open_sequence(cache, handle);
    if (s->n_positions == 0) {
        kv_cache_drop(cache, handle);
        return;
    }
    kept_sequence *older = find_cached(cache, s->key);
    if (older) forget(cache, older);
    cache->n_pages_open -= s->n_pages;
    release_pages(cache, s, pages_for(s->n_positions));
    s->use = USE_CACHED;
    s->closed_at = cache->n_closings++;
}

void kv_cache_drop(kv_cache *cache, kv_sequence handle) {
    kept_sequence *s = open_sequence(cache, handle);
    cache->n_pages_open -= s->n_pages;
    forget(cache, s);
}

uint32_t kv_cache_n_positions(const kv_cache *cache, kv_sequence handle) {
    return open_sequence(cache, handle)->n_positions;
}

void kv_cache_extend(kv_cache *cache, kv_sequence handle, const int32_t *ids, uint32_t n_ids) {
    kept_sequence *s = open_sequence(cache, handle);
    assert(n_ids <= s->n_positions_max - s->n_positions);
    for (uint32_t i = 0; i < n_ids; i++, s->n_positions++) {
        size_t page = s->pages[s->n_positions / PAGE_TOKENS];
        cache->ids[page * PAGE_TOKENS + s->n_positions % PAGE_TOKENS] = ids[i];
    }
}

void kv_cache_rewind(kv_cache *cache, kv_sequence handle) {
    open_sequence(cache, handle)->n_positions = 0;
}

/* ---- keys and values ---- */

/* Keys of a panel; its values follow them. */
static uint16_t *panel_of(const kv_cache *c, kv_sequence handle, uint32_t layer, uint32_t kv_head,
                          uint32_t panel) {
    const kept_sequence *s = open_sequence(c, handle);
    assert(layer < c->shape.n_layers && kv_head < c->shape.n_kv_heads && panel / PAGE_PANELS < s->n_pages);
    uint8_t *page = c->memory + s->pages[panel / PAGE_PANELS] * c->page_bytes;
    size_t index = ((size_t)layer * c->shape.n_kv_heads + kv_head) * PAGE_PANELS + panel % PAGE_PANELS;
    return (uint16_t *)(void *)page + index * 2 * c->panel_items;
}

void kv_cache_write(kv_cache *cache, kv_sequence handle, uint32_t layer, uint32_t kv_head, uint32_t pos,
                    const float *key, const float *value) {
    assert(pos < open_sequence(cache, handle)->n_positions_max);
    uint16_t *keys = panel_of(cache, handle, layer, kv_head, pos / KV_PANEL);
    uint16_t *values = keys + cache->panel_items;
    uint32_t lane = pos % KV_PANEL, head_dim = cache->shape.head_dim;
    half_from_floats(values + lane * head_dim, value, head_dim);
    for (uint32_t first = 0; first < head_dim; first += KEY_STRIP) {
        uint16_t strip[KEY_STRIP];
        uint32_t n = head_dim - first < KEY_STRIP ? head_dim - first : KEY_STRIP;
        half_from_floats(strip, key + first, n);
        for (uint32_t i = 0; i < n; i++) keys[(first + i) * KV_PANEL + lane] = strip[i];
    }
}

const uint16_t *kv_cache_keys(const kv_cache *cache, kv_sequence handle, uint32_t layer,
                              uint32_t kv_head, uint32_t panel) {
    return panel_of(cache, handle, layer, kv_head, panel);
}

const uint16_t *kv_cache_values(const kv_cache *cache, kv_sequence handle, uint32_t layer,
                                uint32_t kv_head, uint32_t panel) {
    return panel_of(cache, handle, layer, kv_head, panel) + cache->panel_items;
}

uint32_t kv_cache_pages(const kv_cache *cache) {
    return cache->n_pages;
}

uint32_t kv_cache_pages_used(const kv_cache *cache) {
    return cache->n_pages - cache->n_free;
}
