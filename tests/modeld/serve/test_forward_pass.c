/* forward_pass.h: each sequence gets the logits of its own rows, whoever shares the pass, and a row that lies in
 * shared memory is of a new generation before it is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "modeld/serve/forward_pass.h"
#include "tests/support/models/forward.h"
#include "tests/support/models/tiny_model.h"
#include "tests/support/scratch.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

enum { N_PAGES = 8, PROMPT = 3, N_ASKED = 2 };

static const int32_t IDS[] = {5, 9, 2, 7, 11};
static const uint8_t NAMES[N_ASKED][REQUEST_BYTES] = {"first of the two", "another of them."};

static model *m;
static kv_cache *cache;
static shared_rows *shared;
static sequences *table;
static engine *computes;
static forward_pass *pass;

static int froms[N_ASKED];      /* where each of them came from */
static const void *behind;      /* the one of these whose texts rest, or NULL */

static bool rests(const void *from) {
    return from == behind;
}

static int open_model(void **state) {
    (void)state;
    failure f;
    tiny_model_options tiny = tiny_model_defaults();
    model_options o = {.n_threads = 1, .isa = "ref", .n_rows_max = BATCH_ROWS_MAX};
    if (tiny_model_write(scratch_path(), &tiny, &f) != STATUS_OK) return -1;
    return model_open(&m, scratch_path(), &o, &f) == STATUS_OK ? 0 : -1;
}

static int close_model(void **state) {
    (void)state;
    model_close(&m);
    return 0;
}

static int begin(void **state) {
    (void)state;
    failure f;
    const model_shape *shape = model_shape_of(m);
    assert_int_equal(shared_rows_new(&shared, 1, 1, shape->n_vocab, &f), STATUS_OK);
    cache = kv_cache_new(model_kv_shape(m), N_PAGES, KV_SEQUENCES_MAX);
    table = sequences_new(cache, shared, shape->n_vocab, shape->n_ctx);
    assert_int_equal(engine_new(&computes, m, cache, &f), STATUS_OK);
    behind = NULL;
    pass = forward_pass_new(computes, cache, table, rests);
    assert_true(cache && table && pass);
    return 0;
}

static int end(void **state) {
    (void)state;
    engine_free(&computes);
    forward_pass_free(&pass);
    sequences_free(&table);
    kv_cache_free(&cache);
    shared_rows_free(&shared);
    return 0;
}

/* A text with a prompt that begins at IDS[i]. */
static sequence *open_text(size_t i) {
    const job asked = {
        .kind = SEQUENCE_TEXT, .ids = IDS + i, .n_ids = PROMPT, .pool = "", .text.request = NAMES[i],
        .text.attempt = 1, .text.n_prompt = PROMPT, .text.session = "", .text.semantics = "",
        .text.max_new_tokens = 2, .from = &froms[i],
    };
    sequence *opened = NULL, *admitted = NULL;
    failure f;
    assert_int_equal(sequences_open(table, &asked, 0, &opened, &f), STATUS_OK);
    assert_int_equal(sequences_admit(table, 0, &admitted), STATUS_OK);
    assert_ptr_equal(admitted, opened);
    return opened;
}

/* Pass after pass, until nothing is left to compute. */
static void run(void) {
    while (forward_pass_begin(pass) > 0) forward_pass_end(pass);
}

/* The logits after these ids, computed alone. */
static float *alone(const int32_t *ids, uint32_t n_ids) {
    batch_row rows[8];
    kv_sequence kv;
    uint32_t n_cached = 0;
    kv_cache *own = kv_cache_new(model_kv_shape(m), 1, 1);
    assert_int_equal(kv_cache_open(own, "alone", ids, n_ids, n_ids, &kv, &n_cached), STATUS_OK);
    for (uint32_t i = 0; i < n_ids; i++) rows[i] = (batch_row){kv, i, ids[i], i == n_ids - 1};
    float *logits = malloc(model_shape_of(m)->n_vocab * sizeof *logits);
    forward(m, own, rows, n_ids, logits);
    kv_cache_free(&own);
    return logits;
}

static void has_row_of(const sequence *q, const int32_t *ids, uint32_t n_ids) {
    float *expected = alone(ids, n_ids);
    assert_int_equal(q->state, SEQUENCE_SAMPLING);
    assert_memory_equal(q->rows.logits, expected, q->rows.width * sizeof *expected);
    free(expected);
}

static void a_pass_without_rows_is_none(void **state) {
    (void)state;
    assert_int_equal(forward_pass_begin(pass), 0);
    assert_false(forward_pass_runs(pass));
    assert_true(forward_pass_gather_until_us(pass) == 0);
}

static void one_sequence_has_its_row_where_it_lies(void **state) {
    (void)state;
    sequence *q = open_text(0);
    assert_true(sequence_in_shared(q));
    uint64_t generation = sequence_text(q)->shared.generation;
    assert_int_equal(forward_pass_begin(pass), PROMPT);
    assert_true(sequence_text(q)->shared.generation > generation); /* a new one, before it is written */
    generation = sequence_text(q)->shared.generation;
    forward_pass_end(pass);
    has_row_of(q, IDS, PROMPT);
    assert_int_equal(sequence_text(q)->shared.generation, generation);
    assert_true(forward_pass_gather_until_us(pass) > 0);
    assert_int_equal(forward_pass_begin(pass), 0); /* it waits for a sampler */
}

static void each_of_several_gets_its_own(void **state) {
    (void)state;
    sequence *q[N_ASKED];
    for (size_t i = 0; i < N_ASKED; i++) q[i] = open_text(i);
    run();
    for (size_t i = 0; i < N_ASKED; i++) has_row_of(q[i], IDS + i, PROMPT);
}

static void one_row_each_for_those_that_decode(void **state) {
    (void)state;
    sampler one = {.pool = DEFAULT_POOL};
    sequence *q[N_ASKED];
    for (size_t i = 0; i < N_ASKED; i++) q[i] = open_text(i);
    run();
    for (size_t i = 0; i < N_ASKED; i++) {
        sequence_sent(table, q[i], &one, 0, 0);
        sequence_drawn(q[i], IDS[i + PROMPT], NULL, 0, "rules/1", 0);
    }
    assert_int_equal(forward_pass_begin(pass), N_ASKED);
    forward_pass_end(pass);
    for (size_t i = 0; i < N_ASKED; i++) has_row_of(q[i], IDS + i, PROMPT + 1);
}

static void those_whose_reader_is_behind_rest(void **state) {
    (void)state;
    sequence *q[N_ASKED];
    for (size_t i = 0; i < N_ASKED; i++) q[i] = open_text(i);
    behind = &froms[0];
    run();
    has_row_of(q[1], IDS + 1, PROMPT);
    assert_int_equal(sequence_n_wanted(q[0]), PROMPT);
    behind = NULL;
    run();
    has_row_of(q[0], IDS, PROMPT);
}

/* Whoever closes it is done with it at once; its pages and its row stay the engine's until the pass ends. */
static void one_that_is_closed_during_its_pass_gives_back_what_it_has_at_the_end(void **state) {
    (void)state;
    sequence *q = open_text(0);
    uint32_t n_used = kv_cache_pages_used(cache), taken;
    assert_int_equal(forward_pass_begin(pass), PROMPT);
    assert_true(forward_pass_runs(pass));
    sequences_close(table, q);
    assert_int_equal(sequences_count(table), 0);
    assert_null(sequences_find(table, "", NAMES[0]));
    assert_int_equal(kv_cache_pages_used(cache), n_used);
    assert_false(shared_rows_take(shared, &taken));
    forward_pass_end(pass);
    assert_false(forward_pass_runs(pass));
    assert_true(shared_rows_take(shared, &taken));
    sequence *again = open_text(0); /* what was computed is found */
    assert_int_equal(sequence_text(again)->pages.n_cached, PROMPT - 1);
}

/* Those who come, go and get another strategy meanwhile are not in it. */
static void others_open_and_close_during_a_pass(void **state) {
    (void)state;
    sampler one = {.pool = DEFAULT_POOL};
    sequence *first = open_text(0);
    run();
    sequence_sent(table, first, &one, 0, 0);
    sequence *second = open_text(1);
    assert_int_equal(forward_pass_begin(pass), PROMPT);
    sequence_drawn(first, IDS[PROMPT], NULL, 0, "rules/1", 0);
    sequences_close(table, first);
    forward_pass_end(pass);
    has_row_of(second, IDS + 1, PROMPT);
}

/* What the daemon's end does to a pass. */
static void the_end_of_the_engine_cuts_a_pass_short(void **state) {
    (void)state;
    sequence *q = open_text(0);
    open_text(1);
    assert_true(forward_pass_begin(pass) > 0);
    sequences_close(table, q);
    engine_free(&computes);
    forward_pass_free(&pass);
    assert_int_equal(sequences_count(table), 1);
    sequences_free(&table);
    assert_int_equal(kv_cache_pages_used(cache), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_pass_without_rows_is_none),
        TEST(one_sequence_has_its_row_where_it_lies),
        TEST(each_of_several_gets_its_own),
        TEST(one_row_each_for_those_that_decode),
        TEST(those_whose_reader_is_behind_rest),
        TEST(one_that_is_closed_during_its_pass_gives_back_what_it_has_at_the_end),
        TEST(others_open_and_close_during_a_pass),
        TEST(the_end_of_the_engine_cuts_a_pass_short),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
