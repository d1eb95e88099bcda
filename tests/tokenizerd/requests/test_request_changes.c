/* request.h: changes of strategy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/request_world.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static strategy top_k(double k) {
    failure f;
    strategy s;
    strategy_init(&s);
    assert_int_equal(strategy_append(&s, STAGE_TOP_K, &k, 1, &f), STATUS_OK);
    return s;
}

static void test_a_change_is_shown_when_its_step_is_due(void **state) {
    world *w = *state;
    failure f;
    request_order order = world_order(w, 1, 1);
    request *r = world_running(w, &order);
    strategy s = top_k(40);
    world_draws(r, "ab", "ab");
    assert_int_equal(request_tune(r, false, &s, w, 77, &f), STATUS_OK);
    assert_int_equal(r->change, 1);
    assert_int_equal(r->strategy.n_stages, 2);  /* merged: temperature stays */
    assert_null(request_due(r));                /* its modeld has not said from where it holds */
    request_retuned(r, 1, 3);
    assert_null(request_due(r));                /* step 2 is drawn by the old one */
    world_draws(r, "c", "c");
    request_change *c = request_due(r);
    assert_non_null(c);
    assert_int_equal(c->ordinal, 1);
    assert_int_equal(c->step, 3);
    assert_int_equal(c->strategy.n_stages, 2);
    assert_null(request_acknowledged(r, 1));    /* not sent yet */
    request_change_shown(c);
    assert_null(request_due(r));
    assert_null(request_acknowledged(r, 0));
    c = request_acknowledged(r, 1);
    assert_non_null(c);
    assert_ptr_equal(c->asker, w);
    assert_int_equal(c->call, 77);
    request_change_free(&c);
    assert_null(request_acknowledged(r, 1));
}

static void test_changes_keep_their_order(void **state) {
    world *w = *state;
    failure f;
    request_order order = world_order(w, 1, 1);
    order.change = 5;
    request *r = world_running(w, &order);
    strategy first = top_k(40), second = top_k(7);
    assert_int_equal(request_tune(r, true, &first, w, 1, &f), STATUS_OK);
    assert_int_equal(request_tune(r, false, &second, NULL, 2, &f), STATUS_OK);
    assert_int_equal(r->change, 7);
    assert_int_equal(r->strategy.n_stages, 1);  /* replaced, then merged */
    assert_true(r->strategy.stages[0].numbers[0] == 7);
    request_retuned(r, 7, 0);                   /* the later one implies the earlier one */
    for (uint32_t ordinal = 6; ordinal <= 7; ordinal++) {
        request_change *c = request_due(r);
        assert_int_equal(c->ordinal, ordinal);
        assert_true(c->strategy.stages[0].numbers[0] == (ordinal == 6 ? 40 : 7));
        request_change_shown(c);
    }
    for (uint32_t ordinal = 6; ordinal <= 7; ordinal++) {
        request_change *c = request_acknowledged(r, 7);
        assert_int_equal(c->ordinal, ordinal);
        request_change_free(&c);
    }
}

static void test_a_waiting_request_is_changed_at_once(void **state) {
    world *w = *state;
    failure f;
    request_order order = world_order(w, 1, 1);
    request *r = world_add(w, &order);
    strategy s = top_k(40);
    assert_int_equal(request_tune(r, false, &s, w, 1, &f), STATUS_OK);
    assert_null(request_due(r));                /* Started comes first */
    int32_t prompt[8];
    request_meet(r, w->model, &w->facts, &f);
    request_encoded(r, prompt, world_ids("say", prompt), 0, &f);
    request_change *c = request_due(r);
    assert_non_null(c);
    assert_int_equal(c->step, 0);
}

static void test_a_lost_modeld_lets_changes_hold_at_the_next_step(void **state) {
    world *w = *state;
    failure f;
    request_order order = world_order(w, 1, 1);
    request *r = world_running(w, &order);
    strategy s = top_k(40);
    world_draws(r, "ab", "ab");
    request_tune(r, false, &s, w, 1, &f);
    request_tune(r, false, &s, w, 2, &f);
    request_retuned(r, 1, 3);
    request_lost(r, 0);
    for (uint32_t ordinal = 1; ordinal <= 2; ordinal++) {
        request_change *c = request_due(r);
        assert_int_equal(c->ordinal, ordinal);
        assert_int_equal(c->step, 2);
        request_change_shown(c);
    }
}

static void test_changes_that_cannot_be_made_change_nothing(void **state) {
    world *w = *state;
    failure f;
    request_order order = world_order(w, 1, 1);
    request *r = world_running(w, &order);
    strategy s = top_k(40), biased;
    strategy_init(&biased);
    strategy_append_biases(&biased, &(int32_t){FAKE_N_VOCAB}, &(double){1}, 1, &f);
    assert_int_equal(request_tune(r, false, &biased, w, 1, &f), STATUS_BAD_ID);
    assert_int_equal(r->change, 0);
    assert_true(strategy_equal(&r->strategy, &w->plain));
    strategy_clear(&biased);
    for (uint32_t i = 0; i < CHANGES_MAX; i++)
        assert_int_equal(request_tune(r, false, &s, w, i, &f), STATUS_OK);
    assert_int_equal(request_tune(r, false, &s, w, 9, &f), STATUS_BUSY);
    request_end(r);
    assert_int_equal(request_tune(r, false, &s, w, 9, &f), STATUS_UNKNOWN_REQUEST);
}

static void test_changes_before_the_model_is_known_must_fit_it(void **state) {
    world *w = *state;
    failure f;
    request_order order = world_order(w, 1, 1);
    request *r = world_add(w, &order);
    strategy s = top_k(40), biased;
    strategy_init(&biased);
    strategy_append_biases(&biased, &(int32_t){FAKE_N_VOCAB}, &(double){1}, 1, &f);
    assert_int_equal(request_tune(r, false, &biased, w, 1, &f), STATUS_OK);
    assert_int_equal(request_tune(r, false, &s, w, 2, &f), STATUS_OK);  /* holds the bias, too */
    assert_int_equal(request_tune(r, true, &s, w, 3, &f), STATUS_OK);
    assert_int_equal(request_tune(r, false, &w->plain, w, 4, &f), STATUS_OK);
    assert_int_equal(request_meet(r, w->model, &w->facts, &f), STATUS_OK);
    for (uint64_t call = 1; call <= 2; call++) {
        request_change *c = request_unfit_change(r, &f);
        assert_int_equal(c->call, call);
        assert_int_equal(f.code, STATUS_BAD_ID);
        request_change_free(&c);
    }
    assert_null(request_unfit_change(r, &f));
    assert_int_equal(r->n_changes, 2);
    assert_true(strategy_equal(&r->strategy, &w->plain));
    assert_int_equal(request_adopt_changes(r, &f), STATUS_OK);
    assert_int_equal(r->strategy.n_stages, 2);
    assert_int_equal(r->change, 4);
    strategy_clear(&biased);
}

static void test_who_asked_may_be_gone(void **state) {
    world *w = *state;
    failure f;
    request_order order = world_order(w, 1, 1);
    request *r = world_waiting(w, &order);
    strategy s = top_k(40);
    request_tune(r, false, &s, w, 1, &f);
    request_forget_asker(r, w);
    request_end(r);
    request_change *c = request_drop_change(r);
    assert_non_null(c);
    assert_null(c->asker);
    request_change_free(&c);
    assert_null(request_drop_change(r));
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        CASE(test_a_change_is_shown_when_its_step_is_due),
        CASE(test_changes_keep_their_order),
        CASE(test_a_waiting_request_is_changed_at_once),
        CASE(test_a_lost_modeld_lets_changes_hold_at_the_next_step),
        CASE(test_changes_that_cannot_be_made_change_nothing),
        CASE(test_changes_before_the_model_is_known_must_fit_it),
        CASE(test_who_asked_may_be_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
