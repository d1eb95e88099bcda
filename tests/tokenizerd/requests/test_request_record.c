/* request.h: what is recorded of a text, where it ends, and how it is taken up again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/request_world.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

/* ---- its tokens ---- */

static void test_a_token_is_recorded_with_what_chose_it(void **state) {
    world *w = *state;
    request_order order = world_order(w, 1, 1);
    request *r = world_running(w, &order);
    assert_int_equal(fake_modeld_load(w->modeld), 1);
    world_draws(r, "hello", "hello");
    assert_int_equal(request_step(r), 5);
    assert_int_equal(r->n_ids, 8);
    assert_int_equal(r->ids[7], 'o');
    assert_int_equal(r->sampler_state_bytes, 1);
    assert_int_equal(r->sampler_state[0], 'o');
    assert_string_equal(r->semantics, "s/1");
    assert_true(r->forward_ms == 8 &&
                r->sample_ms == 5); /* the first forward pass is the prefill's */
    assert_true(
        request_closed(r, &(request_closing){.queue_ms = 1, .prefill_ms = 2, .n_cached = 3}));
    assert_int_equal(r->state, REQUEST_DONE);
    assert_int_equal(fake_modeld_load(w->modeld), 0);
}

static void test_only_the_step_that_is_due_counts(void **state) {
    world *w = *state;
    failure f;
    stream_text shown;
    bool kept;
    request_order order = world_order(w, 1, 1);
    request *r = world_running(w, &order);
    request_token token = {.step = 1, .id = 'x', .semantics = ""};
    assert_int_equal(request_drawn(r, &token, 0, &shown, &kept, &f), STATUS_NOT_FOUND);
    token.step = 0;
    assert_int_equal(request_drawn(r, &token, 0, &shown, &kept, &f), STATUS_OK);
    assert_int_equal(request_drawn(r, &token, 0, &shown, &kept, &f), STATUS_NOT_FOUND);
    assert_int_equal(request_step(r), 1);
    token.step = 1;
    request_end(r);
    assert_int_equal(request_drawn(r, &token, 0, &shown, &kept, &f), STATUS_NOT_FOUND);
}

static void test_a_modeld_that_breaks_the_rules_is_found_out(void **state) {
    world *w = *state;
    failure f;
    stream_text shown;
    bool kept;
    request_order order = world_order(w, 1, 1);
    request *r = world_running(w, &order);
    request_token token = {.id = FAKE_N_VOCAB, .semantics = ""};
    assert_int_equal(request_drawn(r, &token, 0, &shown, &kept, &f), STATUS_BAD_ID);
    token.id = 7;
    token.sampler_state.n_bytes = STATE_BYTES_MAX + 1;
    assert_int_equal(request_drawn(r, &token, 0, &shown, &kept, &f), STATUS_BAD_MESSAGE);
    assert_int_equal(request_step(r), 0);
    assert_false(kept);
}

static void test_end_ids_are_no_part_of_the_text(void **state) {
    world *w = *state;
    failure f;
    stream_text shown;
    bool kept = true;
    int32_t stop = '.';
    request_order order = world_order(w, 1, 1);
    order.stop_ids = &stop, order.n_stop_ids = 1;
    request *r = world_running(w, &order);
    request_token token = {.id = FAKE_END_ID, .semantics = ""};
    assert_int_equal(request_drawn(r, &token, 0, &shown, &kept, &f), STATUS_OK);
    assert_false(kept);
    token.id = stop;
    assert_int_equal(request_drawn(r, &token, 0, &shown, &kept, &f), STATUS_OK);
    assert_false(kept);
    assert_int_equal(request_step(r), 0);
    assert_int_equal(r->over, FINISH_NONE);     /* its modeld says Closed */
}

static void test_ignore_eos_keeps_the_models_end_ids_silently(void **state) {
    world *w = *state;
    failure f;
    stream_text shown;
    bool kept = false;
    request_order order = world_order(w, 1, 1);
    order.ignore_eos = true;
    request *r = world_running(w, &order);
    assert_int_equal(r->n_end_ids, 0);
    request_token token = {.id = FAKE_END_ID, .semantics = ""};
    assert_int_equal(request_drawn(r, &token, 0, &shown, &kept, &f), STATUS_OK);
    assert_true(kept);
    assert_int_equal(shown.n_bytes, 0);
    assert_int_equal(request_step(r), 1);
}

static void test_a_stop_string_ends_the_text_before_it(void **state) {
    world *w = *state;
    stream_text rest;
    const vocab_bytes stops[] = {{(const uint8_t *)"lo!", 3}, {(const uint8_t *)"zzz", 3}};
    request_order order = world_order(w, 1, 1);
    order.stops = stops, order.n_stops = 2;
    request *r = world_running(w, &order);
    world_draws(r, "hello", "hel");             /* "lo" may begin the stop */
    assert_int_equal(r->over, FINISH_NONE);
    world_draws(r, "!", "");
    assert_int_equal(r->over, FINISH_STOP);
    assert_int_equal(request_step(r), 6);       /* the ids that made the stop stay */
    assert_true(request_end(r));
    assert_int_equal(r->state, REQUEST_CLOSING);
    assert_int_equal(request_rest(r, &rest), STATUS_OK);
    assert_int_equal(rest.n_bytes, 0);
    assert_true(request_told(r));
    assert_int_equal(r->state, REQUEST_DONE);
    assert_int_equal(fake_modeld_load(w->modeld), 0);
    assert_false(request_end(r));
}

static void test_what_was_held_back_is_let_go_at_the_end(void **state) {
    world *w = *state;
    stream_text rest;
    const vocab_bytes stop = {(const uint8_t *)"lo!", 3};
    request_order order = world_order(w, 1, 1);
    order.stops = &stop, order.n_stops = 1;
    request *r = world_running(w, &order);
    world_draws(r, "hello", "hel");
    request_closed(r, &(request_closing){0});
    assert_int_equal(request_rest(r, &rest), STATUS_OK);
    assert_int_equal(rest.n_bytes, 2);
    assert_memory_equal(rest.bytes, "lo", 2);
}

static void test_more_tokens_than_asked_for_end_the_text(void **state) {
    world *w = *state;
    char text[32];
    bool kept;
    request_order order = world_order(w, 1, 1);
    request *r = world_running(w, &order);
    world_draws(r, "0123456789", "0123456789");
    assert_int_equal(r->over, FINISH_NONE);     /* its modeld says Closed */
    assert_int_equal(world_draw(r, 'x', text, &kept), STATUS_OK);
    assert_false(kept);
    assert_int_equal(r->over, FINISH_LENGTH);
    assert_int_equal(request_step(r), WORLD_STEPS);
}

/* ---- taken up again ---- */

static request *resumed(world *w, const char *drawn, const char *stop, request_order *order) {
    static vocab_bytes stops[1];
    int32_t ids[64];
    failure f;
    size_t n = world_ids("say", ids);
    stops[0] = (vocab_bytes){(const uint8_t *)stop, stop ? strlen(stop) : 0};
    order->stops = stops, order->n_stops = stop ? 1 : 0;
    order->n_prompt = n;
    order->n_ids = n + world_ids(drawn, ids + n);
    order->ids = ids;
    request *r = world_add(w, order);
    assert_int_equal(request_meet(r, w->model, &w->facts, &f), STATUS_OK);
    assert_int_equal(request_encoded(r, NULL, 0, 0, &f), STATUS_OK);
    return r;
}

static void test_a_resumed_text_goes_on_with_the_first_byte_not_shown(void **state) {
    world *w = *state;
    request_order order = world_order(w, 1, 2);
    request *r = resumed(w, "caf\xc3", NULL, &order);   /* half of é was held back */
    assert_int_equal(request_step(r), 4);
    assert_int_equal(r->over, FINISH_NONE);
    assert_true(request_serve(r, w->modeld, 0));
    world_draws(r, "\xa9!", "\xc3\xa9!");
}

static void test_a_resumed_text_may_be_over_already(void **state) {
    world *w = *state;
    request_order order = world_order(w, 1, 2);
    request *r = resumed(w, "so it ends", NULL, &order);
    assert_int_equal(r->over, FINISH_LENGTH);           /* as many ids as were asked for */
    order = world_order(w, 2, 2);
    r = resumed(w, "a stop b", "stop", &order);
    assert_int_equal(r->over, FINISH_STOP);
    assert_int_equal(request_step(r), 6);               /* up to the id that completed the stop */
    order = world_order(w, 3, 2);
    int32_t end = '.';
    order.stop_ids = &end, order.n_stop_ids = 1;
    r = resumed(w, "yes. no", NULL, &order);
    assert_int_equal(r->over, FINISH_STOP);
    assert_int_equal(request_step(r), 3);               /* an end id is not kept */
}

static void test_a_resumed_text_must_fit_the_context(void **state) {
    world *w = *state;
    failure f;
    int32_t ids[FAKE_N_CTX + 1] = {0};
    for (uint8_t more = 0; more < 2; more++) {
        request_order order = world_order(w, more, 2);
        order.max_new_tokens = 2 * FAKE_N_CTX;
        order.ignore_eos = true;
        order.ids = ids, order.n_ids = FAKE_N_CTX + (size_t)more, order.n_prompt = 1;
        request *r = world_add(w, &order);
        assert_int_equal(request_meet(r, w->model, &w->facts, &f), STATUS_OK);
        assert_int_equal(request_encoded(r, NULL, 0, 0, &f), more ? STATUS_TOO_LONG : STATUS_OK);
        assert_int_equal(r->over, more ? FINISH_NONE : FINISH_LENGTH);
    }
    assert_non_null(strstr(f.message, "65 ids came"));
    assert_non_null(strstr(f.message, "holds 64"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        CASE(test_a_token_is_recorded_with_what_chose_it),
        CASE(test_only_the_step_that_is_due_counts),
        CASE(test_a_modeld_that_breaks_the_rules_is_found_out),
        CASE(test_end_ids_are_no_part_of_the_text),
        CASE(test_ignore_eos_keeps_the_models_end_ids_silently),
        CASE(test_a_stop_string_ends_the_text_before_it),
        CASE(test_what_was_held_back_is_let_go_at_the_end),
        CASE(test_more_tokens_than_asked_for_end_the_text),
        CASE(test_a_resumed_text_goes_on_with_the_first_byte_not_shown),
        CASE(test_a_resumed_text_may_be_over_already),
        CASE(test_a_resumed_text_must_fit_the_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
