/* client_link.h: which requests a list tells of, and to whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/base/clock.h"
#include "tests/support/tokenizerd/client_scene.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static client_scene *const c = &clients;
static owners *all;
static requests *table;
static strategy plain;
static const int32_t prompt[] = {'H', 'i', '!'};

static int begin(void **state) {
    client_scene_begin(state);
    all = holdings_new(NULL);
    assert_non_null(all);
    table = requests_new(&models_serving, all);
    assert_non_null(table);
    strategy_init(&plain);
    return 0;
}

static int end(void **state) {
    requests_free(&table);
    owners_free(&all);
    return client_scene_end(state);
}

static void add(const char *whose) {
    failure f;
    request *one;
    const request_order order = {.owner = whose, .id = wire_id_bytes, .attempt = 2, .model = "m", .fingerprint = "", .pool = "",
                                 .session = "s", .semantics = "", .strategy = &plain, .max_new_tokens = 1,
                                 .ids = prompt, .n_ids = 3, .n_prompt = 2};
    assert_int_equal(requests_add(table, &order, NULL, c->peer, clock_us(), &one, &f), STATUS_OK);
}

/* To whoever asks in this name. */
static const Trivium__RequestList *listed(const char *whose, bool is_operator) {
    client_link_listed(c->link, &(sender){c->peer, whose, is_operator}, 9, table);
    assert_int_equal(client_scene_says(TRIVIUM__TEXT_REPLY__BODY_LISTED)->listed->call, 9);
    return (const Trivium__RequestList *)asker_list(&c->client, &trivium__request_list__descriptor);
}

static void the_list_tells_of_each_request(void **state) {
    (void)state;
    assert_int_equal(listed("uid:7", false)->n_requests, 0);
    add("uid:7");
    const Trivium__RequestList *list = listed("uid:7", false);
    assert_int_equal(list->n_requests, 1);
    const Trivium__RequestReport *report = list->requests[0];
    assert_int_equal(report->request.len, REQUEST_BYTES);
    assert_memory_equal(report->request.data, wire_id_bytes, REQUEST_BYTES);
    assert_int_equal(report->attempt, 2);
    assert_string_equal(report->session, "s");
    assert_string_equal(report->model, "m");
    assert_string_equal(report->state, "encoding");
    assert_int_equal(report->n_prompt, 2);
    assert_int_equal(report->step, 1);
    assert_non_null(report->strategy);
    assert_string_equal(report->owner, "");
}

static void anothers_requests_are_listed_for_an_operator_alone(void **state) {
    (void)state;
    add("uid:7");
    assert_int_equal(listed("uid:8", false)->n_requests, 0);
    const Trivium__RequestList *list = listed("uid:8", true);
    assert_int_equal(list->n_requests, 1);
    assert_string_equal(list->requests[0]->owner, "uid:7");
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(the_list_tells_of_each_request),
        CASE(anothers_requests_are_listed_for_an_operator_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
