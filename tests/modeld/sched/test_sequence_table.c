/* sequences.h: what is taken in, what is refused and why, and who is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/modeld/sequence_world.h"
#include "tests/support/traceparents.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static void assert_refused(world *w, const job *asked, status expected, const char *word) {
    sequence *s = NULL;
    failure f = {.message = ""};
    assert_int_equal(sequences_open(w->table, asked, 0, &s, &f), expected);
    if (!strstr(f.message, word)) fail_msg("\"%s\" does not name %s", f.message, word);
}

static void test_what_cannot_be_done_is_refused_with_its_reason(void **state) {
    world *w = *state;
    job asked = a_text(w, 1, N_CTX, N_CTX);
    assert_refused(w, &asked, STATUS_TOO_LONG, TINY_LIMITS ? "48" : "192");
    asked = a_text(w, 1, 0, 0);
    assert_refused(w, &asked, STATUS_EMPTY_PROMPT, "prompt");
    asked = a_text(w, 1, 3, 4);
    assert_refused(w, &asked, STATUS_BAD_REQUEST, "n_prompt");
    asked = a_text(w, 1, 3, 3);
    asked.text.attempt = 0;
    assert_refused(w, &asked, STATUS_BAD_REQUEST, "attempt");
    asked = a_text(w, 1, 3, 3);
    asked.text.max_new_tokens = 0;
    assert_refused(w, &asked, STATUS_BAD_REQUEST, "max_new_tokens");
    asked = a_text(w, 1, 3, 3);
    asked.ids = (const int32_t[]){1, N_VOCAB, 2};
    assert_refused(w, &asked, STATUS_BAD_ID, "40");
    asked.ids = (const int32_t[]){1, 2, -1};
    assert_refused(w, &asked, STATUS_BAD_ID, "-1");
    asked = a_text(w, 1, 3, 3);
    asked.text.seed = SEED_MAX;
    assert_refused(w, &asked, STATUS_BAD_REQUEST, "seed");
    asked = a_text(w, 1, 3, 3);
    asked.text.n_sampler_state_bytes = STATE_BYTES_MAX + 1;
    assert_refused(w, &asked, STATUS_TOO_LONG, "state");
    for (int32_t priority = PRIORITY_MIN - 1; priority <= PRIORITY_MAX + 1; priority += PRIORITY_MAX - PRIORITY_MIN + 2) {
        asked = a_text(w, 1, 3, 3);
        asked.text.priority = priority;
        assert_refused(w, &asked, STATUS_BAD_REQUEST, "priority");
    }
    asked = a_text(w, 1, 3, 3);
    asked.traceparent = NO_TRACEPARENT;
    assert_refused(w, &asked, STATUS_BAD_REQUEST, "traceparent");
    asked = a_score(w, 1, 3);
    asked.traceparent = NO_TRACEPARENT;
    assert_refused(w, &asked, STATUS_BAD_REQUEST, "traceparent");
    asked = a_text(w, 1, 3, 3);
    asked.kind = SEQUENCE_SCORE;
    asked.n_ids = N_CTX + 1;
    assert_refused(w, &asked, STATUS_TOO_LONG, "score");
    asked.n_ids = 0;
    assert_refused(w, &asked, STATUS_EMPTY_PROMPT, "score");
    asked.kind = SEQUENCE_PROBE;
    asked.probe.row_width = N_VOCAB_MAX + 1;
    assert_refused(w, &asked, STATUS_TOO_LONG, "row");
    asked.probe.row_width = 0;
    assert_refused(w, &asked, STATUS_NO_CANDIDATE, "row");
    assert_int_equal(sequences_count(w->table), 0);
}

static void test_more_positions_than_pages_is_too_long_and_names_the_flag(void **state) {
    world *w = *state;
    world_renew(w, 1, NULL);
    job asked = a_text(w, 1, PAGE_TOKENS - 2, PAGE_TOKENS - 2);
    sequence *s = NULL;
    failure f;
    assert_int_equal(sequences_open(w->table, &asked, 0, &s, &f), STATUS_TOO_LONG);
    assert_non_null(strstr(f.message, "--kv-memory"));
    asked.text.max_new_tokens = 9000;
    assert_int_equal(sequences_open(w->table, &asked, 0, &s, &f), STATUS_TOO_LONG);
    assert_non_null(strstr(f.message, " ids and 9000 new tokens need "));
    assert_non_null(strstr(f.message, " positions, all of the context; the KV-cache holds "));
    asked.text.max_new_tokens = 2;
    assert_int_equal(sequences_open(w->table, &asked, 0, &s, &f), STATUS_OK);
}

static void test_the_table_has_a_bound(void **state) {
    world *w = *state;
    job asked;
    for (int i = 0; i < SEQUENCES_MAX; i++) {
        char whose[16];
        snprintf(whose, sizeof whose, "%d", i);
        asked = a_text(w, (uint8_t)i, 2, 2);
        asked.owner = whose;
        open_job(w, &asked);
    }
    asked = a_text(w, 0, 2, 2);
    assert_refused(w, &asked, STATUS_BUSY, "limit");
    sequences_close(w->table, sequences_first(w->table));
    open_job(w, &asked);
}

static void test_what_texts_hold_has_a_bound(void **state) {
    world *w = *state;
    static int32_t lists[LIST_IDS_MAX];
    const double dry[] = {1, 2, 2, -1};
    failure f;
    strategy large;
    strategy_init(&large);
    for (int i = 0; i < LIST_IDS_MAX; i++) lists[i] = i % 2 == 0 ? i % N_VOCAB : -1;
    for (int i = 0; i < STAGES_MAX; i++)
        assert_int_equal(strategy_append_lists(&large, STAGE_DRY, dry, 4, lists, LIST_IDS_MAX, &f), STATUS_OK);
    assert_int_equal(strategy_bytes(&large), STAGES_MAX * sizeof lists);
    sequence *s = open_text(w, 9, 2), *other = NULL;
    job asked;
    int n_opened = 0;
    do {
        asked = a_text(w, (uint8_t)(10 + n_opened++), 2, 2);
        asked.text.strategy = &large;
    } while (sequences_open(w->table, &asked, 0, &other, &f) == STATUS_OK);
    assert_int_equal(f.code, STATUS_BUSY);
    uint32_t step = 0;
    if (strstr(f.message, "bytes"))     /* else the table was full before */
        assert_int_equal(sequences_retune(s, 1, &large, &step, &f), STATUS_BUSY);
    while ((s = sequences_first(w->table))) sequences_close(w->table, s);
    open_job(w, &asked); /* what they held is free */
    strategy_clear(&large);
}

static void test_what_calls_hold_has_a_bound(void **state) {
    world *w = *state;
    enum { WIDTH = N_VOCAB_MAX / 2 };
    const size_t n_each = sizeof(sequence) + WIDTH * sizeof(double);    /* its answer is larger than its row */
    float *row = calloc(WIDTH, sizeof *row);
    assert_non_null(row);
    job probe = {.kind = SEQUENCE_PROBE, .pool = "", .probe.row = row, .probe.row_width = WIDTH};
    for (size_t i = 0; i < OPEN_CALLS_BYTES_MAX / n_each; i++) {
        char whose[16];
        snprintf(whose, sizeof whose, "%zu", i);
        probe.owner = whose;
        open_job(w, &probe);
    }
    probe.owner = "other";
    assert_refused(w, &probe, STATUS_BUSY, "calls under way hold");
    sequences_close(w->table, sequences_first(w->table));
    open_job(w, &probe);
    free(row);
}

static void test_answers_that_were_not_read_count_for_whoever_asks(void **state) {
    world *w = *state;
    job probe = {.kind = SEQUENCE_PROBE, .pool = "", .probe.row = &(float){0}, .probe.row_width = 1};
    const size_t n_probe = sizeof(sequence) + sizeof(double);
    probe.n_unread_bytes = OPEN_CALLS_BYTES_MAX - n_probe + 1;
    assert_refused(w, &probe, STATUS_BUSY, "answers that were not read");
    probe.n_unread_bytes--;
    open_job(w, &probe);
    assert_refused(w, &probe, STATUS_BUSY, "answers that were not read");
    open_text(w, 1, 2);
    probe.n_unread_bytes = 0;   /* somebody else's probe */
    open_job(w, &probe);
}

static void test_no_time_given_to_wait_means_the_default(void **state) {
    world *w = *state;
    assert_int_equal(open_text(w, 1, 2)->sending.wait_ms, WAIT_MS);
    job asked = a_text(w, 2, 2, 2);
    asked.wait_ms = 1;
    assert_int_equal(open_job(w, &asked)->sending.wait_ms, 1);
}

static void test_texts_are_found_by_request_whatever_the_attempt(void **state) {
    world *w = *state;
    sequence *s = open_text(w, 1, 2);
    job probe = {.kind = SEQUENCE_PROBE, .pool = "", .probe.row = &(float){0}, .probe.row_width = 1};
    open_job(w, &probe);
    assert_ptr_equal(sequences_find(w->table, "", sequence_text(s)->request), s);
    static const uint8_t zeros[REQUEST_BYTES];
    assert_null(sequences_find(w->table, "", zeros)); /* a probe has no request, not one of zeros */
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
    const struct CMUnitTest tests[] = {
        TEST(test_what_cannot_be_done_is_refused_with_its_reason),
        TEST(test_more_positions_than_pages_is_too_long_and_names_the_flag),
        TEST(test_the_table_has_a_bound),
        TEST(test_what_texts_hold_has_a_bound),
        TEST(test_what_calls_hold_has_a_bound),
        TEST(test_answers_that_were_not_read_count_for_whoever_asks),
        TEST(test_no_time_given_to_wait_means_the_default),
        TEST(test_texts_are_found_by_request_whatever_the_attempt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
