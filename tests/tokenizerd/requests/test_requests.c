/* requests.h: who is who, who takes over from whom, and the bounds of the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/request_world.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

/* ---- identity ---- */

static void test_a_higher_attempt_takes_over_and_others_do_not(void **state) {
    world *w = *state;
    request_order order = world_order(w, 1, 3);
    request *rival;
    assert_int_equal(requests_admit(w->table, "", order.id, 3, &rival), FINISH_NONE);
    assert_null(rival);
    request *r = world_running(w, &order);
    assert_ptr_equal(requests_find(w->table, "", order.id), r);
    assert_int_equal(requests_admit(w->table, "", order.id, 2, &rival), FINISH_SUPERSEDED);
    assert_int_equal(requests_admit(w->table, "", order.id, 3, &rival), FINISH_SUPERSEDED);
    assert_int_equal(requests_admit(w->table, "", order.id, 4, &rival), FINISH_NONE);
    assert_ptr_equal(rival, r);
}

static void test_an_ended_request_is_not_opened_again(void **state) {
    world *w = *state;
    request_order order = world_order(w, 1, 3);
    request *rival, *r = world_waiting(w, &order);
    assert_true(request_end(r));
    requests_remove(w->table, &r, false);
    assert_null(r);
    assert_null(requests_find(w->table, "", order.id));
    assert_int_equal(requests_admit(w->table, "", order.id, 3, &rival), FINISH_SUPERSEDED);
    assert_int_equal(requests_admit(w->table, "", order.id, 4, &rival), FINISH_NONE);

    order.attempt = 4;
    r = world_waiting(w, &order);
    request_end(r);
    requests_remove(w->table, &r, true);     /* cancelled: for good */
    assert_int_equal(requests_admit(w->table, "", order.id, 4, &rival), FINISH_SUPERSEDED);
    assert_int_equal(requests_admit(w->table, "", order.id, 5, &rival), FINISH_CANCELLED);
}

static void test_a_refused_attempt_counts_as_ended(void **state) {
    world *w = *state;
    request_order order = world_order(w, 1, 2);
    request *rival, *r = world_running(w, &order);
    requests_refused(w->table, "", order.id, 5);
    assert_int_equal(requests_admit(w->table, "", order.id, 5, &rival), FINISH_SUPERSEDED);
    assert_int_equal(requests_admit(w->table, "", order.id, 6, &rival), FINISH_NONE);
    assert_ptr_equal(rival, r);                 /* a refusal does not touch it */
    request_end(r);
    requests_remove(w->table, &r, false);
    assert_int_equal(requests_admit(w->table, "", order.id, 5, &rival), FINISH_SUPERSEDED);
}

static void test_a_rival_stays_until_it_is_removed(void **state) {
    world *w = *state;
    failure f;
    request_order order = world_order(w, 1, 1);
    request *rival = world_running(w, &order), *r;
    for (uint8_t name = 1; requests_count(w->table) < REQUESTS_MAX; name++) {
        static uint8_t ids[REQUESTS_MAX][REQUEST_BYTES];
        request_order other = world_order(w, 2, 1);
        uint8_t *id = ids[requests_count(w->table)];
        memset(id, name, REQUEST_BYTES);
        id[0] = (uint8_t)(requests_count(w->table) >> 8), id[1] = (uint8_t)~id[0];
        other.id = id;
        char whose[8];
        snprintf(whose, sizeof whose, "%zu", requests_count(w->table));
        other.owner = whose;        /* each its own */
        assert_int_equal(requests_add(w->table, &other, NULL, w, 0, &r, &f), STATUS_OK);
    }
    order.attempt = 2;
    assert_int_equal(requests_add(w->table, &order, rival, w, 0, &r, &f), STATUS_OK);
    assert_ptr_equal(requests_find(w->table, "", order.id), r);
    requests_remove(w->table, &rival, false);
    assert_ptr_equal(requests_find(w->table, "", order.id), r);
    assert_int_equal(requests_count(w->table), REQUESTS_MAX);
}

static void test_the_memory_of_ended_requests_is_a_ring(void **state) {
    world *w = *state;
    uint8_t ids[ENDED_MAX + 1][REQUEST_BYTES] = {0};
    request *rival;
    for (int i = 0; i <= ENDED_MAX; i++) {
        request_order order = world_order(w, 0, 1);
        memcpy(ids[i], &i, sizeof i);
        order.id = ids[i];
        request *r = world_add(w, &order);
        request_end(r);
        requests_remove(w->table, &r, false);
    }
    assert_int_equal(requests_admit(w->table, "", ids[0], 1, &rival), FINISH_NONE);
    for (int i = 1; i <= ENDED_MAX; i++)
        assert_int_equal(requests_admit(w->table, "", ids[i], 1, &rival), FINISH_SUPERSEDED);
}

static void test_a_prefix_names_one_request(void **state) {
    world *w = *state;
    failure f;
    uint8_t ids[2][REQUEST_BYTES] = {{1, 2, 3}, {1, 2, 4}};
    request *both[2], *r;
    for (int i = 0; i < 2; i++) {
        request_order order = world_order(w, 0, 1);
        order.id = ids[i];
        both[i] = world_add(w, &order);
    }
    assert_int_equal(requests_match(w->table, "", ids[1], 3, &r, &f), STATUS_OK);
    assert_ptr_equal(r, both[1]);
    assert_int_equal(requests_match(w->table, "", ids[0], REQUEST_BYTES, &r, &f), STATUS_OK);
    assert_ptr_equal(r, both[0]);
    assert_int_equal(requests_match(w->table, "", ids[0], 2, &r, &f), STATUS_BAD_REQUEST);
    assert_non_null(strstr(f.message, "0102"));
    assert_null(r);
    assert_int_equal(requests_match(w->table, "", (const uint8_t[]){9}, 1, &r, &f),
                     STATUS_UNKNOWN_REQUEST);
    assert_int_equal(requests_match(w->table, "", ids[0], 0, &r, &f), STATUS_BAD_REQUEST);
    assert_int_equal(requests_match(w->table, "", ids[0], REQUEST_BYTES + 1, &r, &f),
                     STATUS_BAD_REQUEST);
}

/* ---- bounds ---- */

static void test_a_full_table_is_busy(void **state) {
    world *w = *state;
    failure f;
    request *r = NULL, *first = NULL;
    uint8_t id[REQUEST_BYTES] = {0};
    request_order order = world_order(w, 0, 1);
    order.id = id;
    char whose[8];
    order.owner = whose;
    for (int i = 0; i < REQUESTS_MAX; i++) {
        memcpy(id, &i, sizeof i);
        snprintf(whose, sizeof whose, "%d", i);
        assert_int_equal(requests_add(w->table, &order, NULL, w, 0, &r, &f), STATUS_OK);
        if (i == 0) first = r;
    }
    memset(id, 0xff, sizeof id);
    order.owner = "other";
    assert_int_equal(requests_add(w->table, &order, NULL, w, 0, &r, &f), STATUS_BUSY);
    assert_non_null(strstr(f.message, "texts are under way already"));
    request_end(first);
    requests_remove(w->table, &first, false);
    assert_int_equal(requests_add(w->table, &order, NULL, w, 0, &r, &f), STATUS_OK);
    assert_int_equal(requests_count(w->table), REQUESTS_MAX);
}

static void test_one_owner_gets_a_share(void **state) {
    world *w = *state;
    failure f;
    request *r = NULL;
    uint8_t id[REQUEST_BYTES] = {0};
    request_order order = world_order(w, 0, 1);
    order.id = id;
    order.owner = "uid:7";
    status st = STATUS_OK;
    for (int i = 0; st == STATUS_OK; i++) {
        memcpy(id, &i, sizeof i);
        st = requests_add(w->table, &order, NULL, w, 0, &r, &f);
    }
    assert_int_equal(st, STATUS_BUSY);
    assert_non_null(strstr(f.message, "uid:7 has its share"));
    assert_int_equal(requests_count(w->table), REQUESTS_MAX - REQUESTS_MAX / 4);
    order.owner = "uid:8";
    assert_int_equal(requests_add(w->table, &order, NULL, w, 0, &r, &f), STATUS_OK);
}

static void test_ids_that_requests_brought_are_bounded(void **state) {
    world *w = *state;
    failure f;
    request *r = NULL;
    const size_t n_ids_all = REQUESTS_BYTES_MAX / sizeof(int32_t);
    size_t n_ids = N_CTX_MAX < n_ids_all ? N_CTX_MAX : n_ids_all, n_added = 0;
    int32_t *ids = calloc(n_ids, sizeof *ids);
    status st = STATUS_OK;
    for (uint8_t name = 0; st == STATUS_OK; name++) {
        request_order order = world_order(w, name, 1);
        char whose[8];
        snprintf(whose, sizeof whose, "%u", name);
        order.owner = whose;
        order.ids = ids, order.n_ids = order.n_prompt = n_ids;
        st = requests_add(w->table, &order, NULL, w, 0, &r, &f);
        n_added += st == STATUS_OK;
    }
    assert_int_equal(st, STATUS_BUSY);
    assert_int_equal(n_added, n_ids_all / n_ids);
    free(ids);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        CASE(test_a_higher_attempt_takes_over_and_others_do_not),
        CASE(test_an_ended_request_is_not_opened_again),
        CASE(test_a_refused_attempt_counts_as_ended),
        CASE(test_a_rival_stays_until_it_is_removed),
        CASE(test_the_memory_of_ended_requests_is_a_ring),
        CASE(test_a_prefix_names_one_request),
        CASE(test_a_full_table_is_busy),
        CASE(test_one_owner_gets_a_share),
        CASE(test_ids_that_requests_brought_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
