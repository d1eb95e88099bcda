/* The link to samplerds: requests leave as they are, answers arrive with what they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/chain/strategy_wire.h"
#include "proto/draw/chain.h"
#include "tests/support/modeld/rows_scene.h"
#include "tests/support/traceparents.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

static void assert_raw(size_t index, const void *bytes, size_t n_bytes) {
    size_t n_there = 0;
    const void *there = fake_peer_raw(&rows.fakes[0], index, &n_there);
    assert_int_equal(n_there, n_bytes);
    if (n_bytes > 0) assert_memory_equal(there, bytes, n_bytes);
}

/* ---- requests leave ---- */

static void a_request_leaves_as_it_is(void **state) {
    (void)state;
    failure f;
    sampler *one = rows_join(0, "", "rules/1");
    strategy defaults;
    strategy_init(&defaults);
    strategy_defaults(&defaults);
    const int32_t given[] = {1, -1};
    const float two_rows[2 * ROW_WIDTH] = {1, 2, 3, 4, 5, 6, 7, 8};
    const sample_request request = {
        .ticket = UINT64_C(1) << 63, .request = ROW_REQUEST, .attempt = 2, .step = 3, .rows = two_rows, .n_rows = 2,
        .row_width = ROW_WIDTH, .ids = ROW_ID_LIST, .n_ids = 3, .n_prompt = 1, .strategy = &defaults, .seed = 4,
        .sampler_state = (const uint8_t *)"mu", .n_sampler_state_bytes = 2, .deadline_ms = 5,
        .n_candidates = 6, .n_watched = 7, .given = given, .want_probabilities = true, .priority = -8,
        .traceparent = SOME_TRACEPARENT,
    };
    assert_int_equal(samplerd_link_send(rows.link, one, &request), STATUS_OK);
    const Trivium__SampleRequest *r = rows_heard();
    assert_true(r->ticket == UINT64_C(1) << 63);
    assert_int_equal(r->request.len, REQUEST_BYTES);
    assert_memory_equal(r->request.data, ROW_REQUEST, REQUEST_BYTES);
    assert_true(r->attempt == 2 && r->step == 3 && r->n_rows == 2 && r->n_vocab == ROW_WIDTH);
    assert_true(r->n_ids == 3 && r->n_prompt == 1 && r->seed == 4 && r->deadline_ms == 5);
    assert_true(r->n_candidates == 6 && r->n_watched == 7 && r->want_probabilities && r->priority == -8);
    assert_string_equal(r->traceparent, SOME_TRACEPARENT);
    assert_int_equal(r->state.len, 2);
    assert_memory_equal(r->state.data, "mu", 2);
    assert_int_equal(r->n_given, 2);
    assert_true(r->given[0] == 1 && r->given[1] == -1);
    strategy heard;
    strategy_init(&heard);
    assert_int_equal(strategy_from_wire(&heard, r->strategy, &f), STATUS_OK);
    assert_true(strategy_equal(&heard, &defaults));
    assert_int_equal(r->n_shared, 0);
    assert_raw(0, two_rows, sizeof two_rows);
    assert_raw(1, ROW_ID_LIST, sizeof ROW_ID_LIST);
    strategy_clear(&heard);
    strategy_clear(&defaults);
}

static void a_call_has_a_request_of_zeros_and_draws(void **state) {
    (void)state;
    static const uint8_t zeros[REQUEST_BYTES];
    sampler *one = rows_join(0, "", "rules/1");
    sample_request request = rows_request();
    assert_int_equal(samplerd_link_send(rows.link, one, &request), STATUS_OK);
    const Trivium__SampleRequest *r = rows_heard();
    assert_int_equal(r->request.len, REQUEST_BYTES);
    assert_memory_equal(r->request.data, zeros, REQUEST_BYTES);
    assert_int_equal(r->n_given, 0);
    assert_string_equal(r->traceparent, "");
    assert_non_null(r->strategy);
}

/* Only to a samplerd that said that it reads them, and only where the row lies there. */
static void a_row_in_shared_memory_is_not_sent_to_who_reads_it_there(void **state) {
    (void)state;
    sampler *one = rows_join(0, "", "rules/1");
    sample_request request = rows_request();
    request.in_shared = true;
    request.shared_index = 0;
    request.shared_generation = 6;
    samplerd_link_send(rows.link, one, &request);
    assert_int_equal(rows_heard()->n_shared, 0);
    assert_raw(0, ROW, sizeof ROW);

    Trivium__RowsMapped mapped = TRIVIUM__ROWS_MAPPED__INIT;
    Trivium__LogitsReply m = TRIVIUM__LOGITS_REPLY__INIT;
    m.body_case = TRIVIUM__LOGITS_REPLY__BODY_MAPPED;
    m.mapped = &mapped;
    fake_samplerd_says(&rows.fakes[0], &m, NULL, 0);
    fake_samplerd_draws(&rows.fakes[0], ROW_TICKET, 1, 0);
    rows_until(&rows.n_answered, 1);
    samplerd_link_send(rows.link, one, &request);
    const Trivium__SampleRequest *r = rows_heard();
    assert_int_equal(r->n_shared, 1);
    assert_true(r->shared[0]->index == 0 && r->shared[0]->generation == 6);
    assert_raw(0, NULL, 0);
    assert_raw(1, ROW_ID_LIST, sizeof ROW_ID_LIST);

    request.in_shared = false;
    samplerd_link_send(rows.link, one, &request);
    assert_int_equal(rows_heard()->n_shared, 0);
    assert_raw(0, ROW, sizeof ROW);
}

/* Only one that says so and has our rules: others could draw something else from it. */
static void who_takes_cut_rows_is_known_from_its_hello(void **state) {
    (void)state;
    fake_samplerd_join_for_cut_rows(&rows.fakes[0], rows.loop, rows.meeting.address, "rules/1");
    assert_false(samplers_first(rows.table)->takes_cut_rows);
    assert_false(rows_join(1, "", CHAIN_SEMANTICS)->takes_cut_rows);
    fake_peer_close(&rows.fakes[1]);
    rows_until(&rows.n_lost, 1);
    fake_samplerd_join_for_cut_rows(&rows.fakes[1], rows.loop, rows.meeting.address, CHAIN_SEMANTICS);
    assert_true(samplers_next(samplers_first(rows.table))->takes_cut_rows);
}

static void changes_its_mind(Trivium__SamplerOffer *offer) {
    Trivium__Hello hello = fake_hello_of_the_silent(TRIVIUM__ROLE__SAMPLERD);
    hello.sampler = offer;
    fake_peer_say_hello(&rows.fakes[0], hello);
    assert_true(fake_peer_hears(&rows.fakes[0], rows.loop, TRIVIUM__CONTROL__WORD_HELLO));
}

/* Rows may be out with it that are to be drawn from by what it said at first. Another process is another sampler. */
static void what_a_process_said_first_is_what_it_takes(void **state) {
    (void)state;
    Trivium__SamplerOffer offer = TRIVIUM__SAMPLER_OFFER__INIT;
    fake_samplerd_join_for_cut_rows(&rows.fakes[0], rows.loop, rows.meeting.address, CHAIN_SEMANTICS);
    offer.semantics = (char *)"rules/2";
    changes_its_mind(&offer);
    const sampler *one = samplers_first(rows.table);
    assert_true(one->takes_cut_rows && !samplers_next(one));
    assert_string_equal(one->semantics, CHAIN_SEMANTICS);
    offer.takes_cut_rows = true;
    rows.fakes[0].from += 1000;
    changes_its_mind(&offer);
    one = samplers_first(rows.table);
    assert_true(!one->takes_cut_rows && !samplers_next(one));
    assert_string_equal(one->semantics, "rules/2");
    assert_int_equal(rows.n_lost, 1);
}

static void a_cut_row_goes_in_place_of_the_row(void **state) {
    (void)state;
    sampler *one = rows_join(0, "", CHAIN_SEMANTICS);
    _Alignas(double) uint8_t bytes[2 * CUT_ROW_BYTES] = "what is left";
    const cut_row row = {.n_stages = 3, .n_left = 2, .raw_max = 4.5f, .raw_total = UINT64_C(1) << 45};
    sample_request request = rows_request();
    request.cut = &row;
    request.cut_bytes = bytes;
    assert_int_equal(samplerd_link_send(rows.link, one, &request), STATUS_OK);
    const Trivium__SampleRequest *r = rows_heard();
    assert_true(r->n_rows == 1 && r->n_vocab == ROW_WIDTH && r->n_shared == 0);
    assert_non_null(r->cut);
    assert_true(r->cut->n_stages == 3 && r->cut->n_left == 2 && r->cut->raw_max == 4.5f);
    assert_true(r->cut->raw_total == UINT64_C(1) << 45);
    assert_raw(0, bytes, sizeof bytes);
    assert_raw(1, ROW_ID_LIST, sizeof ROW_ID_LIST);
}

static void what_scoring_takes_goes_in_place_of_rows(void **state) {
    (void)state;
    sampler *one = rows_join(0, "", CHAIN_SEMANTICS);
    const int32_t given[] = {3, -1};
    const scored_row scored[] = {{UINT64_C(1) << 45, 4.5f, 2}, {UINT64_C(1) << 44, 7, -1}};
    sample_request request = rows_request();
    request.n_rows = 2;
    request.given = given;
    request.scored = scored;
    assert_int_equal(samplerd_link_send(rows.link, one, &request), STATUS_OK);
    const Trivium__SampleRequest *r = rows_heard();
    assert_true(r->n_rows == 2 && r->n_given == 2 && r->scored && !r->cut);
    assert_raw(0, scored, sizeof scored);
}

static void what_fits_no_message_is_told_and_cuts_nobody(void **state) {
    (void)state;
    sampler *one = rows_join(0, "", "rules/1");
    sample_request request = rows_request();
    request.n_rows = RAW_BYTES_MAX / sizeof(float) / ROW_WIDTH + 1;
    assert_int_equal(samplerd_link_send(rows.link, one, &request), STATUS_TOO_LONG);
    assert_false(one->lost);
    request.n_rows = 1;
    assert_int_equal(samplerd_link_send(rows.link, one, &request), STATUS_OK);
    rows_heard();
}

/* ---- answers arrive ---- */

static void an_answer_comes_with_its_ticket_and_its_sampler(void **state) {
    (void)state;
    sampler *first = rows_join(0, "", "rules/1"), *second = rows_join(1, "", "rules/1");
    fake_samplerd_draws(&rows.fakes[0], 8, 1, 3);
    rows_until(&rows.n_answered, 1);
    assert_ptr_equal(rows.from, first);
    assert_int_equal(rows.ticket, 8);
    assert_int_equal(rows.id, 3);
    fake_samplerd_draws(&rows.fakes[1], 9, 1, 2);
    rows_until(&rows.n_answered, 2);
    assert_ptr_equal(rows.from, second);
    assert_int_equal(rows.ticket, 9);
}

static Trivium__LogitsReply glimpse_reply(Trivium__Glimpse *g, Trivium__Drawn *drawn) {
    *g = (Trivium__Glimpse)TRIVIUM__GLIMPSE__INIT;
    *drawn = (Trivium__Drawn)TRIVIUM__DRAWN__INIT;
    g->request = (ProtobufCBinaryData){REQUEST_BYTES, (uint8_t *)ROW_REQUEST};
    g->step = 31;
    g->drawn = drawn;
    Trivium__LogitsReply m = TRIVIUM__LOGITS_REPLY__INIT;
    m.body_case = TRIVIUM__LOGITS_REPLY__BODY_GLIMPSE;
    m.glimpse = g;
    return m;
}

static void a_glimpse_is_passed_on(void **state) {
    (void)state;
    Trivium__Glimpse g;
    Trivium__Drawn drawn;
    rows_join(0, "", "rules/1");
    Trivium__LogitsReply m = glimpse_reply(&g, &drawn);
    fake_samplerd_says(&rows.fakes[0], &m, NULL, 0);
    rows_until(&rows.n_glimpsed, 1);
    assert_int_equal(rows.glimpse_step, 31);
}

static void what_makes_no_sense_is_counted_and_reaches_nobody(void **state) {
    (void)state;
    Trivium__Glimpse g;
    Trivium__Drawn drawn;
    rows_join(0, "", "rules/1");
    Trivium__LogitsReply m = glimpse_reply(&g, &drawn), empty = TRIVIUM__LOGITS_REPLY__INIT;
    fake_samplerd_says(&rows.fakes[0], &empty, NULL, 0);
    drawn.id = ROW_WIDTH; /* of another vocabulary */
    fake_samplerd_says(&rows.fakes[0], &m, NULL, 0);
    drawn.id = 0;
    g.request.len = REQUEST_BYTES - 1;
    fake_samplerd_says(&rows.fakes[0], &m, NULL, 0);
    const wire_raw noise = {"\xff\xff\xff\xff", 4};
    fake_peer_send_frames(&rows.fakes[0], &noise, 1);
    fake_samplerd_draws(&rows.fakes[0], 1, 1, 0); /* all before it was taken */
    rows_until(&rows.n_answered, 1);
    assert_int_equal(rows.garbage.n_messages, 3);
    assert_int_equal(samplerd_link_garbage(rows.link), 1);
    assert_int_equal(rows.n_glimpsed, 0);
    assert_int_equal(rows.n_lost, 0);
}

/* Rows and ids go whole on this link, however long they are, and so do answers. */
static void an_answer_in_pieces_is_one_that_failed(void **state) {
    (void)state;
    const uint64_t n_bytes = 8;
    Trivium__SampleReply reply = TRIVIUM__SAMPLE_REPLY__INIT;
    Trivium__LogitsReply m = TRIVIUM__LOGITS_REPLY__INIT;
    rows_join(0, "", "rules/1");
    reply.ticket = ROW_TICKET;
    m.body_case = TRIVIUM__LOGITS_REPLY__BODY_SAMPLE;
    m.sample = &reply;
    fake_peer_begin(&rows.fakes[0], &m.base, &n_bytes, 1);
    fake_peer_say_piece(&rows.fakes[0], 0, ROW, n_bytes);       /* of nothing: passed over */
    rows_until(&rows.n_answered, 1);
    assert_int_equal(rows.ticket, ROW_TICKET);
    assert_int_equal(rows.failed, STATUS_BAD_MESSAGE);
    Trivium__RowsMapped mapped = TRIVIUM__ROWS_MAPPED__INIT;
    m.body_case = TRIVIUM__LOGITS_REPLY__BODY_MAPPED;
    m.mapped = &mapped;
    fake_peer_begin(&rows.fakes[0], &m.base, &n_bytes, 1);
    fake_samplerd_draws(&rows.fakes[0], ROW_TICKET, 1, 2);
    rows_until(&rows.n_answered, 2);
    assert_int_equal(rows.failed, STATUS_OK);
    assert_int_equal(rows.garbage.n_messages, 1);
    assert_int_equal(rows.n_lost, 0);
}

/* ---- what the ids say ---- */

static void asks_for_the_vocabulary(const char *hash) {
    Trivium__VocabularyQuery query = TRIVIUM__VOCABULARY_QUERY__INIT;
    Trivium__LogitsReply m = TRIVIUM__LOGITS_REPLY__INIT;
    query.vocabulary = (char *)hash;
    m.body_case = TRIVIUM__LOGITS_REPLY__BODY_VOCABULARY;
    m.vocabulary = &query;
    fake_samplerd_says(&rows.fakes[0], &m, NULL, 0);
}

static const Trivium__VocabularyPiece *hears_piece(void) {
    assert_true(fake_peer_hears(&rows.fakes[0], rows.loop, FAKE_BODY));
    const Trivium__LogitsRequest *m = (const Trivium__LogitsRequest *)rows.fakes[0].header;
    assert_int_equal(m->body_case, TRIVIUM__LOGITS_REQUEST__BODY_VOCABULARY);
    return m->vocabulary;
}

static void a_sampler_may_ask_for_the_vocabulary(void **state) {
    (void)state;
    uint32_t n_tokens = 0, n_merges = 0;
    rows_join(0, "", "rules/1");
    asks_for_the_vocabulary("another");
    asks_for_the_vocabulary(model_vocabulary_of(vocabulary_model)->hash);
    while (vocabulary_piece_follows(hears_piece(), &n_tokens, &n_merges)) {}
    assert_true(n_tokens > 0 && n_merges > 0);
    assert_int_equal(rows.garbage.n_messages, 1);
}

static void a_sampler_may_leave_in_the_middle_of_it(void **state) {
    (void)state;
    uint32_t n_tokens = 0, n_merges = 0;
    rows_join(0, "", "rules/1");
    asks_for_the_vocabulary(model_vocabulary_of(vocabulary_model)->hash);
    hears_piece();
    fake_peer_say_leave(&rows.fakes[0]);
    rows_until(&rows.n_lost, 1);
    fake_peer_close(&rows.fakes[0]);
    rows_join(0, "", "rules/1");
    asks_for_the_vocabulary(model_vocabulary_of(vocabulary_model)->hash);
    while (vocabulary_piece_follows(hears_piece(), &n_tokens, &n_merges)) {}
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_request_leaves_as_it_is),
        TEST(a_call_has_a_request_of_zeros_and_draws),
        TEST(a_row_in_shared_memory_is_not_sent_to_who_reads_it_there),
        TEST(who_takes_cut_rows_is_known_from_its_hello),
        TEST(what_a_process_said_first_is_what_it_takes),
        TEST(a_cut_row_goes_in_place_of_the_row),
        TEST(what_scoring_takes_goes_in_place_of_rows),
        TEST(what_fits_no_message_is_told_and_cuts_nobody),
        TEST(an_answer_comes_with_its_ticket_and_its_sampler),
        TEST(a_glimpse_is_passed_on),
        TEST(what_makes_no_sense_is_counted_and_reaches_nobody),
        TEST(an_answer_in_pieces_is_one_that_failed),
        TEST(a_sampler_may_ask_for_the_vocabulary),
        TEST(a_sampler_may_leave_in_the_middle_of_it),
    };
    return cmocka_run_group_tests(tests, vocabulary_model_open, vocabulary_model_close);
}
