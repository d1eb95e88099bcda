/* kv_cache.h: the layout of keys and values, reservations, reuse by key and prefix, eviction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "modeld/pages/kv_cache.h"
#include "proto/base/limits.h"
#include "proto/numeric/half.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { N_LAYERS = 2, N_KV_HEADS = 3, HEAD_DIM = 10, N_PAGES = 6 };

static const kv_shape shape = {.n_layers = N_LAYERS, .n_kv_heads = N_KV_HEADS, .head_dim = HEAD_DIM};

static int setup(void **state) {
    *state = kv_cache_new(shape, N_PAGES, 4);
    return *state == NULL;
}

static int teardown(void **state) {
    kv_cache_free((kv_cache **)state);
    return *state != NULL;
}

/* What the tests store: a number that depends on all ids up to a position, as real keys do. */
static float item(uint32_t history, uint32_t layer, uint32_t head, uint32_t i, bool is_value) {
    uint32_t mixed = (history + layer * 7919 + head * 104729 + i * 1299709 + is_value) * 2654435761u;
    return (float)(mixed >> 16) / 1024.0f - 32.0f;
}

static uint32_t history_of(const int32_t *ids, uint32_t n_ids) {
    uint32_t hash = 17;
    for (uint32_t i = 0; i < n_ids; i++) hash = hash * 31 + (uint32_t)ids[i];
    return hash;
}

/* What a forward pass does: write positions [from, to) in all layers, then say so. */
static void compute(kv_cache *cache, kv_sequence sequence, const int32_t *ids, uint32_t from, uint32_t to) {
    float key[HEAD_DIM], value[HEAD_DIM];
    for (uint32_t pos = from; pos < to; pos++)
        for (uint32_t layer = 0; layer < N_LAYERS; layer++)
            for (uint32_t head = 0; head < N_KV_HEADS; head++) {
                for (uint32_t i = 0; i < HEAD_DIM; i++) {
                    key[i] = item(history_of(ids, pos + 1), layer, head, i, false);
                    value[i] = item(history_of(ids, pos + 1), layer, head, i, true);
                }
                kv_cache_write(cache, sequence, layer, head, pos, key, value);
            }
    kv_cache_extend(cache, sequence, ids + from, to - from);
}

static void assert_holds(const kv_cache *cache, kv_sequence sequence, const int32_t *ids, uint32_t n_ids) {
    for (uint32_t pos = 0; pos < n_ids; pos++)
        for (uint32_t layer = 0; layer < N_LAYERS; layer++)
            for (uint32_t head = 0; head < N_KV_HEADS; head++) {
                const uint16_t *keys = kv_cache_keys(cache, sequence, layer, head, pos / KV_PANEL);
                const uint16_t *values = kv_cache_values(cache, sequence, layer, head, pos / KV_PANEL);
                uint32_t history = history_of(ids, pos + 1), lane = pos % KV_PANEL;
                for (uint32_t i = 0; i < HEAD_DIM; i++) {
                    assert_int_equal(keys[i * KV_PANEL + lane],
                                     half_from_float(item(history, layer, head, i, false)));
                    assert_int_equal(values[lane * HEAD_DIM + i],
                                     half_from_float(item(history, layer, head, i, true)));
                }
            }
}

static kv_sequence open_now(kv_cache *cache, const char *key, const int32_t *ids, uint32_t n_ids,
                            uint32_t n_positions_max, uint32_t n_cached_expected) {
    kv_sequence sequence = UINT32_MAX;
    uint32_t n_cached = UINT32_MAX;
    assert_int_equal(kv_cache_open(cache, key, ids, n_ids, n_positions_max, &sequence, &n_cached), STATUS_OK);
    assert_int_equal(n_cached, n_cached_expected);
    assert_int_equal(kv_cache_n_positions(cache, sequence), n_cached_expected);
    return sequence;
}

/* Open, compute n_ids positions and close: cache of that length under `key`. */
static void leave_cache(kv_cache *cache, const char *key, const int32_t *ids, uint32_t n_ids) {
    kv_sequence sequence = open_now(cache, key, ids, n_ids, n_ids, 0);
    compute(cache, sequence, ids, 0, n_ids);
    kv_cache_close(cache, sequence);
}

static void count_up(int32_t *ids, uint32_t n_ids, int32_t first) {
    for (uint32_t i = 0; i < n_ids; i++) ids[i] = first + (int32_t)i;
}

static void keys_lie_in_panels_and_values_in_rows_rounded_to_float16(void **state) {
    kv_cache *cache = *state;
    enum { N = PAGE_TOKENS + KV_PANEL + 3 };
    int32_t ids[N];
    count_up(ids, N, 1);
    kv_sequence sequence = open_now(cache, "a", ids, N, N, 0);
    compute(cache, sequence, ids, 0, N);
    assert_int_equal(kv_cache_n_positions(cache, sequence), N);
    assert_holds(cache, sequence, ids, N);
}

static void opening_reserves_every_page_and_closing_keeps_those_that_hold_something(void **state) {
    kv_cache *cache = *state;
    int32_t ids[PAGE_TOKENS + 1];
    count_up(ids, PAGE_TOKENS + 1, 1);
    assert_int_equal(kv_cache_pages(cache), N_PAGES);
    assert_int_equal(kv_cache_pages_used(cache), 0);
    kv_sequence sequence = open_now(cache, "a", ids, 3, 4 * PAGE_TOKENS + 1, 0);
    assert_int_equal(kv_cache_pages_used(cache), 5);
    compute(cache, sequence, ids, 0, PAGE_TOKENS + 1);
    kv_cache_close(cache, sequence);
    assert_int_equal(kv_cache_pages_used(cache), 2);
    sequence = open_now(cache, "b", ids, 3, PAGE_TOKENS, 0);
    kv_cache_close(cache, sequence);        /* nothing was computed: nothing stays */
    assert_int_equal(kv_cache_pages_used(cache), 2);
}

static void the_same_key_keeps_the_longest_common_prefix(void **state) {
    kv_cache *cache = *state;
    enum { N = 2 * PAGE_TOKENS };
    int32_t ids[N + 5], other[N];
    count_up(ids, N + 5, 1);
    memcpy(other, ids, sizeof other);
    other[PAGE_TOKENS + 3] = -1;
    leave_cache(cache, "chat", ids, N);

    kv_sequence sequence = open_now(cache, "chat", ids, N + 5, N + 5, N);
    assert_holds(cache, sequence, ids, N);
    compute(cache, sequence, ids, N, N + 5);
    kv_cache_close(cache, sequence);

    sequence = open_now(cache, "chat", other, N, N, PAGE_TOKENS + 3);   /* history was edited */
    assert_holds(cache, sequence, other, PAGE_TOKENS + 3);
    compute(cache, sequence, other, PAGE_TOKENS + 3, N);
    assert_holds(cache, sequence, other, N);
    kv_cache_close(cache, sequence);

    open_now(cache, "other chat", other, N, N, 0);
}

static void the_last_position_is_always_left_to_compute(void **state) {
    kv_cache *cache = *state;
    int32_t ids[8];
    count_up(ids, 8, 1);
    leave_cache(cache, "a", ids, 8);
    kv_sequence sequence = open_now(cache, "a", ids, 8, 8, 7);
    compute(cache, sequence, ids, 7, 8);
    kv_cache_close(cache, sequence);
    open_now(cache, "a", ids, 1, 8, 0);
}

static void a_key_in_use_gets_a_cache_of_its_own(void **state) {
    kv_cache *cache = *state;
    int32_t ids[8], more[8];
    count_up(ids, 8, 1);
    count_up(more, 8, 1);
    more[7] = 99;
    kv_sequence first = open_now(cache, "a", ids, 8, 8, 0);
    compute(cache, first, ids, 0, 8);
    kv_sequence second = open_now(cache, "a", more, 8, 8, 0);
    compute(cache, second, more, 0, 8);
    assert_int_not_equal(first, second);
    assert_holds(cache, first, ids, 8);
    assert_holds(cache, second, more, 8);
    kv_cache_close(cache, first);
    kv_cache_close(cache, second);          /* the later one takes the key */
    assert_int_equal(kv_cache_pages_used(cache), 1);
    int32_t next[9];
    memcpy(next, more, sizeof more);
    next[8] = 5;
    open_now(cache, "a", next, 9, 9, 8);
}

static void dropped_contents_are_forgotten(void **state) {
    kv_cache *cache = *state;
    int32_t ids[8];
    count_up(ids, 8, 1);
    kv_sequence sequence = open_now(cache, "a", ids, 8, 8, 0);
    compute(cache, sequence, ids, 0, 8);
    kv_cache_drop(cache, sequence);
    assert_int_equal(kv_cache_pages_used(cache), 0);
    open_now(cache, "a", ids, 8, 8, 0);
}

static void cache_gives_way_oldest_first_and_no_more_than_is_wanted(void **state) {
    kv_cache *cache = *state;
    enum { N = 2 * PAGE_TOKENS };
    int32_t ids[N];
    count_up(ids, N, 1);
    leave_cache(cache, "old", ids, N);
    leave_cache(cache, "middle", ids, N);
    leave_cache(cache, "new", ids, N);      /* all six pages hold cache */
    kv_cache_close(cache, open_now(cache, "old", ids, N, N, N - 1));    /* used again: now the newest */
    int32_t stranger[1] = {-5};
    kv_sequence sequence = open_now(cache, "stranger", stranger, 1, 1, 0);
    assert_int_equal(kv_cache_pages_used(cache), 5);    /* "middle" gave both of its pages */
    kv_cache_drop(cache, sequence);
    kv_cache_drop(cache, open_now(cache, "middle", ids, N, N, 0));
    kv_cache_close(cache, open_now(cache, "new", ids, N, N, N - 1));
    kv_cache_close(cache, open_now(cache, "old", ids, N, N, N - 1));
}

static void handles_of_cache_give_way_too(void **state) {
    kv_cache *cache = *state;
    int32_t ids[2] = {1, 2};
    const char *keys[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++) leave_cache(cache, keys[i], ids, 2);
    kv_sequence fifth = open_now(cache, "e", ids, 2, 2, 0);
    open_now(cache, "b", ids, 2, 2, 1);
    kv_cache_drop(cache, fifth);
    open_now(cache, "a", ids, 2, 2, 0);     /* it was the oldest */
}

static void what_does_not_fit_is_refused_and_changes_nothing(void **state) {
    kv_cache *cache = *state;
    int32_t ids[PAGE_TOKENS];
    kv_sequence sequence;
    uint32_t n_cached;
    count_up(ids, PAGE_TOKENS, 1);
    assert_int_equal(kv_cache_open(cache, "a", ids, 1, N_PAGES * PAGE_TOKENS + 1, &sequence, &n_cached),
                     STATUS_TOO_LONG);
    leave_cache(cache, "cached", ids, PAGE_TOKENS);
    kv_sequence big = open_now(cache, "big", ids, 1, 4 * PAGE_TOKENS, 0);
    assert_int_equal(kv_cache_open(cache, "a", ids, 1, 3 * PAGE_TOKENS, &sequence, &n_cached), STATUS_BUSY);
    assert_int_equal(kv_cache_open(cache, "cached", ids, 1, 3 * PAGE_TOKENS, &sequence, &n_cached),
                     STATUS_BUSY);
    assert_int_equal(kv_cache_pages_used(cache), 5);
    kv_cache_close(cache, open_now(cache, "cached", ids, PAGE_TOKENS, PAGE_TOKENS, PAGE_TOKENS - 1));
    kv_cache_drop(cache, big);
    for (int i = 0; i < 4; i++) open_now(cache, "x", ids, 1, 1, 0);
    assert_int_equal(kv_cache_open(cache, "x", ids, 1, 1, &sequence, &n_cached), STATUS_BUSY);
}

static void a_whole_cache_can_be_one_sequence_again_and_again(void **state) {
    kv_cache *cache = *state;
    enum { N = N_PAGES * PAGE_TOKENS };
    static int32_t ids[N];
    count_up(ids, N, 1);
    leave_cache(cache, "a", ids, N);
    kv_sequence sequence = open_now(cache, "a", ids, N, N, N - 1);
    assert_holds(cache, sequence, ids, N - 1);
    kv_cache_close(cache, sequence);
    leave_cache(cache, "b", ids, N);
    open_now(cache, "a", ids, 1, N, 0);
}

static void pages_that_no_machine_could_map_are_no_memory(void **state) {
    (void)state;
    kv_shape huge = {.n_layers = 1 << 20, .n_kv_heads = 1 << 16, .head_dim = 1 << 10};
    assert_null(kv_cache_new(huge, 1, 1));
    assert_null(kv_cache_new(huge, 1 << 30, 1));       /* their product overflows */
}

/* Thousands of random turns: whatever is said to be cached must hold exactly what was computed. */
static void random_use_never_mixes_sequences(void **state) {
    kv_cache *cache = *state;
    enum { N = 2 * PAGE_TOKENS, N_OPEN_MAX = 4 };
    struct { bool open; kv_sequence handle; int32_t ids[N]; } live[N_OPEN_MAX] = {0};
    uint32_t seed = 1;
    for (int turn = 0; turn < 3000; turn++) {
        seed = seed * 1664525 + 1013904223;
        uint32_t slot = seed >> 8 & 3, length = 1 + (seed >> 10) % N;
        if (live[slot].open) {
            uint32_t n = kv_cache_n_positions(cache, live[slot].handle);
            assert_holds(cache, live[slot].handle, live[slot].ids, n);
            if (seed >> 28 == 0) kv_cache_drop(cache, live[slot].handle);
            else kv_cache_close(cache, live[slot].handle);
            live[slot].open = false;
            continue;
        }
        char key[2] = {(char)('a' + (seed >> 20) % 6), 0};
        count_up(live[slot].ids, N, 1);
        for (uint32_t i = (seed >> 16) % N; i < N; i++) live[slot].ids[i] += (int32_t)(seed >> 24 & 3);
        uint32_t n_cached;
        status st = kv_cache_open(cache, key, live[slot].ids, length, N, &live[slot].handle, &n_cached);
        assert_true(st == STATUS_OK || st == STATUS_BUSY);
        if (st != STATUS_OK) continue;
        live[slot].open = true;
        compute(cache, live[slot].handle, live[slot].ids, n_cached, length);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(keys_lie_in_panels_and_values_in_rows_rounded_to_float16),
        TEST(opening_reserves_every_page_and_closing_keeps_those_that_hold_something),
        TEST(the_same_key_keeps_the_longest_common_prefix),
        TEST(the_last_position_is_always_left_to_compute),
        TEST(a_key_in_use_gets_a_cache_of_its_own),
        TEST(dropped_contents_are_forgotten),
        TEST(cache_gives_way_oldest_first_and_no_more_than_is_wanted),
        TEST(handles_of_cache_give_way_too),
        TEST(what_does_not_fit_is_refused_and_changes_nothing),
        TEST(a_whole_cache_can_be_one_sequence_again_and_again),
        TEST(random_use_never_mixes_sequences),
        cmocka_unit_test(pages_that_no_machine_could_map_are_no_memory),
    };
    return cmocka_run_group_tests_name("kv_cache", tests, NULL, NULL);
}
