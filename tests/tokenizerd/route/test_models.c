/* models.h: which modelds serve which model, and how their vocabularies come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/models/model_at_hand.h"
#include "tests/support/models/tiny_vocabulary.h"
#include "tokenizerd/route/models.h"

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

static void bring(modeld *d, const char *hash) {
    failure f;
    assert_int_equal(served_bring(d, hash, 100, &f), STATUS_OK);
}

/* ---- joining ---- */

static void test_a_model_is_found_when_its_vocabulary_is_complete(void **state) {
    models *ms = *state;
    assert_null(models_find(ms, "a", ""));
    modeld *d = served_join(ms, "a", "f1", "v1");
    assert_null(models_find(ms, "a", ""));
    assert_null(served_model_vocab(modeld_model(d)));
    assert_ptr_equal(models_query(ms), d);
    assert_null(models_query(ms));              /* asked once */
    bring(d, "v1");
    served_model *m = models_find(ms, "a", "");
    assert_ptr_equal(m, modeld_model(d));
    assert_string_equal(served_model_name(m), "a");
    assert_int_equal(vocab_size(served_model_vocab(m)), SERVED_N_VOCAB);
    assert_int_equal(served_model_n_ctx(m), SERVED_N_CTX);
    assert_null(models_query(ms));
}

static void test_equal_modelds_share_a_name_and_others_are_refused(void **state) {
    models *ms = *state;
    failure f;
    modeld *first = model_at_hand(ms, "a", "f1"), *other = NULL;
    modeld *second = served_join(ms, "a", "f1", "tiny");
    assert_ptr_equal(modeld_model(first), modeld_model(second));
    assert_null(models_query(ms));              /* the vocabulary is known */

    model_offer differs = served_offer("a", "f2", "tiny");
    assert_int_equal(models_join(ms, &differs, 1, NULL, &other, &f), STATUS_NAME_TAKEN);
    assert_non_null(strstr(f.message, "fingerprint"));
    differs = served_offer("a", "f1", "tiny");
    differs.n_ctx++;
    assert_int_equal(models_join(ms, &differs, 1, NULL, &other, &f), STATUS_NAME_TAKEN);
    differs = served_offer("a", "f1", "another");
    assert_int_equal(models_join(ms, &differs, 1, NULL, &other, &f), STATUS_NAME_TAKEN);

    models_leave(&first);
    models_leave(&second);
    assert_null(second);
    assert_null(models_find(ms, "a", ""));
    served_join(ms, "a", "f2", "tiny");                /* the name is free again */
}

static void test_offers_out_of_bounds_are_refused(void **state) {
    models *ms = *state;
    char long_name[NAME_BYTES_MAX + 2];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    model_offer cases[] = {
        served_offer("", "f", "v"),     served_offer(long_name, "f", "v"),
        served_offer("a\nb", "f", "v"), served_offer("\xff", "f", "v"),
        served_offer("a", "", "v"),     served_offer("a", "f", ""),
        served_offer("a", "f", "v"),    served_offer("a", "f", "v"),
        served_offer("a", "f", "v"),
    };
    cases[6].n_vocab = 0;
    cases[7].n_vocab = N_VOCAB_MAX + 1;
    cases[8].n_ctx = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        modeld *d = NULL;
        failure f;
        assert_int_equal(models_join(ms, &cases[i], 1, NULL, &d, &f), STATUS_BAD_MESSAGE);
        assert_null(d);
    }
    assert_null(models_first(ms));
}

static void test_who_was_cut_hears_why(void **state) {
    models *ms = *state;
    failure f, why = {STATUS_UNSUPPORTED, "an unknown split"};
    modeld *d = NULL;
    models_refuse(ms, 77, &why);
    model_offer offer = served_offer("a", "f", "v");
    assert_int_equal(models_join(ms, &offer, 77, NULL, &d, &f), STATUS_UNSUPPORTED);
    for (int i = 0; i < NO_MEMORY_HELLOS; i++)      /* and again */
        assert_int_equal(models_join(ms, &offer, 77, NULL, &d, &f), STATUS_UNSUPPORTED);
    assert_string_equal(f.message, "an unknown split");
    assert_int_equal(models_join(ms, &offer, 78, NULL, &d, &f), STATUS_OK);    /* another process */
}

static void test_who_found_no_memory_may_try_again(void **state) {
    models *ms = *state;
    failure f, why = {STATUS_NO_MEMORY, "no memory for a vocabulary"};
    modeld *d = NULL;
    model_offer offer = served_offer("a", "f", "v");
    for (int round = 0; round < 2; round++) {
        models_refuse(ms, 77, &why);
        for (int i = 0; i < NO_MEMORY_HELLOS; i++) {
            assert_int_equal(models_join(ms, &offer, 77, NULL, &d, &f), STATUS_NO_MEMORY);
            assert_string_equal(f.message, "no memory for a vocabulary");
        }
        assert_int_equal(models_join(ms, &offer, 77, NULL, &d, &f), STATUS_OK);
        models_leave(&d);
    }
}

/* ---- looking up ---- */

static void test_no_name_is_the_default_model(void **state) {
    models *ms = *state;
    assert_null(models_find(ms, "", ""));       /* nobody knows which */
    modeld *first = served_join(ms, "a", "f1", "v1");
    assert_null(models_find(ms, "", ""));
    default_model_joined(models_default(ms), "a", 1);
    modeld *second = served_join(ms, "b", "f2", "v2");
    while (models_query(ms)) {}
    bring(second, "v2");
    assert_null(models_find(ms, "", ""));       /* the first one's vocabulary is on its way */
    assert_ptr_equal(models_find(ms, "b", ""), modeld_model(second));
    bring(first, "v1");
    assert_ptr_equal(models_find(ms, "", ""), modeld_model(first));
    assert_ptr_equal(models_find(ms, "", "f2"), modeld_model(second));
    assert_null(models_find(ms, "a", "f2"));
    assert_null(models_find(ms, "c", ""));
    assert_int_equal(models_count(ms), 2);
    served_model *held = modeld_model(first);
    models_serving.hold(held);
    models_leave(&first);
    assert_int_equal(models_count(ms), 1);
    assert_null(models_find(ms, "", ""));       /* another one never stands in for it */
    assert_ptr_equal(models_find(ms, "", "f2"), modeld_model(second));
    first = served_join(ms, "a", "f1", "v1");
    assert_ptr_equal(models_find(ms, "", ""), modeld_model(first));
    models_serving.release(held);
    models_leave(&first);
    first = served_join(ms, "a", "f9", "v1");          /* its name counts, not its weights */
    assert_ptr_equal(models_find(ms, "", ""), modeld_model(first));
    default_model_set(models_default(ms), "b");
    assert_ptr_equal(models_find(ms, "", ""), modeld_model(second));
}

static void test_the_least_loaded_serves(void **state) {
    models *ms = *state;
    modeld *a = model_at_hand(ms, "a", "f"), *b = served_join(ms, "a", "f", "tiny");
    served_model *m = modeld_model(a);
    assert_ptr_equal(served_model_for_new(m, &anybody), a);
    models_serving.take(a);
    assert_ptr_equal(served_model_for_new(m, &anybody), b);
    assert_ptr_equal(served_model_for_new(m, &(modeld_choice){.avoided = b}), a);
    assert_ptr_equal(served_model_for_new(m, &(modeld_choice){.avoided = a}), b);
    models_serving.take(b);
    models_serving.take(b);
    assert_ptr_equal(served_model_for_new(m, &anybody), a);
    models_serving.give(b);
    models_serving.give(b);
    assert_ptr_equal(served_model_for_new(m, &anybody), b);
}

static void test_the_smallest_kv_cache_counts(void **state) {
    models *ms = *state;
    failure f;
    served_model *m = modeld_model(model_at_hand(ms, "a", "f"));       /* it does not tell */
    assert_int_equal(served_model_kv_tokens(m), 0);
    modeld *joined[2];
    for (uint64_t i = 0; i < 2; i++) {
        model_offer offer = served_offer("a", "f", "tiny");
        offer.kv_tokens = 200 - 100 * i;
        assert_int_equal(models_join(ms, &offer, 1 + i, NULL, &joined[i], &f), STATUS_OK);
        assert_ptr_equal(modeld_model(joined[i]), m);
        assert_int_equal(served_model_kv_tokens(m), 200 - 100 * i);
    }
    models_leave(&joined[1]);
    assert_int_equal(served_model_kv_tokens(m), 200);
}

static void test_a_held_model_waits_for_its_like(void **state) {
    models *ms = *state;
    modeld *d = model_at_hand(ms, "a", "f1");
    served_model *m = modeld_model(d);
    models_serving.hold(m);
    models_leave(&d);
    assert_null(models_find(ms, "a", ""));
    assert_null(served_model_for_new(m, &anybody));
    assert_non_null(served_model_vocab(m));            /* texts under way need it */

    modeld *stranger = model_at_hand(ms, "a", "f2"); /* the name is not taken by who only is held */
    assert_ptr_not_equal(modeld_model(stranger), m);
    assert_null(served_model_for_new(m, &anybody));
    models_leave(&stranger);
    d = served_join(ms, "a", "f1", "tiny");
    assert_ptr_equal(modeld_model(d), m);
    assert_ptr_equal(served_model_for_new(m, &anybody), d);
    models_serving.release(m);
    assert_non_null(models_find(ms, "a", "f1"));
}

static void test_a_model_without_modelds_goes_with_its_last_holder(void **state) {
    models *ms = *state;
    modeld *d = model_at_hand(ms, "a", "f1");
    served_model *m = modeld_model(d);
    models_serving.hold(m);
    models_serving.hold(m);
    models_leave(&d);
    models_serving.release(m);
    assert_ptr_equal(models_first(ms), m);
    models_serving.release(m);
    assert_null(models_first(ms));
}

static void test_ids_are_checked_against_the_vocabulary(void **state) {
    failure f;
    const model_facts facts = served_model_facts(modeld_model(model_at_hand(*state, "a", "f")));
    const int32_t ids[] = {0, SERVED_N_VOCAB - 1, SERVED_N_VOCAB, -1};
    assert_int_equal(model_check_ids(&facts, ids, 2, &f), STATUS_OK);
    assert_int_equal(model_check_ids(&facts, ids, 3, &f), STATUS_BAD_ID);
    assert_non_null(strstr(f.message, "300"));
    assert_int_equal(model_check_ids(&facts, ids + 3, 1, &f), STATUS_BAD_ID);
}

/* ---- vocabularies ---- */

static void test_a_vocabulary_is_kept_for_a_return(void **state) {
    models *ms = *state;
    modeld *d = model_at_hand(ms, "a", "f1");
    models_leave(&d);
    served_join(ms, "a", "f1", "tiny");
    assert_null(models_query(ms));
    assert_non_null(models_find(ms, "a", ""));
}

static void test_only_the_latest_unused_vocabularies_are_kept(void **state) {
    models *ms = *state;
    for (int i = 0; i <= VOCABULARIES_KEPT_MAX; i++) {
        char hash[16];
        snprintf(hash, sizeof hash, "v%d", i);
        modeld *d = served_join(ms, "a", "f", hash);
        assert_ptr_equal(models_query(ms), d);
        bring(d, hash);
        models_leave(&d);
    }
    modeld *newest = served_join(ms, "new", "f", "v1");
    assert_null(models_query(ms));
    modeld *oldest = served_join(ms, "old", "f", "v0");
    assert_ptr_equal(models_query(ms), oldest);
    assert_non_null(models_find(ms, served_model_name(modeld_model(newest)), ""));
}

static void test_another_modeld_is_asked_when_the_sender_leaves(void **state) {
    models *ms = *state;
    failure f;
    modeld *first = served_join(ms, "a", "f", "v"), *second = served_join(ms, "a", "f", "v");
    assert_ptr_equal(models_query(ms), first);
    vocab_meta meta = {
        .kind = "gpt2", .split = "gpt-2", .bos = -1, .eos = -1, .eot = -1, .eom = -1};
    const vocab_bytes token = {(const uint8_t *)"x", 1};
    vocab_piece piece = {.hash = "v",
                         .n_tokens_all = SERVED_N_VOCAB,
                         .tokens = &token,
                         .types = (const uint8_t[]){TOKEN_NORMAL},
                         .n_tokens = 1,
                         .meta = &meta};
    bool complete;
    assert_int_equal(models_piece(first, &piece, &complete, &f), STATUS_OK);
    assert_false(complete);
    models_leave(&first);
    assert_ptr_equal(models_query(ms), second);
    bring(second, "v");                         /* from the beginning */
    assert_non_null(models_find(ms, "a", ""));
}

static void test_an_unknown_kind_or_split_is_named(void **state) {
    models *ms = *state;
    failure f;
    bool complete;
    modeld *d = served_join(ms, "a", "f", "v");
    models_query(ms);
    vocab_meta meta = {
        .kind = "gpt2", .split = "nonsense", .bos = -1, .eos = -1, .eot = -1, .eom = -1};
    vocab_piece piece = {.hash = "v", .n_tokens_all = SERVED_N_VOCAB, .meta = &meta};
    assert_int_equal(models_piece(d, &piece, &complete, &f), STATUS_UNSUPPORTED);
    assert_non_null(strstr(f.message, "nonsense"));
}

static void test_pieces_that_nobody_asked_for_are_ignored(void **state) {
    models *ms = *state;
    failure f;
    bool complete = true;
    modeld *ready = model_at_hand(ms, "a", "f1"), *asked = served_join(ms, "b", "f2", "v2");
    assert_ptr_equal(models_query(ms), asked);
    vocab_piece piece = {.hash = "tiny", .n_tokens_all = 7};
    assert_int_equal(models_piece(ready, &piece, &complete, &f), STATUS_OK);
    assert_false(complete);
    assert_int_equal(models_piece(asked, &piece, &complete, &f), STATUS_OK);    /* another hash */
    bring(asked, "v2");
}

static void test_a_name_that_nobody_promised_is_unknown(void **state) {
    models *ms = *state;
    modeld *a = model_at_hand(ms, "a", "f1");
    assert_false(models_is_unknown(ms, "x", ""));   /* it may be on its way back */
    models_settle(ms);
    assert_true(models_is_unknown(ms, "x", ""));
    assert_false(models_is_unknown(ms, "a", ""));
    assert_false(models_is_unknown(ms, "", ""));
    assert_false(models_is_unknown(ms, "x", "f9"));     /* it wrote the first part of a text */
    assert_false(models_is_unknown(ms, "", "f9"));
    assert_true(models_is_replaced(ms, "a", "f9"));
    assert_false(models_is_replaced(ms, "a", "f1") || models_is_replaced(ms, "a", "") || models_is_replaced(ms, "x", "f9"));
    default_model_set(models_default(ms), "x");
    assert_false(models_is_unknown(ms, "x", ""));
    modeld *b = served_join(ms, "b", "f2", "v2");
    assert_false(models_is_unknown(ms, "b", ""));       /* its vocabulary is on its way */
    models_leave(&b);
    assert_false(models_is_unknown(ms, "b", ""));       /* it may come back */
    models_leave(&a);
    assert_false(models_is_unknown(ms, "y", ""));       /* the daemons are only being started */
}

static void test_a_name_counts_from_when_it_left(void **state) {
    models *ms = *state;
    char name[16];
    models_settle(ms);
    served_join(ms, "stays", "f1", "v1");
    modeld *long_here = served_join(ms, "long here", "f2", "v1");
    for (int i = 0; i <= SEEN_NAMES_MAX; i++) {
        snprintf(name, sizeof name, "%d", i);
        modeld *visitor = served_join(ms, name, "f3", "v1");
        models_leave(&visitor);
    }
    assert_true(models_is_unknown(ms, "0", ""));        /* too many have been here since */
    models_leave(&long_here);
    assert_false(models_is_unknown(ms, "long here", ""));
}

static uint32_t rank_of(const modeld *d, const void *wanted) {
    return d == wanted;
}

static void test_the_better_one_takes_it_whatever_it_has(void **state) {
    models *ms = *state;
    modeld *a = model_at_hand(ms, "m", "f"), *b = model_at_hand(ms, "m", "f");
    served_model *m = modeld_model(a);
    models_serving.take(b);
    assert_ptr_equal(served_model_for_new(m, &(modeld_choice){.rank = rank_of, .wanted = b}), b);
    assert_ptr_equal(served_model_for_begun(m, &(modeld_choice){.avoided = b, .rank = rank_of, .wanted = b}), b);
    assert_ptr_equal(served_model_for_new(m, &(modeld_choice){.rank = rank_of}), a);
    modeld_drain(b);
    assert_ptr_equal(served_model_for_begun(m, &(modeld_choice){.rank = rank_of, .wanted = b}), a);
    models_serving.give(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(test_a_model_is_found_when_its_vocabulary_is_complete),
        CASE(test_equal_modelds_share_a_name_and_others_are_refused),
        CASE(test_offers_out_of_bounds_are_refused),
        CASE(test_who_was_cut_hears_why),
        CASE(test_who_found_no_memory_may_try_again),
        CASE(test_no_name_is_the_default_model),
        CASE(test_a_name_that_nobody_promised_is_unknown),
        CASE(test_a_name_counts_from_when_it_left),
        CASE(test_the_least_loaded_serves),
        CASE(test_the_better_one_takes_it_whatever_it_has),
        CASE(test_the_smallest_kv_cache_counts),
        CASE(test_a_held_model_waits_for_its_like),
        CASE(test_a_model_without_modelds_goes_with_its_last_holder),
        CASE(test_ids_are_checked_against_the_vocabulary),
        CASE(test_a_vocabulary_is_kept_for_a_return),
        CASE(test_only_the_latest_unused_vocabularies_are_kept),
        CASE(test_another_modeld_is_asked_when_the_sender_leaves),
        CASE(test_an_unknown_kind_or_split_is_named),
        CASE(test_pieces_that_nobody_asked_for_are_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
