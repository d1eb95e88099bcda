#include "request_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after ours: it has a macro named fail */

int world_setup(void **state) {
    world *w = calloc(1, sizeof *w);
    failure f;
    w->owners = holdings_new(NULL);
    assert_non_null(w->owners);
    w->table = requests_new(&fake_serving, w->owners);
    assert_non_null(w->table);
    w->modeld = fake_modeld_new();
    assert_non_null(w->modeld);
    w->model = fake_model_new();
    assert_non_null(w->model);
    w->facts = fake_model_facts(w->model);
    strategy_init(&w->plain);
    strategy_append(&w->plain, STAGE_TEMPERATURE, &(double){0.8}, 1, &f);
    *state = w;
    return 0;
}

int world_teardown(void **state) {
    world *w = *state;
    requests_free(&w->table);
    owners_free(&w->owners);
    fake_modeld_free(&w->modeld);
    fake_model_free(&w->model);
    strategy_clear(&w->plain);
    free(w);
    return 0;
}

request_order world_order(const world *w, uint8_t name, uint32_t attempt) {
    static uint8_t ids[256][REQUEST_BYTES];
    memset(ids[name], name, REQUEST_BYTES);
    return (request_order){.id = ids[name],
                           .attempt = attempt,
                           .model = "",
                           .fingerprint = "",
                           .pool = "p",
                           .session = "",
                           .semantics = "",
                           .strategy = &w->plain,
                           .max_new_tokens = WORLD_STEPS,
                           .wait_ms = 100};
}

request *world_add(world *w, const request_order *order) {
    request *r = NULL;
    failure f;
    assert_int_equal(requests_add(w->table, order, NULL, w, 0, &r, &f), STATUS_OK);
    return r;
}

size_t world_ids(const char *text, int32_t *ids) {
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) ids[i] = (uint8_t)text[i];
    return n;
}

request *world_waiting(world *w, const request_order *order) {
    int32_t prompt[8];
    failure f;
    request *r = world_add(w, order);
    assert_int_equal(request_meet(r, w->model, &w->facts, &f), STATUS_OK);
    assert_int_equal(request_encoded(r, prompt, world_ids("say", prompt), 0, &f), STATUS_OK);
    assert_int_equal(r->state, REQUEST_WAITING);
    return r;
}

request *world_running(world *w, const request_order *order) {
    request *r = world_waiting(w, order);
    assert_true(request_serve(r, w->modeld, 0));
    return r;
}

status world_draw(request *r, uint8_t byte, char *text, bool *kept) {
    failure f;
    stream_text shown;
    request_token token = {.step = request_step(r),
                           .id = byte,
                           .semantics = "s/1",
                           .sampler_state = {&byte, 1},
                           .forward_ms = 2,
                           .sample_ms = 1};
    status st = request_drawn(r, &token, 7000, &shown, kept, &f);
    memcpy(text, shown.bytes ? shown.bytes : (const uint8_t *)"", shown.n_bytes);
    text[shown.n_bytes] = '\0';
    return st;
}

void world_draws(request *r, const char *bytes, const char *expected) {
    char all[64] = "", text[32];
    bool kept;
    for (; *bytes; bytes++) {
        assert_int_equal(world_draw(r, (uint8_t)*bytes, text, &kept), STATUS_OK);
        assert_true(kept);
        strcat(all, text);
    }
    assert_string_equal(all, expected);
}
