/* What a tokenizerd is told arrives as it was said, or costs it its place: never a lost word. And what the link
 * tells on its own: the vocabulary, the report. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "modeld/links/tokenizerd_answer.h"
#include "tests/support/modeld/tokens_scene.h"
#include "tests/support/link/turns.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

static const text_name TEXT = {(const uint8_t *)"0123456789abcdef", 3, 0};
static const double LOGPROBS[] = {-1, -2, -3};

static void assert_request(ProtobufCBinaryData request) {
    assert_int_equal(request.len, REQUEST_BYTES);
    assert_memory_equal(request.data, TEXT.request, REQUEST_BYTES);
}

/* ---- each answer is the message that it means ---- */

static void a_token(void **state) {
    (void)state;
    tokens_accept();
    Trivium__Drawn drawn = TRIVIUM__DRAWN__INIT;
    drawn.id = 41;
    drawn.logprob = -0.5;
    const told_token token = {.step = 1, .change = 2, .semantics = "rules/1", .forward_ms = 3,
                              .sample_ms = 4, .drawn = &drawn};
    tokenizerd_answer_token(tokens.links[0], TEXT, &token);
    const Trivium__TokensReply *m = tokenizerd_hears(&tokens.fakes[0]);
    assert_int_equal(m->body_case, TRIVIUM__TOKENS_REPLY__BODY_TOKEN);
    assert_request(m->token->request);
    assert_int_equal(m->token->attempt, 3);
    assert_int_equal(m->token->step, 1);
    assert_int_equal(m->token->change, 2);
    assert_string_equal(m->token->semantics, "rules/1");
    assert_true(m->token->forward_ms == 3 && m->token->sample_ms == 4);
    assert_true(m->token->drawn->id == 41 && m->token->drawn->logprob == -0.5);
}

static void a_change_that_holds(void **state) {
    (void)state;
    tokens_accept();
    tokenizerd_answer_retuned(tokens.links[0], TEXT, 5, 6);
    const Trivium__TokensReply *m = tokenizerd_hears(&tokens.fakes[0]);
    assert_int_equal(m->body_case, TRIVIUM__TOKENS_REPLY__BODY_TUNED);
    assert_request(m->tuned->request);
    assert_int_equal(m->tuned->attempt, 3);
    assert_true(m->tuned->change == 5 && m->tuned->step == 6);
}

static void an_end_with_and_without_an_error(void **state) {
    (void)state;
    tokens_accept();
    const failure f = {.code = STATUS_TOO_LONG, .message = "too long by far"};
    told_end end = {.why = END_ERROR, .failure = &f, .queue_ms = 1, .prefill_ms = 2, .n_cached = 3};
    tokenizerd_answer_closed(tokens.links[0], TEXT, &end);
    const Trivium__TokensReply *m = tokenizerd_hears(&tokens.fakes[0]);
    assert_int_equal(m->body_case, TRIVIUM__TOKENS_REPLY__BODY_CLOSED);
    assert_request(m->closed->request);
    assert_int_equal(m->closed->attempt, 3);
    assert_int_equal(m->closed->reason, TRIVIUM__CLOSE_REASON__CLOSE_ERROR);
    assert_int_equal(m->closed->error->code, TRIVIUM__CODE__TOO_LONG);
    assert_string_equal(m->closed->error->message, "too long by far");
    assert_true(m->closed->queue_ms == 1 && m->closed->prefill_ms == 2);
    assert_int_equal(m->closed->n_cached, 3);
    end.why = END_ID;
    tokenizerd_answer_closed(tokens.links[0], TEXT, &end);
    m = tokenizerd_hears(&tokens.fakes[0]);
    assert_int_equal(m->closed->reason, TRIVIUM__CLOSE_REASON__CLOSE_END_ID);
    assert_null(m->closed->error);
}

static void scores_with_candidates_of_the_last_row(void **state) {
    (void)state;
    tokens_accept();
    Trivium__Candidate candidate = TRIVIUM__CANDIDATE__INIT, *list[] = {&candidate};
    candidate.id = 9;
    Trivium__Drawn last = TRIVIUM__DRAWN__INIT;
    last.n_candidates = 1;
    last.candidates = list;
    tokenizerd_answer_scored(tokens.links[0], 7, LOGPROBS, 3, &last);
    const Trivium__TokensReply *m = tokenizerd_hears(&tokens.fakes[0]);
    assert_int_equal(m->body_case, TRIVIUM__TOKENS_REPLY__BODY_SCORED);
    assert_int_equal(m->scored->call, 7);
    assert_int_equal(m->scored->n_top, 1);
    assert_int_equal(m->scored->top[0]->id, 9);
    size_t n_bytes = 0;
    const void *logprobs = fake_peer_raw(&tokens.fakes[0], 0, &n_bytes);
    assert_int_equal(n_bytes, sizeof LOGPROBS);
    assert_memory_equal(logprobs, LOGPROBS, sizeof LOGPROBS);
}

static void a_probed_row(void **state) {
    (void)state;
    tokens_accept();
    tokenizerd_answer_probed(tokens.links[0], 8, 2, LOGPROBS, 2);
    const Trivium__TokensReply *m = tokenizerd_hears(&tokens.fakes[0]);
    assert_int_equal(m->body_case, TRIVIUM__TOKENS_REPLY__BODY_PROBED);
    assert_true(m->probed->call == 8 && m->probed->id == 2);
    size_t n_bytes = 0;
    const void *probabilities = fake_peer_raw(&tokens.fakes[0], 0, &n_bytes);
    assert_int_equal(n_bytes, 2 * sizeof *LOGPROBS);
    assert_memory_equal(probabilities, LOGPROBS, n_bytes);
}

static void a_call_that_failed(void **state) {
    (void)state;
    tokens_accept();
    const failure f = {.code = STATUS_NO_SAMPLERD, .message = "nobody draws"};
    tokenizerd_answer_failed(tokens.links[0], 9, &f);
    const Trivium__TokensReply *m = tokenizerd_hears(&tokens.fakes[0]);
    assert_int_equal(m->body_case, TRIVIUM__TOKENS_REPLY__BODY_FAILED);
    assert_int_equal(m->failed->call, 9);
    assert_int_equal(m->failed->error->code, TRIVIUM__CODE__NO_SAMPLERD);
    assert_string_equal(m->failed->error->message, "nobody draws");
}

static void a_glimpse(void **state) {
    (void)state;
    tokens_accept();
    Trivium__Glimpse glimpse = TRIVIUM__GLIMPSE__INIT;
    glimpse.step = 12;
    tokenizerd_answer_trace(tokens.links[0], &glimpse);
    const Trivium__TokensReply *m = tokenizerd_hears(&tokens.fakes[0]);
    assert_int_equal(m->body_case, TRIVIUM__TOKENS_REPLY__BODY_GLIMPSE);
    assert_int_equal(m->glimpse->step, 12);
}

static void each_of_two_tokenizerds_hears_its_own(void **state) {
    (void)state;
    tokens_accept();
    tokens_second();
    tokenizerd_answer_retuned(tokens.links[1], TEXT, 2, 0);
    tokenizerd_answer_retuned(tokens.links[0], TEXT, 1, 0);
    assert_int_equal(tokenizerd_hears(&tokens.fakes[0])->tuned->change, 1);
    assert_int_equal(tokenizerd_hears(&tokens.fakes[1])->tuned->change, 2);
}

/* ---- on its own ---- */

static void ask_for_vocabulary(const char *hash) {
    Trivium__VocabularyQuery query = TRIVIUM__VOCABULARY_QUERY__INIT;
    Trivium__TokensRequest ask = TRIVIUM__TOKENS_REQUEST__INIT;
    query.vocabulary = (char *)hash;
    ask.body_case = TRIVIUM__TOKENS_REQUEST__BODY_VOCABULARY;
    ask.vocabulary = &query;
    tokenizerd_says(&tokens.fakes[0], &ask, NULL, 0);
}

static void hear_vocabulary(void) {
    uint32_t n_tokens = 0, n_merges = 0;
    while (vocabulary_piece_follows(tokenizerd_hears(&tokens.fakes[0])->vocabulary, &n_tokens, &n_merges)) {}
    assert_true(n_tokens > 0 && n_merges > 0);
}

static void the_vocabulary_comes_whole_and_in_order(void **state) {
    (void)state;
    tokens_accept();
    ask_for_vocabulary("another");
    ask_for_vocabulary(model_vocabulary_of(tokens.model)->hash);
    hear_vocabulary();
    assert_int_equal(tokens.garbage.n_messages, 1);
}

static void whoever_joins_in_the_middle_of_it_gets_all_of_it(void **state) {
    (void)state;
    tokens_accept();
    ask_for_vocabulary(model_vocabulary_of(tokens.model)->hash);
    tokens_settle();
    tokens_bind_again();
    tokens_accept();
    ask_for_vocabulary(model_vocabulary_of(tokens.model)->hash);
    hear_vocabulary();
}

static void heartbeats_carry_the_report(void **state) {
    (void)state;
    tokens_accept();
    tokenizerd_link_beat(tokens.links[0]);
    assert_true(fake_peer_hears(&tokens.fakes[0], tokens.loop, TRIVIUM__CONTROL__WORD_HEARTBEAT));
    const Trivium__ModelReport *r = tokens.fakes[0].control->heartbeat->report;
    assert_non_null(r);
    assert_int_equal(r->n_samplers, 0);
    assert_true(r->kv_pages_used == FIGURE && r->kv_pages == FIGURE);
    assert_int_equal(r->kv_page_tokens, PAGE_TOKENS);
    assert_true(r->sequences == FIGURE && r->waiting == FIGURE && r->garbage == FIGURE);
}

/* ---- those who cannot be told ---- */

static void a_tokenizerd_that_misses_a_word_is_cut(void **state) {
    (void)state;
    tokens_accept();
    Trivium__Drawn last = TRIVIUM__DRAWN__INIT;
    size_t n_ids = RAW_BYTES_MAX / sizeof(double) + 1;
    double *logprobs = calloc(n_ids, sizeof *logprobs);
    tokenizerd_answer_scored(tokens.links[0], 1, logprobs, n_ids, &last);
    free(logprobs);
    tokens_until(&tokens.notes.n_over, 2);
    assert_true(fake_peer_hears(&tokens.fakes[0], tokens.loop, TRIVIUM__CONTROL__WORD_HELLO)); /* anew */
    tokens_accept();
}

static status send_one(size_t n_ids) {
    static const double logprobs[256];
    Trivium__ScoredIds scored = TRIVIUM__SCORED_IDS__INIT;
    Trivium__TokensReply m = TRIVIUM__TOKENS_REPLY__INIT;
    m.body_case = TRIVIUM__TOKENS_REPLY__BODY_SCORED;
    m.scored = &scored;
    return tokenizerd_link_send(tokens.links[0], &m, &(wire_raw){logprobs, n_ids * sizeof *logprobs}, 1);
}

/* Glimpses cost it nothing, though it has no room for them. */
static void a_tokenizerd_that_does_not_read_is_cut(void **state) {
    (void)state;
    tokens_accept();
    size_t n_sent = 0;
    Trivium__Glimpse glimpse = TRIVIUM__GLIMPSE__INIT;
    while (n_sent < 1000000 && send_one(1) == STATUS_OK) {
        n_sent++;
        for (int i = 0; i < 3; i++) tokenizerd_answer_trace(tokens.links[0], &glimpse);
    }
    assert_in_range(n_sent, OUTBOX_MESSAGES_MAX, 999999);
    assert_int_equal(tokens.notes.n_over, 1); /* not from within the call */
    tokens_until(&tokens.notes.n_over, 2);
    assert_int_equal(send_one(1), STATUS_NOT_FOUND);
}

static bool has_caught_up(void *unused) {
    (void)unused;
    while (fake_peer_take(&tokens.fakes[0])) continue;
    return !tokenizerd_link_behind(tokens.links[0]);
}

/* Long before it is cut. */
static void a_tokenizerd_that_reads_late_is_behind(void **state) {
    (void)state;
    assert_false(tokenizerd_link_behind(tokens.links[0]));  /* nobody is joined */
    tokens_accept();
    size_t n_sent = 0;
    for (; !tokenizerd_link_behind(tokens.links[0]); n_sent++) assert_int_equal(send_one(1), STATUS_OK);
    assert_in_range(n_sent, OUTBOX_MESSAGES_MAX / 2, 999999);
    for (int i = 0; i < OUTBOX_MESSAGES_MAX / 2; i++) assert_int_equal(send_one(1), STATUS_OK);
    assert_true(turns_until(tokens.loop, has_caught_up, NULL));
    assert_int_equal(tokens.notes.n_over, 1);               /* it was not cut */
}

static void nobody_there_is_told_nothing(void **state) {
    (void)state;
    const failure f = {.code = STATUS_BUSY, .message = "busy"};
    Trivium__Glimpse glimpse = TRIVIUM__GLIMPSE__INIT;
    tokenizerd_answer_failed(tokens.links[0], 9, &f);
    tokenizerd_answer_trace(tokens.links[0], &glimpse);
    assert_int_equal(send_one(1), STATUS_NOT_FOUND);
    tokens_accept();
    tokenizerd_answer_failed(tokens.links[0], 10, &f);
    assert_int_equal(tokenizerd_hears(&tokens.fakes[0])->failed->call, 10); /* 9 was not kept for it */
    assert_int_equal(tokens.notes.n_over, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_token),
        TEST(a_change_that_holds),
        TEST(an_end_with_and_without_an_error),
        TEST(scores_with_candidates_of_the_last_row),
        TEST(a_probed_row),
        TEST(a_call_that_failed),
        TEST(a_glimpse),
        TEST(each_of_two_tokenizerds_hears_its_own),
        TEST(the_vocabulary_comes_whole_and_in_order),
        TEST(whoever_joins_in_the_middle_of_it_gets_all_of_it),
        TEST(heartbeats_carry_the_report),
        TEST(a_tokenizerd_that_misses_a_word_is_cut),
        TEST(a_tokenizerd_that_does_not_read_is_cut),
        TEST(a_tokenizerd_that_reads_late_is_behind),
        TEST(nobody_there_is_told_nothing),
    };
    return cmocka_run_group_tests(tests, vocabulary_model_open, vocabulary_model_close);
}
