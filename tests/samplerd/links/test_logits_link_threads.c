/* Requests that come together are drawn for side by side, one a thread, and answered in their order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>

#include "proto/base/clock.h"
#include "proto/numeric/fmath.h"
#include "tests/support/samplerd/logits_scene.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

enum { N_THREADS = 2, N_REQUESTS = 5, PATIENCE_MS = 5000 };

typedef struct drawer {
    sample_result result;
    _Atomic size_t n_draws;
} drawer;

static drawer drawers[N_THREADS];
static _Atomic size_t n_drawing, n_side_by_side;
static threads *two;

/* The first two wait for each other. One that came alone, before the others had, waits in vain. */
static status draw(void *context, unsigned number, const sample_rows *rows, sampled_rows *out, failure *f) {
    (void)context, (void)f;
    drawer *d = &drawers[number];
    uint64_t until_ms = clock_ms() + PATIENCE_MS;
    atomic_fetch_add(&n_drawing, 1);
    while (n_side_by_side == 0 && n_drawing < N_THREADS && clock_ms() < until_ms) {}
    if (n_drawing == N_THREADS) atomic_fetch_add(&n_side_by_side, 1);
    while (n_side_by_side > 0 && n_side_by_side < N_THREADS && clock_ms() < until_ms) {}
    atomic_fetch_add(&d->n_draws, 1);
    d->result = (sample_result){.id = (int32_t)(rows->step % SCENE_VOCAB)};
    *out = (sampled_rows){.results = &d->result, .n_rows = 1};
    atomic_fetch_sub(&n_drawing, 1);
    return STATUS_OK;
}

static int begin(void **state) {
    if (scene_begin(state) != 0) return -1;
    two = threads_new(N_THREADS, fmath_thread_start);
    assert_non_null(two);
    n_side_by_side = n_drawing = 0;
    for (size_t i = 0; i < N_THREADS; i++) drawers[i] = (drawer){.n_draws = 0};
    scene_draw_with(two, (logits_calls){.draw = draw});
    scene_accept();
    return 0;
}

static int end(void **state) {
    int ended = scene_end(state);
    threads_free(&two);
    return ended;
}

static void send_requests(uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        order o = order_good();
        o.sample.step = i;
        order_send(&o, &scene.modeld);
    }
}

static void requests_that_come_together_are_drawn_for_side_by_side(void **state) {
    (void)state;
    send_requests(N_REQUESTS);
    for (uint32_t i = 0; i < N_REQUESTS; i++) {
        const Trivium__SampleReply *reply = heard_reply(&scene.modeld);
        assert_int_equal(reply->step, i);
        assert_int_equal(reply->drawn[0]->id, i % SCENE_VOCAB);
    }
    assert_true(n_side_by_side >= N_THREADS);
    assert_true(drawers[0].n_draws > 0 && drawers[1].n_draws > 0);
    assert_int_equal(drawers[0].n_draws + drawers[1].n_draws, N_REQUESTS);
}

static void one_that_is_wrong_leaves_its_neighbour_alone(void **state) {
    (void)state;
    n_side_by_side = N_THREADS; /* nobody waits */
    order wrong = order_good(), good = order_good();
    wrong.sample.n_vocab = SCENE_VOCAB + 1;
    order_send(&wrong, &scene.modeld);
    order_send(&good, &scene.modeld);
    assert_non_null(heard_reply(&scene.modeld)->error);
    const Trivium__SampleReply *reply = heard_reply(&scene.modeld);
    assert_null(reply->error);
    assert_int_equal(reply->drawn[0]->id, STEP % SCENE_VOCAB);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests_that_come_together_are_drawn_for_side_by_side, begin, end),
        cmocka_unit_test_setup_teardown(one_that_is_wrong_leaves_its_neighbour_alone, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
