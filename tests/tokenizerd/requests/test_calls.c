/* calls.h: what is under way beside generations, and its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/models/fake_serving.h"
#include "tokenizerd/requests/calls.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { MS = 1000 };

static int setup(void **state) {
    *state = calls_new(&fake_serving);
    return 0;
}

static int teardown(void **state) {
    calls_free((calls **)state);
    return 0;
}

static call_order order_of(call_kind kind) {
    return (call_order){.kind = kind, .model = "", .pool = "", .wait_ms = 100};
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
    for (int i = 0; i < CALLS_MAX; i++) add(cs, &order);
    assert_int_equal(calls_add(cs, &order, 0, &c, &f), STATUS_BUSY);
    c = calls_first(cs);
    calls_remove(cs, &c);
    assert_int_equal(calls_add(cs, &order, 0, &c, &f), STATUS_OK);
}

static void test_what_calls_hold_is_bounded(void **state) {
    calls *cs = *state;
    failure f;
    call *c = NULL;
    float *row = calloc(N_VOCAB_MAX, sizeof *row);
    strategy none;
    strategy_init(&none);
    call_order order = order_of(CALL_PROBE);
    order.strategy = &none, order.row = row, order.n_row = N_VOCAB_MAX;
    for (size_t i = 0; i < CALLS_BYTES_MAX / (N_VOCAB_MAX * sizeof *row); i++) add(cs, &order);
    assert_int_equal(calls_add(cs, &order, 0, &c, &f), STATUS_BUSY);
    c = calls_first(cs);
    calls_remove(cs, &c);
    c = add(cs, &order);
    assert_int_equal(call_set_ids(cs, c, (const int32_t[]){1}, 1, &f), STATUS_BUSY);
    assert_null(c->ids);
    free(row);
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
    probe.strategy = &none, probe.row = row, probe.n_row = 3;
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
    };
    cases[0].order.pool = long_name;
    cases[1].order.n_top = CANDIDATES_MAX + 1;
    cases[2].order.ids = history, cases[2].order.n_ids = TOKENIZE_IDS_MAX + 1;
    cases[3].order.n_row = 0;
    cases[4].order.n_row = N_VOCAB_MAX + 1;
    cases[5].order.ids = history, cases[5].order.n_ids = 2;
    cases[6].order.strategy = &biased;
    cases[7].order.seed = SEED_MAX;
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
    order.strategy = &none, order.row = row, order.n_row = 3, order.ids = history, order.n_ids = 2;
    order.seed = 7, order.step = 9, order.client = &order, order.client_number = 5;
    call *c = add(cs, &order);
    row[0] = 9, history[0] = 9;
    assert_true(c->row[0] == 1 && c->n_row == 3);
    assert_true(c->ids[0] == 0 && c->ids[1] == 2 && c->n_ids == 2);
    assert_true(c->seed == 7 && c->step == 9 && c->client == &order && c->client_number == 5);
}

static void test_a_call_that_comes_back_waits_anew(void **state) {
    calls *cs = *state;
    modeld *d = fake_modeld_new();
    call_order order = order_of(CALL_TOKENIZE);
    call *c = add(cs, &order);
    assert_int_equal(c->state, CALL_WAITING);
    assert_int_equal(c->deadline_us, 100 * MS);
    call_send(c, d);
    assert_int_equal(c->state, CALL_SENT);
    assert_int_equal(fake_modeld_load(d), 1);
    call_wait(c, 5000 * MS);
    assert_int_equal(c->state, CALL_WAITING);
    assert_int_equal(c->deadline_us, 5100 * MS);
    assert_null(c->worker);
    assert_int_equal(fake_modeld_load(d), 0);
    call_send(c, d);
    calls_remove(cs, &c);
    assert_int_equal(fake_modeld_load(d), 0);
    fake_modeld_free(&d);
}

static void test_a_call_lets_its_model_go(void **state) {
    calls *cs = *state;
    served_model *m = fake_model_new();
    call_order order = order_of(CALL_TOKENIZE);
    call *c = add(cs, &order);
    call_meet(c, m);
    assert_ptr_equal(c->model, m);
    assert_int_equal(fake_model_holders(m), 1);
    calls_remove(cs, &c);
    fake_model_free(&m);
}

static void test_a_conversation_is_checked_copied_and_counted(void **state) {
    calls *cs = *state;
    failure f;
    call *c = NULL, *another;
    size_t n_messages;
    uint8_t *content = malloc(TEXT_BYTES_MAX);
    memset(content, 'x', TEXT_BYTES_MAX);
    chat_message message = {CHAT_USER, content, TEXT_BYTES_MAX};
    call_order order = order_of(CALL_RENDER);
    assert_int_equal(calls_add(cs, &order, 0, &c, &f), STATUS_EMPTY_PROMPT);
    order.messages = &message, order.n_messages = 1, order.form = CHAT_PLAIN, order.n_ids_max = 7;
    size_t n_fit = CALLS_BYTES_MAX / conversation_bytes(&message, 1);
    for (size_t i = 0; i < n_fit && i < CALLS_MAX; i++) c = add(cs, &order);
    const chat_message *copy = conversation_messages(c->rendering.conversation, &n_messages);
    assert_ptr_not_equal(copy->content, content);
    assert_int_equal(n_messages, 1);
    assert_int_equal(c->rendering.asked, CHAT_PLAIN);
    assert_int_equal(c->rendering.n_ids_max, 7);
    assert_int_equal(calls_add(cs, &order, 0, &another, &f), STATUS_BUSY);
    calls_remove(cs, &c);
    add(cs, &order);
    free(content);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(test_a_call_is_found_by_its_number_until_it_is_answered),
        CASE(test_a_full_table_is_busy),
        CASE(test_what_calls_hold_is_bounded),
        CASE(test_orders_out_of_range_are_refused),
        CASE(test_what_was_asked_is_copied),
        CASE(test_a_call_that_comes_back_waits_anew),
        CASE(test_a_call_lets_its_model_go),
        CASE(test_a_conversation_is_checked_copied_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
