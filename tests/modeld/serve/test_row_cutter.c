/* Which rows are cut before they are sent to a samplerd that takes them so, and what goes in place of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "modeld/serve/row_cutter.h"
#include "proto/draw/chain.h"
#include "tests/support/bell_row.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

enum { N_VOCAB = 4000, N_IDS = 50 };

static float row[2 * N_VOCAB];
static int32_t ids[N_IDS];
static const int32_t given[2] = {3, -1};
static strategy chosen;
static row_cutter *cutter;

static int begin(void **state) {
    (void)state;
    bell_row_fill(row, N_VOCAB, 1);
    bell_row_history(ids, N_IDS, N_VOCAB);
    strategy_init(&chosen);
    strategy_defaults(&chosen);
    cutter = row_cutter_new(ISA_REF, N_VOCAB);
    return cutter ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    strategy_clear(&chosen);
    row_cutter_free(&cutter);
    return cutter == NULL ? 0 : -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static sample_request a_step(void) {
    return (sample_request){.rows = row, .n_rows = 1, .row_width = N_VOCAB, .ids = ids, .n_ids = N_IDS, .n_prompt = 7,
                            .strategy = &chosen, .seed = 5, .step = 3};
}

static void append(stage_kind kind, double number) {
    failure f;
    assert_int_equal(strategy_append(&chosen, kind, &number, 1, &f), STATUS_OK);
}

static void what_goes_is_what_the_chain_leaves(void **state) {
    (void)state;
    sample_request r = a_step();
    row_cutter_cut(cutter, &r);
    assert_non_null(r.cut);
    assert_int_equal(r.cut->n_stages, 3);
    assert_in_range(r.cut->n_left, 1, N_VOCAB / 8);
    cut_row there = *r.cut;
    failure f;
    cut_row_point(&there, r.cut_bytes);
    assert_int_equal(cut_row_check(&there, N_VOCAB, &f), STATUS_OK);
    for (uint32_t i = 0; i < there.n_left; i++) assert_true(there.raw[i] == row[there.ids[i]]);
}

/* They are four bytes each, in every step of a text. */
static void ids_go_where_a_stage_that_is_left_looks_at_them(void **state) {
    (void)state;
    sample_request r = a_step();
    row_cutter_cut(cutter, &r);
    assert_true(r.n_ids == 0 && r.n_prompt == 0);
    append(STAGE_PRESENCE_PENALTY, 0.5);
    r = a_step();
    row_cutter_cut(cutter, &r);
    assert_non_null(r.cut);
    assert_true(r.n_ids == N_IDS && r.n_prompt == 7);
}

/* Whoever wants to know of more than the id has the whole row looked at. */
static void rows_of_which_more_is_told_stay_whole(void **state) {
    (void)state;
    sample_request others[6];
    for (int i = 0; i < 6; i++) others[i] = a_step();
    for (int i = 3; i < 5; i++) others[i].given = given;
    others[0].n_candidates = others[3].n_candidates = 1;
    others[1].n_watched = 1;
    others[2].want_probabilities = others[4].want_probabilities = true;
    others[5].n_rows = 2;
    for (int i = 0; i < 6; i++) {
        row_cutter_cut(cutter, &others[i]);
        assert_true(!others[i].cut && !others[i].scored);
        assert_true(others[i].n_ids == N_IDS && others[i].n_prompt == 7);
    }
}

/* It is asked for no more than a number each, and no stage is run. */
static void of_rows_that_are_scored_go_their_sums(void **state) {
    (void)state;
    failure f;
    sample_request r = a_step();
    bell_row_fill(row + N_VOCAB, N_VOCAB, 2);
    r.given = given;
    r.n_rows = 2;
    row_cutter_cut(cutter, &r);
    assert_non_null(r.scored);
    assert_true(!r.cut && r.n_ids == 0 && r.n_prompt == 0);
    for (int i = 0; i < 2; i++) assert_int_equal(scored_row_check(&r.scored[i], N_VOCAB, &f), STATUS_OK);
    assert_true(r.scored[0].raw == row[3]);
    row[N_VOCAB + 7] = 0.0f / 0.0f;
    r = a_step();
    r.given = given;
    r.n_rows = 2;
    row_cutter_cut(cutter, &r);
    assert_true(!r.scored && r.n_ids == N_IDS);
}

static void rows_that_are_not_half_as_long_stay_whole(void **state) {
    (void)state;
    strategy_clear(&chosen);
    sample_request r = a_step();
    row_cutter_cut(cutter, &r);
    assert_null(r.cut);
    append(STAGE_TOP_K, N_VOCAB / 8 + 1);
    row_cutter_cut(cutter, &r);
    assert_null(r.cut);
    append(STAGE_TOP_K, N_VOCAB / 8);
    row_cutter_cut(cutter, &r);
    assert_non_null(r.cut);
    assert_int_equal(r.cut->n_left, N_VOCAB / 8);
    row[7] = 0.0f / 0.0f;
    r = a_step();
    row_cutter_cut(cutter, &r);
    assert_null(r.cut);
}

/* One turn must not keep the loop from everything else, however many rows it sends. */
static void rows_stay_whole_once_a_turn_has_taken_long(void **state) {
    (void)state;
    sample_request r;
    uint32_t n_cut = 0;
    row_cutter_turn(cutter);
    for (r = a_step(), row_cutter_cut(cutter, &r); r.cut; r = a_step(), row_cutter_cut(cutter, &r)) n_cut++;
    assert_true(n_cut > 0);
    row_cutter_turn(cutter);
    row_cutter_cut(cutter, &r);
    assert_non_null(r.cut);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_goes_is_what_the_chain_leaves),
        TEST(ids_go_where_a_stage_that_is_left_looks_at_them),
        TEST(rows_of_which_more_is_told_stay_whole),
        TEST(of_rows_that_are_scored_go_their_sums),
        TEST(rows_that_are_not_half_as_long_stay_whole),
        TEST(rows_stay_whole_once_a_turn_has_taken_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
