/* What history.h promises: each id that occurs once, in order, and how often it does, however long the text is and
 * whatever was followed before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/draw/history.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

enum { WIDTH_MAX = 4000, IDS_MAX = 20000 };

static history followed;
static int32_t ids[IDS_MAX];
static uint64_t random_state;

static uint32_t random_below(uint32_t n) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) % n);
}

static int end(void **state) {
    (void)state;
    history_clear(&followed);
    return 0;
}

/* Of the first n_ids, against counting one by one. */
static void assert_tells(uint32_t n_ids, uint32_t width) {
    static uint32_t counts[WIDTH_MAX], listed[WIDTH_MAX];
    uint32_t n = 0;
    memset(counts, 0, sizeof counts);
    for (uint32_t i = 0; i < n_ids; i++) counts[ids[i]]++;
    uint32_t n_listed = history_list(&followed, listed);
    history_count(&followed);
    for (uint32_t id = 0; id < width; id++) {
        if (counts[id] == 0) continue;
        assert_true(n < n_listed);
        assert_int_equal(listed[n++], id);
        assert_int_equal(followed.counts[id], counts[id]);
    }
    assert_int_equal(n, n_listed);
}

static void assert_follows(uint32_t n_ids, uint32_t width) {
    history_follow(&followed, ids, n_ids);
    assert_tells(n_ids, width);
}

static void of_every_width_and_of_any_length(void **state) {
    (void)state;
    random_state = 2026;
    for (uint32_t width = 1; width <= 200; width++) {
        assert_int_equal(history_reserve(&followed, width), STATUS_OK);
        for (uint32_t n_ids = 0; n_ids < 40; n_ids += 1 + random_below(9)) {
            for (uint32_t i = 0; i < n_ids; i++) ids[i] = (int32_t)random_below(width);
            assert_follows(n_ids, width);
        }
        for (uint32_t i = 0; i < width; i++) ids[i] = (int32_t)(width - 1 - i);
        assert_follows(width, width);
    }
}

/* The first and the last id of a word of marks, too. */
static void of_long_texts_among_short_ones(void **state) {
    (void)state;
    random_state = 8000;
    assert_int_equal(history_reserve(&followed, WIDTH_MAX), STATUS_OK);
    for (int round = 0; round < 30; round++) {
        uint32_t width = 1 + random_below(WIDTH_MAX), n_ids = random_below(round % 2 ? IDS_MAX : 10);
        for (int again = 0; again < 2; again++) {       /* another text of the same length, too */
            for (uint32_t i = 0; i < n_ids; i++) ids[i] = (int32_t)random_below(width);
            assert_follows(n_ids, width);
        }
    }
    const int32_t edges[] = {0, 63, 64, 127, 128, 3999, 63, 0};
    memcpy(ids, edges, sizeof edges);
    assert_follows(sizeof edges / sizeof *edges, WIDTH_MAX);
}

static void none_of_nothing(void **state) {
    (void)state;
    uint32_t unused;
    assert_int_equal(history_reserve(&followed, 100), STATUS_OK);
    ids[0] = 99;
    assert_follows(1, 100);
    history_follow(&followed, NULL, 0);
    assert_int_equal(history_list(&followed, &unused), 0);
    history_count(&followed);
}

#define TEST(name) cmocka_unit_test_teardown(name, end)

/* Whoever lists, counts or does neither in between. */
static void of_a_text_that_goes_on(void **state) {
    (void)state;
    enum { N_IDS = 40, N_MORE_MAX = 2 };
    static uint32_t listed[WIDTH_MAX];
    random_state = 7;
    for (uint32_t width = 1; width <= 200; width++) {
        assert_int_equal(history_reserve(&followed, width), STATUS_OK);
        for (uint32_t i = 0; i < N_IDS + N_MORE_MAX; i++) ids[i] = (int32_t)random_below(width);
        uint32_t n_ids = random_below(8);
        for (history_follow(&followed, ids, n_ids); n_ids < N_IDS; history_extend(&followed, n_ids)) {
            if (random_below(3) == 0) history_list(&followed, listed);
            if (random_below(3) == 0) history_count(&followed);
            if (random_below(3) == 0) assert_tells(n_ids, width);
            n_ids += random_below(N_MORE_MAX + 1);
        }
        assert_tells(n_ids, width);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(of_every_width_and_of_any_length),
        TEST(of_long_texts_among_short_ones),
        TEST(none_of_nothing),
        TEST(of_a_text_that_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
