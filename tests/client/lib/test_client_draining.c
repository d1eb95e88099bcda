/* A tokenizerd drains, and the client knows another one: what runs goes on where it is, what is new begins at the other.
 * Both are played by the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "client/lib/client.h"
#include "proto/base/limits.h"
#include "tests/support/link/place.h"
#include "tests/support/link/text_peer.h"
#include "tests/support/link/turns.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { WAIT_LONG_MS = 60000 };

static const generation_piece prompt = {(const uint8_t *)"Once", 4, true};
static strategy chain;
static place first_at, second_at;
static text_peer first, second;
static client *under_test;

/* One of several texts, told by the first byte of its id. */
typedef struct text {
    generation_request request;
    size_t n_tokens, n_done;
    finish_reason reason;
    status code;
} text;

static text one, two;
static size_t n_answers;

/* ---- the client's side ---- */

static void on_started(void *context, const generation_start *start) {
    (void)context;
    (void)start;
}

static void on_chunk(void *context, const generation_chunk *chunk) {
    ((text *)context)->n_tokens += chunk->n_tokens;
}

static void on_done(void *context, const generation_done *done) {
    text *t = context;
    t->n_done++;
    t->reason = done->reason;
    t->code = done->code;
}

static void begins(text *t, uint8_t name) {
    static const generation_events events = {.started = on_started, .chunk = on_chunk, .done = on_done};
    failure f;
    *t = (text){.request = {.id = {name}, .pieces = &prompt, .n_pieces = 1, .chain = &chain, .max_new_tokens = 20}};
    assert_int_equal(client_generate(under_test, &t->request, &events, t, &f), STATUS_OK);
}

static void on_answer(void *context, const answer *a) {
    (void)context;
    (void)a;
    n_answers++;
}

static void asks(question_kind kind) {
    static question asked[2];
    question *q = &asked[kind == ASK_TOKENIZE];
    failure f;
    *q = (question){.kind = kind};
    if (kind == ASK_TOKENIZE) q->tokenize.text = (question_text){.bytes = (const uint8_t *)"Once", .n_bytes = 4};
    assert_int_equal(client_call(under_test, q, on_answer, NULL, &f), STATUS_OK);
}

static void knows_for_ms(size_t n_endpoints, uint32_t wait_ms) {
    static const char *const endpoints[] = {first_at.address, second_at.address};
    failure f;
    const client_options how = {.endpoints = endpoints, .n_endpoints = n_endpoints, .wait_ms = wait_ms};
    assert_int_equal(client_open(&under_test, &how, &f), STATUS_OK);
}

static void client_knows(size_t n_endpoints) {
    knows_for_ms(n_endpoints, WAIT_LONG_MS);
}

/* ---- the tokenizerds' side ---- */

static void opens(text_peer *t) {
    text_peer_open(t, client_loop(under_test), t == &first ? first_at.address : second_at.address);
}

static bool is_true(void *context) {
    return (*(bool (**)(void))context)();
}

static bool becomes(bool (*wanted)(void)) {
    return turns_until(client_loop(under_test), is_true, &wanted);
}

static bool first_is_joined(void) { return first.client != NULL; }
static bool first_is_joined_again(void) { return first.client && first.n_joined == 2; }
static bool second_is_joined_again(void) { return second.client && second.n_joined == 2; }
static bool second_is_joined(void) { return second.client != NULL; }
static bool one_has_a_token(void) { return one.n_tokens == 1; }
static bool one_has_two_tokens(void) { return one.n_tokens == 2; }
static bool one_is_done(void) { return one.n_done == 1; }
static bool two_is_done(void) { return two.n_done == 1; }
static bool is_answered(void) { return n_answers == 1; }

static const text_peer_asked *looked_for(const text_peer *t, const text *of, size_t n) {
    for (size_t i = 0; i < t->n_asked; i++) {
        const Trivium__TextRequest *m = t->asked[i].m;
        if (m->body_case == TRIVIUM__TEXT_REQUEST__BODY_GENERATE && m->generate->request.data[0] == of->request.id[0] &&
            n-- == 0)
            return &t->asked[i];
    }
    return NULL;
}

static bool first_has_one(void) { return looked_for(&first, &one, 0) != NULL; }
static bool first_has_two(void) { return looked_for(&first, &two, 0) != NULL; }
static bool second_has_one(void) { return looked_for(&second, &one, 0) != NULL; }
static bool second_has_two(void) { return looked_for(&second, &two, 0) != NULL; }

static bool has_asked(const text_peer *t, Trivium__TextRequest__BodyCase body) {
    return text_peer_find(t, body, 0) != NULL;
}

#define ASKED(peer, BODY) has_asked(&(peer), TRIVIUM__TEXT_REQUEST__BODY_##BODY)
static bool first_is_asked_for_status(void) { return ASKED(first, STATUS); }
static bool first_is_asked_to_watch(void) { return ASKED(first, WATCH); }
static bool first_is_asked_to_pause(void) { return ASKED(first, PAUSE); }
static bool first_is_asked_to_tokenize(void) { return ASKED(first, TOKENIZE); }
static bool second_is_asked_to_tokenize(void) { return ASKED(second, TOKENIZE); }

static void says_token(text_peer *t, const text *of, uint32_t step) {
    static const int32_t prompt_id = 5;
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    const ProtobufCBinaryData id = {REQUEST_BYTES, (uint8_t *)of->request.id};
    if (step == 0) {
        Trivium__Started m = TRIVIUM__STARTED__INIT;
        m.request = id;
        m.attempt = m.n_prompt = 1;
        reply.body_case = TRIVIUM__TEXT_REPLY__BODY_STARTED;
        reply.started = &m;
        text_peer_say(t, &reply, &(wire_raw){&prompt_id, sizeof prompt_id}, 1);
    }
    Trivium__Drawn drawn = TRIVIUM__DRAWN__INIT, *list[] = {&drawn};
    Trivium__Chunk m = TRIVIUM__CHUNK__INIT;
    m.request = id;
    m.attempt = 1;
    m.n_drawn = 1;
    m.step = step;
    m.drawn = list;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_CHUNK;
    reply.chunk = &m;
    text_peer_say(t, &reply, NULL, 0);
}

static void says_done(text_peer *t, const text *of) {
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    Trivium__Done m = TRIVIUM__DONE__INIT;
    m.request = (ProtobufCBinaryData){REQUEST_BYTES, (uint8_t *)of->request.id};
    m.attempt = 1;
    m.reason = TRIVIUM__FINISH_REASON__FINISH_LENGTH;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_DONE;
    reply.done = &m;
    text_peer_say(t, &reply, NULL, 0);
}

/* Nobody else is there yet, so that a slow machine does not come to the other's turn. */
static void joins_the_first(size_t n_endpoints) {
    client_knows(n_endpoints);
    opens(&first);
    assert_true(becomes(first_is_joined));
}

/* The first text has a token there; then it drains, and the client has heard that. */
static void drains_in_a_text(size_t n_endpoints) {
    joins_the_first(n_endpoints);
    opens(&second);
    begins(&one, 1);
    assert_true(becomes(first_has_one));
    says_token(&first, &one, 0);
    assert_true(becomes(one_has_a_token));
    peers_drain(first.peers);
    says_token(&first, &one, 1);
    assert_true(becomes(one_has_two_tokens));
}

static int begin(void **state) {
    (void)state;
    place_make(&first_at);
    place_make(&second_at);
    text_peer_init(&first);
    text_peer_init(&second);
    strategy_init(&chain);
    strategy_defaults(&chain);
    memset(&one, 0, sizeof one);
    memset(&two, 0, sizeof two);
    n_answers = 0;
    return 0;
}

static int end(void **state) {
    (void)state;
    text_peer_clear(&first);
    text_peer_clear(&second);
    client_close(&under_test);
    strategy_clear(&chain);
    return place_remove(&first_at) && place_remove(&second_at) ? 0 : -1;
}

/* ---- where another one answers ---- */

static void what_runs_goes_on_and_what_is_new_begins_at_the_other(void **state) {
    (void)state;
    drains_in_a_text(2);
    begins(&two, 2);
    asks(ASK_TOKENIZE);
    asks(ASK_STATUS);           /* about what is there */
    assert_true(becomes(first_is_asked_for_status));
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    Trivium__Failed failed = TRIVIUM__FAILED__INIT;
    failed.call = text_peer_find(&first, TRIVIUM__TEXT_REQUEST__BODY_STATUS, 0)->m->status->call;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_FAILED;
    reply.failed = &failed;
    text_peer_say(&first, &reply, NULL, 0);
    assert_true(becomes(is_answered));
    assert_false(first_has_two() || ASKED(first, TOKENIZE) || second_is_joined());
    says_done(&first, &one);
    assert_true(becomes(second_has_two));
    assert_true(becomes(second_is_asked_to_tokenize));
    assert_int_equal(one.n_done, 1);
    assert_int_equal(one.n_tokens, 2);
    assert_false(first_has_two() || second_has_one() || looked_for(&first, &one, 1));
    assert_false(first_is_joined());        /* it was told */
}

static void whoever_asks_for_nothing_leaves_at_once(void **state) {
    (void)state;
    joins_the_first(2);
    opens(&second);
    peers_drain(first.peers);
    assert_true(becomes(second_is_joined));
    assert_false(first_is_joined());
    begins(&one, 1);
    assert_true(becomes(second_has_one));
    assert_int_equal(first.n_asked, 0);
}

static void a_text_that_rests_goes_on_at_the_other(void **state) {
    (void)state;
    drains_in_a_text(2);
    client_pause(under_test, one.request.id);
    assert_true(becomes(first_is_asked_to_pause));
    assert_true(becomes(second_is_joined));
    client_resume(under_test, one.request.id);
    assert_true(becomes(second_has_one));
    const text_peer_asked *asked = looked_for(&second, &one, 0);
    assert_int_equal(asked->m->generate->attempt, 2);
    assert_int_equal(asked->n_ids, 3);      /* prompt, and both tokens */
}

static void a_text_that_was_to_rest_waits_for_the_other(void **state) {
    (void)state;
    drains_in_a_text(2);
    client_pause(under_test, one.request.id);
    client_resume(under_test, one.request.id);
    assert_true(becomes(second_has_one));
    assert_null(looked_for(&first, &one, 1));
}

static void what_waits_can_be_cancelled(void **state) {
    (void)state;
    drains_in_a_text(2);
    begins(&two, 2);
    client_cancel(under_test, two.request.id);
    assert_true(becomes(two_is_done));
    assert_int_equal(two.reason, FINISHED_CANCELLED);
    assert_false(ASKED(first, CANCEL));
    says_done(&first, &one);
    assert_true(becomes(one_is_done));
    assert_int_equal(one.reason, FINISHED_LENGTH);
}

static void on_over(void *context, const watch_end *end) {
    (void)context;
    (void)end;
}

/* Whoever comes when it drains already, and asks for what runs there. */
static void what_is_watched_is_watched_there(void **state) {
    (void)state;
    static const watch_events events = {.over = on_over};
    static const watch_request watched = {.id = {9}};
    failure f;
    client_knows(2);
    opens(&first);
    peers_drain(first.peers);
    assert_int_equal(client_watch(under_test, &watched, &events, NULL, &f), STATUS_OK);
    assert_true(becomes(first_is_asked_to_watch));
    opens(&second);
    turns_for_ms(client_loop(under_test), 2 * HEARTBEAT_MS);    /* at each of which it looks whether it may leave */
    assert_false(second_is_joined());
}

/* ---- where none does ---- */

/* The first one ends, and the second one comes in its place. */
static void the_next_comes(void) {
    text_peer_close(&first);
    text_peer_open(&second, client_loop(under_test), first_at.address);
}

static void what_is_new_waits_for_the_next(void **state) {
    (void)state;
    joins_the_first(1);
    begins(&one, 1);
    assert_true(becomes(first_has_one));
    peers_drain(first.peers);
    says_token(&first, &one, 0);
    assert_true(becomes(one_has_a_token));
    begins(&two, 2);
    asks(ASK_TOKENIZE);
    says_done(&first, &one);
    assert_true(becomes(one_is_done));
    assert_false(first_has_two() || ASKED(first, TOKENIZE));
    the_next_comes();
    assert_true(becomes(second_has_two));
    assert_true(becomes(second_is_asked_to_tokenize));
    assert_int_equal(first.n_joined, 1);
}

static void says_it_drains_to_a_text(text_peer *t, const text *of) {
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    Trivium__Error error = TRIVIUM__ERROR__INIT;
    Trivium__Done m = TRIVIUM__DONE__INIT;
    error.code = TRIVIUM__CODE__DRAINING;
    m.request = (ProtobufCBinaryData){REQUEST_BYTES, (uint8_t *)of->request.id};
    m.attempt = 1;
    m.reason = TRIVIUM__FINISH_REASON__FINISH_ERROR;
    m.error = &error;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_DONE;
    reply.done = &m;
    text_peer_say(t, &reply, NULL, 0);
}

static void says_it_drains_to_a_call(text_peer *t) {
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    Trivium__Error error = TRIVIUM__ERROR__INIT;
    Trivium__Failed m = TRIVIUM__FAILED__INIT;
    error.code = TRIVIUM__CODE__DRAINING;
    m.call = text_peer_find(t, TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE, 0)->m->tokenize->call;
    m.error = &error;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_FAILED;
    reply.failed = &m;
    text_peer_say(t, &reply, NULL, 0);
}

/* What was asked crossed the word. */
static void is_refused_by_the_first(void) {
    begins(&one, 1);
    asks(ASK_TOKENIZE);
    assert_true(becomes(first_has_one));
    assert_true(becomes(first_is_asked_to_tokenize));
    says_it_drains_to_a_text(&first, &one);
    says_it_drains_to_a_call(&first);
}

static void what_it_refuses_is_asked_of_the_next(void **state) {
    (void)state;
    joins_the_first(1);
    is_refused_by_the_first();
    turns_for_ms(client_loop(under_test), 2 * HEARTBEAT_MS);
    assert_int_equal(one.n_done + n_answers, 0);
    the_next_comes();
    assert_true(becomes(second_has_one));
    assert_true(becomes(second_is_asked_to_tokenize));
    assert_int_equal(looked_for(&second, &one, 0)->m->generate->attempt, 2);
}

static void what_it_refuses_is_asked_of_the_other(void **state) {
    (void)state;
    joins_the_first(2);
    opens(&second);
    is_refused_by_the_first();
    assert_true(becomes(second_has_one));
    assert_true(becomes(second_is_asked_to_tokenize));
}

static void where_none_comes_that_is_told(void **state) {
    (void)state;
    knows_for_ms(1, 50);
    opens(&first);
    assert_true(becomes(first_is_joined));
    is_refused_by_the_first();
    assert_true(becomes(one_is_done));
    assert_true(becomes(is_answered));
    assert_int_equal(one.reason, FINISHED_ERROR);
    assert_int_equal(one.code, STATUS_DRAINING);
}

/* Neither is asked twice in vain, however often it is joined. */
static void of_two_that_drain_the_next_of_either_is_waited_for(void **state) {
    (void)state;
    joins_the_first(2);
    opens(&second);
    peers_drain(second.peers);
    peers_drain(first.peers);
    assert_true(becomes(first_is_joined_again));
    begins(&one, 1);
    assert_true(becomes(second_is_joined_again));
    assert_false(first_has_one() || second_has_one());
    text_peer_close(&second);
    opens(&second);
    assert_true(becomes(second_has_one));
    assert_false(first_has_one());
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(what_runs_goes_on_and_what_is_new_begins_at_the_other),
        TEST(whoever_asks_for_nothing_leaves_at_once),
        TEST(a_text_that_rests_goes_on_at_the_other),
        TEST(a_text_that_was_to_rest_waits_for_the_other),
        TEST(what_waits_can_be_cancelled),
        TEST(what_is_watched_is_watched_there),
        TEST(what_is_new_waits_for_the_next),
        TEST(what_it_refuses_is_asked_of_the_next),
        TEST(what_it_refuses_is_asked_of_the_other),
        TEST(where_none_comes_that_is_told),
        TEST(of_two_that_drain_the_next_of_either_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
