/* Texts through client.h, from a peer that a test plays: what is sent, what comes of it, and how a text goes
 * on at another tokenizerd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/chain/strategy_wire.h"
#include "tests/support/link/text_pair.h"
#include "tests/support/traceparents.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { WAIT_LONG_MS = 60000, TOKENS = 20 };

static text_pair pair;

/* ---- one text, and what came of it ---- */

static const uint8_t id[REQUEST_BYTES] = "0123456789abcdef";
static const generation_piece prompt = {(const uint8_t *)"Once", 4, true};
static strategy chain;
static generation_request request;

static struct {
    size_t n_started, n_tokens, n_done;
    char model[32], text[200], message[300];
    uint32_t n_prompt, last_step, n_tokens_told;
    finish_reason reason;
    status code;
    stage_kind drawn_by;        /* the first step of the chain that drew the last chunk */
} got;

static void on_started(void *context, const generation_start *start) {
    assert_ptr_equal(context, &got);
    got.n_started++;
    got.n_prompt = start->n_prompt;
    snprintf(got.model, sizeof got.model, "%s", start->model);
}

static void on_chunk(void *context, const generation_chunk *chunk) {
    (void)context;
    assert_int_equal(got.n_done, 0);
    got.n_tokens += chunk->n_tokens;
    got.last_step = chunk->step;
    got.drawn_by = chunk->chain->stages[0].kind;
    strncat(got.text, (const char *)chunk->text, chunk->n_bytes);
}

static void on_done(void *context, const generation_done *done) {
    (void)context;
    got.n_done++;
    got.reason = done->reason;
    got.code = done->code;
    got.n_tokens_told = done->n_tokens;
    snprintf(got.message, sizeof got.message, "%s", done->message ? done->message : "");
}

static const generation_events events = {.started = on_started, .chunk = on_chunk, .done = on_done};

static bool has_started(void) { return got.n_started > 0; }
static bool has_one_token(void) { return got.n_tokens == 1; }
static bool has_two_tokens(void) { return got.n_tokens == 2; }
static bool has_three_tokens(void) { return got.n_tokens == 3; }
static bool is_done(void) { return got.n_done > 0; }
static bool is_acknowledged(void) { return pair.peer.step == got.n_tokens; }

static int begin(void **state) {
    (void)state;
    failure f;
    const double cold = 0.5;
    memset(&got, 0, sizeof got);
    strategy_init(&chain);
    strategy_append(&chain, STAGE_TEMPERATURE, &cold, 1, &f);
    request = (generation_request){.pieces = &prompt, .n_pieces = 1, .chain = &chain, .seed = 7,
                                   .max_new_tokens = TOKENS, .priority = -4, .traceparent = SOME_TRACEPARENT};
    memcpy(request.id, id, sizeof id);
    text_pair_begin(&pair, WAIT_LONG_MS);
    assert_int_equal(client_generate(pair.client, &request, &events, &got, &f), STATUS_OK);
    return 0;
}

static int end(void **state) {
    (void)state;
    text_pair_end(&pair);
    strategy_clear(&chain);
    return 0;
}

/* ---- what the peer says ---- */

static const int32_t prompt_ids[] = {5, 6};

static void say_started_with(uint32_t attempt, size_t n_ids_sent) {
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    Trivium__Started m = TRIVIUM__STARTED__INIT;
    m.request = (ProtobufCBinaryData){sizeof id, (uint8_t *)id};
    m.attempt = attempt;
    m.model = (char *)"small";
    m.fingerprint = (char *)"f00d";
    m.seed = 7;
    m.n_prompt = 2;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_STARTED;
    reply.started = &m;
    text_peer_say(&pair.peer, &reply, &(wire_raw){prompt_ids, n_ids_sent * sizeof *prompt_ids}, 1);
}

static void say_started(uint32_t attempt) {
    say_started_with(attempt, 2);
}

/* One id, 10 more than its step, and the sampler's state after it; `change` may be NULL. */
static void say_token(uint32_t attempt, uint32_t at, const char *text,
                      Trivium__StrategyChange *change) {
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    Trivium__Chunk m = TRIVIUM__CHUNK__INIT;
    Trivium__Drawn drawn = TRIVIUM__DRAWN__INIT, *list[] = {&drawn};
    uint8_t state = (uint8_t)('a' + at);
    drawn.id = (int32_t)at + 10;
    drawn.state = (ProtobufCBinaryData){1, &state};
    m.request = (ProtobufCBinaryData){sizeof id, (uint8_t *)id};
    m.attempt = attempt;
    m.step = at;
    m.n_drawn = 1;
    m.drawn = list;
    m.text = (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
    m.semantics = (char *)"plain/1";
    m.change = change;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_CHUNK;
    reply.chunk = &m;
    text_peer_say(&pair.peer, &reply, NULL, 0);
}

static void say_done(uint32_t attempt, Trivium__FinishReason reason, uint32_t n_tokens) {
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    Trivium__Done m = TRIVIUM__DONE__INIT;
    Trivium__Error error = TRIVIUM__ERROR__INIT;
    error.code = TRIVIUM__CODE__NO_SAMPLERD;
    error.message = (char *)"no samplerd is here";
    m.request = (ProtobufCBinaryData){sizeof id, (uint8_t *)id};
    m.attempt = attempt;
    m.reason = reason;
    m.n_tokens = n_tokens;
    if (reason == TRIVIUM__FINISH_REASON__FINISH_ERROR) m.error = &error;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_DONE;
    reply.done = &m;
    text_peer_say(&pair.peer, &reply, NULL, 0);
}

static const Trivium__Generate *generate_asked(size_t n) {
    return text_pair_asked(&pair, TRIVIUM__TEXT_REQUEST__BODY_GENERATE, n)->m->generate;
}

/* Joined and started, with these tokens. */
static void write_two(void) {
    text_pair_join(&pair);
    generate_asked(0);
    say_started(1);
    say_token(1, 0, "a", NULL);
    say_token(1, 1, "b", NULL);
    assert_true(text_pair_becomes(&pair, has_two_tokens));
}

/* ---- a text without trouble ---- */

static void it_is_asked_for_as_it_was_given(void **state) {
    (void)state;
    text_pair_join(&pair);
    const Trivium__Generate *m = generate_asked(0);
    assert_int_equal(m->attempt, 1);
    assert_memory_equal(m->request.data, id, REQUEST_BYTES);
    assert_int_equal(m->n_segments, 1);
    assert_int_equal(m->segments[0]->n_bytes, 4);
    assert_memory_equal(text_pair_asked(&pair, TRIVIUM__TEXT_REQUEST__BODY_GENERATE, 0)->text, "Once", 4);
    assert_true(m->segments[0]->special);
    assert_int_equal(m->seed, 7);
    assert_int_equal(m->max_new_tokens, TOKENS);
    assert_int_equal(m->wait_ms, WAIT_LONG_MS);
    assert_int_equal(m->priority, -4);
    assert_string_equal(m->traceparent, SOME_TRACEPARENT);
    assert_string_equal(m->model, "");
}

static void start_tokens_and_end_come_once(void **state) {
    (void)state;
    write_two();
    assert_int_equal(got.n_started, 1);
    assert_int_equal(got.n_prompt, 2);
    assert_string_equal(got.model, "small");
    assert_string_equal(got.text, "ab");
    assert_int_equal(got.last_step, 1);
    assert_true(text_pair_becomes(&pair, is_acknowledged));
    say_started(1);                             /* again */
    say_token(1, 1, "b", NULL);                 /* again */
    say_done(1, TRIVIUM__FINISH_REASON__FINISH_LENGTH, 2);
    say_done(1, TRIVIUM__FINISH_REASON__FINISH_LENGTH, 2);
    assert_true(text_pair_becomes(&pair, is_done));
    text_pair_again(&pair);                     /* whatever was said has come */
    assert_int_equal(got.n_done, 1);
    assert_int_equal(got.n_started, 1);
    assert_string_equal(got.text, "ab");
    assert_int_equal(got.reason, FINISHED_LENGTH);
    assert_int_equal(got.n_tokens_told, 2);
}

static void words_of_another_attempt_are_for_nobody(void **state) {
    (void)state;
    write_two();
    say_token(2, 2, "x", NULL);
    say_done(0, TRIVIUM__FINISH_REASON__FINISH_STOP, 2);
    say_token(1, 3, "y", NULL);                 /* a step is missing before it */
    say_token(1, 2, "c", NULL);
    assert_true(text_pair_becomes(&pair, has_three_tokens));
    assert_string_equal(got.text, "abc");
    assert_int_equal(got.n_done, 0);
}

static void what_went_wrong_is_told(void **state) {
    (void)state;
    write_two();
    say_done(1, TRIVIUM__FINISH_REASON__FINISH_ERROR, 2);
    assert_true(text_pair_becomes(&pair, is_done));
    assert_int_equal(got.reason, FINISHED_ERROR);
    assert_int_equal(got.code, STATUS_NO_SAMPLERD);
    assert_string_equal(got.message, "no samplerd is here");
}

static void a_start_without_its_prompt_is_of_no_use(void **state) {
    (void)state;
    text_pair_join(&pair);
    generate_asked(0);
    say_started_with(1, 1);                     /* of two ids */
    assert_true(text_pair_becomes(&pair, is_done));
    assert_int_equal(got.n_started, 0);
    assert_int_equal(got.code, STATUS_BAD_MESSAGE);
    text_pair_asked(&pair, TRIVIUM__TEXT_REQUEST__BODY_CANCEL, 0);  /* nobody computes it for nobody */
}

/* ---- a loss ---- */

static void it_goes_on_where_it_was(void **state) {
    (void)state;
    write_two();
    text_pair_again(&pair);
    const Trivium__Generate *m = generate_asked(1);
    const text_peer_asked *asked = text_peer_find(&pair.peer, TRIVIUM__TEXT_REQUEST__BODY_GENERATE, 1);
    static const int32_t so_far[] = {5, 6, 10, 11};
    assert_int_equal(m->attempt, 2);
    assert_int_equal(m->n_segments, 0);
    assert_int_equal(m->n_prompt, 2);
    assert_int_equal(asked->n_ids, 4);
    assert_memory_equal(asked->ids, so_far, sizeof so_far);
    assert_string_equal(m->model, "small");
    assert_string_equal(m->fingerprint, "f00d");
    assert_string_equal(m->semantics, "plain/1");
    assert_int_equal(m->priority, -4);
    assert_string_equal(m->traceparent, SOME_TRACEPARENT);
    assert_int_equal(m->state.len, 1);
    assert_int_equal(m->state.data[0], 'b');
    say_token(1, 2, "x", NULL);                 /* of the attempt that was lost */
    say_started(2);
    say_token(2, 2, "c", NULL);
    assert_true(text_pair_becomes(&pair, has_three_tokens));
    assert_string_equal(got.text, "abc");
    assert_int_equal(got.n_started, 1);
}

/* Lost before it began, it is the same request once more. */
static void one_that_had_not_begun_begins_anew(void **state) {
    (void)state;
    text_pair_join(&pair);
    generate_asked(0);
    text_pair_again(&pair);
    const Trivium__Generate *m = generate_asked(1);
    assert_int_equal(m->attempt, 2);
    assert_int_equal(m->n_segments, 1);
    say_started(2);
    assert_true(text_pair_becomes(&pair, has_started));
}

/* ---- another strategy ---- */

/* It holds from its step on, and not before: a resume until then draws as it did. */
static void a_change_waits_for_its_step(void **state) {
    (void)state;
    failure f;
    strategy greedy;
    strategy_init(&greedy);
    assert_int_equal(strategy_append(&greedy, STAGE_GREEDY, NULL, 0, &f), STATUS_OK);
    Trivium__StrategyChange change = TRIVIUM__STRATEGY_CHANGE__INIT;
    change.ordinal = 1;
    change.step = 2;
    change.strategy = strategy_to_wire(&greedy);
    text_pair_join(&pair);
    generate_asked(0);
    say_started(1);
    say_token(1, 0, "a", &change);
    assert_true(text_pair_becomes(&pair, has_one_token));
    text_pair_again(&pair);
    assert_int_equal(generate_asked(1)->change, 0);
    assert_string_equal(generate_asked(1)->strategy->steps[0]->name, "temperature");
    say_token(2, 1, "b", &change);
    const text_peer_asked *told = text_pair_asked(&pair, TRIVIUM__TEXT_REQUEST__BODY_ACKNOWLEDGE, 0);
    assert_int_equal(told->m->acknowledge->change, 1);
    assert_int_equal(got.drawn_by, STAGE_TEMPERATURE);
    say_token(2, 2, "c", NULL);
    assert_true(text_pair_becomes(&pair, has_three_tokens));
    assert_int_equal(got.drawn_by, STAGE_GREEDY);
    text_pair_again(&pair);
    assert_int_equal(generate_asked(2)->change, 1);
    assert_string_equal(generate_asked(2)->strategy->steps[0]->name, "greedy");
    trivium__strategy__free_unpacked(change.strategy, NULL);
    strategy_clear(&greedy);
}

static bool is_told(void) { return pair.n_waits_told > 0; }

static void a_wait_in_mid_text_is_told_as_such(void **state) {
    (void)state;
    write_two();
    pair.n_waits_told = 0;
    text_peer_close(&pair.peer);
    assert_true(text_pair_becomes(&pair, is_told));
    assert_true(pair.was_in_text);
}

/* ---- what its owner does ---- */

static void a_cancel_is_said_and_its_end_told(void **state) {
    (void)state;
    write_two();
    client_cancel(pair.client, id);
    const text_peer_asked *asked = text_pair_asked(&pair, TRIVIUM__TEXT_REQUEST__BODY_CANCEL, 0);
    assert_memory_equal(asked->m->cancel->request.data, id, REQUEST_BYTES);
    assert_int_equal(got.n_done, 0);
    say_done(1, TRIVIUM__FINISH_REASON__FINISH_CANCELLED, 2);
    assert_true(text_pair_becomes(&pair, is_done));
    assert_int_equal(got.reason, FINISHED_CANCELLED);
}

static void without_a_tokenizerd_a_cancel_is_the_end(void **state) {
    (void)state;
    client_cancel(pair.client, id);
    assert_true(text_pair_becomes(&pair, is_done));
    assert_int_equal(got.reason, FINISHED_CANCELLED);
    assert_int_equal(got.n_tokens_told, 0);
}

static void one_that_rests_takes_nothing_until_it_goes_on(void **state) {
    (void)state;
    write_two();
    client_pause(pair.client, id);
    const text_peer_asked *asked = text_pair_asked(&pair, TRIVIUM__TEXT_REQUEST__BODY_PAUSE, 0);
    assert_int_equal(asked->m->pause->attempt, 1);
    assert_int_equal(asked->m->pause->step, 2);
    say_token(1, 2, "x", NULL);
    say_done(1, TRIVIUM__FINISH_REASON__FINISH_STOP, 3);    /* of what is of no use */
    text_pair_again(&pair);                     /* it rests at another tokenizerd, too */
    client_resume(pair.client, id);
    assert_int_equal(generate_asked(1)->attempt, 2);
    say_token(2, 2, "c", NULL);
    assert_true(text_pair_becomes(&pair, has_three_tokens));
    assert_string_equal(got.text, "abc");
    assert_int_equal(got.n_done, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(it_is_asked_for_as_it_was_given),
        TEST(start_tokens_and_end_come_once),
        TEST(words_of_another_attempt_are_for_nobody),
        TEST(what_went_wrong_is_told),
        TEST(a_start_without_its_prompt_is_of_no_use),
        TEST(it_goes_on_where_it_was),
        TEST(one_that_had_not_begun_begins_anew),
        TEST(a_change_waits_for_its_step),
        TEST(a_wait_in_mid_text_is_told_as_such),
        TEST(a_cancel_is_said_and_its_end_told),
        TEST(without_a_tokenizerd_a_cancel_is_the_end),
        TEST(one_that_rests_takes_nothing_until_it_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
