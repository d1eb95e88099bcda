/* calls.h: what is under way beside generations, and its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/models/fake_serving.h"
#include "tests/support/traceparents.h"
#include "tokenizerd/requests/calls.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { MS = 1000 };

static owners *all;

static int setup(void **state) {
    all = holdings_new(NULL);
    assert_non_null(all);
    *state = calls_new(&fake_serving, all);
    assert_non_null(*state);
    return 0;
}

static int teardown(void **state) {
    calls_free((calls **)state);
    owners_free(&all);
    return 0;
}

static call_order order_of(call_kind kind) {
    call_order order = {.kind = kind, .model = "", .wait_ms = 100};
    if (kind == CALL_SCORE) order.score.pool = "";
    if (kind == CALL_PROBE) order.probe.pool = "";
    return order;
}

static call *add(calls *cs, const call_order *order) {
    call *c = NULL;
    failure f;
    assert_int_equal(calls_add(cs, order, 0, &c, &f), STATUS_OK);
    return c;
}

static void test_a_call_is_found_by_its_number_until_it_is_answered(void **state) {
    calls *cs = *state;
    call_order order = order_of(CALL_TOKENIZE);
    call *first = add(cs, &order), *second = add(cs, &order);
    uint64_t number = first->number;
    assert_int_not_equal(number, 0);
    assert_int_not_equal(number, second->number);
    assert_ptr_equal(calls_find(cs, number), first);
    calls_remove(cs, &first);
    assert_null(first);
    assert_null(calls_find(cs, number));
    call *third = add(cs, &order);              /* may have the place, never the number */
    assert_null(calls_find(cs, number));
    assert_ptr_equal(calls_first(cs), second);
    assert_ptr_equal(calls_next(second), third);
    assert_null(calls_next(third));
}

static void test_a_full_table_is_busy(void **state) {
    calls *cs = *state;
    failure f;
    call *c = NULL;
    call_order order = order_of(CALL_TOKENIZE);
    for (int i = 0; i < CALLS_MAX; i++) {
        char whose[16];
        snprintf(whose, sizeof whose, "%d", i);
        order.owner = whose;
        add(cs, &order);
    }
    order.owner = "other";
    assert_int_equal(calls_add(cs, &order, 0, &c, &f), STATUS_BUSY);
    assert_non_null(strstr(f.message, "calls are under way already"));
    c = calls_first(cs);
    calls_remove(cs, &c);
    assert_int_equal(calls_add(cs, &order, 0, &c, &f), STATUS_OK);
}

static void test_one_owner_gets_a_share(void **state) {
    calls *cs = *state;
    failure f;
    call *c = NULL;
    call_order order = order_of(CALL_TOKENIZE);
    int n = 0;
    order.owner = "uid:7";
    while (calls_add(cs, &order, 0, &c, &f) == STATUS_OK) n++;
    assert_int_equal(f.code, STATUS_BUSY);
    assert_non_null(strstr(f.message, "uid:7 has its share"));
    assert_int_equal(n, CALLS_MAX - CALLS_MAX / 4);
    order.owner = "uid:8";
    add(cs, &order);
}

/* A probe of the largest row there is, which counts as its answer does. */
static call_order large_probe(const strategy *none) {
    static float row[N_VOCAB_MAX / 8];
    call_order order = order_of(CALL_PROBE);
    order.probe.strategy = none, order.probe.row = row, order.probe.n_row = N_VOCAB_MAX / 8;
    return order;
}

enum { PROBE_BYTES = N_VOCAB_MAX / 8 * sizeof(double) + sizeof(strategy) };

static void test_what_calls_hold_is_bounded_by_owner(void **state) {
    calls *cs = *state;
    failure f;
    call *c = NULL;
    strategy none;
    strategy_init(&none);
    call_order order = large_probe(&none), score = order_of(CALL_SCORE);
    order.owner = "uid:7", score.owner = "uid:8";
    call *text = add(cs, &score);
    size_t n = 0;
    while (calls_add(cs, &order, 0, &c, &f) == STATUS_OK) n++;
    assert_int_equal(f.code, STATUS_BUSY);
    if (n < CALLS_MAX - CALLS_MAX / 4 - 1) {    /* else the table's share came first */
        assert_non_null(strstr(f.message, "uid:7 has its share"));
        assert_in_range(n * PROBE_BYTES, CALLS_BYTES_MAX / 4 * 3 - PROBE_BYTES, CALLS_BYTES_MAX / 4 * 3);
    }
    static const int32_t ids[1000];
    assert_int_equal(call_set_ids(text, ids, 1000, &f), STATUS_OK);   /* another one's find room */
    assert_int_equal(text->n_bytes_held, 1000 * (sizeof *ids + sizeof(double)));
    for (c = calls_first(cs); c; c = calls_first(cs)) calls_remove(cs, &c);
    assert_int_equal(owners_held(all, HOLDING_CALL_BYTES), 0);
}

static void test_answers_that_were_not_read_count_for_whoever_asks(void **state) {
    calls *cs = *state;
    failure f;
    call *c = NULL;
    strategy none;
    strategy_init(&none);
    call_order order = large_probe(&none);
    order.n_unread_bytes = CALLS_BYTES_MAX - PROBE_BYTES + 1;
    assert_int_equal(calls_add(cs, &order, 0, &c, &f), STATUS_BUSY);
    assert_non_null(strstr(f.message, "has not read"));
    assert_int_equal(owners_held(all, HOLDING_CALL_BYTES), 0);
    order.n_unread_bytes--;
    add(cs, &order);
}

/* Its calls that are under way will be answered, too. */
static void test_answers_to_come_count_beside_those_that_were_not_read(void **state) {
    calls *cs = *state;
    failure f;
    call *c = NULL;
    strategy none;
    strategy_init(&none);
    int ann, bob;
    call_order order = large_probe(&none);
    order.client = &ann;
    call *first = add(cs, &order);
    order.n_unread_bytes = CALLS_BYTES_MAX - 2 * PROBE_BYTES + 1;
    assert_int_equal(calls_add(cs, &order, 0, &c, &f), STATUS_BUSY);
    assert_non_null(strstr(f.message, "has not read"));
    order.client = &bob;
    add(cs, &order);
    order.client = &ann;
    calls_remove(cs, &first);
    add(cs, &order);
}

static void test_orders_out_of_range_are_refused(void **state) {
    calls *cs = *state;
    static char long_name[NAME_BYTES_MAX + 2];
    memset(long_name, 'x', NAME_BYTES_MAX + 1);
    const float row[3] = {1, 2, 3};
    const int32_t history[2] = {0, 3};
    failure ignored;
    strategy none, biased;
    strategy_init(&none);
    strategy_init(&biased);
    strategy_append_biases(&biased, &(int32_t){3}, &(double){1}, 1, &ignored);
    call_order probe = order_of(CALL_PROBE);
    probe.probe.strategy = &none, probe.probe.row = row, probe.probe.n_row = 3;
    struct {
        call_order order;
        status expected;
    } cases[] = {
        {order_of(CALL_SCORE), STATUS_BAD_REQUEST},
        {order_of(CALL_SCORE), STATUS_BAD_REQUEST},
        {order_of(CALL_SCORE), STATUS_TOO_LONG},
        {probe, STATUS_BAD_REQUEST},
        {probe, STATUS_BAD_REQUEST},
        {probe, STATUS_BAD_ID},
        {probe, STATUS_BAD_ID},
        {probe, STATUS_BAD_REQUEST},
        {probe, STATUS_BAD_REQUEST},
        {order_of(CALL_TOKENIZE), STATUS_BAD_REQUEST},
        {order_of(CALL_DETOKENIZE), STATUS_TOO_LONG},
        {order_of(CALL_SCORE), STATUS_BAD_REQUEST},
        {probe, STATUS_BAD_REQUEST},
    };
    cases[0].order.score.pool = long_name;
    cases[1].order.score.n_top = CANDIDATES_MAX + 1;
    cases[2].order.score.ids = history, cases[2].order.score.n_ids = TOKENIZE_IDS_MAX + 1;
    cases[3].order.probe.n_row = 0;
    cases[4].order.probe.n_row = N_VOCAB_MAX + 1;
    cases[5].order.probe.history = history, cases[5].order.probe.n_history = 2;
    cases[6].order.probe.strategy = &biased;
    cases[7].order.probe.seed = SEED_MAX;
    cases[8].order.probe.pool = long_name;
    cases[9].order.model = long_name;
    cases[10].order.detokenize.ids = history, cases[10].order.detokenize.n_ids = TOKENIZE_IDS_MAX + 1;
    cases[11].order.score.traceparent = cases[12].order.probe.traceparent = NO_TRACEPARENT;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        failure f = {.code = STATUS_OK};
        call *c = NULL;
        assert_int_equal(calls_add(cs, &cases[i].order, 0, &c, &f), cases[i].expected);
        assert_true(f.message[0] != '\0');
    }
    assert_null(calls_first(cs));
    strategy_clear(&biased);
}

static void test_what_was_asked_is_copied(void **state) {
    calls *cs = *state;
    float row[3] = {1, 2, 3};
    int32_t history[2] = {0, 2};
    strategy none;
    strategy_init(&none);
    call_order order = order_of(CALL_PROBE);
    order.probe = (probe_order){.pool = "p", .row = row, .n_row = 3, .history = history, .n_history = 2,
                                .strategy = &none, .seed = 7, .step = 9};
    order.client = &order, order.client_number = 5;
    call *c = add(cs, &order);
    row[0] = 9, history[0] = 9;
    const probe_call *probe = call_as_probe(c);
    assert_true(probe->row[0] == 1 && probe->n_row == 3);
    assert_true(probe->history.ids[0] == 0 && probe->history.ids[1] == 2 && probe->history.n_ids == 2);
    assert_true(probe->seed == 7 && probe->step == 9 && c->client == &order && c->client_number == 5);
    assert_string_equal(probe->errand.pool, "p");
}

static void test_a_call_that_comes_back_waits_anew(void **state) {
    calls *cs = *state;
    modeld *d = fake_modeld_new();
    assert_non_null(d);
    call_order order = order_of(CALL_SCORE);
    call *c = add(cs, &order);
    assert_int_equal(c->state, CALL_WAITING);
    assert_int_equal(c->deadline_us, 100 * MS);
    call_send(c, d, 0);
    assert_int_equal(c->state, CALL_SENT);
    assert_int_equal(fake_modeld_load(d), 1);
    call_wait(c, 5000 * MS);
    assert_int_equal(c->state, CALL_WAITING);
    assert_int_equal(c->deadline_us, 5100 * MS);
    assert_null(call_errand_of(c)->modeld);
    assert_int_equal(fake_modeld_load(d), 0);
    call_send(c, d, 0);
    calls_remove(cs, &c);
    assert_int_equal(fake_modeld_load(d), 0);
    fake_modeld_free(&d);
}

static void test_a_call_lets_its_model_go(void **state) {
    calls *cs = *state;
    served_model *m = fake_model_new();
    assert_non_null(m);
    call_order order = order_of(CALL_TOKENIZE);
    call *c = add(cs, &order);
    call_meet(c, m);
    assert_ptr_equal(c->model, m);
    assert_int_equal(fake_model_holders(m), 1);
    calls_remove(cs, &c);
    fake_model_free(&m);
}

static void test_a_modeld_may_be_lost_so_often(void **state) {
    calls *cs = *state;
    modeld *d = fake_modeld_new();
    assert_non_null(d);
    call_order order = order_of(CALL_SCORE);
    call *c = add(cs, &order);
    for (uint32_t i = 1; i <= REOPENS_MAX + 1; i++) {
        call_send(c, d, 0);
        assert_int_equal(call_lost(c, 0), i <= REOPENS_MAX);
        assert_int_equal(fake_modeld_load(d), 0);
        assert_int_equal(call_errand_of(c)->n_losses, i);
    }
    fake_modeld_free(&d);
}

static void test_it_may_move_so_often(void **state) {
    calls *cs = *state;
    modeld *d = fake_modeld_new();
    assert_non_null(d);
    call_order order = order_of(CALL_SCORE);
    call *c = add(cs, &order);
    assert_false(call_may_move(c));
    for (uint32_t i = 0; i < MOVES_MAX; i++) {
        call_send(c, d, 0);
        assert_true(call_may_move(c));
        call_moved(c, 0);
        assert_int_equal(c->state, CALL_WAITING);
        assert_int_equal(fake_modeld_load(d), 0);
    }
    call_send(c, d, 0);
    assert_false(call_may_move(c));
    assert_int_equal(call_errand_of(c)->n_losses, 0);
    call_wait(c, 0);
    fake_modeld_free(&d);
}

static void test_a_kind_has_what_it_needs_and_no_more(void **state) {
    calls *cs = *state;
    static const struct {
        call_kind kind;
        bool text, errand;
    } kinds[] = {
        {CALL_TOKENIZE, true, false},
        {CALL_DETOKENIZE, false, false},
        {CALL_RENDER, false, false},
        {CALL_SCORE, true, true},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        call_order order = order_of(kinds[i].kind);
        order.owner = (const char *[]){"a", "b", "c", "d"}[i];  /* a call each: nobody meets the end of a share */
        call *c = add(cs, &order);
        assert_int_equal(call_text_of(c) != NULL, kinds[i].text);
        assert_int_equal(call_errand_of(c) != NULL, kinds[i].errand);
    }
}

struct rendering {
    int n_freed;
};

static void count_free(rendering **r) {
    (*r)->n_freed++;
    *r = NULL;
}

static void test_a_rendering_is_freed_with_its_call(void **state) {
    calls *cs = *state;
    rendering r = {0};
    call_order order = order_of(CALL_RENDER);
    call *c = add(cs, &order);
    assert_null(call_as_render(c)->rendering);
    *call_as_render(c) = (kept_rendering){&r, count_free};
    assert_int_equal(r.n_freed, 0);
    calls_remove(cs, &c);
    assert_int_equal(r.n_freed, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(test_a_call_is_found_by_its_number_until_it_is_answered),
        CASE(test_a_full_table_is_busy),
        CASE(test_one_owner_gets_a_share),
        CASE(test_what_calls_hold_is_bounded_by_owner),
        CASE(test_answers_that_were_not_read_count_for_whoever_asks),
        CASE(test_answers_to_come_count_beside_those_that_were_not_read),
        CASE(test_orders_out_of_range_are_refused),
        CASE(test_what_was_asked_is_copied),
        CASE(test_a_call_that_comes_back_waits_anew),
        CASE(test_a_call_lets_its_model_go),
        CASE(test_a_modeld_may_be_lost_so_often),
        CASE(test_it_may_move_so_often),
        CASE(test_a_kind_has_what_it_needs_and_no_more),
        CASE(test_a_rendering_is_freed_with_its_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
