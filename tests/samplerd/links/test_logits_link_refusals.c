/* The logits link of samplerd: what each request that does not keep to PROTOCOL.md is answered with. None of them
 * reaches the sampler, and the next good one is drawn for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/samplerd/logits_scene.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

static void is_answered(const order *o, const Trivium__SampleReply *reply, Trivium__Code code, const char *words) {
    assert_non_null(reply->error);
    assert_int_equal(reply->error->code, code);
    if (!strstr(reply->error->message, words)) {
        print_error("%s: not about \"%s\"\n", reply->error->message, words);
        fail();
    }
    assert_int_equal(reply->n_drawn, 0);
    assert_int_equal(reply->step, o->sample.step);
    assert_int_equal(scene.sampler.n_calls, 0);
}

static void is_refused(order *o, Trivium__Code code, const char *words) {
    is_answered(o, order_answer(o), code, words);
}

#define REFUSED(o, code, words) is_refused(o, TRIVIUM__CODE__##code, words)

/* The last thing in a test: with all that was refused before it, life goes on. */
static void goes_on(void) {
    order o = order_good();
    assert_null(order_answer(&o)->error);
    assert_int_equal(scene.sampler.n_calls, 1);
}

static void counts_out_of_range(void **state) {
    (void)state;
    scene_accept();
    order o = order_good();
    o.sample.n_rows = 0;
    REFUSED(&o, BAD_MESSAGE, "0 rows in a message");
    o.sample.n_rows = SAMPLE_ROWS_MAX + 1;
    REFUSED(&o, BAD_MESSAGE, "rows in a message");
    o = order_good();
    o.sample.n_vocab = 0;
    REFUSED(&o, NO_CANDIDATE, "empty");
    o.sample.n_vocab = N_VOCAB_MAX + 1;
    REFUSED(&o, TOO_LONG, "logits");
    o = order_good();
    o.sample.n_ids = N_CTX_MAX + 1;
    REFUSED(&o, BAD_MESSAGE, "ids of which");
    o = order_good();
    o.sample.n_prompt = SCENE_IDS + 1;
    REFUSED(&o, BAD_MESSAGE, "of which 4 are prompt");
    o = order_good();
    o.sample.request = (ProtobufCBinaryData){REQUEST_BYTES + 1, (uint8_t *)"seventeen bytes .."};
    REFUSED(&o, BAD_MESSAGE, "17 bytes");
    goes_on();
}

static void fields_out_of_range(void **state) {
    (void)state;
    scene_accept();
    order o = order_good();
    o.sample.n_candidates = CANDIDATES_MAX + 1;
    REFUSED(&o, BAD_REQUEST, "candidates");
    o = order_good();
    o.sample.n_watched = CANDIDATES_MAX + 1;
    REFUSED(&o, BAD_REQUEST, "candidates");
    o = order_good();
    o.sample.seed = SEED_MAX;
    REFUSED(&o, BAD_REQUEST, "seed");
    o = order_good();
    o.sample.step = UINT32_MAX;
    REFUSED(&o, BAD_REQUEST, "step");
    o = order_good();
    order_set_rows(&o, 2);
    o.sample.want_probabilities = true;
    REFUSED(&o, BAD_REQUEST, "probabilities");
    goes_on();
}

/* What a frame holds is exactly what the header says. */
static void frames_that_do_not_fit(void **state) {
    (void)state;
    scene_accept();
    order o = order_good();
    o.sample.n_vocab = SCENE_VOCAB + 1;
    REFUSED(&o, BAD_MESSAGE, "rows frame");
    o.sample.n_vocab = SCENE_VOCAB - 1;
    o.raw[1].n_bytes = 0;
    o.sample.n_ids = o.sample.n_prompt = 0;
    REFUSED(&o, BAD_MESSAGE, "rows frame");
    o = order_good();
    o.sample.n_rows = 2;
    REFUSED(&o, BAD_MESSAGE, "rows frame");
    o = order_good();
    o.raw[0].n_bytes -= 1;
    REFUSED(&o, BAD_MESSAGE, "rows frame");
    o = order_good();
    o.raw[0].n_bytes = 0;
    REFUSED(&o, BAD_MESSAGE, "rows frame");
    o.n_raw = 0;
    REFUSED(&o, BAD_MESSAGE, "rows frame");

    o = order_good();
    o.n_raw = 1;
    REFUSED(&o, BAD_MESSAGE, "ids frame");
    o = order_good();
    o.sample.n_ids = SCENE_IDS + 1;
    REFUSED(&o, BAD_MESSAGE, "ids frame");
    o.sample.n_ids = 2;
    REFUSED(&o, BAD_MESSAGE, "ids frame");
    o.sample.n_ids = o.sample.n_prompt = 0;
    REFUSED(&o, BAD_MESSAGE, "ids frame");
    o = order_good();
    o.raw[1].n_bytes -= 2;
    REFUSED(&o, BAD_MESSAGE, "ids frame");
    goes_on();
}

static void ids_outside_the_vocabulary(void **state) {
    (void)state;
    scene_accept();
    const int32_t above[SCENE_IDS] = {0, 1, SCENE_VOCAB}, below[SCENE_IDS] = {0, -1, 1};
    order o = order_good();
    o.raw[1].bytes = above;
    REFUSED(&o, BAD_ID, "id 6");
    o.raw[1].bytes = below;
    REFUSED(&o, BAD_ID, "id -1");
    o = order_good();
    int32_t given = SCENE_VOCAB;
    o.sample.n_given = 1;
    o.sample.given = &given;
    REFUSED(&o, BAD_ID, "id 6");
    given = GIVEN_NONE - 1;
    REFUSED(&o, BAD_ID, "id -2");
    goes_on();
}

static void as_many_given_ids_as_rows(void **state) {
    (void)state;
    scene_accept();
    int32_t given[3] = {0, 0, 0};
    order o = order_good();
    order_set_rows(&o, 2);
    o.sample.given = given;
    o.sample.n_given = 1;
    REFUSED(&o, BAD_MESSAGE, "1 ids are given");
    o.sample.n_given = 3;
    REFUSED(&o, BAD_MESSAGE, "3 ids are given");
    goes_on();
}

static void drafts_that_do_not_fit(void **state) {
    (void)state;
    scene_accept();
    int32_t drafts[2] = {1, 1}, given[2] = {1, 1};
    order o = order_good();
    o.sample.drafts = drafts;
    o.sample.n_drafts = 1;
    REFUSED(&o, BAD_MESSAGE, "1 drafts come with 1 rows");
    order_set_rows(&o, 2);
    o.sample.n_drafts = 2;
    REFUSED(&o, BAD_MESSAGE, "2 drafts come with 2 rows");
    o.sample.n_drafts = 1;
    o.sample.given = given;
    o.sample.n_given = 2;
    REFUSED(&o, BAD_REQUEST, "not for given ids");
    o.sample.n_given = 0;
    o.sample.want_probabilities = true;
    REFUSED(&o, BAD_REQUEST, "not for probabilities");
    o.sample.want_probabilities = false;
    o.sample.n_watched = CANDIDATES_MAX / 2 + 1;
    REFUSED(&o, BAD_REQUEST, "513 candidates of each of 2 rows");
    o.sample.n_watched = 0;
    drafts[0] = SCENE_VOCAB;
    REFUSED(&o, BAD_ID, "draft 6 is outside the vocabulary");
    drafts[0] = -1;
    REFUSED(&o, BAD_ID, "draft -1 is outside");
    goes_on();
}

static void strategies_that_are_none(void **state) {
    (void)state;
    scene_accept();
    double numbers[2] = {-1, 0};
    Trivium__Step one = TRIVIUM__STEP__INIT, *steps[STAGES_MAX + 1];
    Trivium__Strategy asked = TRIVIUM__STRATEGY__INIT;
    for (size_t i = 0; i <= STAGES_MAX; i++) steps[i] = &one;
    asked.steps = steps;
    asked.n_steps = 1;
    one.name = (char *)"hope";
    one.numbers = numbers;
    order o = order_good();
    o.sample.strategy = &asked;
    REFUSED(&o, UNSUPPORTED, "hope");
    one.name = (char *)"temperature";
    one.n_numbers = 1;
    REFUSED(&o, BAD_REQUEST, "temperature");
    one.n_numbers = 2;
    REFUSED(&o, BAD_MESSAGE, "temperature");
    numbers[0] = 1;
    one.n_numbers = 1;
    asked.n_steps = STAGES_MAX + 1;
    REFUSED(&o, BAD_REQUEST, "32");
    goes_on();
}

/* Of a later protocol, or of nobody's: neither answered nor harmful. */
static void what_cannot_be_understood_is_passed_over(void **state) {
    (void)state;
    scene_accept();
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    fake_peer_send(&scene.modeld, &m.base, NULL, 0);    /* without a body */

    uint8_t packed[64];
    Trivium__Control control = TRIVIUM__CONTROL__INIT;
    control.from = scene.modeld.from;
    control.to = scene.modeld.to;
    m.control = &control;
    size_t n_bytes = trivium__logits_request__pack(&m, packed);
    memcpy(packed + n_bytes, "\x4a\x02hi", 4);          /* field 9, of two bytes */
    fake_peer_send_frames(&scene.modeld, &(wire_raw){packed, n_bytes + 4}, 1);
    fake_peer_send_frames(&scene.modeld, &(wire_raw){"\xff\xff\xff", 3}, 1);

    order o = order_good();
    o.sample.ticket = 1;
    o.raw[2] = o.raw[1];
    o.n_raw = 3;                                        /* one frame too many */
    order_send(&o, &scene.modeld);
    goes_on();                                          /* this one's is the first answer there is */
}

/* Priority and traceparent are for logs, and for whoever makes rows: nothing depends on them here. */
static void what_is_only_carried_is_not_checked(void **state) {
    (void)state;
    scene_accept();
    order o = order_good();
    o.sample.priority = PRIORITY_MAX + 1;
    o.sample.traceparent = (char *)"none";
    assert_null(order_answer(&o)->error);
}

/* Rows and ids go whole on this link, however long they are. */
static void a_request_in_pieces(void **state) {
    (void)state;
    scene_accept();
    order o = order_good();
    const uint64_t n_bytes[] = {o.raw[0].n_bytes, o.raw[1].n_bytes};
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE;
    m.sample = &o.sample;
    fake_peer_begin(&scene.modeld, &m.base, n_bytes, 2);
    fake_peer_say_piece(&scene.modeld, 0, o.raw[0].bytes, o.raw[0].n_bytes);    /* of nothing: passed over, */
    fake_peer_say_piece(&scene.modeld, 1, o.raw[1].bytes, o.raw[1].n_bytes);
    is_answered(&o, heard_reply(&scene.modeld), TRIVIUM__CODE__BAD_MESSAGE, "come whole");
    Trivium__VocabularyPiece piece = TRIVIUM__VOCABULARY_PIECE__INIT;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_VOCABULARY;
    m.vocabulary = &piece;
    fake_peer_begin(&scene.modeld, &m.base, n_bytes, 1);                        /* as is this */
    goes_on();
}

/* No rows are shared: this modeld offered none. */
static void a_shared_row_that_was_never_mapped(void **state) {
    (void)state;
    scene_accept();
    Trivium__SharedRow shared = TRIVIUM__SHARED_ROW__INIT, *list[] = {&shared};
    order o = order_good();
    o.sample.shared = list;
    o.sample.n_shared = 1;
    o.raw[0].n_bytes = 0;
    REFUSED(&o, BAD_MESSAGE, "not in memory shared with us");
    goes_on();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(counts_out_of_range),
        TEST(fields_out_of_range),
        TEST(frames_that_do_not_fit),
        TEST(ids_outside_the_vocabulary),
        TEST(as_many_given_ids_as_rows),
        TEST(drafts_that_do_not_fit),
        TEST(strategies_that_are_none),
        TEST(what_cannot_be_understood_is_passed_over),
        TEST(what_is_only_carried_is_not_checked),
        TEST(a_request_in_pieces),
        TEST(a_shared_row_that_was_never_mapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
