/* owners.h: who is the same owner, how much one may have, and whose limit it is that says no. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/base/owners/owners.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { PLACES, BYTES, MORE_BYTES, ROWS };

static const holding_row rows[ROWS] = {
    [PLACES] = {8, "", "places are taken already", "places that may be taken", "places", "(--places); try again soon", PLACES},
    [BYTES] = {1000, "", "bytes are held already", "bytes that may be held", "bytes", "(--bytes); try again soon", BYTES},
    [MORE_BYTES] = {1000, "", "bytes are held already", "bytes that may be held", "bytes", "(--bytes); try again soon", BYTES},
};
static const holding_table table = {rows, ROWS};

typedef struct world {
    owners *all;
    owner *ann, *bob;
} world;

static void make(world *w, const size_t *limits) {
    w->all = owners_new(&table, limits);
    assert_non_null(w->all);
    w->ann = owners_hold(w->all, "ann");
    w->bob = owners_hold(w->all, "bob");
    assert_true(w->ann && w->bob);
}

static void clear(world *w) {
    owner_release(&w->ann);
    owner_release(&w->bob);
    owners_free(&w->all);       /* it asserts that nobody is held */
}

static void take(owner *o, size_t what, size_t n) {
    failure f;
    assert_int_equal(owner_take(o, what, n, &f), STATUS_OK);
}

static void refused_as(status code, owner *o, size_t what, size_t n, const char *sentence) {
    failure f;
    size_t n_before = o->held[what];
    assert_int_equal(owner_take(o, what, n, &f), code);
    assert_string_equal(f.message, sentence);
    assert_int_equal(o->held[what], n_before);
}

static void refused(owner *o, size_t what, size_t n, const char *sentence) {
    refused_as(STATUS_BUSY, o, what, n, sentence);
}

static void a_name_is_one_owner_as_long_as_it_is_held(void **state) {
    (void)state;
    world w;
    make(&w, NULL);
    owner *again = owners_hold(w.all, "ann");
    assert_ptr_equal(again, w.ann);
    assert_ptr_not_equal(w.ann, w.bob);
    take(again, PLACES, 2);
    owner_release(&again);
    assert_null(again);
    assert_int_equal(w.ann->held[PLACES], 2);
    owner_give(w.ann, PLACES, 2);
    clear(&w);
}

static void alone_one_gets_three_quarters(void **state) {
    (void)state;
    world w;
    make(&w, NULL);
    for (int i = 0; i < 6; i++) take(w.ann, PLACES, 1);
    refused(w.ann, PLACES, 1, "ann has its share of the 8 places that may be taken; try again later");
    take(w.bob, PLACES, 1);
    refused(w.bob, PLACES, 1, "bob has its share of the 8 places that may be taken; try again later");
    owner *carl = owners_hold(w.all, "carl");
    take(carl, PLACES, 1);
    refused(carl, PLACES, 1, "8 places are taken already; try again later");
    assert_int_equal(owners_held(w.all, PLACES), 8);
    owner_give(w.ann, PLACES, 6);
    take(w.bob, PLACES, 1);
    owner_give(w.bob, PLACES, 2);
    owner_give(carl, PLACES, 1);
    owner_release(&carl);
    clear(&w);
}

static void who_has_nothing_may_take_what_there_is(void **state) {
    (void)state;
    world w;
    make(&w, NULL);
    take(w.ann, BYTES, 900);
    refused(w.ann, BYTES, 1, "ann has its share of the 1000 bytes that may be held; try again later");
    refused(w.bob, BYTES, 101, "1000 bytes are held already; try again later");
    take(w.bob, BYTES, 100);
    owner_give(w.ann, BYTES, 900);
    owner_give(w.bob, BYTES, 100);
    clear(&w);
}

static void a_limit_holds_for_each_and_for_rows_together(void **state) {
    (void)state;
    world w;
    make(&w, (const size_t[ROWS]){[PLACES] = 2, [BYTES] = 300});
    take(w.ann, PLACES, 2);
    refused(w.ann, PLACES, 1, "ann has 2 places here, and one owner may have 2 (--places); try again soon");
    take(w.bob, PLACES, 2);
    take(w.ann, BYTES, 200);
    refused(w.ann, MORE_BYTES, 101, "ann has 200 bytes here, and one owner may have 300 (--bytes); try again soon");
    refused_as(STATUS_TOO_LONG, w.ann, MORE_BYTES, 301, "ann asks for 301 bytes at once, and one owner may have 300 (--bytes)");
    take(w.ann, MORE_BYTES, 100);
    take(w.bob, MORE_BYTES, 300);
    owner_give(w.ann, PLACES, 2);
    owner_give(w.bob, PLACES, 2);
    owner_give(w.ann, BYTES, 200);
    owner_give(w.ann, MORE_BYTES, 100);
    owner_give(w.bob, MORE_BYTES, 300);
    clear(&w);
}

static void the_empty_owner_is_told_so(void **state) {
    (void)state;
    world w;
    make(&w, (const size_t[ROWS]){[PLACES] = 1});
    owner *nobody = owners_hold(w.all, "");
    take(nobody, PLACES, 1);
    refused(nobody, PLACES, 1,
            "whoever comes without a key has 1 places here, and one owner may have 1 (--places); try again soon");
    owner_give(nobody, PLACES, 1);
    owner_release(&nobody);
    clear(&w);
}

static bool call_ann(void *context, const char *name, char out[OWNER_BYTES_MAX + 1]) {
    strcpy(out, context);
    return strcmp(name, "ann") == 0;
}

static void sentences_have_what_people_call_an_owner(void **state) {
    (void)state;
    world w;
    make(&w, (const size_t[ROWS]){[PLACES] = 2});
    owners_call(w.all, call_ann, (char[]){"Ann of the first floor"});
    take(w.ann, PLACES, 2);
    refused(w.ann, PLACES, 1, "Ann of the first floor has 2 places here, and one owner may have 2 (--places); try again soon");
    take(w.ann, BYTES, 900);
    refused(w.ann, BYTES, 1, "Ann of the first floor has its share of the 1000 bytes that may be held; try again later");
    take(w.bob, PLACES, 2);
    refused(w.bob, PLACES, 1, "bob has 2 places here, and one owner may have 2 (--places); try again soon");
    owner_give(w.ann, PLACES, 2);
    owner_give(w.ann, BYTES, 900);
    owner_give(w.bob, PLACES, 2);
    clear(&w);
}

static void what_is_counted_may_be_more_than_there_is(void **state) {
    (void)state;
    world w;
    make(&w, NULL);
    owner_count(w.ann, PLACES, 9);
    refused(w.bob, PLACES, 1, "8 places are taken already; try again later");
    owner_give(w.ann, PLACES, 9);
    take(w.bob, PLACES, 1);
    owner_give(w.bob, PLACES, 1);
    clear(&w);
}

static void who_comes_new_goes_before_the_last_and_after_all_others(void **state) {
    (void)state;
    world w;
    make(&w, NULL);
    w.ann->last_turn = owners_next_turn(w.all);
    w.bob->last_turn = owners_next_turn(w.all);
    owner *carl = owners_hold(w.all, "carl");
    assert_true(w.ann->last_turn < carl->last_turn && carl->last_turn < w.bob->last_turn);
    owner_release(&carl);
    w.ann->last_turn = owners_next_turn(w.all);
    carl = owners_hold(w.all, "carl");      /* to be forgotten and to come again is no way to the front */
    assert_true(w.bob->last_turn < carl->last_turn && carl->last_turn < w.ann->last_turn);
    owner_release(&carl);
    clear(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_one_owner_as_long_as_it_is_held),
        cmocka_unit_test(alone_one_gets_three_quarters),
        cmocka_unit_test(who_has_nothing_may_take_what_there_is),
        cmocka_unit_test(a_limit_holds_for_each_and_for_rows_together),
        cmocka_unit_test(the_empty_owner_is_told_so),
        cmocka_unit_test(sentences_have_what_people_call_an_owner),
        cmocka_unit_test(what_is_counted_may_be_more_than_there_is),
        cmocka_unit_test(who_comes_new_goes_before_the_last_and_after_all_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
