/* Calls through client.h, to a peer that a test plays: each is asked as it was given and answered once,
 * whatever happens to tokenizerd meanwhile. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/chain/strategy_wire.h"
#include "proto/base/limits.h"
#include "tests/support/link/text_pair.h"
#include "tests/support/link/turns.h"
#include "tests/support/traceparents.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { WAIT_LONG_MS = 60000 };

static text_pair pair;
static strategy chain;

/* ---- what came of them ---- */

static struct {
    size_t n_answers, n_done, n_over;
    status code;
    char message[300];
    void (*look)(const answer *a);  /* at a good one; NULL: only count it */
} got;

static void on_answer(void *context, const answer *a) {
    assert_ptr_equal(context, &got);
    got.n_answers++;
    got.code = a->code;
    snprintf(got.message, sizeof got.message, "%s", a->message ? a->message : "");
    if (a->code == STATUS_OK && got.look) got.look(a);
}

static bool is_answered(void) { return got.n_answers == 1; }
static bool all_are_over(void) { return got.n_answers == 2 && got.n_done == 1 && got.n_over == 1; }

static int begin(void **state) {
    (void)state;
    memset(&got, 0, sizeof got);
    strategy_init(&chain);
    strategy_defaults(&chain);
    text_pair_begin(&pair, WAIT_LONG_MS);
    return 0;
}

static int end(void **state) {
    (void)state;
    text_pair_end(&pair);
    strategy_clear(&chain);
    return 0;
}

static void ask(const question *asked) {
    failure f;
    assert_int_equal(client_call(pair.client, asked, on_answer, &got, &f), STATUS_OK);
}

static const Trivium__TextRequest *asked_for(Trivium__TextRequest__BodyCase body, size_t n) {
    return text_pair_asked(&pair, body, n)->m;
}

/* ---- what the peer says ---- */

/* Its body is the caller's: `m` is one of the union's pointers. */
static void say(Trivium__TextReply__BodyCase body, void *m, const wire_raw *raw, size_t n_raw) {
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    reply.body_case = body;
    reply.tokenized = m;        /* they share their place */
    text_peer_say(&pair.peer, &reply, raw, n_raw);
}

static const int32_t three_ids[] = {7, 8, 9};

static void say_ids(uint64_t number) {
    Trivium__Tokenized m = TRIVIUM__TOKENIZED__INIT;
    m.call = number;
    say(TRIVIUM__TEXT_REPLY__BODY_TOKENIZED, &m, &(wire_raw){three_ids, sizeof three_ids}, 1);
}

static void say_failed(uint64_t number, Trivium__Error *error) {
    Trivium__Failed m = TRIVIUM__FAILED__INIT;
    m.call = number;
    m.error = error;
    say(TRIVIUM__TEXT_REPLY__BODY_FAILED, &m, NULL, 0);
}

static bool is_told(void) { return pair.n_waits_told > 0; }

/* ---- each kind, there and back ---- */

static const question tokenize = {
    .kind = ASK_TOKENIZE,
    .tokenize = {.model = "small", .text = {(const uint8_t *)"abc", 3, true, false}},
};

static void look_at_ids(const answer *a) {
    const tokenize_answer *said = answer_to_tokenize(a);
    assert_int_equal(said->n_ids, 3);
    assert_memory_equal(said->ids, three_ids, sizeof three_ids);
}

static void a_text_becomes_ids(void **state) {
    (void)state;
    got.look = look_at_ids;
    ask(&tokenize);
    text_pair_join(&pair);
    const Trivium__Tokenize *m = asked_for(TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE, 0)->tokenize;
    assert_string_equal(m->model, "small");
    const text_peer_asked *asked = text_pair_asked(&pair, TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE, 0);
    assert_int_equal(asked->n_bytes, 3);
    assert_memory_equal(asked->text, "abc", 3);
    assert_true(m->special && !m->bos);
    assert_int_equal(m->wait_ms, WAIT_LONG_MS);
    say_ids(m->call);
    assert_true(text_pair_becomes(&pair, is_answered));
    assert_int_equal(got.code, STATUS_OK);
}

static void a_wait_is_told_while_something_is_asked(void **state) {
    (void)state;
    text_pair_join(&pair);
    ask(&tokenize);
    asked_for(TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE, 0);
    pair.n_waits_told = 0;
    text_peer_close(&pair.peer);
    assert_true(text_pair_becomes(&pair, is_told));
    assert_false(pair.was_in_text);
    text_pair_join(&pair);
    say_ids(asked_for(TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE, 1)->tokenize->call);
    assert_true(text_pair_becomes(&pair, is_answered));
    text_peer_close(&pair.peer);        /* nobody waits for it any more */
    turns_for_ms(client_loop(pair.client), NOTICE_MS + 200);
    assert_int_equal(pair.n_waits_told, 1);
}

static void look_at_score(const answer *a) {
    const score_answer *said = answer_to_score(a);
    assert_int_equal(said->n_ids, 3);
    assert_true(isnan(said->logprobs[0]));
    assert_true(said->logprobs[2] == -2);
    assert_int_equal(said->n_top, 1);
    assert_int_equal(said->top[0].id, 4);
    assert_string_equal(said->model, "small");
    assert_string_equal(said->fingerprint, "f1");
}

static void ids_are_scored(void **state) {
    (void)state;
    static const question score = {
        .kind = ASK_SCORE, .score = {.has_ids = true, .ids = three_ids, .n_ids = 3, .n_top = 1,
                                     .traceparent = SOME_TRACEPARENT}};
    static const double logprobs[] = {NAN, -1, -2};
    got.look = look_at_score;
    text_pair_join(&pair);
    ask(&score);
    const text_peer_asked *asked = text_pair_asked(&pair, TRIVIUM__TEXT_REQUEST__BODY_SCORE, 0);
    assert_true(asked->m->score->has_ids);
    assert_int_equal(asked->m->score->n_top, 1);
    assert_string_equal(asked->m->score->traceparent, SOME_TRACEPARENT);
    assert_int_equal(asked->n_ids, 3);
    Trivium__Scored m = TRIVIUM__SCORED__INIT;
    Trivium__Candidate top = TRIVIUM__CANDIDATE__INIT, *list[] = {&top};
    top.id = 4;
    m.call = asked->m->score->call;
    m.model = (char *)"small";
    m.fingerprint = (char *)"f1";
    m.n_top = 1;
    m.top = list;
    const wire_raw raw[] = {{three_ids, sizeof three_ids}, {logprobs, sizeof logprobs}};
    say(TRIVIUM__TEXT_REPLY__BODY_SCORED, &m, raw, 2);
    assert_true(text_pair_becomes(&pair, is_answered));
    assert_int_equal(got.code, STATUS_OK);
}

static const float logits[] = {1, 2, 3};
static const question probe = {
    .kind = ASK_PROBE,
    .probe = {.logits = logits, .n_logits = 3, .history = three_ids, .n_history = 2, .chain = &chain,
              .seed = 5, .step = 6, .traceparent = SOME_TRACEPARENT},
};

static void look_at_probe(const answer *a) {
    const probe_answer *said = answer_to_probe(a);
    assert_int_equal(said->n_logits, 3);
    assert_true(said->probabilities[1] == 0.5);
    assert_int_equal(said->id, 2);
}

/* A probe that says `id`, with so many probabilities. */
static void probe_says(int32_t id, size_t n_probabilities) {
    static const double probabilities[] = {0.25, 0.5, 0.25, 0};
    text_pair_join(&pair);
    ask(&probe);
    const text_peer_asked *asked = text_pair_asked(&pair, TRIVIUM__TEXT_REQUEST__BODY_PROBE, 0);
    assert_int_equal(asked->n_frames, 2);
    assert_int_equal(asked->n_ids, 2);
    assert_int_equal(asked->m->probe->seed, 5);
    assert_int_equal(asked->m->probe->step, 6);
    assert_string_equal(asked->m->probe->traceparent, SOME_TRACEPARENT);
    assert_int_equal(asked->m->probe->strategy->n_steps, 3);
    Trivium__Probed m = TRIVIUM__PROBED__INIT;
    m.call = asked->m->probe->call;
    m.id = id;
    const wire_raw raw = {probabilities, n_probabilities * sizeof *probabilities};
    say(TRIVIUM__TEXT_REPLY__BODY_PROBED, &m, &raw, 1);
    assert_true(text_pair_becomes(&pair, is_answered));
}

static void logits_are_probed(void **state) {
    (void)state;
    got.look = look_at_probe;
    probe_says(2, 3);
    assert_int_equal(got.code, STATUS_OK);
}

static void what_does_not_fit_the_question_is_no_answer(void **state) {
    (void)state;
    probe_says(2, 4);
    assert_int_equal(got.code, STATUS_BAD_MESSAGE);
    assert_string_equal(got.message, "the answer of tokenizerd does not fit the question");
}

static void an_id_past_the_logits_is_no_answer(void **state) {
    (void)state;
    probe_says(3, 3);
    assert_int_equal(got.code, STATUS_BAD_MESSAGE);
}

/* It has ids, too, but of something else. */
static void an_answer_of_another_kind_is_none(void **state) {
    (void)state;
    text_pair_join(&pair);
    ask(&tokenize);
    Trivium__Rendered m = TRIVIUM__RENDERED__INIT;
    m.call = asked_for(TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE, 0)->tokenize->call;
    say(TRIVIUM__TEXT_REPLY__BODY_RENDERED, &m, &(wire_raw){three_ids, sizeof three_ids}, 1);
    assert_true(text_pair_becomes(&pair, is_answered));
    assert_int_equal(got.code, STATUS_BAD_MESSAGE);
}

static void a_failure_is_told_as_it_was_said(void **state) {
    (void)state;
    Trivium__Error error = TRIVIUM__ERROR__INIT;
    error.code = TRIVIUM__CODE__UNKNOWN_MODEL;
    error.message = (char *)"there is no model small";
    text_pair_join(&pair);
    ask(&tokenize);
    say_failed(asked_for(TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE, 0)->tokenize->call, &error);
    assert_true(text_pair_becomes(&pair, is_answered));
    assert_int_equal(got.code, STATUS_UNKNOWN_MODEL);
    assert_string_equal(got.message, "there is no model small");
}

static void an_answer_comes_once_and_to_its_own_call(void **state) {
    (void)state;
    text_pair_join(&pair);
    ask(&tokenize);
    uint64_t number = asked_for(TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE, 0)->tokenize->call;
    say_ids(number + 100);      /* to nobody */
    say_ids(number);
    say_ids(number);
    ask(&tokenize);
    uint64_t next = asked_for(TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE, 1)->tokenize->call;
    assert_true(next != number);
    assert_true(text_pair_becomes(&pair, is_answered));
    got.n_answers = 0;
    say_ids(next);
    assert_true(text_pair_becomes(&pair, is_answered));
}

/* ---- a loss ---- */

static void a_call_is_sent_once_more(void **state) {
    (void)state;
    got.look = look_at_ids;
    text_pair_join(&pair);
    ask(&tokenize);
    uint64_t number = asked_for(TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE, 0)->tokenize->call;
    text_pair_again(&pair);
    const Trivium__Tokenize *again = asked_for(TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE, 1)->tokenize;
    assert_true(again->call == number);
    assert_string_equal(again->model, "small");
    assert_int_equal(got.n_answers, 0);
    say_ids(number);
    assert_true(text_pair_becomes(&pair, is_answered));
    assert_int_equal(got.code, STATUS_OK);
}

/* It may have been done: biases would be added twice. */
static void a_tune_is_not(void **state) {
    (void)state;
    static const question tune = {
        .kind = ASK_TUNE, .tune = {.request = "0123456789abcdef", .chain = &chain, .replace = true}};
    text_pair_join(&pair);
    ask(&tune);
    const Trivium__Tune *m = asked_for(TRIVIUM__TEXT_REQUEST__BODY_TUNE, 0)->tune;
    assert_memory_equal(m->request.data, "0123456789abcdef", REQUEST_BYTES);
    assert_true(m->replace);
    assert_int_equal(m->strategy->n_steps, 3);
    text_pair_again(&pair);
    assert_true(text_pair_becomes(&pair, is_answered));
    assert_int_equal(got.code, STATUS_IO);
    ask(&tokenize);
    asked_for(TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE, 0);
    assert_null(text_peer_find(&pair.peer, TRIVIUM__TEXT_REQUEST__BODY_TUNE, 1));
}

/* ---- nobody comes ---- */

static void on_started(void *context, const generation_start *start) {
    (void)context;
    (void)start;
}

static void on_chunk(void *context, const generation_chunk *chunk) {
    (void)context;
    (void)chunk;
}

static void on_done(void *context, const generation_done *done) {
    (void)context;
    got.n_done++;
    assert_int_equal(done->reason, FINISHED_ERROR);
    assert_int_equal(done->code, STATUS_NO_TOKENIZERD);
}

static void on_begun(void *context, const watch_start *start) {
    (void)context;
    (void)start;
}

static void on_seen(void *context, const watch_trace *trace) {
    (void)context;
    (void)trace;
}

static void on_over(void *context, const watch_end *over) {
    (void)context;
    got.n_over++;
    assert_int_equal(over->code, STATUS_NO_TOKENIZERD);
}

static void without_a_tokenizerd_all_fails_once(void **state) {
    (void)state;
    failure f;
    static const generation_events writes = {on_started, on_chunk, on_done};
    static const watch_events watches = {on_begun, on_seen, on_over};
    const generation_request request = {.chain = &chain, .max_new_tokens = 5};
    const watch_request watched = {.n_candidates = 1};
    text_pair_end(&pair);
    text_pair_begin(&pair, 0);
    ask(&tokenize);
    ask(&tokenize);
    assert_int_equal(client_generate(pair.client, &request, &writes, &got, &f), STATUS_OK);
    assert_int_equal(client_watch(pair.client, &watched, &watches, &got, &f), STATUS_OK);
    assert_true(text_pair_becomes(&pair, all_are_over));
    assert_int_equal(got.code, STATUS_NO_TOKENIZERD);
    assert_int_equal(client_call(pair.client, &tokenize, on_answer, &got, &f), STATUS_NO_TOKENIZERD);
    assert_non_null(strstr(f.message, pair.meeting.address));
    assert_int_equal(client_generate(pair.client, &request, &writes, &got, &f), STATUS_NO_TOKENIZERD);
    assert_int_equal(client_watch(pair.client, &watched, &watches, &got, &f), STATUS_NO_TOKENIZERD);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_text_becomes_ids),
        TEST(a_wait_is_told_while_something_is_asked),
        TEST(ids_are_scored),
        TEST(logits_are_probed),
        TEST(what_does_not_fit_the_question_is_no_answer),
        TEST(an_id_past_the_logits_is_no_answer),
        TEST(an_answer_of_another_kind_is_none),
        TEST(a_failure_is_told_as_it_was_said),
        TEST(an_answer_comes_once_and_to_its_own_call),
        TEST(a_call_is_sent_once_more),
        TEST(a_tune_is_not),
        TEST(without_a_tokenizerd_all_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
