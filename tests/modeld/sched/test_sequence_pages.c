/* sequences.h: who gets pages when, whose keys and values are found again, where rows lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/modeld/sequence_world.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static void test_pages_go_in_order_of_arrival(void **state) {
    world *w = *state;
    sequence *first = open_text(w, 1, 3 * PAGE_TOKENS - 3); /* with 3 new tokens: three of the four pages */
    assert_ptr_equal(admit(w), first);
    sequence *large = open_text(w, 3, 2 * PAGE_TOKENS - 3), *small = open_text(w, 4, 1);
    assert_null(admit(w)); /* one page is free, but `large` came before `small` */
    assert_int_equal(sequences_n_queued(w->table), 2);
    sequences_close(w->table, first);
    assert_ptr_equal(admit(w), large);
    assert_ptr_equal(admit(w), small);
    assert_null(admit(w));
}

static void test_closing_one_that_waits_for_pages_takes_none_away(void **state) {
    world *w = *state;
    sequence *s = open_text(w, 1, 2);
    sequences_close(w->table, s);
    assert_int_equal(sequences_n_queued(w->table), 0);
    assert_null(admit(w));
    assert_int_equal(kv_cache_pages_used(w->cache), 0);
}

static void test_a_session_finds_its_keys_and_values_again(void **state) {
    world *w = *state;
    job asked = a_text(w, 1, 6, 6);
    asked.text.session = "talk";
    sequence *s = open_job(w, &asked);
    admit(w);
    compute(w, s, 6);
    sequences_close(w->table, s);
    asked = a_text(w, 2, 8, 8);
    asked.text.session = "talk";
    s = open_job(w, &asked);
    admit(w);
    assert_int_equal(sequence_pages_of(s)->n_cached, 6);
    assert_int_equal(sequence_n_wanted(s), 2);
    sequences_close(w->table, s);
    s = open_text(w, 3, 8);
    admit(w);
    assert_int_equal(sequence_pages_of(s)->n_cached, 0);
}

static void test_a_resumed_request_finds_its_keys_and_values_again(void **state) {
    world *w = *state;
    sequences_close(w->table, sampling_text(w, 1, 6));
    job asked = a_text(w, 1, 7, 6);
    asked.text.attempt = 2;
    sequence *s = open_job(w, &asked);
    admit(w);
    assert_int_equal(sequence_pages_of(s)->n_cached, 6);
}

static void test_scores_that_wait_let_texts_pass(void **state) {
    world *w = *state;
    world_renew(w, SCORES_RUNNING_MAX + 2, NULL);
    for (uint64_t i = 0; i < SCORES_RUNNING_MAX + 1; i++) {
        job asked = a_score(w, i, 1);
        open_job(w, &asked);
    }
    sequence *text = open_text(w, 1, 1), *last = NULL;
    for (int i = 0; i < SCORES_RUNNING_MAX; i++) {
        last = admit(w);
        assert_int_equal(last->kind, SEQUENCE_SCORE);
    }
    assert_ptr_equal(admit(w), text);
    assert_null(admit(w)); /* a page is free; the bound holds the score back */
    sequences_close(w->table, last);
    assert_int_equal(admit(w)->kind, SEQUENCE_SCORE);
}

static void test_texts_have_their_rows_in_shared_memory_while_there_is_room(void **state) {
    world *w = *state;
    shared_rows *shared = NULL;
    failure f;
    assert_int_equal(shared_rows_new(&shared, 1, 1, N_VOCAB, &f), STATUS_OK);
    world_renew(w, N_PAGES, shared);
    sequence *score = NULL;
    job asked = a_score(w, 1, 2);
    score = open_job(w, &asked);
    assert_ptr_equal(admit(w), score);
    assert_false(sequence_in_shared(score)); /* its rows are several */
    sequence *first = sampling_text(w, 1, 1), *second = sampling_text(w, 2, 1);
    assert_true(sequence_in_shared(first));
    assert_ptr_equal(first->rows.logits, shared_rows_at(shared, sequence_text(first)->shared.index));
    assert_false(sequence_in_shared(second)); /* none is left: its rows are its own */
    assert_non_null(second->rows.logits);
    sequences_close(w->table, first);
    sequence *third = sampling_text(w, 3, 1);
    assert_true(sequence_in_shared(third));
    sequences_free(&w->table);
    shared_rows_free(&shared);
}

static void test_a_row_has_one_generation_for_all_its_sendings_and_another_when_it_is_written(
    void **state) {
    world *w = *state;
    shared_rows *shared = NULL;
    failure f;
    assert_int_equal(shared_rows_new(&shared, 1, 1, N_VOCAB, &f), STATUS_OK);
    world_renew(w, N_PAGES, shared);
    sequence *s = open_text(w, 1, 1);
    assert_ptr_equal(admit(w), s);
    sequence_renew_rows(w->table, s);
    uint64_t generation = sequence_text(s)->shared.generation;
    assert_true(compute(w, s, 1));
    sequence_sent(w->table, s, &w->one, 0, 0);
    sequence_retry(w->table, s, RETRY_FAILED, 0, "late");
    assert_int_equal(sequence_text(s)->shared.generation, generation);
    draw(w, s, 5);
    sequence_renew_rows(w->table, s);
    assert_true(sequence_text(s)->shared.generation > generation);
    sequences_free(&w->table);
    shared_rows_free(&shared);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
    const struct CMUnitTest tests[] = {
        TEST(test_pages_go_in_order_of_arrival),
        TEST(test_closing_one_that_waits_for_pages_takes_none_away),
        TEST(test_a_session_finds_its_keys_and_values_again),
        TEST(test_a_resumed_request_finds_its_keys_and_values_again),
        TEST(test_scores_that_wait_let_texts_pass),
        TEST(test_texts_have_their_rows_in_shared_memory_while_there_is_room),
        TEST(test_a_row_has_one_generation_for_all_its_sendings_and_another_when_it_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
