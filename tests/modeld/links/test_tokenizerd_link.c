/* The link to a tokenizerd: each message arrives as the call that it means, with all that it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/modeld/tokens_scene.h"
#include "tests/support/modeld/wire_chain.h"
#include "tests/support/traceparents.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

static const ProtobufCBinaryData REQUEST = {REQUEST_BYTES, (uint8_t *)"0123456789abcdef"};

static void assert_named(tokenizerd_link *from, uint32_t attempt) {
    assert_ptr_equal(tokens.notes.from, from);
    assert_memory_equal(tokens.notes.request, REQUEST.data, REQUEST_BYTES);
    assert_int_equal(tokens.notes.attempt, attempt);
}

static void say_open(fake_peer *f, Trivium__Open *open, const int32_t *ids, size_t n_ids) {
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_OPEN;
    m.open = open;
    tokenizerd_says(f, &m, &(wire_raw){ids, n_ids * sizeof *ids}, 1);
}

static void an_open_is_a_text_to_continue(void **state) {
    (void)state;
    tokens_accept();
    const int32_t ids[] = {5, 6, 7, 8};
    Trivium__Open open = TRIVIUM__OPEN__INIT;
    open.request = REQUEST;
    open.attempt = 2;
    open.n_prompt = 3;
    open.session = (char *)"talk";
    open.pool = (char *)"careful";
    open.strategy = wire_temperature(0.5);
    open.change = 4;
    open.seed = UINT64_C(1) << 40;
    open.state = (ProtobufCBinaryData){2, (uint8_t *)"mu"};
    open.semantics = (char *)"rules/1";
    open.max_new_tokens = 9;
    open.n_end_ids = 2;
    open.end_ids = (int32_t[]){11, 12};
    open.n_candidates = 13;
    open.wait_ms = 14;
    open.no_cache = true;
    open.n_watched = 15;
    open.priority = -16;
    open.traceparent = (char *)LATER_TRACEPARENT;
    say_open(&tokens.fakes[0], &open, ids, 4);
    tokens_until(&tokens.notes.n_opened, 1);

    const job *asked = &tokens.notes.asked;
    assert_int_equal(asked->kind, SEQUENCE_TEXT);
    assert_ptr_equal(asked->from, tokens.links[0]);
    assert_named(tokens.links[0], 2);
    assert_int_equal(asked->n_ids, 4);
    assert_memory_equal(tokens.notes.ids, ids, sizeof ids);
    assert_int_equal(asked->text.n_prompt, 3);
    assert_string_equal(tokens.notes.session, "talk");
    assert_string_equal(tokens.notes.pool, "careful");
    assert_int_equal(tokens.notes.unreadable, STATUS_OK);
    assert_int_equal(tokens.notes.n_stages, 1);
    assert_true(tokens.notes.temperature == 0.5);
    assert_int_equal(asked->text.change, 4);
    assert_true(asked->text.seed == UINT64_C(1) << 40);
    assert_string_equal(tokens.notes.state, "mu");
    assert_string_equal(tokens.notes.semantics, "rules/1");
    assert_int_equal(asked->text.max_new_tokens, 9);
    assert_int_equal(asked->text.n_end_ids, 2);
    assert_true(tokens.notes.end_ids[0] == 11 && tokens.notes.end_ids[1] == 12);
    assert_int_equal(asked->text.n_candidates, 13);
    assert_int_equal(asked->wait_ms, 14);
    assert_true(asked->text.no_cache);
    assert_int_equal(asked->text.n_watched, 15);
    assert_int_equal(asked->text.priority, -16);
    assert_string_equal(tokens.notes.traceparent, LATER_TRACEPARENT);   /* as they came */
}

/* What an Open leaves out is empty, and no text is NULL. */
static void an_open_may_say_little(void **state) {
    (void)state;
    tokens_accept();
    Trivium__Open open = TRIVIUM__OPEN__INIT;
    open.request = REQUEST;
    say_open(&tokens.fakes[0], &open, (const int32_t[]){3}, 1);
    tokens_until(&tokens.notes.n_opened, 1);
    assert_string_equal(tokens.notes.session, "");
    assert_string_equal(tokens.notes.pool, "");
    assert_string_equal(tokens.notes.semantics, "");
    assert_string_equal(tokens.notes.traceparent, "");
    assert_int_equal(tokens.notes.unreadable, STATUS_OK); /* the empty chain */
    assert_int_equal(tokens.notes.n_stages, 0);
    assert_int_equal(tokens.notes.asked.text.n_sampler_state_bytes, 0);
}

static void a_strategy_that_cannot_be_read_is_told_with_its_text(void **state) {
    (void)state;
    tokens_accept();
    Trivium__Open open = TRIVIUM__OPEN__INIT;
    open.request = REQUEST;
    open.attempt = 1;
    open.strategy = wire_unknown();
    say_open(&tokens.fakes[0], &open, (const int32_t[]){3}, 1);
    tokens_until(&tokens.notes.n_opened, 1);
    assert_int_equal(tokens.notes.unreadable, STATUS_UNSUPPORTED);
    assert_named(tokens.links[0], 1);
}

static void say_retune(Trivium__Strategy *wanted) {
    Trivium__Retune tune = TRIVIUM__RETUNE__INIT;
    tune.request = REQUEST;
    tune.attempt = 3;
    tune.change = 5;
    tune.strategy = wanted;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_TUNE;
    m.tune = &tune;
    tokenizerd_says(&tokens.fakes[0], &m, NULL, 0);
}

static void a_retune_brings_the_strategy_and_its_ordinal(void **state) {
    (void)state;
    tokens_accept();
    say_retune(wire_temperature(1.5));
    tokens_until(&tokens.notes.n_retuned, 1);
    assert_named(tokens.links[0], 3);
    assert_int_equal(tokens.notes.change, 5);
    assert_int_equal(tokens.notes.unreadable, STATUS_OK);
    assert_true(tokens.notes.temperature == 1.5);
    say_retune(wire_temperature(-1));
    tokens_until(&tokens.notes.n_retuned, 2);
    assert_int_equal(tokens.notes.unreadable, STATUS_BAD_REQUEST);
}

static void whoever_watches_wants_candidates(void **state) {
    (void)state;
    tokens_accept();
    Trivium__WatchText watch = TRIVIUM__WATCH_TEXT__INIT;
    watch.request = REQUEST;
    watch.attempt = 4;
    watch.n_watched = CANDIDATES_MAX;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_WATCH;
    m.watch = &watch;
    tokenizerd_says(&tokens.fakes[0], &m, NULL, 0);
    tokens_until(&tokens.notes.n_watched, 1);
    assert_named(tokens.links[0], 4);
    assert_int_equal(tokens.notes.n_watched_asked, CANDIDATES_MAX);
}

static void a_close_names_its_text(void **state) {
    (void)state;
    tokens_accept();
    Trivium__Close close = TRIVIUM__CLOSE__INIT;
    close.request = REQUEST;
    close.attempt = 6;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_CLOSE;
    m.close = &close;
    tokenizerd_says(&tokens.fakes[0], &m, NULL, 0);
    tokens_until(&tokens.notes.n_closed, 1);
    assert_named(tokens.links[0], 6);
}

static void a_score_is_a_call_with_ids(void **state) {
    (void)state;
    tokens_accept();
    const int32_t ids[] = {9, 8, 7};
    Trivium__ScoreIds score = TRIVIUM__SCORE_IDS__INIT;
    score.call = UINT64_C(1) << 60;
    score.pool = (char *)"careful";
    score.n_top = 3;
    score.wait_ms = 250;
    score.traceparent = (char *)SOME_TRACEPARENT;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_SCORE;
    m.score = &score;
    tokenizerd_says(&tokens.fakes[0], &m, &(wire_raw){ids, sizeof ids}, 1);
    tokens_until(&tokens.notes.n_called, 1);
    const job *asked = &tokens.notes.asked;
    assert_int_equal(asked->kind, SEQUENCE_SCORE);
    assert_ptr_equal(asked->from, tokens.links[0]);
    assert_true(asked->score.call == UINT64_C(1) << 60);
    assert_string_equal(tokens.notes.pool, "careful");
    assert_int_equal(asked->score.n_candidates, 3);
    assert_int_equal(asked->wait_ms, 250);
    assert_string_equal(tokens.notes.traceparent, SOME_TRACEPARENT);
    assert_int_equal(asked->n_ids, 3);
    assert_memory_equal(tokens.notes.ids, ids, sizeof ids);
}

static void a_probe_is_a_call_with_a_row_and_a_history(void **state) {
    (void)state;
    tokens_accept();
    const float row[] = {0.5f, -1, 2};
    const int32_t history[] = {1, 2};
    const wire_raw raw[] = {{row, sizeof row}, {history, sizeof history}};
    Trivium__ProbeRow probe = TRIVIUM__PROBE_ROW__INIT;
    probe.call = 21;
    probe.strategy = wire_temperature(0.25);
    probe.seed = 22;
    probe.step = 23;
    probe.wait_ms = 24;
    probe.traceparent = (char *)SOME_TRACEPARENT;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_PROBE;
    m.probe = &probe;
    tokenizerd_says(&tokens.fakes[0], &m, raw, 2);
    tokens_until(&tokens.notes.n_called, 1);
    const job *asked = &tokens.notes.asked;
    assert_int_equal(asked->kind, SEQUENCE_PROBE);
    assert_ptr_equal(asked->from, tokens.links[0]);
    assert_int_equal(asked->probe.call, 21);
    assert_int_equal(asked->probe.seed, 22);
    assert_int_equal(asked->probe.step, 23);
    assert_int_equal(asked->wait_ms, 24);
    assert_string_equal(tokens.notes.traceparent, SOME_TRACEPARENT);
    assert_true(tokens.notes.temperature == 0.25);
    assert_int_equal(asked->probe.row_width, 3);
    assert_memory_equal(tokens.notes.row, row, sizeof row);
    assert_int_equal(asked->n_ids, 2);
    assert_memory_equal(tokens.notes.ids, history, sizeof history);
    probe.strategy = wire_unknown();
    tokenizerd_says(&tokens.fakes[0], &m, raw, 2);
    tokens_until(&tokens.notes.n_called, 2);
    assert_int_equal(tokens.notes.unreadable, STATUS_UNSUPPORTED);
}

static void a_call_is_closed_by_its_number(void **state) {
    (void)state;
    tokens_accept();
    Trivium__CloseCall close = TRIVIUM__CLOSE_CALL__INIT;
    close.call = UINT64_C(1) << 60;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_CLOSE_CALL;
    m.close_call = &close;
    tokenizerd_says(&tokens.fakes[0], &m, NULL, 0);
    tokens_until(&tokens.notes.n_calls_closed, 1);
    assert_ptr_equal(tokens.notes.from, tokens.links[0]);
    assert_true(tokens.notes.closed_call == UINT64_C(1) << 60);
}

/* Whatever it asks all the same is done: a text of its own may begin there, for a client that knows no other. */
static void a_tokenizerd_that_drains_is_served_as_ever(void **state) {
    (void)state;
    tokens_accept();
    size_t n_over = tokens.notes.n_over;
    fake_peer_say_draining(&tokens.fakes[0]);
    Trivium__Open open = TRIVIUM__OPEN__INIT;
    open.request = REQUEST;
    say_open(&tokens.fakes[0], &open, (const int32_t[]){3}, 1);
    tokens_until(&tokens.notes.n_opened, 1);
    assert_int_equal(tokens.notes.n_over, n_over);
}

static void each_of_two_tokenizerds_owns_what_it_asks(void **state) {
    (void)state;
    tokens_accept();
    tokens_second();
    Trivium__Open open = TRIVIUM__OPEN__INIT;
    open.request = REQUEST;
    open.attempt = 1;
    say_open(&tokens.fakes[1], &open, (const int32_t[]){3}, 1);
    tokens_until(&tokens.notes.n_opened, 1);
    assert_ptr_equal(tokens.notes.asked.from, tokens.links[1]);
    open.attempt = 2;
    say_open(&tokens.fakes[0], &open, (const int32_t[]){3}, 1);
    tokens_until(&tokens.notes.n_opened, 2);
    assert_ptr_equal(tokens.notes.asked.from, tokens.links[0]);
    assert_int_equal(tokens.notes.attempt, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_open_is_a_text_to_continue),
        TEST(an_open_may_say_little),
        TEST(a_strategy_that_cannot_be_read_is_told_with_its_text),
        TEST(a_retune_brings_the_strategy_and_its_ordinal),
        TEST(whoever_watches_wants_candidates),
        TEST(a_close_names_its_text),
        TEST(a_score_is_a_call_with_ids),
        TEST(a_probe_is_a_call_with_a_row_and_a_history),
        TEST(a_call_is_closed_by_its_number),
        TEST(a_tokenizerd_that_drains_is_served_as_ever),
        TEST(each_of_two_tokenizerds_owns_what_it_asks),
    };
    return cmocka_run_group_tests(tests, vocabulary_model_open, vocabulary_model_close);
}
