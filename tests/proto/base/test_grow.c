/* grow.h and buffer.h: what is there stays when an array grows, which it does seldom, and no size wraps round. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "proto/base/buffer.h"
#include "proto/base/grow.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static void items_stay_and_memory_moves_seldom(void **state) {
    (void)state;
    enum { N = 5000 };
    uint32_t *items = NULL;
    size_t capacity = 0, n_grown = 0;
    for (uint32_t i = 0; i < N; i++) {
        size_t before = capacity;
        items = grow(items, &capacity, i + 1, sizeof *items);
        assert_non_null(items);
        assert_true(capacity > i);
        n_grown += capacity != before;
        items[i] = i;
    }
    for (uint32_t i = 0; i < N; i++) assert_int_equal(items[i], i);
    assert_true(n_grown < 12);
    free(items);
}

static void many_items_at_once(void **state) {
    (void)state;
    size_t capacity = 0;
    uint8_t *items = grow(NULL, &capacity, 1000, 1);
    assert_non_null(items);
    assert_true(capacity >= 1000);
    assert_ptr_equal(grow(items, &capacity, 1000, 1), items);
    free(items);
}

static void no_items_are_an_array_too(void **state) {
    (void)state;
    size_t capacity = 0;
    void *items = grow(NULL, &capacity, 0, 8);
    assert_non_null(items);
    free(items);
}

static void more_than_memory_can_hold(void **state) {
    (void)state;
    static const size_t n_wanted[] = {SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 8, SIZE_MAX / 16 + 1};
    size_t capacity = 0;
    uint64_t *items = grow(NULL, &capacity, 1, sizeof *items), first = 42;
    assert_non_null(items);
    items[0] = first;
    size_t before = capacity;
    for (size_t i = 0; i < sizeof n_wanted / sizeof *n_wanted; i++) {
        assert_null(grow(items, &capacity, n_wanted[i], sizeof *items));
        assert_int_equal(capacity, before);
        assert_int_equal(items[0], first);
    }
    free(items);
}

static void a_buffer_keeps_its_bytes(void **state) {
    (void)state;
    buffer b = {0};
    assert_int_equal(buffer_add(&b, NULL, 0), STATUS_OK);
    assert_null(b.bytes);
    for (int i = 0; i < 300; i++) assert_int_equal(buffer_add(&b, "abc", 3), STATUS_OK);
    assert_int_equal(buffer_add(&b, "x", SIZE_MAX), STATUS_NO_MEMORY);
    buffer_drop(&b, 898);
    assert_int_equal(b.n_bytes, 2);
    assert_memory_equal(b.bytes, "bc", 2);
    buffer_drop(&b, 2);
    assert_int_equal(b.n_bytes, 0);
    buffer_clear(&b);
    assert_null(b.bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_stay_and_memory_moves_seldom),
        cmocka_unit_test(many_items_at_once),
        cmocka_unit_test(no_items_are_an_array_too),
        cmocka_unit_test(more_than_memory_can_hold),
        cmocka_unit_test(a_buffer_keeps_its_bytes),
    };
    return cmocka_run_group_tests_name("grow", tests, NULL, NULL);
}
