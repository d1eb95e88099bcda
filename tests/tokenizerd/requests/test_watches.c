/* watches.h: who watches what, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/models/fake_serving.h"
#include "tokenizerd/requests/requests.h"
#include "tokenizerd/requests/watches.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static const uint8_t one[REQUEST_BYTES] = {1}, other[REQUEST_BYTES] = {2};
static int ann, bob;            /* clients: only their addresses count */

static void add(watches *ws, const uint8_t *id, void *watcher, uint32_t n_candidates) {
    failure f;
    assert_int_equal(watches_add(ws, id, watcher, 7, n_candidates, &f), STATUS_OK);
}

/* With the id `one`, Ann's. */
static request *add_request(requests *rs) {
    failure f;
    request *r = NULL;
    strategy plain;
    strategy_init(&plain);
    const request_order order = {.id = one, .attempt = 1, .model = "", .fingerprint = "", .pool = "",
                                 .session = "", .semantics = "", .strategy = &plain,
                                 .max_new_tokens = 5};
    assert_int_equal(requests_add(rs, &order, NULL, &ann, 0, &r, &f), STATUS_OK);
    return r;
}

static void the_most_that_anybody_wants_counts(void **state) {
    (void)state;
    watches *ws = watches_new(&fake_serving);
    assert_non_null(ws);
    assert_int_equal(watches_wanted(ws, one), 0);
    add(ws, one, &ann, 4);
    add(ws, one, &bob, 9);
    assert_int_equal(watches_wanted(ws, one), 9);
    assert_int_equal(watches_wanted(ws, other), 0);
    watch *w = watches_next(watches_first(ws));
    assert_ptr_equal(w->watcher, &bob);
    watches_remove(ws, &w);
    assert_null(w);
    assert_int_equal(watches_wanted(ws, one), 4);
    watches_free(&ws);
}

static void those_of_one_request_are_found_in_order(void **state) {
    (void)state;
    watches *ws = watches_new(&fake_serving);
    assert_non_null(ws);
    add(ws, other, &ann, 1);
    add(ws, one, &ann, 2);
    add(ws, other, &bob, 3);
    static uint8_t carl;
    add(ws, one, &carl, 4);
    const watch *w = watches_of(watches_first(ws), one);
    assert_int_equal(w->n_candidates, 2);
    w = watches_of(watches_next(w), one);
    assert_int_equal(w->n_candidates, 4);
    assert_null(watches_of(watches_next(w), one));
    watches_free(&ws);
}

static void there_is_a_bound(void **state) {
    (void)state;
    failure f;
    watches *ws = watches_new(&fake_serving);
    assert_non_null(ws);
    static uint8_t others[WATCHES_MAX];
    int n_anns = 0;
    while (watches_add(ws, one, &ann, 7, 1, &f) == STATUS_OK) n_anns++;
    assert_int_equal(f.code, STATUS_BUSY);
    assert_in_range(n_anns, WATCHES_MAX / 2, WATCHES_MAX - 1);
    for (int i = n_anns; i < WATCHES_MAX; i++) add(ws, one, &others[i], 1);
    assert_int_equal(watches_add(ws, one, &bob, 7, 1, &f), STATUS_BUSY);
    watches_free(&ws);
}

/* The model stays in hand for the glimpse of the last token, which comes after the end. */
static void an_ended_request_wants_nothing_and_keeps_its_model(void **state) {
    (void)state;
    failure f;
    served_model *m = fake_model_new();
    assert_non_null(m);
    const model_facts facts = fake_model_facts(m);
    requests *rs = requests_new(&fake_serving);
    assert_non_null(rs);
    request *r = add_request(rs);
    assert_int_equal(request_meet(r, m, &facts, &f), STATUS_OK);
    watches *ws = watches_new(&fake_serving);
    assert_non_null(ws);
    add(ws, one, &ann, 3);
    add(ws, other, &bob, 3);
    watches_over(ws, r, FINISH_LENGTH, 55);
    requests_remove(rs, &r, false);
    watches_go_on(ws, one);         /* not one that has ended for good */
    watch *w = watches_first(ws);
    assert_int_equal(watches_wanted(ws, one), 0);
    assert_int_equal(w->over, FINISH_LENGTH);
    assert_int_equal(w->over_us, 55);
    assert_ptr_equal(w->model, m);
    assert_int_equal(fake_model_holders(m), 1);
    assert_int_equal(watches_next(w)->over, FINISH_NONE);
    watches_free(&ws);
    requests_free(&rs);
    fake_model_free(&m);
}

static void a_request_whose_owner_comes_back_is_watched_again(void **state) {
    (void)state;
    requests *rs = requests_new(&fake_serving);
    assert_non_null(rs);
    watches *ws = watches_new(&fake_serving);
    assert_non_null(ws);
    failure f;
    request *r = add_request(rs);
    served_model *m = fake_model_new();
    const model_facts facts = fake_model_facts(m);
    assert_int_equal(request_meet(r, m, &facts, &f), STATUS_OK);
    add(ws, one, &bob, 3);
    watches_over(ws, r, FINISH_SUPERSEDED, 55);
    assert_int_equal(watches_wanted(ws, one), 0);
    watches_go_on(ws, other);
    assert_int_equal(watches_wanted(ws, one), 0);
    watches_go_on(ws, one);
    assert_int_equal(watches_wanted(ws, one), 3);
    assert_int_equal(watches_first(ws)->over, FINISH_NONE);
    assert_null(watches_first(ws)->model);
    watches_free(&ws);
    requests_free(&rs);
    fake_model_free(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_that_anybody_wants_counts),
        cmocka_unit_test(those_of_one_request_are_found_in_order),
        cmocka_unit_test(there_is_a_bound),
        cmocka_unit_test(an_ended_request_wants_nothing_and_keeps_its_model),
        cmocka_unit_test(a_request_whose_owner_comes_back_is_watched_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
