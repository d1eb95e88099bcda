/* watches.h: who watches what, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/models/fake_serving.h"
#include "tokenizerd/requests/requests.h"
#include "tokenizerd/requests/watches.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

/* Requests of Ann's, and one of Bob's with the id of the first; who watches is known by the address. */
typedef struct world {
    owners *owners;
    requests *table;
    watches *watches;
    served_model *model;
    request *one, *other, *of_bob;
} world;

static const uint8_t ids[2][REQUEST_BYTES] = {{1}, {2}};
static int ann, bob;

static request *add_request(requests *rs, const char *whose, const uint8_t *id, void *client) {
    failure f;
    request *r = NULL;
    strategy plain;
    strategy_init(&plain);
    const request_order order = {.owner = whose, .id = id, .attempt = 1, .model = "", .fingerprint = "", .pool = "",
                                 .session = "", .semantics = "", .strategy = &plain,
                                 .max_new_tokens = 5};
    assert_int_equal(requests_add(rs, &order, NULL, client, 0, &r, &f), STATUS_OK);
    return r;
}

static int begin(void **state) {
    static world w;
    w.owners = holdings_new(NULL);
    assert_non_null(w.owners);
    w.table = requests_new(&fake_serving, w.owners);
    w.watches = watches_new(&fake_serving, w.owners);
    w.model = fake_model_new();
    assert_true(w.table && w.watches && w.model);
    w.one = add_request(w.table, "ann", ids[0], &ann);
    w.other = add_request(w.table, "ann", ids[1], &ann);
    w.of_bob = add_request(w.table, "bob", ids[0], &bob);
    *state = &w;
    return 0;
}

static int end(void **state) {
    world *w = *state;
    watches_free(&w->watches);
    requests_free(&w->table);
    owners_free(&w->owners);
    fake_model_free(&w->model);
    return 0;
}

static void add(world *w, const request *r, void *client, uint32_t n_candidates) {
    failure f;
    const watcher who = {client, client == &ann ? "ann" : "bob", 7};
    assert_int_equal(watches_add(w->watches, r, &who, n_candidates, &f), STATUS_OK);
}

static void the_most_that_anybody_wants_counts(void **state) {
    world *w = *state;
    assert_int_equal(watches_wanted(w->watches, w->one), 0);
    add(w, w->one, &ann, 4);
    add(w, w->one, &bob, 9);
    assert_int_equal(watches_wanted(w->watches, w->one), 9);
    assert_int_equal(watches_wanted(w->watches, w->other), 0);
    watch *second = watches_next(watches_first(w->watches));
    assert_ptr_equal(second->watcher, &bob);
    watches_remove(w->watches, &second);
    assert_null(second);
    assert_int_equal(watches_wanted(w->watches, w->one), 4);
}

static void those_of_one_request_are_found_in_order(void **state) {
    world *w = *state;
    add(w, w->other, &ann, 1);
    add(w, w->one, &ann, 2);
    add(w, w->one, &bob, 4);
    const watch *found = watches_of(watches_first(w->watches), ids[0], w->one->number);
    assert_int_equal(found->n_candidates, 2);
    found = watches_of(watches_next(found), ids[0], w->one->number);
    assert_int_equal(found->n_candidates, 4);
    assert_null(watches_of(watches_next(found), ids[0], w->one->number));
}

static void another_owners_request_of_the_same_id_is_another_one(void **state) {
    world *w = *state;
    add(w, w->one, &ann, 2);
    assert_int_equal(watches_wanted(w->watches, w->of_bob), 0);
    assert_null(watches_of(watches_first(w->watches), ids[0], w->of_bob->number));
    add(w, w->of_bob, &bob, 3);
    assert_int_equal(watches_wanted(w->watches, w->one), 2);
    watches_over(w->watches, w->of_bob, FINISH_SUPERSEDED, 55);
    assert_int_equal(watches_wanted(w->watches, w->one), 2);
    assert_int_equal(watches_wanted(w->watches, w->of_bob), 0);
    watches_go_on(w->watches, w->one);
    assert_int_equal(watches_wanted(w->watches, w->of_bob), 0);
}

static void there_is_a_bound_and_a_share_of_it(void **state) {
    world *w = *state;
    failure f;
    int n_anns = 0;
    const watcher anns = {&ann, "ann", 7}, bobs = {&bob, "bob", 7};
    while (watches_add(w->watches, w->one, &anns, 1, &f) == STATUS_OK) n_anns++;
    assert_int_equal(f.code, STATUS_BUSY);
    assert_non_null(strstr(f.message, "ann has its share"));
    assert_in_range(n_anns, WATCHES_MAX / 2, WATCHES_MAX - 1);
    for (int i = n_anns; i < WATCHES_MAX; i++) {
        char whose[16];
        snprintf(whose, sizeof whose, "%d", i);
        assert_int_equal(watches_add(w->watches, w->one, &(watcher){&bob, whose, 7}, 1, &f), STATUS_OK);
    }
    assert_int_equal(watches_add(w->watches, w->one, &bobs, 1, &f), STATUS_BUSY);
    assert_non_null(strstr(f.message, "are watched already"));
}

/* The model stays in hand for the glimpse of the last token, which comes after the end. */
static void an_ended_request_wants_nothing_and_keeps_its_model(void **state) {
    world *w = *state;
    failure f;
    const model_facts facts = fake_model_facts(w->model);
    assert_int_equal(request_meet(w->one, w->model, &facts, &f), STATUS_OK);
    add(w, w->one, &ann, 3);
    add(w, w->other, &bob, 3);
    watches_over(w->watches, w->one, FINISH_LENGTH, 55);
    assert_int_equal(watches_wanted(w->watches, w->one), 0);
    watches_go_on(w->watches, w->one);         /* not one that has ended for good */
    assert_int_equal(watches_wanted(w->watches, w->one), 0);
    requests_remove(w->table, &w->one, false);
    const watch *first = watches_first(w->watches);
    assert_int_equal(first->over, FINISH_LENGTH);
    assert_int_equal(first->over_us, 55);
    assert_ptr_equal(first->model, w->model);
    assert_int_equal(fake_model_holders(w->model), 1);
    assert_int_equal(watches_next(first)->over, FINISH_NONE);
}

static void a_request_whose_client_comes_back_is_watched_again(void **state) {
    world *w = *state;
    failure f;
    const model_facts facts = fake_model_facts(w->model);
    assert_int_equal(request_meet(w->one, w->model, &facts, &f), STATUS_OK);
    add(w, w->one, &bob, 3);
    watches_over(w->watches, w->one, FINISH_SUPERSEDED, 55);
    assert_int_equal(watches_wanted(w->watches, w->one), 0);
    watches_go_on(w->watches, w->other);
    assert_int_equal(watches_wanted(w->watches, w->one), 0);
    watches_go_on(w->watches, w->one);
    assert_int_equal(watches_wanted(w->watches, w->one), 3);
    assert_int_equal(watches_first(w->watches)->over, FINISH_NONE);
    assert_null(watches_first(w->watches)->model);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(the_most_that_anybody_wants_counts),
        CASE(those_of_one_request_are_found_in_order),
        CASE(another_owners_request_of_the_same_id_is_another_one),
        CASE(there_is_a_bound_and_a_share_of_it),
        CASE(an_ended_request_wants_nothing_and_keeps_its_model),
        CASE(a_request_whose_client_comes_back_is_watched_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
