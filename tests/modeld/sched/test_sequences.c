/* sequences.h: a sequence's life, who waits for pages and for samplers, and what ends a text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "modeld/sched/sequences.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { N_VOCAB = 40, N_PAGES = 4, N_CTX = 3 * PAGE_TOKENS, MS = 1000 };

static const kv_shape shape = {.n_layers = 1, .n_kv_heads = 1, .head_dim = 2};

typedef struct world {
    kv_cache *cache;
    sequences *table;
    sampler one;
    int32_t ids[N_CTX + 1];
    strategy warm, cold;
} world;

static int setup(void **state) {
    world *w = calloc(1, sizeof *w);
    w->cache = kv_cache_new(shape, N_PAGES, KV_SEQUENCES_MAX);
    w->table = sequences_new(w->cache, NULL, N_VOCAB, N_CTX);
    for (int32_t i = 0; i <= N_CTX; i++) w->ids[i] = i * 7 % N_VOCAB;
    failure f;
    strategy_init(&w->warm);
    strategy_init(&w->cold);
    strategy_append(&w->warm, STEP_TEMPERATURE, &(double){1.5}, 1, &f);
    strategy_append(&w->cold, STEP_TEMPERATURE, &(double){0.5}, 1, &f);
    *state = w;
    return 0;
}

static int teardown(void **state) {
    world *w = *state;
    sequences_free(&w->table);
    kv_cache_free(&w->cache);
    strategy_clear(&w->warm);
    strategy_clear(&w->cold);
    free(w);
    return 0;
}

/* A text of `n_ids` ids, `n_prompt` of them prompt, that nothing is wrong with. */
static job text_job(world *w, uint8_t name, uint32_t n_ids, uint32_t n_prompt) {
    static uint8_t requests[256][REQUEST_BYTES];
    memset(requests[name], name, REQUEST_BYTES);
    return (job){
        .kind = SEQUENCE_TEXT,
        .owner = w,
        .request = requests[name],
        .attempt = 1,
        .n_prompt = n_prompt,
        .session = "",
        .semantics = "",
        .max_new_tokens = 3,
        .ids = w->ids,
        .n_ids = n_ids,
        .pool = "",
        .strategy = &w->warm,
    };
}

static sequence *open_job(world *w, const job *asked) {
    sequence *s = NULL;
    failure f = {.message = ""};
    assert_int_equal(sequences_open(w->table, asked, 0, &s, &f), STATUS_OK);
    return s;
}

static sequence *open_text(world *w, uint8_t name, uint32_t n_prompt) {
    job asked = text_job(w, name, n_prompt, n_prompt);
    return open_job(w, &asked);
}

static sequence *admit(world *w) {
    sequence *s = NULL;
    status st = sequences_admit(w->table, 5 * MS, &s);
    return st == STATUS_OK ? s : NULL;
}

/* What a forward pass over n_rows of its rows does. */
static bool compute(world *w, sequence *s, uint32_t n_rows) {
    kv_cache_extend(w->cache, s->kv, s->ids + s->n_computed, n_rows);
    return sequence_computed(w->table, s, n_rows, 1.0, 9 * MS);
}

static void draw(world *w, sequence *s, int32_t id) {
    sequence_sent(w->table, s, &w->one, 0, 0);
    sequence_drawn(s, id, NULL, 0, "rules/1", 0);
}

/* Admitted, prefilled, and its row waits for a sampler. */
static sequence *sampling_text(world *w, uint8_t name, uint32_t n_prompt) {
    sequence *s = open_text(w, name, n_prompt);
    assert_ptr_equal(admit(w), s);
    assert_true(compute(w, s, n_prompt));
    return s;
}

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
    assert_string_equal(s->semantics, "rules/1");
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
        assert_int_equal(rows[i].sequence, s->kv);
        assert_int_equal(rows[i].wants_logits, i == 3);
    }
}

static void test_times_and_shares_add_up(void **state) {
    world *w = *state;
    sequence *s = open_text(w, 1, 4);
    admit(w); /* opened at 0, admitted at 5 ms, computed at 9 ms, 1 ms a pass */
    compute(w, s, 2);
    compute(w, s, 2);
    assert_true(s->queue_ms == 5 && s->prefill_ms == 4 && s->forward_ms == 2);
    draw(w, s, 1);
    assert_true(s->forward_ms == 0);
}

static void test_a_resumed_text_goes_on_at_its_step(void **state) {
    world *w = *state;
    job asked = text_job(w, 1, 6, 4);
    asked.semantics = "rules/1";
    asked.memory = (const uint8_t *)"mu";
    asked.n_memory_bytes = 2;
    sequence *s = open_job(w, &asked);
    assert_int_equal(sequence_step(s), 2);
    assert_int_equal(sequence_over(s), END_NONE);
    assert_string_equal(s->semantics, "rules/1");
    assert_memory_equal(s->memory, "mu", 2);
    admit(w);
    assert_int_equal(sequence_n_wanted(s), 6);
    compute(w, s, 6);
    draw(w, s, 1);
    assert_int_equal(sequence_over(s), END_LENGTH);
}

static void test_a_text_that_was_over_is_over_when_resumed(void **state) {
    world *w = *state;
    job asked = text_job(w, 1, 7, 4);
    sequence *s = open_job(w, &asked);
    assert_int_equal(sequence_over(s), END_LENGTH);
    sequences_close(w->table, s);
    asked = text_job(w, 1, 5, 4);
    asked.end_ids = &w->ids[4];
    asked.n_end_ids = 1;
    s = open_job(w, &asked);
    assert_int_equal(sequence_over(s), END_ID);
}

static void test_an_end_id_ends_a_text_but_not_in_its_prompt(void **state) {
    world *w = *state;
    job asked = text_job(w, 1, 4, 4);
    asked.end_ids = (const int32_t[]){9, w->ids[3]};
    asked.n_end_ids = 2;
    sequence *s = open_job(w, &asked);
    admit(w);
    compute(w, s, 4);
    assert_int_equal(sequence_over(s), END_NONE);
    draw(w, s, 9);
    assert_int_equal(sequence_over(s), END_ID);
}

static void test_the_end_of_the_context_ends_a_text(void **state) {
    world *w = *state;
    job asked = text_job(w, 1, N_CTX - 1, N_CTX - 1);
    sequence *s = open_job(w, &asked);
    assert_int_equal(s->n_positions_max, N_CTX);
    admit(w);
    compute(w, s, N_CTX - 1);
    draw(w, s, 1);
    assert_int_equal(sequence_over(s), END_LENGTH);
}

static void test_what_cannot_be_done_is_refused_with_its_reason(void **state) {
    world *w = *state;
    job asked = text_job(w, 1, N_CTX, N_CTX);
    assert_refused(w, &asked, STATUS_TOO_LONG, TINY_LIMITS ? "48" : "192");
    asked = text_job(w, 1, 0, 0);
    assert_refused(w, &asked, STATUS_EMPTY_PROMPT, "prompt");
    asked = text_job(w, 1, 3, 4);
    assert_refused(w, &asked, STATUS_BAD_REQUEST, "n_prompt");
    asked = text_job(w, 1, 3, 3);
    asked.attempt = 0;
    assert_refused(w, &asked, STATUS_BAD_REQUEST, "attempt");
    asked = text_job(w, 1, 3, 3);
    asked.max_new_tokens = 0;
    assert_refused(w, &asked, STATUS_BAD_REQUEST, "max_new_tokens");
    asked = text_job(w, 1, 3, 3);
    asked.ids = (const int32_t[]){1, N_VOCAB, 2};
    assert_refused(w, &asked, STATUS_BAD_ID, "40");
    asked.ids = (const int32_t[]){1, 2, -1};
    assert_refused(w, &asked, STATUS_BAD_ID, "-1");
    asked = text_job(w, 1, 3, 3);
    asked.seed = SEED_MAX;
    assert_refused(w, &asked, STATUS_BAD_REQUEST, "seed");
    asked = text_job(w, 1, 3, 3);
    asked.n_memory_bytes = STATE_BYTES_MAX + 1;
    assert_refused(w, &asked, STATUS_TOO_LONG, "state");
    asked.kind = SEQUENCE_SCORE;
    asked.n_ids = N_CTX + 1;
    assert_refused(w, &asked, STATUS_TOO_LONG, "score");
    asked.n_ids = 0;
    assert_refused(w, &asked, STATUS_EMPTY_PROMPT, "score");
    asked.kind = SEQUENCE_PROBE;
    asked.row_width = N_VOCAB_MAX + 1;
    assert_refused(w, &asked, STATUS_TOO_LONG, "row");
    asked.row_width = 0;
    assert_refused(w, &asked, STATUS_NO_CANDIDATE, "row");
    assert_int_equal(sequences_count(w->table), 0);
}

static void test_more_positions_than_pages_is_too_long_and_names_the_flag(void **state) {
    world *w = *state;
    kv_cache *small = kv_cache_new(shape, 1, KV_SEQUENCES_MAX);
    sequences *table = sequences_new(small, NULL, N_VOCAB, N_CTX);
    job asked = text_job(w, 1, PAGE_TOKENS - 2, PAGE_TOKENS - 2);
    sequence *s = NULL;
    failure f;
    assert_int_equal(sequences_open(table, &asked, 0, &s, &f), STATUS_TOO_LONG);
    assert_non_null(strstr(f.message, "--kv-memory"));
    asked.max_new_tokens = 2;
    assert_int_equal(sequences_open(table, &asked, 0, &s, &f), STATUS_OK);
    sequences_free(&table);
    kv_cache_free(&small);
}

static void test_the_table_has_a_bound(void **state) {
    world *w = *state;
    for (int i = 0; i < SEQUENCES_MAX; i++) open_text(w, (uint8_t)i, 2);
    job asked = text_job(w, 0, 2, 2);
    assert_refused(w, &asked, STATUS_BUSY, "limit");
    sequences_close(w->table, sequences_first(w->table));
    open_job(w, &asked);
}

static void test_pages_go_in_order_of_arrival(void **state) {
    world *w = *state;
    uint32_t half = 2 * PAGE_TOKENS - 3; /* with 3 new tokens: two of the four pages */
    sequence *first = open_text(w, 1, half), *second = open_text(w, 2, PAGE_TOKENS - 3);
    assert_ptr_equal(admit(w), first);
    assert_ptr_equal(admit(w), second);
    sequence *large = open_text(w, 3, half), *small = open_text(w, 4, 1);
    assert_null(admit(w)); /* one page is free, but `large` came before `small` */
    assert_int_equal(sequences_n_queued(w->table), 2);
    sequences_close(w->table, second);
    assert_ptr_equal(admit(w), large);
    assert_null(admit(w));
    sequences_close(w->table, first);
    assert_ptr_equal(admit(w), small);
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
    job asked = text_job(w, 1, 6, 6);
    asked.session = "talk";
    sequence *s = open_job(w, &asked);
    admit(w);
    compute(w, s, 6);
    sequences_close(w->table, s);
    asked = text_job(w, 2, 8, 8);
    asked.session = "talk";
    s = open_job(w, &asked);
    admit(w);
    assert_int_equal(s->n_cached, 6);
    assert_int_equal(sequence_n_wanted(s), 2);
    sequences_close(w->table, s);
    s = open_text(w, 3, 8);
    admit(w);
    assert_int_equal(s->n_cached, 0);
}

static void test_a_resumed_request_finds_its_keys_and_values_again(void **state) {
    world *w = *state;
    sequences_close(w->table, sampling_text(w, 1, 6));
    job asked = text_job(w, 1, 7, 6);
    asked.attempt = 2;
    sequence *s = open_job(w, &asked);
    admit(w);
    assert_int_equal(s->n_cached, 6);
}

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
    uint64_t late = s->ticket;
    assert_ptr_equal(sequences_by_ticket(w->table, s->ticket), s);
    assert_ptr_equal(sequences_by_ticket(w->table, other->ticket), other);
    sequence_retry(w->table, s, RETRY_FAILED, 0, "it hangs");
    assert_null(sequences_by_ticket(w->table, late));
    sequence_sent(w->table, s, &w->one, 0, 0);
    assert_true(s->ticket != late);
    assert_null(sequences_by_ticket(w->table, late));
    late = s->ticket;
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
    assert_ptr_equal(s->avoided, &w->one);
    assert_string_equal(s->last_error, "it hangs");
    assert_int_equal(s->n_tries, 1);
    draw(w, s, 1);
    compute(w, s, 1);
    assert_int_equal(s->n_tries, 0);
    assert_null(s->avoided);
}

static void test_no_time_given_to_wait_means_the_default(void **state) {
    world *w = *state;
    assert_int_equal(open_text(w, 1, 2)->wait_ms, WAIT_MS);
    job asked = text_job(w, 2, 2, 2);
    asked.wait_ms = 1;
    assert_int_equal(open_job(w, &asked)->wait_ms, 1);
}

static void test_only_what_a_sampler_did_wrong_is_a_try(void **state) {
    world *w = *state;
    failure f;
    uint32_t from = 99;
    sequence *s = sampling_text(w, 1, 2);
    sequence_sent(w->table, s, &w->one, 0, 0);
    sequence_retry(w->table, s, RETRY_UNSENT, 0, "it could not be reached");
    assert_true(s->n_sent == 0 && s->n_tries == 0 && s->n_losses == 0);
    assert_int_equal(sequence_retune(s, 1, &w->cold, &from, &f), STATUS_OK);
    assert_int_equal(from, 0); /* nobody has seen the row: it may be drawn with another strategy */
    sequence_sent(w->table, s, &w->one, 0, 0);
    sequence_retry(w->table, s, RETRY_LOST, 0, "it is gone");
    assert_true(s->n_sent == 1 && s->n_tries == 0 && s->n_losses == 1);
    sequence_sent(w->table, s, &w->one, 0, 0);
    sequence_retry(w->table, s, RETRY_FAILED, 0, "late");
    assert_true(s->n_sent == 2 && s->n_tries == 1 && s->n_losses == 1);
    draw(w, s, 1);
    compute(w, s, 1);
    assert_true(s->n_sent == 0 && s->n_tries == 0 && s->n_losses == 0);
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
    assert_true(strategy_equal(&s->strategy, &w->cold));
    draw(w, s, 1);
    assert_int_equal(sequence_retune(s, 2, &w->warm, &from, &f), STATUS_OK);
    assert_int_equal(from, 1);
    assert_int_equal(s->change, 2);
    assert_true(strategy_equal(&s->strategy, &w->warm));
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
    assert_true(strategy_equal(&s->strategy, &w->warm));
    assert_int_equal(s->change, 0);
    assert_int_equal(sequence_retune(s, 2, &w->cold, &from, &f), STATUS_OK);
    assert_int_equal(from, 1);
    draw(w, s, 1);
    assert_true(strategy_equal(&s->strategy, &w->cold));
    assert_int_equal(s->change, 2);
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
    assert_true(strategy_equal(&s->strategy, &w->warm));
    assert_int_equal(from, 99);
    strategy_clear(&biased);
}

static job score_job(world *w, uint64_t call, uint32_t n_ids) {
    return (job){.kind = SEQUENCE_SCORE,
                 .owner = w,
                 .call = call,
                 .pool = "",
                 .ids = w->ids,
                 .n_ids = n_ids};
}

static void test_a_score_goes_in_pieces_until_all_rows_are_scored(void **state) {
    world *w = *state;
    uint32_t n_ids = 2 * SCORE_ROWS + 1;
    job asked = score_job(w, 7, n_ids);
    sequence *s = open_job(w, &asked);
    assert_ptr_equal(admit(w), s);
    for (uint32_t first = 0; first < n_ids; first += SCORE_ROWS) {
        uint32_t n_rows = n_ids - first < SCORE_ROWS ? n_ids - first : SCORE_ROWS;
        assert_int_equal(sequence_n_wanted(s), n_rows);
        batch_row rows[SCORE_ROWS];
        assert_int_equal(sequence_batch(s, n_rows, rows), n_rows);
        assert_true(compute(w, s, n_rows));
        assert_int_equal(s->n_rows, n_rows);
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
    assert_true(s->logprobs[0] != s->logprobs[0]);
    for (uint32_t i = 1; i < n_ids; i++) assert_true(s->logprobs[i] == -(double)i);
    sequences_close(w->table, s);
    assert_int_equal(kv_cache_pages_used(w->cache), 0);
}

static void test_scores_that_wait_let_texts_pass(void **state) {
    world *w = *state;
    sequences_free(&w->table);
    kv_cache_free(&w->cache);
    w->cache = kv_cache_new(shape, SCORES_RUNNING_MAX + 2, KV_SEQUENCES_MAX);
    w->table = sequences_new(w->cache, NULL, N_VOCAB, N_CTX);
    for (uint64_t i = 0; i < SCORES_RUNNING_MAX + 1; i++) {
        job asked = score_job(w, i, 1);
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

static void test_a_probe_brings_its_row(void **state) {
    world *w = *state;
    const float row[3] = {1, 2, 3};
    job asked = {
        .kind = SEQUENCE_PROBE,
        .owner = w,
        .call = 7,
        .pool = "mine",
        .row = row,
        .row_width = 3,
        .ids = (const int32_t[]){2, 0},
        .n_ids = 2,
        .first_step = 11,
        .strategy = &w->cold,
    };
    sequence *s = open_job(w, &asked);
    assert_int_equal(s->state, SEQUENCE_SAMPLING);
    assert_ptr_equal(sequences_first_waiting(w->table), s);
    assert_int_equal(sequence_step(s), 11);
    assert_int_equal(s->n_rows, 1);
    assert_memory_equal(s->rows, row, sizeof row);
    assert_int_equal(kv_cache_pages_used(w->cache), 0);
    sequences_close(w->table, s);
    asked.ids = (const int32_t[]){3, 0};
    assert_refused(w, &asked, STATUS_BAD_ID, "3");
}

static void test_texts_are_found_by_request_whatever_the_attempt(void **state) {
    world *w = *state;
    sequence *s = open_text(w, 1, 2);
    job probe = {.kind = SEQUENCE_PROBE, .pool = "", .row = &(float){0}, .row_width = 1};
    open_job(w, &probe);
    assert_ptr_equal(sequences_find(w->table, s->request), s);
    static const uint8_t zeros[REQUEST_BYTES];
    assert_null(sequences_find(w->table, zeros)); /* a probe has no request, not one of zeros */
}

static void test_texts_have_their_rows_in_shared_memory_while_there_is_room(void **state) {
    world *w = *state;
    shared_rows *shared = NULL;
    failure f;
    assert_int_equal(shared_rows_new(&shared, 1, 1, N_VOCAB, &f), STATUS_OK);
    sequences_free(&w->table);
    w->table = sequences_new(w->cache, shared, N_VOCAB, N_CTX);
    sequence *score = NULL;
    job asked = score_job(w, 1, 2);
    score = open_job(w, &asked);
    assert_ptr_equal(admit(w), score);
    assert_false(score->in_shared); /* its rows are several */
    sequence *first = sampling_text(w, 1, 1), *second = sampling_text(w, 2, 1);
    assert_true(first->in_shared);
    assert_ptr_equal(first->rows, shared_rows_at(shared, first->shared_row));
    assert_false(second->in_shared); /* none is left: its rows are its own */
    assert_non_null(second->rows);
    sequences_close(w->table, first);
    sequence *third = sampling_text(w, 3, 1);
    assert_true(third->in_shared);
    sequences_free(&w->table);
    shared_rows_free(&shared);
}

static void test_a_row_has_one_generation_for_all_its_sendings_and_another_when_it_is_written(
    void **state) {
    world *w = *state;
    shared_rows *shared = NULL;
    failure f;
    assert_int_equal(shared_rows_new(&shared, 1, 1, N_VOCAB, &f), STATUS_OK);
    sequences_free(&w->table);
    w->table = sequences_new(w->cache, shared, N_VOCAB, N_CTX);
    sequence *s = open_text(w, 1, 1);
    assert_ptr_equal(admit(w), s);
    sequence_renew_rows(w->table, s);
    uint64_t generation = s->row_generation;
    assert_true(compute(w, s, 1));
    sequence_sent(w->table, s, &w->one, 0, 0);
    sequence_retry(w->table, s, RETRY_FAILED, 0, "late");
    assert_int_equal(s->row_generation, generation);
    draw(w, s, 5);
    sequence_renew_rows(w->table, s);
    assert_true(s->row_generation > generation);
    sequences_free(&w->table);
    shared_rows_free(&shared);
}

static void test_without_cache_each_step_computes_all_positions(void **state) {
    world *w = *state;
    job asked = text_job(w, 1, 5, 5);
    asked.no_cache = true;
    for (int round = 0; round < 2; round++) {   /* the second finds nothing of the first */
        sequence *s = open_job(w, &asked);
        assert_ptr_equal(admit(w), s);
        assert_int_equal(s->n_cached, 0);
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

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
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
        TEST(test_what_cannot_be_done_is_refused_with_its_reason),
        TEST(test_more_positions_than_pages_is_too_long_and_names_the_flag),
        TEST(test_the_table_has_a_bound),
        TEST(test_pages_go_in_order_of_arrival),
        TEST(test_closing_one_that_waits_for_pages_takes_none_away),
        TEST(test_a_session_finds_its_keys_and_values_again),
        TEST(test_a_resumed_request_finds_its_keys_and_values_again),
        TEST(test_an_id_is_expected_after_as_long_as_the_one_before_took),
        TEST(test_a_ticket_names_one_sending_only),
        TEST(test_a_retry_goes_first_and_keeps_count),
        TEST(test_no_time_given_to_wait_means_the_default),
        TEST(test_only_what_a_sampler_did_wrong_is_a_try),
        TEST(test_closing_gives_the_sampler_its_room_back),
        TEST(test_a_new_strategy_holds_from_the_first_step_not_sent),
        TEST(test_a_step_that_was_sent_keeps_its_strategy_through_retries),
        TEST(test_a_strategy_must_be_newer_and_fit_the_vocabulary),
        TEST(test_a_score_goes_in_pieces_until_all_rows_are_scored),
        TEST(test_scores_that_wait_let_texts_pass),
        TEST(test_texts_have_their_rows_in_shared_memory_while_there_is_room),
        TEST(test_a_row_has_one_generation_for_all_its_sendings_and_another_when_it_is_written),
        TEST(test_a_probe_brings_its_row),
        TEST(test_texts_are_found_by_request_whatever_the_attempt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
