/* models.h: a modeld that drains takes nothing new, and a model of which all drain is not open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/models/model_at_hand.h"
#include "tokenizerd/route/missing.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static const modeld_choice anybody;

static int setup(void **state) {
    *state = models_new();
    return *state == NULL;
}

static int teardown(void **state) {
    models_free((models **)state);
    return 0;
}

static void test_the_others_take_what_is_new(void **state) {
    models *ms = *state;
    modeld *a = model_at_hand(ms, "m", "f"), *b = model_at_hand(ms, "m", "f"), *c = model_at_hand(ms, "m", "f");
    served_model *m = modeld_model(a);
    models_serving.take(b);
    models_serving.take(c);
    models_serving.take(c);
    assert_ptr_equal(served_model_for_new(m, &anybody), a);
    modeld_drain(a);
    assert_true(modeld_is_draining(a) && !modeld_is_draining(b) && !served_model_is_draining(m));
    assert_ptr_equal(served_model_for_new(m, &anybody), b);
    assert_ptr_equal(served_model_for_new(m, &(modeld_choice){.avoided = b}), c);
    modeld_drain(b);
    assert_ptr_equal(served_model_for_new(m, &anybody), c);
    assert_ptr_equal(served_model_for_new(m, &(modeld_choice){.avoided = c}), c);       /* who is avoided, and the only one */
    assert_ptr_equal(served_model_for_begun(m, &anybody), c);
    assert_ptr_equal(models_find_open(ms, "m", ""), m);
    modeld_drain(c);
    assert_null(served_model_for_new(m, &anybody));
    assert_ptr_equal(served_model_for_begun(m, &anybody), a);
    assert_ptr_equal(served_model_for_begun(m, &(modeld_choice){.avoided = a}), b);
    assert_true(served_model_is_draining(m));
    models_serving.give(b);
    models_serving.give(c);
    models_serving.give(c);
}

static void test_a_model_of_which_all_drain_is_not_open(void **state) {
    models *ms = *state;
    modeld *d = model_at_hand(ms, "m", "f");
    served_model *m = modeld_model(d);
    assert_ptr_equal(models_find_open(ms, "m", ""), m);
    modeld_drain(d);
    assert_null(models_find_open(ms, "m", ""));
    assert_null(models_find_open(ms, "", "f"));
    assert_ptr_equal(models_find(ms, "m", ""), m);              /* its vocabulary is as good as ever */
    assert_int_equal(models_count(ms), 1);
    model_at_hand(ms, "m", "f");
    assert_ptr_equal(models_find_open(ms, "m", "f"), m);
    assert_false(served_model_is_draining(m));
}

/* A new version of a model can come while texts of the old one are being ended. */
static void test_its_name_is_free(void **state) {
    models *ms = *state;
    modeld *old = model_at_hand(ms, "m", "old");
    served_model *m = modeld_model(old);
    modeld_drain(old);
    modeld *loading = served_join(ms, "m", "new", "another");
    assert_null(models_find(ms, "m", ""));                      /* it has no vocabulary yet */
    assert_ptr_equal(models_find(ms, "m", "old"), m);
    models_leave(&loading);
    modeld *young = model_at_hand(ms, "m", "new");
    assert_ptr_equal(models_find(ms, "m", ""), modeld_model(young));
    assert_ptr_equal(models_find_open(ms, "m", ""), modeld_model(young));
    assert_null(models_find_open(ms, "m", "old"));
    modeld *out = NULL;
    failure f;
    const model_offer third = served_offer("m", "third", "tiny");
    assert_int_equal(models_join(ms, &third, 1, NULL, &out, &f), STATUS_NAME_TAKEN);
    models_leave(&old);
    assert_ptr_equal(models_find(ms, "m", ""), modeld_model(young));
}

/* ---- another file in its place ---- */

/* No samplerd has joined it yet. */
static modeld *comes_in_place(models *ms, const char *fingerprint) {
    modeld *d = NULL;
    failure f;
    model_offer offer = served_offer("m", fingerprint, "tiny");
    offer.replaces = true;
    assert_int_equal(models_join(ms, &offer, 7, NULL, &d, &f), STATUS_OK);
    return d;
}

static modeld *joins_in_place(models *ms, const char *fingerprint) {
    modeld *d = comes_in_place(ms, fingerprint);
    modeld_tells_samplers(d, SAMPLERS_SOME);
    return d;
}

static void test_one_that_is_replaced_takes_nothing_new(void **state) {
    models *ms = *state;
    modeld *a = model_at_hand(ms, "m", "old"), *b = model_at_hand(ms, "m", "old");
    assert_null(models_replaced(ms));
    modeld *young = joins_in_place(ms, "new");
    for (modeld *d; (d = models_replaced(ms)) != NULL;) assert_true(d == a || d == b);
    assert_true(modeld_is_draining(a) && modeld_is_draining(b) && !modeld_is_draining(young));
    assert_ptr_equal(models_find_open(ms, "m", ""), modeld_model(young));
    assert_ptr_equal(models_find(ms, "m", "old"), modeld_model(a));     /* for what it began */
}

static void test_one_that_was_replaced_may_come_back_for_what_it_began(void **state) {
    models *ms = *state;
    modeld *a = model_at_hand(ms, "m", "old"), *back = NULL;
    served_model *old = modeld_model(a);
    models_serving.hold(old);
    modeld *young = joins_in_place(ms, "new");
    assert_ptr_equal(models_replaced(ms), a);
    models_leave(&a);
    back = model_at_hand(ms, "m", "old");
    assert_true(modeld_is_draining(back) && modeld_model(back) == old);
    assert_ptr_equal(models_find_open(ms, "m", ""), modeld_model(young));
    models_leave(&back);
    models_serving.release(old);
    failure f;
    const model_offer offer = served_offer("m", "old", "tiny");
    assert_int_equal(models_join(ms, &offer, 1, NULL, &back, &f), STATUS_NAME_TAKEN);     /* nobody needs it any more */
}

static const served_model *awaited_one;

static bool is_awaited(const void *context, const served_model *m) {
    (void)context;
    return m == awaited_one;
}

/* What met its model before has nowhere else to go. */
static void test_one_is_told_once_nothing_waits_for_it(void **state) {
    models *ms = *state;
    modeld *old = model_at_hand(ms, "m", "old"), *young = joins_in_place(ms, "new");
    awaited_one = modeld_model(old);
    assert_ptr_equal(models_replaced(ms), old);
    assert_ptr_equal(models_find_open(ms, "m", ""), modeld_model(young));
    assert_null(models_untold(ms, is_awaited, NULL));
    assert_ptr_equal(served_model_for_new(modeld_model(old), &anybody), old);
    awaited_one = NULL;
    assert_ptr_equal(models_untold(ms, is_awaited, NULL), old);
    assert_null(models_untold(ms, is_awaited, NULL));
    assert_null(served_model_for_new(modeld_model(old), &anybody));
}

/* What is new would wait there. */
static void test_one_without_a_samplerd_replaces_nobody_that_has_one(void **state) {
    models *ms = *state;
    modeld *old = model_at_hand(ms, "m", "old"), *young = comes_in_place(ms, "new");
    assert_null(models_replaced(ms));                           /* nobody has told */
    modeld_tells_samplers(old, SAMPLERS_SOME);
    modeld_tells_samplers(young, SAMPLERS_NONE);
    assert_null(models_replaced(ms));
    assert_ptr_equal(models_find_open(ms, "m", ""), modeld_model(old));
    assert_ptr_equal(models_find_open(ms, "m", "new"), modeld_model(young));
    modeld_tells_samplers(young, SAMPLERS_SOME);
    assert_ptr_equal(models_replaced(ms), old);
    assert_ptr_equal(models_find_open(ms, "m", ""), modeld_model(young));
    modeld_tells_samplers(young, SAMPLERS_NONE);
    assert_ptr_equal(models_find_open(ms, "m", ""), modeld_model(young));      /* what is done is done */
}

static void test_nor_is_one_waited_for_where_the_old_one_has_none(void **state) {
    models *ms = *state;
    modeld *old = model_at_hand(ms, "m", "old");
    comes_in_place(ms, "new");
    modeld_tells_samplers(old, SAMPLERS_NONE);
    assert_ptr_equal(models_replaced(ms), old);
}

static void test_the_old_file_is_served_by_more_until_then(void **state) {
    models *ms = *state;
    modeld *old = model_at_hand(ms, "m", "old"), *young = comes_in_place(ms, "new"), *late = NULL;
    failure f;
    model_offer offer = served_offer("m", "old", "tiny");
    offer.started_ms = 1;                                       /* after the young one */
    assert_int_equal(models_join(ms, &offer, 8, NULL, &late, &f), STATUS_OK);
    assert_false(modeld_is_draining(late));
    models_leave(&old);
    modeld_tells_samplers(young, SAMPLERS_SOME);
    assert_ptr_equal(models_replaced(ms), late);
}

/* Of a vocabulary of its own, which is not here yet. */
static modeld *began(models *ms, const char *fingerprint, bool replaces, int64_t started_ms) {
    modeld *d = NULL;
    failure f;
    model_offer offer = served_offer("m", fingerprint, fingerprint);
    offer.replaces = replaces;
    offer.started_ms = started_ms;
    assert_int_equal(models_join(ms, &offer, 7, NULL, &d, &f), STATUS_OK);
    return d;
}

static void brings(models *ms, modeld *d, const char *fingerprint) {
    failure f;
    while (models_query(ms)) continue;
    assert_int_equal(served_bring(d, fingerprint, SERVED_N_VOCAB, &f), STATUS_OK);
    modeld_tells_samplers(d, SAMPLERS_SOME);
    while (models_replaced(ms)) continue;
}

/* As where tokenizerd is a new one, while the old modeld ends what it has, whether it replaced another one in its time or not. */
static void test_the_younger_has_the_name_though_it_joins_first(void **state) {
    models *ms = *state;
    modeld *young = began(ms, "new", true, 2000);
    brings(ms, young, "new");
    modeld *old = began(ms, "old", true, 1000), *older = began(ms, "oldest", false, -1000);
    brings(ms, old, "old");
    brings(ms, older, "oldest");
    assert_true(modeld_is_draining(old) && modeld_is_draining(older) && !modeld_is_draining(young));
}

static void test_the_vocabulary_of_one_that_was_replaced_comes_late(void **state) {
    models *ms = *state;
    modeld *late = began(ms, "late", true, 1000), *young = began(ms, "new", true, 2000);
    brings(ms, young, "new");
    assert_true(modeld_is_draining(late));
    brings(ms, late, "late");
    assert_false(modeld_is_draining(young));
}

/* Until the younger one can be used the older one is. */
static void test_an_older_one_joins_again_before_the_younger_is_usable(void **state) {
    models *ms = *state;
    modeld *young = began(ms, "new", true, 2000), *old = began(ms, "old", false, 1000);
    brings(ms, old, "old");
    assert_ptr_equal(models_find_open(ms, "m", ""), modeld_model(old));
    brings(ms, young, "new");
    assert_true(modeld_is_draining(old) && !modeld_is_draining(young));
}

/* The new file was none: an operator wants the old one again, whose texts are not over yet. */
static void test_back_to_the_file_before(void **state) {
    models *ms = *state;
    modeld *old = began(ms, "old", false, 1000);
    brings(ms, old, "old");
    modeld *young = began(ms, "new", true, 2000);
    brings(ms, young, "new");
    modeld *again = began(ms, "old", true, 3000);
    assert_null(models_replaced(ms));       /* the one that drains has a samplerd, this one has none */
    modeld_tells_samplers(again, SAMPLERS_SOME);
    assert_ptr_equal(models_replaced(ms), young);
    assert_true(modeld_is_draining(old) && !modeld_is_draining(again));
    assert_null(models_replaced(ms));
}

/* ---- in a sentence ---- */

static const join_place here = {.address = "ipc:///run/models", .host = "b"};

#define WHY "what serves 'm' is draining and takes nothing new, and no other modeld of it has joined within 0.5 s; " \
            "start one on host b with: modeld --model FILE --name m --join ipc:///run/models"
#define AWAITED "waiting for another modeld of 'm', for up to 0.5 s; what serves it is draining and takes nothing new"

static void test_what_is_missing_is_told(void **state) {
    models *ms = *state;
    char told[AWAITED_BYTES];
    failure f;
    modeld *d = model_at_hand(ms, "m", "f");
    modeld_drain(d);
    static const char *const asked[][2] = {{"m", ""}, {"m", "f"}, {"", "f"}};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        assert_int_equal(missing_model(ms, &here, asked[i][0], asked[i][1], 500, &f), STATUS_NO_MODELD);
        assert_string_equal(f.message, WHY);
        awaited_model(ms, asked[i][0], asked[i][1], 500, told);
        assert_string_equal(told, AWAITED);
    }
    assert_int_equal(missing_modeld(ms, modeld_model(d), &here, 500, &f), STATUS_NO_MODELD);
    assert_string_equal(f.message, WHY);
    awaited_modeld(ms, modeld_model(d), 500, told);
    assert_string_equal(told, AWAITED);
    assert_int_equal(missing_model(ms, &here, "m", "other", 500, &f), STATUS_UNKNOWN_MODEL);
    assert_non_null(strstr(f.message, "'m' is another file now"));
    awaited_model(ms, "m", "other", 500, told);
    assert_string_equal(told, "waiting for a modeld of the file with which this began (fingerprint other), for up to 0.5 s; "
                              "'m' is another file now");
    served_join(ms, "m", "g", "slow");
    assert_int_equal(missing_model(ms, &here, "m", "", 500, &f), STATUS_NO_MODELD);
    assert_non_null(strstr(f.message, "has not brought its whole vocabulary"));
    awaited_model(ms, "m", "", 500, told);
    assert_string_equal(told, "waiting for the vocabulary of 'm', for up to 0.5 s");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_others_take_what_is_new, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_model_of_which_all_drain_is_not_open, setup, teardown),
        cmocka_unit_test_setup_teardown(test_its_name_is_free, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_that_is_replaced_takes_nothing_new, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_is_told_once_nothing_waits_for_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_without_a_samplerd_replaces_nobody_that_has_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nor_is_one_waited_for_where_the_old_one_has_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_old_file_is_served_by_more_until_then, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_that_was_replaced_may_come_back_for_what_it_began, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_younger_has_the_name_though_it_joins_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_vocabulary_of_one_that_was_replaced_comes_late, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_older_one_joins_again_before_the_younger_is_usable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_back_to_the_file_before, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_missing_is_told, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
