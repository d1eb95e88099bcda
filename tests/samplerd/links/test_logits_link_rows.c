/* The logits link of samplerd: rows that it reads where the modeld has them, what becomes of one that is another
 * step's by now, and two modelds at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/samplerd/logits_scene.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

static shared_rows *rows;
static struct {
    uint32_t index;
    uint64_t generation;
} places[SCENE_ROWS];
static Trivium__SharedRow shared[SCENE_ROWS], *shared_list[SCENE_ROWS] = {&shared[0], &shared[1]};

/* ---- The modeld's memory, in this process ---- */

/* The scene's row of this number, as it is written first and anew. */
static void write_row(uint32_t at) {
    places[at].generation = shared_rows_renew(rows, places[at].index);
    memcpy(shared_rows_at(rows, places[at].index), SCENE_LOGITS + at * SCENE_VOCAB, SCENE_VOCAB * sizeof *SCENE_LOGITS);
}

static int begin(void **state) {
    failure f;
    if (scene_begin(state) != 0) return -1;
    assert_int_equal(shared_rows_new(&rows, FAKE_INCARNATION, SCENE_ROWS, SCENE_VOCAB, &f), STATUS_OK);
    for (uint32_t at = SCENE_ROWS; at-- > 0; write_row(at)) /* places and rows have other orders */
        assert_true(shared_rows_take(rows, &places[at].index));
    return 0;
}

static int end(void **state) {
    shared_rows_free(&rows);
    return scene_end(state);
}

#define ROWS_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

/* A good request whose rows are not sent. */
static order order_shared(uint32_t n_rows) {
    order o = order_good();
    for (uint32_t at = 0; at < n_rows; at++) {
        trivium__shared_row__init(&shared[at]);
        shared[at].index = places[at].index;
        shared[at].generation = places[at].generation;
    }
    o.sample.n_rows = n_rows;
    o.sample.shared = shared_list;
    o.sample.n_shared = n_rows;
    o.raw[0].n_bytes = 0;
    return o;
}

/* Returns the sentence. */
static const char *is_refused(order *o, Trivium__Code code) {
    const Trivium__SampleReply *reply = order_answer(o);
    assert_non_null(reply->error);
    assert_int_equal(reply->error->code, code);
    assert_int_equal(reply->n_drawn, 0);
    return reply->error->message;
}

static void a_shared_row_is_read_where_it_lies(void **state) {
    (void)state;
    scene_share(rows);
    order o = order_shared(1);
    assert_null(order_answer(&o)->error);
    assert_int_equal(scene.sampler.n_calls, 1);
    assert_memory_equal(scene.sampler.logits, SCENE_LOGITS, SCENE_VOCAB * sizeof *SCENE_LOGITS);
    o = order_good();                       /* and one that is sent, as before */
    assert_null(order_answer(&o)->error);
}

static void several_rows_are_read_in_the_order_in_which_they_are_named(void **state) {
    (void)state;
    scene_share(rows);
    assert_true(places[0].index > places[1].index);
    order o = order_shared(2);
    assert_int_equal(order_answer(&o)->n_drawn, 2);
    assert_memory_equal(scene.sampler.logits, SCENE_LOGITS, sizeof SCENE_LOGITS);
}

static void a_row_of_another_generation_is_over(void **state) {
    (void)state;
    scene_share(rows);
    for (uint32_t at = 0; at < SCENE_ROWS; at++) {      /* the only one, and one of two */
        order o = order_shared(at + 1);
        shared[at].generation--;
        is_refused(&o, TRIVIUM__CODE__TIMEOUT);
        shared[at].generation += 2;
        is_refused(&o, TRIVIUM__CODE__TIMEOUT);
        o = order_shared(at + 1);
        write_row(at);
        is_refused(&o, TRIVIUM__CODE__TIMEOUT);
    }
    assert_int_equal(scene.sampler.n_calls, 0);
}

static void a_row_that_is_not_there_is_over(void **state) {
    (void)state;
    scene_share(rows);
    const uint32_t others[] = {SCENE_ROWS, SCENE_ROWS + 1, UINT32_MAX};
    for (uint32_t at = 0; at < SCENE_ROWS; at++) {
        order o = order_shared(SCENE_ROWS);
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
            shared[at].index = others[i];
            is_refused(&o, TRIVIUM__CODE__TIMEOUT);
        }
    }
    assert_int_equal(scene.sampler.n_calls, 0);
}

static void each_row_is_shared_or_none_and_of_the_shared_width(void **state) {
    (void)state;
    scene_share(rows);
    order o = order_shared(1);
    o.sample.n_rows = 2;
    assert_string_equal(is_refused(&o, TRIVIUM__CODE__BAD_MESSAGE), "1 shared rows are named for 2 rows");
    o = order_shared(2);
    o.sample.n_rows = 1;
    assert_string_equal(is_refused(&o, TRIVIUM__CODE__BAD_MESSAGE), "2 shared rows are named for 1 rows");
    o = order_shared(2);
    o.sample.n_vocab = SCENE_VOCAB + 1;
    is_refused(&o, TRIVIUM__CODE__BAD_MESSAGE);
    assert_int_equal(scene.sampler.n_calls, 0);
}

static void write_first_anew(void) {
    write_row(0);
}

static void write_second_anew(void) {
    write_row(1);
}

/* What was drawn from it is worth nothing, and so is a refusal of it. */
static void a_row_that_is_written_while_it_is_read_is_over(void **state) {
    (void)state;
    scene_share(rows);
    order o = order_shared(1);
    scene.sampler.meanwhile = write_first_anew;
    is_refused(&o, TRIVIUM__CODE__TIMEOUT);
    o = order_shared(1);
    scene.sampler.answer = STATUS_NO_CANDIDATE;
    is_refused(&o, TRIVIUM__CODE__TIMEOUT);
    scene.sampler.answer = STATUS_OK;
    o = order_shared(2);
    is_refused(&o, TRIVIUM__CODE__TIMEOUT);
    scene.sampler.meanwhile = write_second_anew;
    o = order_shared(2);
    is_refused(&o, TRIVIUM__CODE__TIMEOUT);
    o = order_shared(1);
    assert_null(order_answer(&o)->error);   /* that one was not asked for */
    scene.sampler.meanwhile = NULL;
    o = order_shared(2);
    assert_null(order_answer(&o)->error);
    assert_int_equal(scene.sampler.n_calls, 6);
}

/* The memory is another incarnation's: not told as mapped, and rows are sent. */
static void rows_of_somebody_else_are_not_mapped(void **state) {
    (void)state;
    scene.modeld.from = FAKE_INCARNATION + 1;
    scene_offer(rows);
    order o = order_good();
    assert_null(order_answer(&o)->error);   /* the first message with a body: no RowsMapped before it */
    o = order_shared(1);
    is_refused(&o, TRIVIUM__CODE__BAD_MESSAGE);
}

static void a_modeld_that_left_has_taken_its_rows_along(void **state) {
    (void)state;
    scene_share(rows);
    fake_peer_say_leave(&scene.modeld);
    assert_true(fake_peer_hears(&scene.modeld, scene.loop, TRIVIUM__CONTROL__WORD_HELLO));
    scene_accept();
    order o = order_shared(1);
    is_refused(&o, TRIVIUM__CODE__BAD_MESSAGE);
    o = order_good();
    assert_null(order_answer(&o)->error);
}

/* ---- Two modelds ---- */

static void two_modelds_get_an_answer_each(void **state) {
    (void)state;
    place other_place;
    fake_peer other;
    place_make(&other_place);
    fake_peer_bind(&other, other_place.address, &trivium__logits_reply__descriptor);
    other.from = FAKE_INCARNATION + 1;
    logits_link *other_link = scene_join(other_place.address, "sam");
    assert_true(fake_peer_hears(&other, scene.loop, TRIVIUM__CONTROL__WORD_HELLO));
    scene_accept();
    fake_peer_say_hello(&other, fake_hello(TRIVIUM__ROLE__MODELD));

    order one = order_good(), two = order_good();
    two.sample.step = STEP + 1;
    scene.sampler.results[0].id = 4;
    order_send(&one, &scene.modeld);
    order_send(&two, &other);
    assert_int_equal(heard_reply(&other)->step, STEP + 1);
    const Trivium__SampleReply *reply = heard_reply(&scene.modeld);
    assert_int_equal(reply->step, STEP);
    assert_int_equal(reply->drawn[0]->id, 4);
    assert_int_equal(scene.sampler.n_calls, 2);

    fake_peer_close(&scene.modeld);         /* one is gone, the other one goes on */
    order_send(&two, &other);
    assert_int_equal(heard_reply(&other)->step, STEP + 1);
    logits_link_free(&other_link);
    assert_true(fake_peer_hears(&other, scene.loop, TRIVIUM__CONTROL__WORD_LEAVE));
    fake_peer_close(&other);
    assert_true(place_remove(&other_place));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ROWS_TEST(a_shared_row_is_read_where_it_lies),
        ROWS_TEST(several_rows_are_read_in_the_order_in_which_they_are_named),
        ROWS_TEST(a_row_of_another_generation_is_over),
        ROWS_TEST(a_row_that_is_not_there_is_over),
        ROWS_TEST(each_row_is_shared_or_none_and_of_the_shared_width),
        ROWS_TEST(a_row_that_is_written_while_it_is_read_is_over),
        ROWS_TEST(rows_of_somebody_else_are_not_mapped),
        ROWS_TEST(a_modeld_that_left_has_taken_its_rows_along),
        TEST(two_modelds_get_an_answer_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
