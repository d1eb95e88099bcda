/* Watching through client.h, with a peer that a test plays: which steps are shown, and how it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/chain/strategy_wire.h"
#include "tests/support/link/text_pair.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static text_pair pair;
static strategy warm, cold;
static const watch_request request = {.id = "0123456789abcdef", .n_candidates = 2};

static struct {
    size_t n_begun, n_seen, n_over;
    uint32_t steps[16];         /* [n_seen] */
    watch_end end;              /* without its message */
} got;

static void on_begun(void *context, const watch_start *start) {
    assert_ptr_equal(context, &got);
    assert_string_equal(start->model, "small");
    assert_int_equal(start->n_prompt, 2);
    got.n_begun++;
}

static void on_seen(void *context, const watch_trace *trace) {
    (void)context;
    assert_int_equal(got.n_over, 0);
    assert_int_equal(trace->chain->n_stages, 1);
    assert_int_equal(trace->token.n_candidates, 1);
    got.steps[got.n_seen++] = trace->token.step;
}

static void on_over(void *context, const watch_end *end) {
    (void)context;
    got.n_over++;
    got.end = *end;
    got.end.message = NULL;
}

static bool has_begun(void) { return got.n_begun == 1; }
static bool has_begun_again(void) { return got.n_begun == 2; }
static bool is_over(void) { return got.n_over > 0; }

/* ---- what the peer says ---- */

static void say_watched(uint64_t number, Trivium__FinishReason over, uint32_t at) {
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    Trivium__Watched m = TRIVIUM__WATCHED__INIT;
    m.call = number;
    m.model = (char *)"small";
    m.n_prompt = 2;
    m.step = at;
    m.over = over;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_WATCHED;
    reply.watched = &m;
    text_peer_say(&pair.peer, &reply, NULL, 0);
}

static void say_failed(uint64_t number, Trivium__Code code) {
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    Trivium__Failed m = TRIVIUM__FAILED__INIT;
    Trivium__Error error = TRIVIUM__ERROR__INIT;
    error.code = code;
    error.message = (char *)"it does not run";
    m.call = number;
    m.error = &error;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_FAILED;
    reply.failed = &m;
    text_peer_say(&pair.peer, &reply, NULL, 0);
}

static void say_trace(uint32_t attempt, uint32_t at, const strategy *chain) {
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    Trivium__Glimpse m = TRIVIUM__GLIMPSE__INIT;
    Trivium__Candidate one = TRIVIUM__CANDIDATE__INIT, *list[] = {&one};
    Trivium__Drawn drawn = TRIVIUM__DRAWN__INIT;
    drawn.n_candidates = 1;
    drawn.candidates = list;
    m.request = (ProtobufCBinaryData){REQUEST_BYTES, (uint8_t *)request.id};
    m.attempt = attempt;
    m.step = at;
    m.drawn = &drawn;
    m.strategy = strategy_to_wire(chain);
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_GLIMPSE;
    reply.glimpse = &m;
    text_peer_say(&pair.peer, &reply, NULL, 0);
    trivium__strategy__free_unpacked(m.strategy, NULL);
}

static uint64_t watch_asked(size_t n) {
    return text_pair_asked(&pair, TRIVIUM__TEXT_REQUEST__BODY_WATCH, n)->m->watch->call;
}

/* ---- set-up ---- */

static int begin(void **state) {
    (void)state;
    failure f;
    static const watch_events events = {on_begun, on_seen, on_over};
    const double high = 1.5, low = 0.5;
    memset(&got, 0, sizeof got);
    strategy_init(&warm);
    strategy_init(&cold);
    strategy_append(&warm, STAGE_TEMPERATURE, &high, 1, &f);
    strategy_append(&cold, STAGE_TEMPERATURE, &low, 1, &f);
    text_pair_begin(&pair, 60000);
    assert_int_equal(client_watch(pair.client, &request, &events, &got, &f), STATUS_OK);
    text_pair_join(&pair);
    return 0;
}

static int end(void **state) {
    (void)state;
    text_pair_end(&pair);
    strategy_clear(&warm);
    strategy_clear(&cold);
    return 0;
}

/* The end, after which these steps have been seen. */
static void check_seen(uint64_t number, const uint32_t *steps, size_t n) {
    say_watched(number, TRIVIUM__FINISH_REASON__FINISH_LENGTH, 30);
    assert_true(text_pair_becomes(&pair, is_over));
    assert_int_equal(got.n_seen, n);
    assert_memory_equal(got.steps, steps, n * sizeof *steps);
    assert_int_equal(got.n_over, 1);
    assert_int_equal(got.end.code, STATUS_OK);
    assert_int_equal(got.end.reason, FINISHED_LENGTH);
    assert_int_equal(got.end.n_tokens, 30);
}

/* ---- what is shown ---- */

static void steps_come_in_order_and_once(void **state) {
    (void)state;
    static const uint32_t expected[] = {3, 4, 7};
    uint64_t number = watch_asked(0);
    assert_int_equal(text_peer_find(&pair.peer, TRIVIUM__TEXT_REQUEST__BODY_WATCH, 0)->m->watch->n_candidates, 2);
    say_watched(number, TRIVIUM__FINISH_REASON__FINISH_NONE, 3);
    assert_true(text_pair_becomes(&pair, has_begun));
    say_trace(1, 3, &warm);
    say_trace(1, 4, &warm);
    say_trace(1, 4, &warm);                     /* again */
    say_trace(1, 7, &warm);
    say_trace(1, 6, &warm);                     /* late */
    check_seen(number, expected, 3);
}

/* A resume draws the same again, which is no news, but for another strategy; what an older attempt still
 * says never is. */
static void steps_drawn_anew_are_news_with_another_strategy(void **state) {
    (void)state;
    static const uint32_t expected[] = {3, 4, 4, 5};
    uint64_t number = watch_asked(0);
    say_watched(number, TRIVIUM__FINISH_REASON__FINISH_NONE, 3);
    say_trace(1, 3, &warm);
    say_trace(1, 4, &warm);
    say_trace(2, 4, &warm);
    say_trace(2, 4, &cold);
    say_trace(1, 6, &warm);
    say_trace(2, 5, &cold);
    check_seen(number, expected, 4);
}

/* ---- a loss ---- */

static void it_is_watched_at_the_next_tokenizerd_too(void **state) {
    (void)state;
    static const uint32_t expected[] = {3, 4};
    say_watched(watch_asked(0), TRIVIUM__FINISH_REASON__FINISH_NONE, 3);
    say_trace(1, 3, &warm);
    assert_true(text_pair_becomes(&pair, has_begun));
    text_pair_again(&pair);
    say_failed(watch_asked(1), TRIVIUM__CODE__UNKNOWN_REQUEST);     /* its owner is not back yet */
    uint64_t number = watch_asked(2);
    say_watched(number, TRIVIUM__FINISH_REASON__FINISH_NONE, 3);
    assert_true(text_pair_becomes(&pair, has_begun_again));
    say_trace(2, 3, &warm);
    say_trace(2, 4, &warm);
    check_seen(number, expected, 2);
}

static void what_cannot_be_watched_is_told(void **state) {
    (void)state;
    say_failed(watch_asked(0), TRIVIUM__CODE__UNKNOWN_REQUEST);
    assert_true(text_pair_becomes(&pair, is_over));
    assert_int_equal(got.end.code, STATUS_UNKNOWN_REQUEST);
    assert_int_equal(got.n_begun, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(steps_come_in_order_and_once),
        TEST(steps_drawn_anew_are_news_with_another_strategy),
        TEST(it_is_watched_at_the_next_tokenizerd_too),
        TEST(what_cannot_be_watched_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
