/* The logits link of samplerd: a row that has been through the first stages reaches the sampler as it came, and so does what
 * scoring takes of rows; what cannot be of such rows is refused. What the sampler makes of it: tests/proto/draw/test_cut_row.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/samplerd/logits_scene.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

enum { N_LEFT = 2 };

static struct {
    int32_t ids[N_LEFT];
    float raw[N_LEFT];
    double logits[N_LEFT];
} left;
_Static_assert(sizeof left == N_LEFT * CUT_ROW_BYTES, "as cut_row.h has it");
static Trivium__CutRow cut;

static order order_cut(void) {
    order o = order_good();
    left.ids[0] = 1, left.ids[1] = 5;
    left.raw[0] = 1, left.raw[1] = 5;
    left.logits[0] = -3, left.logits[1] = 10;
    trivium__cut_row__init(&cut);
    cut.n_stages = 0;
    cut.n_left = N_LEFT;
    cut.raw_max = 5;
    cut.raw_total = UINT64_C(3) << 43;
    o.sample.cut = &cut;
    o.raw[0] = (wire_raw){&left, sizeof left};
    return o;
}

static void is_refused(order *o, Trivium__Code code, const char *words) {
    const Trivium__SampleReply *reply = order_answer(o);
    assert_non_null(reply->error);
    assert_int_equal(reply->error->code, code);
    if (!strstr(reply->error->message, words)) fail_msg("%s: not about \"%s\"", reply->error->message, words);
    assert_int_equal(scene.sampler.n_calls, 0);
}

#define REFUSED(o, code, words) is_refused(o, TRIVIUM__CODE__##code, words)

static void hello_says_that_cut_rows_are_taken(void **state) {
    (void)state;
    const Trivium__LogitsReply *m = (const Trivium__LogitsReply *)scene.modeld.header;
    assert_true(m->control->hello->sampler->takes_cut_rows);
    assert_string_equal(m->control->hello->sampler->semantics, CHAIN_SEMANTICS);
}

static void a_cut_row_reaches_the_sampler(void **state) {
    (void)state;
    scene_accept();
    order o = order_cut();
    assert_null(order_answer(&o)->error);
    const sample_rows *rows = &scene.sampler.rows;
    assert_true(rows->n_rows == 1 && rows->n_vocab == SCENE_VOCAB && rows->n_ids == SCENE_IDS);
    assert_null(rows->logits[0]);
    assert_true(rows->cut.n_stages == 0 && rows->cut.n_left == N_LEFT);
    assert_true(rows->cut.raw_max == 5 && rows->cut.raw_total == UINT64_C(3) << 43);
    o = order_good();                       /* and a whole one, as before */
    assert_null(order_answer(&o)->error);
    assert_int_equal(scene.sampler.rows.cut.n_left, 0);
    assert_memory_equal(scene.sampler.logits, SCENE_LOGITS, SCENE_VOCAB * sizeof *SCENE_LOGITS);
}

/* Where no stage looks back any more. */
static void it_may_come_without_the_ids_so_far(void **state) {
    (void)state;
    scene_accept();
    order o = order_cut();
    o.sample.n_ids = o.sample.n_prompt = 0;
    o.raw[1].n_bytes = 0;
    assert_null(order_answer(&o)->error);
    assert_int_equal(scene.sampler.rows.n_ids, 0);
}

static void only_one_row_that_is_drawn_from_can_be_cut(void **state) {
    (void)state;
    scene_accept();
    order o = order_cut();
    o.sample.n_rows = 2;
    REFUSED(&o, BAD_REQUEST, "a cut row is one");
    o = order_cut();
    o.sample.n_candidates = 1;
    REFUSED(&o, BAD_REQUEST, "a cut row is one");
    o = order_cut();
    o.sample.n_watched = 1;
    REFUSED(&o, BAD_REQUEST, "a cut row is one");
    o = order_cut();
    o.sample.want_probabilities = true;
    REFUSED(&o, BAD_REQUEST, "a cut row is one");
    o = order_cut();
    int32_t given = 1;
    o.sample.given = &given;
    o.sample.n_given = 1;
    REFUSED(&o, BAD_REQUEST, "a cut row is one");
    o = order_cut();
    Trivium__SharedRow shared = TRIVIUM__SHARED_ROW__INIT, *only_shared = &shared;
    o.sample.shared = &only_shared;
    o.sample.n_shared = 1;
    REFUSED(&o, BAD_REQUEST, "a cut row is one");
}

static void frames_that_do_not_hold_what_is_left(void **state) {
    (void)state;
    scene_accept();
    order o = order_cut();
    const uint32_t counts[] = {0, SCENE_VOCAB + 1, UINT32_MAX};
    for (int i = 0; i < 3; i++) {
        cut.n_left = counts[i];
        REFUSED(&o, BAD_MESSAGE, "a cut row of 6 logits cannot have");
    }
    cut.n_left = N_LEFT + 1;
    REFUSED(&o, BAD_MESSAGE, "3 times 16 bytes");
    o = order_cut();
    o.raw[0].n_bytes--;
    REFUSED(&o, BAD_MESSAGE, "2 times 16 bytes");
    o.raw[0] = order_good().raw[0];
    REFUSED(&o, BAD_MESSAGE, "2 times 16 bytes");
    o.n_raw = 0;
    REFUSED(&o, BAD_MESSAGE, "2 times 16 bytes");
}

static void candidates_and_sums_that_cannot_be(void **state) {
    (void)state;
    scene_accept();
    order o = order_cut();
    left.ids[0] = -1;
    REFUSED(&o, BAD_ID, "id -1 is outside");
    o = order_cut();
    left.ids[1] = SCENE_VOCAB;
    REFUSED(&o, BAD_ID, "id 6 is outside");
    o = order_cut();
    left.ids[0] = 5;
    REFUSED(&o, BAD_MESSAGE, "do not ascend");
    o = order_cut();
    left.logits[1] = NAN;
    REFUSED(&o, BAD_MESSAGE, "a logit of id 5");
    o = order_cut();
    cut.raw_max = NAN;
    REFUSED(&o, BAD_MESSAGE, "the sums");
    o = order_cut();
    cut.raw_total = 0;
    REFUSED(&o, BAD_MESSAGE, "the sums");
}

/* ---- rows that are scored ---- */

static int32_t given[SCENE_ROWS];
static scored_row scored[SCENE_ROWS];

static order order_scored(void) {
    order o = order_good();
    given[0] = 5, given[1] = -1;
    scored[0] = (scored_row){UINT64_C(3) << 43, 5, 4.5f};
    scored[1] = (scored_row){UINT64_C(1) << 44, 2, -INFINITY};
    o.sample.n_rows = SCENE_ROWS;
    o.sample.given = given;
    o.sample.n_given = SCENE_ROWS;
    o.sample.scored = true;
    o.raw[0] = (wire_raw){scored, sizeof scored};
    return o;
}

static void what_scoring_takes_reaches_the_sampler(void **state) {
    (void)state;
    scene_accept();
    order o = order_scored();
    assert_null(order_answer(&o)->error);
    const sample_rows *rows = &scene.sampler.rows;
    assert_true(rows->n_rows == SCENE_ROWS && rows->cut.n_left == 0 && !rows->logits[0]);
    assert_memory_equal(scene.sampler.scored, scored, sizeof scored);
    o = order_good();
    assert_null(order_answer(&o)->error);
    assert_null(scene.sampler.rows.scored);
}

static void only_rows_of_given_ids_can_be_scored(void **state) {
    (void)state;
    scene_accept();
    order o = order_scored();
    o.sample.n_given = 0;
    REFUSED(&o, BAD_REQUEST, "scored rows are those");
    o = order_scored();
    o.sample.n_candidates = 1;
    REFUSED(&o, BAD_REQUEST, "scored rows are those");
    o = order_scored();
    o.sample.n_watched = 1;
    REFUSED(&o, BAD_REQUEST, "scored rows are those");
    o = order_scored();
    o.sample.n_rows = 1, o.sample.n_given = 1;
    o.sample.want_probabilities = true;
    REFUSED(&o, BAD_REQUEST, "scored rows are those");
    o = order_scored();
    o.sample.cut = order_cut().sample.cut;
    REFUSED(&o, BAD_REQUEST, "scored rows are those");
    o = order_scored();
    Trivium__SharedRow shared = TRIVIUM__SHARED_ROW__INIT, *both[] = {&shared, &shared};
    o.sample.shared = both;
    o.sample.n_shared = SCENE_ROWS;
    REFUSED(&o, BAD_REQUEST, "scored rows are those");
}

static void scored_rows_that_cannot_be(void **state) {
    (void)state;
    scene_accept();
    order o = order_scored();
    o.raw[0].n_bytes--;
    REFUSED(&o, BAD_MESSAGE, "2 scored rows of 16 bytes");
    o.raw[0] = (wire_raw){SCENE_LOGITS, SCENE_ROWS * SCENE_VOCAB * sizeof *SCENE_LOGITS};
    REFUSED(&o, BAD_MESSAGE, "2 scored rows of 16 bytes");
    o = order_scored();
    scored[1].raw_total = 0;
    REFUSED(&o, BAD_MESSAGE, "the sums");
    o = order_scored();
    scored[0].raw = NAN;
    REFUSED(&o, BAD_MESSAGE, "the sums");
    o = order_scored();
    given[0] = SCENE_VOCAB;
    REFUSED(&o, BAD_ID, "id 6 is outside");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(hello_says_that_cut_rows_are_taken),
        TEST(a_cut_row_reaches_the_sampler),
        TEST(it_may_come_without_the_ids_so_far),
        TEST(only_one_row_that_is_drawn_from_can_be_cut),
        TEST(frames_that_do_not_hold_what_is_left),
        TEST(candidates_and_sums_that_cannot_be),
        TEST(what_scoring_takes_reaches_the_sampler),
        TEST(only_rows_of_given_ids_can_be_scored),
        TEST(scored_rows_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
