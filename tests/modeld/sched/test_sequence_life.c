/* sequence.h: what a text, a score and a probe go through, step by step, and what ends a text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/modeld/sequence_world.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static void assert_refused(world *w, const job *asked, status expected, const char *word) {
    sequence *s = NULL;
    failure f = {.message = ""};
    assert_int_equal(sequences_open(w->table, asked, 0, &s, &f), expected);
    if (!strstr(f.message, word)) fail_msg("\"%s\" does not name %s", f.message, word);
}

static void test_states_are_those_of_the_protocol(void **state) {
    (void)state;
    static const struct {
        sequence_state from;
        sequence_event event;
        sequence_state to;
    } table[] = {
        {SEQUENCE_QUEUED, EVENT_PAGES, SEQUENCE_PREFILL},
        {SEQUENCE_QUEUED, EVENT_ROWS, SEQUENCE_SAMPLING},
        {SEQUENCE_QUEUED, EVENT_CLOSE, SEQUENCE_CLOSED},
        {SEQUENCE_PREFILL, EVENT_ROWS, SEQUENCE_SAMPLING},
        {SEQUENCE_PREFILL, EVENT_CLOSE, SEQUENCE_CLOSED},
        {SEQUENCE_SAMPLING, EVENT_RETRY, SEQUENCE_SAMPLING},
        {SEQUENCE_SAMPLING, EVENT_DRAWN, SEQUENCE_DECODE},
        {SEQUENCE_SAMPLING, EVENT_DRAWN_UNCACHED, SEQUENCE_PREFILL},
        {SEQUENCE_SAMPLING, EVENT_SCORED, SEQUENCE_PREFILL},
        {SEQUENCE_SAMPLING, EVENT_CLOSE, SEQUENCE_CLOSED},
        {SEQUENCE_DECODE, EVENT_ROWS, SEQUENCE_SAMPLING},
        {SEQUENCE_DECODE, EVENT_CLOSE, SEQUENCE_CLOSED},
    };
    for (sequence_state from = SEQUENCE_QUEUED; from < SEQUENCE_STATES; from++)
        for (sequence_event event = 0; event < SEQUENCE_EVENTS; event++) {
            sequence_state expected = SEQUENCE_NOWHERE;
            for (size_t i = 0; i < sizeof table / sizeof *table; i++)
                if (table[i].from == from && table[i].event == event) expected = table[i].to;
            assert_int_equal(sequence_after(from, event), expected);
        }
}

static void test_a_text_goes_from_prompt_to_its_last_token(void **state) {
    world *w = *state;
    sequence *s = open_text(w, 1, 5);
    assert_int_equal(s->state, SEQUENCE_QUEUED);
    assert_int_equal(sequence_n_wanted(s), 0);
    assert_int_equal(sequences_n_queued(w->table), 1);
    assert_ptr_equal(admit(w), s);
    assert_int_equal(s->state, SEQUENCE_PREFILL);
    assert_int_equal(sequence_n_wanted(s), 5);
    assert_int_equal(sequences_n_queued(w->table), 0);

    assert_false(compute(w, s, 3));
    assert_int_equal(sequence_n_wanted(s), 2);
    assert_true(compute(w, s, 2));
    for (int32_t i = 0; i < 3; i++) {
        assert_int_equal(s->state, SEQUENCE_SAMPLING);
        assert_ptr_equal(sequences_first_waiting(w->table), s);
        assert_int_equal(sequence_step(s), i);
        draw(w, s, 30 + i);
        assert_null(sequences_first_waiting(w->table));
        assert_int_equal(s->state, SEQUENCE_DECODE);
        if (i == 2) break;
        assert_int_equal(sequence_over(s), END_NONE);
        assert_int_equal(sequence_n_wanted(s), 1);
        assert_true(compute(w, s, 1));
    }
    assert_int_equal(sequence_over(s), END_LENGTH);
    assert_memory_equal(s->ids + 5, ((int32_t[]){30, 31, 32}), 3 * sizeof(int32_t));
    assert_string_equal(sequence_text(s)->semantics, "rules/1");
    sequences_close(w->table, s);
    assert_int_equal(sequences_count(w->table), 0);
}

static void test_only_the_last_position_of_a_prompt_wants_logits(void **state) {
    world *w = *state;
    sequence *s = open_text(w, 1, 4);
    admit(w);
    batch_row rows[4];
    assert_int_equal(sequence_batch(s, 3, rows), 0);
    assert_int_equal(sequence_batch(s, 4, rows), 1);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(rows[i].pos, i);
        assert_int_equal(rows[i].id, w->ids[i]);
        assert_int_equal(rows[i].sequence, sequence_pages_of(s)->kv);
        assert_int_equal(rows[i].wants_logits, i == 3);
    }
}

static void test_times_and_shares_add_up(void **state) {
    world *w = *state;
    sequence *s = open_text(w, 1, 4);
    admit(w); /* opened at 0, admitted at 5 ms, computed at 9 ms, 1 ms a pass */
    compute(w, s, 2);
    compute(w, s, 2);
    const text_timing *timing = &sequence_text(s)->timing;
    assert_true(timing->queue_ms == 5 && timing->prefill_ms == 4 && timing->forward_ms == 2);
    draw(w, s, 1);
    assert_true(timing->forward_ms == 0);
}

static void test_without_cache_each_step_computes_all_positions(void **state) {
    world *w = *state;
    job asked = a_text(w, 1, 5, 5);
    asked.text.no_cache = true;
    for (int round = 0; round < 2; round++) {   /* the second finds nothing of the first */
        sequence *s = open_job(w, &asked);
        assert_ptr_equal(admit(w), s);
        assert_int_equal(sequence_pages_of(s)->n_cached, 0);
        assert_int_equal(sequence_n_wanted(s), 5);
        assert_true(compute(w, s, 5));
        draw(w, s, 3);
        assert_int_equal(s->state, SEQUENCE_PREFILL);
        assert_int_equal(sequence_n_wanted(s), 6);
        assert_false(compute(w, s, 4));         /* in chunks, like any prompt */
        assert_true(compute(w, s, 2));
        sequences_close(w->table, s);
        assert_int_equal(kv_cache_pages_used(w->cache), 0);
    }
}

static void test_a_resumed_text_goes_on_at_its_step(void **state) {
    world *w = *state;
    job asked = a_text(w, 1, 6, 4);
    asked.text.semantics = "rules/1";
    asked.text.sampler_state = (const uint8_t *)"mu";
    asked.text.n_sampler_state_bytes = 2;
    sequence *s = open_job(w, &asked);
    assert_int_equal(sequence_step(s), 2);
    assert_int_equal(sequence_over(s), END_NONE);
    assert_string_equal(sequence_text(s)->semantics, "rules/1");
    assert_memory_equal(sequence_text(s)->sampler_state, "mu", 2);
    admit(w);
    assert_int_equal(sequence_n_wanted(s), 6);
    compute(w, s, 6);
    draw(w, s, 1);
    assert_int_equal(sequence_over(s), END_LENGTH);
}

static void test_a_text_that_was_over_is_over_when_resumed(void **state) {
    world *w = *state;
    job asked = a_text(w, 1, 7, 4);
    sequence *s = open_job(w, &asked);
    assert_int_equal(sequence_over(s), END_LENGTH);
    sequences_close(w->table, s);
    asked = a_text(w, 1, 5, 4);
    asked.text.end_ids = &w->ids[4];
    asked.text.n_end_ids = 1;
    s = open_job(w, &asked);
    assert_int_equal(sequence_over(s), END_ID);
}

static void test_an_end_id_ends_a_text_but_not_in_its_prompt(void **state) {
    world *w = *state;
    job asked = a_text(w, 1, 4, 4);
    asked.text.end_ids = (const int32_t[]){9, w->ids[3]};
    asked.text.n_end_ids = 2;
    sequence *s = open_job(w, &asked);
    admit(w);
    compute(w, s, 4);
    assert_int_equal(sequence_over(s), END_NONE);
    draw(w, s, 9);
    assert_int_equal(sequence_over(s), END_ID);
}

static void test_the_end_of_the_context_ends_a_text(void **state) {
    world *w = *state;
    job asked = a_text(w, 1, N_CTX - 1, N_CTX - 1);
    sequence *s = open_job(w, &asked);
    assert_int_equal(sequence_pages_of(s)->n_positions_max, N_CTX);
    admit(w);
    compute(w, s, N_CTX - 1);
    draw(w, s, 1);
    assert_int_equal(sequence_over(s), END_LENGTH);
}

static void test_a_score_goes_in_pieces_until_all_rows_are_scored(void **state) {
    world *w = *state;
    uint32_t n_ids = 2 * SCORE_ROWS + 1;
    job asked = a_score(w, 7, n_ids);
    sequence *s = open_job(w, &asked);
    assert_ptr_equal(admit(w), s);
    for (uint32_t first = 0; first < n_ids; first += SCORE_ROWS) {
        uint32_t n_rows = n_ids - first < SCORE_ROWS ? n_ids - first : SCORE_ROWS;
        assert_int_equal(sequence_n_wanted(s), n_rows);
        batch_row rows[SCORE_ROWS];
        assert_int_equal(sequence_batch(s, n_rows, rows), n_rows);
        assert_true(compute(w, s, n_rows));
        assert_int_equal(s->rows.n, n_rows);
        int32_t given[SCORE_ROWS];
        double logprobs[SCORE_ROWS];
        sequence_given(s, given);
        for (uint32_t i = 0; i < n_rows; i++) {
            uint32_t next = first + i + 1;
            assert_int_equal(given[i], next < n_ids ? w->ids[next] : -1);
            logprobs[i] = -(double)next;
        }
        assert_false(sequence_all_scored(s));
        sequence_sent(w->table, s, &w->one, 0, 0);
        sequence_scored(s, logprobs);
    }
    assert_true(sequence_all_scored(s));
    assert_true(sequence_score(s)->logprobs[0] != sequence_score(s)->logprobs[0]);
    for (uint32_t i = 1; i < n_ids; i++) assert_true(sequence_score(s)->logprobs[i] == -(double)i);
    sequences_close(w->table, s);
    assert_int_equal(kv_cache_pages_used(w->cache), 0);
}

static void test_a_probe_brings_its_row(void **state) {
    world *w = *state;
    const float row[3] = {1, 2, 3};
    job asked = {
        .kind = SEQUENCE_PROBE,
        .from = w,
        .ids = (const int32_t[]){2, 0},
        .n_ids = 2,
        .pool = "mine",
        .probe.call = 7,
        .probe.row = row,
        .probe.row_width = 3,
        .probe.step = 11,
        .probe.strategy = &w->cold,
    };
    sequence *s = open_job(w, &asked);
    assert_int_equal(s->state, SEQUENCE_SAMPLING);
    assert_ptr_equal(sequences_first_waiting(w->table), s);
    assert_int_equal(sequence_step(s), 11);
    assert_int_equal(s->rows.n, 1);
    assert_memory_equal(s->rows.logits, row, sizeof row);
    assert_int_equal(kv_cache_pages_used(w->cache), 0);
    sequences_close(w->table, s);
    asked.ids = (const int32_t[]){3, 0};
    assert_refused(w, &asked, STATUS_BAD_ID, "3");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
    const struct CMUnitTest tests[] = {
        TEST(test_states_are_those_of_the_protocol),
        TEST(test_a_text_goes_from_prompt_to_its_last_token),
        TEST(test_only_the_last_position_of_a_prompt_wants_logits),
        TEST(test_times_and_shares_add_up),
        TEST(test_without_cache_each_step_computes_all_positions),
        TEST(test_a_resumed_text_goes_on_at_its_step),
        TEST(test_a_text_that_was_over_is_over_when_resumed),
        TEST(test_an_end_id_ends_a_text_but_not_in_its_prompt),
        TEST(test_the_end_of_the_context_ends_a_text),
        TEST(test_a_score_goes_in_pieces_until_all_rows_are_scored),
        TEST(test_a_probe_brings_its_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
