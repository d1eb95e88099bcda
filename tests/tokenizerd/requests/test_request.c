/* request.h: the states of a request, and its way from one modeld to the next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/request_world.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { MS = 1000 };

/* ---- the table of states ---- */

static void test_the_transitions_are_those_of_the_protocol(void **state) {
    (void)state;
    /* Rows: states; columns: ENCODED SERVED TOKEN CLOSED LOST PAUSE END TOLD; '.' has no effect. */
    static const char *const table[REQUEST_STATES] = {
        [REQUEST_ENCODING] = "W....SD.", [REQUEST_WAITING] = ".R...SD.",
        [REQUEST_RUNNING] = "..RDWSC.",  [REQUEST_RESTING] = "......D.",
        [REQUEST_CLOSING] = ".......D",  [REQUEST_DONE] = "........",
    };
    static const char letters[] = "EWRSCD";
    for (int from = 0; from < REQUEST_STATES; from++)
        for (int event = 0; event < EVENT_KINDS; event++) {
            request r = {.state = (request_state)from};
            char expected = table[from][event];
            assert_int_equal(request_transition(&r, (request_event)event), expected != '.');
            assert_int_equal(letters[r.state], expected == '.' ? letters[from] : expected);
        }
}

/* ---- its model and modeld ---- */

static void test_what_a_request_holds_it_lets_go(void **state) {
    world *w = *state;
    failure f;
    const int32_t beyond = FAKE_N_VOCAB;
    request_order lost = world_order(w, 1, 1), unfit = world_order(w, 2, 1);
    request *r = world_running(w, &lost);
    assert_int_equal(fake_model_holders(w->model), 1);
    request_lost(r, 0);
    assert_int_equal(fake_model_holders(w->model), 1);  /* it waits for just this model */
    request_serve(r, w->modeld, 0);
    requests_remove(w->table, &r, false);
    assert_int_equal(fake_model_holders(w->model), 0);
    assert_int_equal(fake_modeld_load(w->modeld), 0);
    unfit.stop_ids = &beyond, unfit.n_stop_ids = 1;
    r = world_add(w, &unfit);
    assert_int_equal(request_meet(r, w->model, &w->facts, &f), STATUS_BAD_ID);
    requests_remove(w->table, &r, false);
    assert_int_equal(fake_model_holders(w->model), 0);
}

static void test_only_who_lacks_a_worker_waits(void **state) {
    world *w = *state;
    failure f;
    int32_t prompt[8];
    request_order order = world_order(w, 1, 1);
    order.wait_ms = 0;
    request *r = world_add(w, &order);
    assert_int_equal(r->wait_ms, WAIT_MS);
    assert_int_equal(r->deadline_us, (uint64_t)WAIT_MS * MS);
    assert_true(request_waits(r));              /* for its served_model */
    request_meet(r, w->model, &w->facts, &f);
    assert_string_equal(r->model_name, "a");
    assert_string_equal(r->fingerprint, "f1");
    assert_false(request_waits(r));             /* it is being encoded */
    request_encoded(r, prompt, world_ids("say", prompt), 3000 * MS, &f);
    assert_true(request_waits(r));
    assert_int_equal(r->deadline_us, (uint64_t)(WAIT_MS + 3000) * MS);
    request_serve(r, w->modeld, 0);
    assert_false(request_waits(r));
}

static void test_each_wait_is_noticed_once(void **state) {
    world *w = *state;
    failure f;
    int32_t prompt[8];
    const uint64_t second = NOTICE_MS * MS;
    request_order order = world_order(w, 1, 1);
    order.wait_ms = NOTICE_MS + 1;
    request *r = world_add(w, &order);
    assert_true(r->has_own_wait);
    assert_false(request_notice_is_due(r, second - 1));
    assert_true(request_notice_is_due(r, second));
    request_noticed(r);
    assert_false(request_notice_is_due(r, 9 * second));
    request_meet(r, w->model, &w->facts, &f);
    request_encoded(r, prompt, world_ids("say", prompt), 10 * second, &f);
    assert_true(request_notice_is_due(r, 11 * second));
    request_serve(r, w->modeld, 12 * second);
    assert_false(request_notice_is_due(r, 13 * second - 1));
    assert_true(request_notice_is_due(r, 13 * second));
    r->wait_ms = NOTICE_MS;     /* over before there is anything to tell */
    assert_false(request_notice_is_due(r, 13 * second));
}

/* ---- going on elsewhere ---- */

static void test_a_lost_modeld_leaves_all_that_another_needs(void **state) {
    world *w = *state;
    request_order order = world_order(w, 1, 1);
    request *r = world_running(w, &order);
    world_draws(r, "abc", "abc");
    assert_true(request_lost(r, 500 * MS));
    assert_int_equal(r->state, REQUEST_WAITING);
    assert_null(r->modeld);
    assert_int_equal(fake_modeld_load(w->modeld), 0);
    assert_true(request_waits(r));
    assert_int_equal(r->deadline_us, 600 * MS); /* wait_ms from the loss */
    assert_int_equal(request_step(r), 3);
    assert_int_equal(r->sampler_state[0], 'c');
    assert_true(request_serve(r, w->modeld, 510 * MS));
    world_draws(r, "def", "def");
}

static void test_a_text_that_is_full_needs_no_other_modeld(void **state) {
    world *w = *state;
    request_order order = world_order(w, 1, 1);
    request *r = world_running(w, &order);
    world_draws(r, "0123456789", "0123456789");
    request_lost(r, 0);
    assert_int_equal(r->over, FINISH_LENGTH);
}

static void test_losses_in_a_row_are_counted_until_a_token_comes(void **state) {
    world *w = *state;
    request_order order = world_order(w, 1, 1);
    request *r = world_waiting(w, &order);
    for (uint32_t i = 1; i <= REOPENS_MAX; i++) {
        request_serve(r, w->modeld, 0);
        request_lost(r, 0);
        assert_int_equal(r->n_losses, i);
    }
    request_serve(r, w->modeld, 0);
    world_draws(r, "a", "a");
    request_lost(r, 0);
    assert_int_equal(r->n_losses, 0);           /* this one was of use */
}

static void test_moves_in_a_row_are_counted_until_a_token_comes(void **state) {
    world *w = *state;
    request_order order = world_order(w, 1, 1);
    request *r = world_waiting(w, &order);
    assert_false(request_may_move(r));          /* nobody has it */
    for (uint32_t i = 0; i < MOVES_MAX; i++) {
        request_serve(r, w->modeld, 0);
        assert_true(request_may_move(r) && request_moved(r, 500 * MS));
        assert_int_equal(fake_modeld_load(w->modeld), 0);
        assert_int_equal(r->deadline_us, 600 * MS);
        assert_true(request_has_begun(r));
    }
    request_serve(r, w->modeld, 0);
    assert_false(request_may_move(r));
    assert_int_equal(r->n_losses, 0);
    world_draws(r, "a", "a");
    assert_true(request_may_move(r));
}

static void test_a_text_that_has_begun_waits_for_room(void **state) {
    world *w = *state;
    request_order order = world_order(w, 1, 1);
    request *r = world_running(w, &order);
    assert_false(request_crowded_out(r, 0));    /* nothing is lost when it ends */
    assert_int_equal(r->state, REQUEST_RUNNING);
    world_draws(r, "abc", "abc");
    assert_true(request_crowded_out(r, 500 * MS));
    assert_int_equal(r->state, REQUEST_WAITING);
    assert_int_equal(fake_modeld_load(w->modeld), 0);
    assert_int_equal(r->deadline_us, 600 * MS); /* wait_ms from when it stopped */
    assert_int_equal(r->retry_us, (500 + BUSY_RETRY_MS) * MS);
    assert_ptr_equal(r->refuser, w->modeld);
    assert_true(request_serve(r, w->modeld, 550 * MS));
    assert_int_equal(r->retry_us, 0);
    assert_true(request_crowded_out(r, 560 * MS));
    assert_int_equal(r->deadline_us, 600 * MS); /* no token came: the wait goes on */
    request_forget_modeld(r, w->modeld);
    assert_null(r->refuser);
    assert_int_equal(r->n_losses, 0);

    order = world_order(w, 2, 1);
    r = world_running(w, &order);
    request_lost(r, 0);
    request_serve(r, w->modeld, 0);
    assert_true(request_crowded_out(r, 0));     /* it was open before */
}

static void test_each_end_has_its_word(void **state) {
    (void)state;
    assert_string_equal(request_finish_name(FINISH_NONE), "none");
    assert_string_equal(request_finish_name(FINISH_STOP), "stop");
    assert_string_equal(request_finish_name(FINISH_LENGTH), "length");
    assert_string_equal(request_finish_name(FINISH_CANCELLED), "cancelled");
    assert_string_equal(request_finish_name(FINISH_SUPERSEDED), "superseded");
    assert_string_equal(request_finish_name(FINISH_ERROR), "error");
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        CASE(test_the_transitions_are_those_of_the_protocol),
        CASE(test_what_a_request_holds_it_lets_go),
        CASE(test_only_who_lacks_a_worker_waits),
        CASE(test_each_wait_is_noticed_once),
        CASE(test_a_lost_modeld_leaves_all_that_another_needs),
        CASE(test_a_text_that_is_full_needs_no_other_modeld),
        CASE(test_losses_in_a_row_are_counted_until_a_token_comes),
        CASE(test_moves_in_a_row_are_counted_until_a_token_comes),
        CASE(test_a_text_that_has_begun_waits_for_room),
        CASE(test_each_end_has_its_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
