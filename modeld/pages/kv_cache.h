/* The KV-cache: keys and values of positions already computed, in pages, by session.
 *
 * Values are float16 (nearest even). A page holds PAGE_TOKENS positions of all layers and heads:
 * keys as panels of 16 positions side by side, [head_dim][16], values as rows, [head_dim] a position.
 * A sequence that is closed stays as cache under its key until its pages are wanted (least recently
 * used first); one that is opened with the same key keeps the longest common prefix of ids. */
#ifndef TRIVIUM_KV_CACHE_H
#define TRIVIUM_KV_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"

enum { KV_KEY_BYTES_MAX = 320, KV_PANEL = 16 };

typedef struct kv_cache kv_cache;
typedef uint32_t kv_sequence;       /* handle of an open sequence, below the n_sequences_max of _new */

typedef struct kv_shape {       /* each at least 1 */
    uint32_t n_layers, n_kv_heads, head_dim;
} kv_shape;

size_t kv_cache_page_bytes(kv_shape shape);

/* NULL: no memory. Pages are address space until they are written. */
kv_cache *kv_cache_new(kv_shape shape, uint32_t n_pages, uint32_t n_sequences_max);
void kv_cache_free(kv_cache **cache);

/* Open a sequence that may grow to n_positions_max positions; pages for all of them are reserved now, so
 * that an admitted sequence never runs dry. `ids` are those it will start with; *n_cached is how many of
 * them, from the first, have their keys and values here already (at most n_ids - 1: the last position
 * is always computed, for its logits). STATUS_BUSY: no pages or handles free now. STATUS_TOO_LONG: more
 * pages than there are. STATUS_NO_MEMORY. None of these changes what is open; what an open sequence holds
 * is never shared: a second one opened under its key computes its own. Handles count for cache, too: when
 * none is free, the cache least recently closed gives way. */
status kv_cache_open(kv_cache *cache, const char *key, const int32_t *ids, uint32_t n_ids,
                     uint32_t n_positions_max, kv_sequence *sequence, uint32_t *n_cached);

/* Close it; what it computed (the ids told by kv_cache_extend) stays as cache under its key, in place of
 * older cache there; reserved pages that hold none of it become free. */
void kv_cache_close(kv_cache *cache, kv_sequence sequence);
/* Close it and forget its contents. */
void kv_cache_drop(kv_cache *cache, kv_sequence sequence);

/* Positions computed so far. */
uint32_t kv_cache_n_positions(const kv_cache *cache, kv_sequence sequence);

/* Positions [n_positions, n_positions + n_ids) now hold these ids, in all layers: called after the
 * forward pass has written them. */
void kv_cache_extend(kv_cache *cache, kv_sequence sequence, const int32_t *ids, uint32_t n_ids);

/* An open sequence forgets what it computed, and keeps its pages. */
void kv_cache_rewind(kv_cache *cache, kv_sequence sequence);

/* Write the key and value of one position of one layer and kv head: [head_dim] float32 each, rounded to
 * float16 here. `pos` lies within the reservation. Threads may write different heads or positions. */
void kv_cache_write(kv_cache *cache, kv_sequence sequence, uint32_t layer, uint32_t kv_head, uint32_t pos,
                    const float *key, const float *value);

/* Panel `panel` (positions 16·panel …) within the reservation: keys [head_dim][16], values [16][head_dim],
 * float16 bits. Positions that were not written since the sequence was opened, and that are not below its
 * kv_cache_n_positions, hold anything, NaN and infinity included: a reader must not use them, not even
 * times zero. The panels of one page lie at equal distances. */
const uint16_t *kv_cache_keys(const kv_cache *cache, kv_sequence sequence, uint32_t layer,
                              uint32_t kv_head, uint32_t panel);
const uint16_t *kv_cache_values(const kv_cache *cache, kv_sequence sequence, uint32_t layer,
                                uint32_t kv_head, uint32_t panel);

uint32_t kv_cache_pages(const kv_cache *cache);
uint32_t kv_cache_pages_used(const kv_cache *cache);    /* reserved or holding cache */

#endif
