/* requests.h: a request is its owner's. Others of the same id are others, and nobody finds them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/request_world.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static int clients[3];          /* only their addresses count */

static request_order order_of(const world *w, const char *whose, uint8_t name, uint32_t attempt) {
    request_order order = world_order(w, name, attempt);
    order.owner = whose;
    return order;
}

static request *add(world *w, const request_order *order, request *rival, void *client) {
    failure f;
    request *r = NULL;
    assert_int_equal(requests_add(w->table, order, rival, client, 0, &r, &f), STATUS_OK);
    return r;
}

static void end(world *w, request *r, bool cancelled) {
    request_end(r);
    requests_remove(w->table, &r, cancelled);
}

static void two_owners_have_one_id_at_once(void **state) {
    world *w = *state;
    const request_order anns = order_of(w, "ann", 1, 1), bobs = order_of(w, "bob", 1, 1);
    request *rival, *of_ann = add(w, &anns, NULL, &clients[0]);
    assert_int_equal(requests_admit(w->table, "bob", bobs.id, 1, &rival), FINISH_NONE);
    assert_null(rival);         /* a first attempt, or a higher one, takes nothing from Ann */
    assert_int_equal(requests_admit(w->table, "bob", bobs.id, 9, &rival), FINISH_NONE);
    assert_null(rival);
    request *of_bob = add(w, &bobs, NULL, &clients[1]);
    assert_ptr_equal(requests_find(w->table, "ann", anns.id), of_ann);
    assert_ptr_equal(requests_find(w->table, "bob", bobs.id), of_bob);
    assert_null(requests_find(w->table, "carl", bobs.id));
    assert_ptr_equal(requests_of_client(w->table, &clients[0], anns.id), of_ann);
    assert_ptr_equal(requests_of_client(w->table, &clients[1], anns.id), of_bob);
    assert_null(requests_of_client(w->table, &clients[2], anns.id));
}

static void modelds_know_them_by_numbers(void **state) {
    world *w = *state;
    const request_order bobs = order_of(w, "bob", 1, 1);
    request_order anns = order_of(w, "ann", 1, 1);
    request *of_ann = add(w, &anns, NULL, &clients[0]), *of_bob = add(w, &bobs, NULL, &clients[1]);
    assert_int_equal(of_ann->number, 0);
    assert_int_not_equal(of_bob->number, 0);
    const uint32_t number = of_bob->number;
    assert_ptr_equal(requests_numbered(w->table, anns.id, 0), of_ann);
    assert_ptr_equal(requests_numbered(w->table, anns.id, number), of_bob);
    anns.attempt = 2;
    request *next = add(w, &anns, of_ann, &clients[0]);     /* the same text, so its number stays */
    end(w, of_ann, false);
    assert_ptr_equal(requests_numbered(w->table, anns.id, 0), next);
    end(w, next, false);
    end(w, of_bob, false);
    const request_order carls = order_of(w, "carl", 1, 1);  /* a modeld may still speak of the others */
    request *of_carl = add(w, &carls, NULL, &clients[2]);
    assert_int_not_equal(of_carl->number, 0);
    assert_int_not_equal(of_carl->number, number);
}

static void the_end_of_one_is_not_the_end_of_the_other(void **state) {
    world *w = *state;
    const request_order anns = order_of(w, "ann", 1, 3);
    request *rival;
    end(w, add(w, &anns, NULL, &clients[0]), true);
    assert_int_equal(requests_admit(w->table, "ann", anns.id, 4, &rival), FINISH_CANCELLED);
    assert_int_equal(requests_admit(w->table, "bob", anns.id, 1, &rival), FINISH_NONE);
    requests_refused(w->table, "bob", anns.id, 2);
    assert_int_equal(requests_admit(w->table, "bob", anns.id, 2, &rival), FINISH_SUPERSEDED);
    assert_int_equal(requests_admit(w->table, "carl", anns.id, 2, &rival), FINISH_NONE);
}

static void a_beginning_is_looked_for_among_ones_own(void **state) {
    world *w = *state;
    failure f, nobodys;
    request *r;
    const request_order anns = order_of(w, "ann", 1, 1), bobs = order_of(w, "bob", 1, 1);
    const request_order anns_again = order_of(w, "ann", 1, 2);
    request *of_ann = add(w, &anns, NULL, &clients[0]);
    assert_int_equal(requests_match(w->table, "ann", anns.id, 2, &r, &f), STATUS_OK);
    assert_ptr_equal(r, of_ann);
    assert_int_equal(requests_match(w->table, NULL, anns.id, 2, &r, &f), STATUS_OK);
    assert_ptr_equal(r, of_ann);
    assert_int_equal(requests_match(w->table, "bob", anns.id, 2, &r, &f), STATUS_UNKNOWN_REQUEST);
    end(w, of_ann, false);
    assert_int_equal(requests_match(w->table, "bob", anns.id, 2, &r, &nobodys), STATUS_UNKNOWN_REQUEST);
    assert_string_equal(f.message, nobodys.message);        /* as if it had never been there */
    add(w, &anns_again, NULL, &clients[0]);
    add(w, &bobs, NULL, &clients[1]);
    assert_int_equal(requests_match(w->table, NULL, anns.id, 2, &r, &f), STATUS_BAD_REQUEST);   /* both begin so */
}

static void one_client_has_an_id_once(void **state) {
    world *w = *state;
    failure f;
    request *r = NULL;
    const request_order anns = order_of(w, "ann", 1, 1), bobs = order_of(w, "bob", 1, 1);
    add(w, &anns, NULL, &clients[0]);
    assert_int_equal(requests_add(w->table, &bobs, NULL, &clients[0], 0, &r, &f), STATUS_BAD_REQUEST);
    assert_non_null(strstr(f.message, "in another name"));
    add(w, &bobs, NULL, &clients[1]);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(two_owners_have_one_id_at_once),
        TEST(modelds_know_them_by_numbers),
        TEST(the_end_of_one_is_not_the_end_of_the_other),
        TEST(a_beginning_is_looked_for_among_ones_own),
        TEST(one_client_has_an_id_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
