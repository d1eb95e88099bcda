/* sequences.h: rows on their way to samplers, tickets, retries, and their strategy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/modeld/sequence_world.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static void test_an_id_is_expected_after_as_long_as_the_one_before_took(void **state) {
    world *w = *state;
    sequence *s = sampling_text(w, 1, 2);
    assert_true(sequence_expected_us(s) == UINT64_MAX);     /* its row waits for a sampler */
    sequence_sent(w->table, s, &w->one, 100, 9000);
    assert_true(sequence_expected_us(s) == 100);
    sequence_drawn(s, 3, NULL, 0, "rules/1", 350);
    assert_true(sequence_expected_us(s) == UINT64_MAX);     /* it is to be computed */
    assert_true(compute(w, s, 1));
    sequence_sent(w->table, s, &w->one, 1000, 9000);
    assert_true(sequence_expected_us(s) == 1250);
}

static void test_a_ticket_names_one_sending_only(void **state) {
    world *w = *state;
    sequence *s = sampling_text(w, 1, 2), *other = sampling_text(w, 2, 2);
    assert_null(sequences_by_ticket(w->table, 0));
    sequence_sent(w->table, s, &w->one, 0, 0);
    sequence_sent(w->table, other, &w->one, 0, 0);
    uint64_t late = s->sending.ticket;
    assert_ptr_equal(sequences_by_ticket(w->table, s->sending.ticket), s);
    assert_ptr_equal(sequences_by_ticket(w->table, other->sending.ticket), other);
    sequence_retry(w->table, s, RETRY_FAILED, 0, "it hangs");
    assert_null(sequences_by_ticket(w->table, late));
    sequence_sent(w->table, s, &w->one, 0, 0);
    assert_true(s->sending.ticket != late);
    assert_null(sequences_by_ticket(w->table, late));
    late = s->sending.ticket;
    sequences_close(w->table, s);
    assert_null(sequences_by_ticket(w->table, late));
}

static void test_a_retry_goes_first_and_keeps_count(void **state) {
    world *w = *state;
    sequence *s = sampling_text(w, 1, 2);
    sequence_sent(w->table, s, &w->one, 0, 0);
    sequence *other = sampling_text(w, 2, 2);
    assert_int_equal(w->one.n_outstanding, 1);
    sequence_retry(w->table, s, RETRY_FAILED, 0, "it hangs");
    assert_int_equal(w->one.n_outstanding, 0);
    assert_ptr_equal(sequences_first_waiting(w->table), s);
    assert_ptr_equal(sequences_next_waiting(s), other);
    assert_ptr_equal(s->sending.avoided, &w->one);
    assert_string_equal(s->sending.last_error, "it hangs");
    assert_int_equal(s->sending.n_tries, 1);
    draw(w, s, 1);
    compute(w, s, 1);
    assert_int_equal(s->sending.n_tries, 0);
    assert_null(s->sending.avoided);
}

static void test_only_what_a_sampler_did_wrong_is_a_try(void **state) {
    world *w = *state;
    failure f;
    uint32_t from = 99;
    sequence *s = sampling_text(w, 1, 2);
    sequence_sent(w->table, s, &w->one, 0, 0);
    sequence_retry(w->table, s, RETRY_UNSENT, 0, "it could not be reached");
    assert_true(s->sending.n_sent == 0 && s->sending.n_tries == 0 && s->sending.n_losses == 0);
    assert_int_equal(sequence_retune(s, 1, &w->cold, &from, &f), STATUS_OK);
    assert_int_equal(from, 0); /* nobody has seen the row: it may be drawn with another strategy */
    sequence_sent(w->table, s, &w->one, 0, 0);
    sequence_retry(w->table, s, RETRY_LOST, 0, "it is gone");
    assert_true(s->sending.n_sent == 1 && s->sending.n_tries == 0 && s->sending.n_losses == 1);
    sequence_sent(w->table, s, &w->one, 0, 0);
    sequence_retry(w->table, s, RETRY_FAILED, 0, "late");
    assert_true(s->sending.n_sent == 2 && s->sending.n_tries == 1 && s->sending.n_losses == 1);
    draw(w, s, 1);
    compute(w, s, 1);
    assert_true(s->sending.n_sent == 0 && s->sending.n_tries == 0 && s->sending.n_losses == 0);
}

static void test_closing_gives_the_sampler_its_room_back(void **state) {
    world *w = *state;
    sequence *s = sampling_text(w, 1, 2);
    sequence_sent(w->table, s, &w->one, 0, 0);
    sequences_close(w->table, s);
    assert_int_equal(w->one.n_outstanding, 0);
}

static void test_a_new_strategy_holds_from_the_first_step_not_sent(void **state) {
    world *w = *state;
    failure f;
    uint32_t from = 99;
    sequence *s = sampling_text(w, 1, 2);
    assert_int_equal(sequence_retune(s, 1, &w->cold, &from, &f), STATUS_OK);
    assert_int_equal(from, 0);
    assert_true(strategy_equal(&sequence_text(s)->chain.now, &w->cold));
    draw(w, s, 1);
    assert_int_equal(sequence_retune(s, 2, &w->warm, &from, &f), STATUS_OK);
    assert_int_equal(from, 1);
    assert_int_equal(sequence_text(s)->chain.change, 2);
    assert_true(strategy_equal(&sequence_text(s)->chain.now, &w->warm));
}

static void test_a_step_that_was_sent_keeps_its_strategy_through_retries(void **state) {
    world *w = *state;
    failure f;
    uint32_t from = 99;
    sequence *s = sampling_text(w, 1, 2);
    sequence_sent(w->table, s, &w->one, 0, 0);
    assert_int_equal(sequence_retune(s, 1, &w->cold, &from, &f), STATUS_OK);
    assert_int_equal(from, 1);
    sequence_retry(w->table, s, RETRY_LOST, 0, "lost");
    assert_true(strategy_equal(&sequence_text(s)->chain.now, &w->warm));
    assert_int_equal(sequence_text(s)->chain.change, 0);
    assert_int_equal(sequence_retune(s, 2, &w->cold, &from, &f), STATUS_OK);
    assert_int_equal(from, 1);
    draw(w, s, 1);
    assert_true(strategy_equal(&sequence_text(s)->chain.now, &w->cold));
    assert_int_equal(sequence_text(s)->chain.change, 2);
}

static void test_a_strategy_must_be_newer_and_fit_the_vocabulary(void **state) {
    world *w = *state;
    failure f;
    uint32_t from = 99;
    sequence *s = sampling_text(w, 1, 2);
    assert_int_equal(sequence_retune(s, 0, &w->cold, &from, &f), STATUS_BAD_REQUEST);
    strategy biased;
    strategy_init(&biased);
    strategy_append_biases(&biased, &(int32_t){N_VOCAB}, &(double){1}, 1, &f);
    assert_int_equal(sequence_retune(s, 1, &biased, &from, &f), STATUS_BAD_ID);
    assert_true(strategy_equal(&sequence_text(s)->chain.now, &w->warm));
    assert_int_equal(from, 99);
    strategy_clear(&biased);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
    const struct CMUnitTest tests[] = {
        TEST(test_an_id_is_expected_after_as_long_as_the_one_before_took),
        TEST(test_a_ticket_names_one_sending_only),
        TEST(test_a_retry_goes_first_and_keeps_count),
        TEST(test_only_what_a_sampler_did_wrong_is_a_try),
        TEST(test_closing_gives_the_sampler_its_room_back),
        TEST(test_a_new_strategy_holds_from_the_first_step_not_sent),
        TEST(test_a_step_that_was_sent_keeps_its_strategy_through_retries),
        TEST(test_a_strategy_must_be_newer_and_fit_the_vocabulary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
