/* request_order.h, and what of an order must fit its model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/request_world.h"
#include "tests/support/traceparents.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static void test_priority_and_traceparent_are_kept(void **state) {
    world *w = *state;
    static const struct {
        int32_t priority;
        const char *traceparent, *kept;
    } cases[] = {
        {0, NULL, ""},
        {PRIORITY_MIN, SOME_TRACEPARENT, SOME_TRACEPARENT},
        {PRIORITY_MAX, LATER_TRACEPARENT, SOME_TRACEPARENT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        request_order order = world_order(w, (uint8_t)(i + 1), 1);
        order.priority = cases[i].priority;
        order.traceparent = cases[i].traceparent;
        const request *r = world_add(w, &order);
        assert_int_equal(r->priority, cases[i].priority);
        assert_string_equal(r->traceparent, cases[i].kept);
    }
}

static void test_orders_out_of_range_are_refused(void **state) {
    world *w = *state;
    static char long_name[NAME_BYTES_MAX + 2];
    memset(long_name, 'x', NAME_BYTES_MAX + 1);
    const vocab_bytes none = {NULL, 0}, wild = {(const uint8_t *)"\xff", 1};
    const int32_t ids[2] = {5, 6};
    request_order base = world_order(w, 1, 1);
    struct {
        request_order order;
        status expected;
    } cases[] = {
        {base, STATUS_BAD_REQUEST}, {base, STATUS_BAD_REQUEST}, {base, STATUS_BAD_REQUEST},
        {base, STATUS_BAD_REQUEST}, {base, STATUS_BAD_REQUEST}, {base, STATUS_BAD_REQUEST},
        {base, STATUS_NOT_UTF8},    {base, STATUS_TOO_LONG},    {base, STATUS_EMPTY_PROMPT},
        {base, STATUS_BAD_REQUEST}, {base, STATUS_BAD_REQUEST}, {base, STATUS_BAD_REQUEST},
        {base, STATUS_BAD_REQUEST}, {base, STATUS_BAD_REQUEST},
    };
    cases[0].order.attempt = 0;
    cases[1].order.max_new_tokens = 0;
    cases[2].order.seed = SEED_MAX;
    cases[3].order.n_candidates = CANDIDATES_MAX + 1;
    cases[4].order.session = long_name;
    cases[5].order.stops = &none, cases[5].order.n_stops = 1;
    cases[6].order.stops = &wild, cases[6].order.n_stops = 1;
    cases[7].order.sampler_state.n_bytes = STATE_BYTES_MAX + 1;
    cases[8].order.ids = ids, cases[8].order.n_ids = 2;
    cases[9].order.ids = ids, cases[9].order.n_ids = 2, cases[9].order.n_prompt = 3;
    cases[10].order.pool = "a\nb";
    cases[11].order.priority = PRIORITY_MIN - 1;
    cases[12].order.priority = PRIORITY_MAX + 1;
    cases[13].order.traceparent = NO_TRACEPARENT;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        failure f = {.code = STATUS_OK};
        request *r = NULL;
        assert_int_equal(requests_add(w->table, &cases[i].order, NULL, w, 0, &r, &f), cases[i].expected);
        assert_int_equal(f.code, cases[i].expected);
        assert_true(f.message[0] != '\0');
    }
    assert_int_equal(requests_count(w->table), 0);
}

static void test_ids_of_an_order_must_lie_in_the_vocabulary(void **state) {
    world *w = *state;
    failure f;
    const int32_t beyond = FAKE_N_VOCAB;
    strategy biased;
    strategy_init(&biased);
    assert_int_equal(strategy_append_biases(&biased, &beyond, &(double){1}, 1, &f), STATUS_OK);
    request_order stop = world_order(w, 1, 1), bias = world_order(w, 2, 1), given = world_order(w, 3, 1);
    stop.stop_ids = &beyond, stop.n_stop_ids = 1;
    bias.strategy = &biased;
    given.ids = &beyond, given.n_ids = given.n_prompt = 1;
    assert_int_equal(request_meet(world_add(w, &stop), w->model, &w->facts, &f), STATUS_BAD_ID);
    assert_int_equal(request_meet(world_add(w, &bias), w->model, &w->facts, &f), STATUS_BAD_ID);
    assert_int_equal(request_meet(world_add(w, &given), w->model, &w->facts, &f), STATUS_BAD_ID);
    strategy_clear(&biased);
}

static void test_a_prompt_must_leave_room_in_the_context(void **state) {
    world *w = *state;
    failure f;
    int32_t ids[FAKE_N_CTX] = {0};
    request_order order = world_order(w, 1, 1);
    request *r = world_add(w, &order);
    assert_int_equal(request_meet(r, w->model, &w->facts, &f), STATUS_OK);
    assert_int_equal(request_encoded(r, ids, FAKE_N_CTX, 0, &f), STATUS_TOO_LONG);
    assert_non_null(strstr(f.message, "has 64 tokens"));
    assert_non_null(strstr(f.message, "holds 64"));
    assert_int_equal(r->state, REQUEST_ENCODING);
    assert_int_equal(request_encoded(r, NULL, 0, 0, &f), STATUS_EMPTY_PROMPT);  /* nor may it be nothing */
    assert_int_equal(request_encoded(r, ids, FAKE_N_CTX - 1, 0, &f), STATUS_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        CASE(test_orders_out_of_range_are_refused),
        CASE(test_priority_and_traceparent_are_kept),
        CASE(test_ids_of_an_order_must_lie_in_the_vocabulary),
        CASE(test_a_prompt_must_leave_room_in_the_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
