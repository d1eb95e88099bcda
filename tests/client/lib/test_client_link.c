/* What text_link.h promises, with a peer on a real socket and a fake of its events: who is joined, what is
 * handed on, and when it is over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "client/lib/link/text_link.h"
#include "tests/support/link/place.h"
#include "tests/support/link/text_peer.h"
#include "tests/support/link/turns.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { LONG_MS = 60000 };

static place first, second;
static loop *l;
static text_link *under_test;
static text_peer one, two;      /* at the first address, at the second one */

/* ---- a fake of the interface ---- */

typedef struct heard {
    size_t n_joined, n_lost, n_over, n_started, n_chunks, n_done, n_traces, n_answers, n_beats;
    failure why;                /* of the end */
    uint64_t number;            /* of the last answer */
    Trivium__TextReply__BodyCase body;
    uint32_t n_prompt, step;
    size_t n_ids;               /* of the frame that came with the start or the answer */
} heard;

static heard got;

static void on_joined(void *context) {
    assert_ptr_equal(context, &got);
    assert_true(text_link_is_joined(under_test));
    got.n_joined++;
}

static void on_lost(void *context) {
    (void)context;
    assert_false(text_link_is_joined(under_test));
    got.n_lost++;
}

static void on_over(void *context, const failure *why) {
    (void)context;
    assert_false(text_link_is_joined(under_test));
    got.n_over++;
    got.why = *why;
}

static void on_started(void *context, const wire_message *m, const Trivium__Started *started) {
    (void)context;
    got.n_started++;
    got.n_prompt = started->n_prompt;
    assert_non_null(wire_items(m, 0, sizeof(int32_t), &got.n_ids));
}

static void on_chunk(void *context, const Trivium__Chunk *chunk) {
    (void)context;
    got.n_chunks++;
    got.step = chunk->step;
}

static void on_done(void *context, const Trivium__Done *done) {
    (void)done;
    ((heard *)context)->n_done++;
}

static void on_traced(void *context, const Trivium__Glimpse *trace) {
    (void)context;
    got.n_traces++;
    got.step = trace->step;
}

static void on_answered(void *context, uint64_t number, const wire_message *m,
                        const Trivium__TextReply *reply) {
    (void)context;
    got.n_answers++;
    got.number = number;
    got.body = reply->body_case;
    got.n_ids = 0;
    wire_items(m, 0, sizeof(int32_t), &got.n_ids);
}

static void on_beat(void *context, Trivium__Heartbeat *beat) {
    (void)context;
    static Trivium__Acknowledge acknowledge = TRIVIUM__ACKNOWLEDGE__INIT, *list[] = {&acknowledge};
    acknowledge.step = 5;
    beat->n_acknowledged = 1;
    beat->acknowledged = list;
    got.n_beats++;
}

static const text_link_events events = {
    .joined = on_joined, .lost = on_lost, .over = on_over,
    .started = on_started, .chunk = on_chunk, .done = on_done,
    .traced = on_traced, .answered = on_answered, .beat = on_beat,
};

/* ---- set-up ---- */

static int begin(void **state) {
    (void)state;
    place_make(&first);
    place_make(&second);
    memset(&got, 0, sizeof got);
    text_peer_init(&one);
    text_peer_init(&two);
    l = loop_new();
    return l ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    text_link_free(&under_test);
    text_peer_clear(&one);
    text_peer_clear(&two);
    loop_free(&l);
    return place_remove(&first) && place_remove(&second) ? 0 : -1;
}

static void link_open(size_t n_endpoints, uint32_t wait_ms) {
    static const char *const endpoints[] = {first.address, second.address};
    failure f;
    const text_link_options how = {.endpoints = endpoints, .n_endpoints = n_endpoints, .wait_ms = wait_ms, .has_own_wait = true};
    under_test = text_link_new(l, &how, &events, &got, &f);
    assert_non_null(under_test);
}

static bool holds(void *context) {
    return (*(bool (**)(void))context)();
}

static bool becomes(bool (*wanted)(void)) {
    return turns_until(l, holds, &wanted);
}

static bool is_joined(void) { return got.n_joined == 1; }
static bool is_joined_again(void) { return got.n_joined == 2; }
static bool is_lost(void) { return got.n_lost == 1; }
static bool is_over(void) { return got.n_over == 1; }
static bool is_answered(void) { return got.n_answers == 1; }
static bool was_refused(void) { return one.n_refused > 0; }
static bool has_acknowledged(void) { return one.n_acknowledged > 0; }
static bool has_asked(void) { return one.n_asked > 0; }

static void open_joined(void) {
    text_peer_open(&one, l, first.address);
    link_open(1, LONG_MS);
    assert_true(becomes(is_joined));
}

/* ---- joining ---- */

static void it_joins_whoever_comes_later(void **state) {
    (void)state;
    failure f;
    link_open(1, LONG_MS);
    assert_false(text_link_is_joined(under_test));
    assert_int_equal(text_link_check(under_test, &f), STATUS_OK);
    assert_int_equal(text_link_wait_ms(under_test), LONG_MS);
    text_peer_open(&one, l, first.address);
    assert_true(becomes(is_joined));
    assert_string_equal(peer_name(one.client), "trivium");
    assert_int_equal(peer_hello(one.client)->role, TRIVIUM__ROLE__CLIENT);
}

static void it_joins_again_after_a_loss(void **state) {
    (void)state;
    open_joined();
    text_peer_close(&one);
    assert_true(becomes(is_lost));
    text_peer_open(&one, l, first.address);
    assert_true(becomes(is_joined_again));
    assert_int_equal(got.n_lost, 1);
    assert_int_equal(got.n_over, 0);
}

static void the_second_endpoint_is_tried_too(void **state) {
    (void)state;
    text_peer_open(&two, l, second.address);
    link_open(2, LONG_MS);
    assert_true(becomes(is_joined));
    assert_non_null(two.client);
}

static void a_lost_one_is_left_for_the_other(void **state) {
    (void)state;
    text_peer_open(&one, l, first.address);
    text_peer_open(&two, l, second.address);
    link_open(2, LONG_MS);
    assert_true(becomes(is_joined));
    assert_true(one.client && !two.client);
    text_peer_close(&one);
    assert_true(becomes(is_joined_again));
    assert_non_null(two.client);
    assert_int_equal(got.n_lost, 1);
}

static void one_that_refuses_is_left_for_the_other(void **state) {
    (void)state;
    one.refusal = STATUS_BAD_VERSION;
    text_peer_open(&one, l, first.address);
    text_peer_open(&two, l, second.address);
    link_open(2, LONG_MS);
    assert_true(becomes(is_joined));
    assert_non_null(two.client);
    assert_in_range(one.n_refused, 1, 100);
    assert_int_equal(got.n_over, 0);
}

static void a_full_one_may_have_room_later(void **state) {
    (void)state;
    one.refusal = STATUS_BUSY;
    text_peer_open(&one, l, first.address);
    link_open(1, LONG_MS);
    assert_true(becomes(was_refused));
    one.refusal = STATUS_OK;
    assert_true(becomes(is_joined));
    assert_int_equal(got.n_over, 0);
}

/* ---- the end ---- */

static void check_over(status code) {
    failure f;
    assert_true(becomes(is_over));
    assert_int_equal(got.why.code, code);
    assert_int_equal(text_link_check(under_test, &f), code);
    assert_string_equal(f.message, got.why.message);
    assert_int_equal(got.n_over, 1);
}

static void a_refusal_of_the_only_one_is_the_end(void **state) {
    (void)state;
    one.refusal = STATUS_BAD_VERSION;
    text_peer_open(&one, l, first.address);
    link_open(1, LONG_MS);
    check_over(STATUS_BAD_VERSION);
    assert_string_equal(got.why.message, "not you, trivium");
}

static void nobody_is_waited_for_as_long_as_was_said(void **state) {
    (void)state;
    link_open(2, 0);
    assert_int_equal(text_link_wait_ms(under_test), 1); /* on the wire 0 is the default */
    check_over(STATUS_NO_TOKENIZERD);
    assert_non_null(strstr(got.why.message, first.address));
    assert_non_null(strstr(got.why.message, second.address));
}

static void another_daemon_is_no_tokenizerd(void **state) {
    (void)state;
    one.hello.role = TRIVIUM__ROLE__MODELD;
    text_peer_open(&one, l, first.address);
    link_open(1, 0);
    check_over(STATUS_BAD_REQUEST);
    assert_non_null(strstr(got.why.message, "is no tokenizerd"));
    assert_int_equal(got.n_joined, 0);
}

static void an_endpoint_that_is_none_is_refused(void **state) {
    (void)state;
    failure f;
    const char *const wrong[] = {"nowhere"};
    const text_link_options how = {.endpoints = wrong, .n_endpoints = 1, .wait_ms = LONG_MS, .has_own_wait = true};
    assert_null(text_link_new(l, &how, &events, &got, &f));
    assert_int_equal(f.code, STATUS_BAD_REQUEST);
}

/* ---- messages ---- */

static void say_answer(text_peer *to, uint64_t number) {
    static const int32_t ids[] = {4, 5, 6};
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    Trivium__Tokenized tokenized = TRIVIUM__TOKENIZED__INIT;
    tokenized.call = number;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_TOKENIZED;
    reply.tokenized = &tokenized;
    text_peer_say(to, &reply, &(wire_raw){ids, sizeof ids}, 1);
}

static void each_message_goes_where_it_belongs(void **state) {
    (void)state;
    static const int32_t ids[] = {1, 2};
    open_joined();
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    Trivium__Started started = TRIVIUM__STARTED__INIT;
    started.n_prompt = 2;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_STARTED;
    reply.started = &started;
    text_peer_say(&one, &reply, &(wire_raw){ids, sizeof ids}, 1);
    Trivium__Chunk chunk = TRIVIUM__CHUNK__INIT;
    chunk.step = 7;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_CHUNK;
    reply.chunk = &chunk;
    text_peer_say(&one, &reply, NULL, 0);
    Trivium__Done done = TRIVIUM__DONE__INIT;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_DONE;
    reply.done = &done;
    text_peer_say(&one, &reply, NULL, 0);
    say_answer(&one, 9);
    assert_true(becomes(is_answered));
    assert_int_equal(got.n_started, 1);
    assert_int_equal(got.n_prompt, 2);
    assert_int_equal(got.n_chunks, 1);
    assert_int_equal(got.step, 7);
    assert_int_equal(got.n_done, 1);
    assert_int_equal(got.number, 9);
    assert_int_equal(got.n_ids, 3);
    Trivium__Glimpse trace = TRIVIUM__GLIMPSE__INIT;
    trace.step = 8;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_GLIMPSE;
    reply.glimpse = &trace;
    text_peer_say(&one, &reply, NULL, 0);
    got.n_answers = 0;
    Trivium__Failed failed = TRIVIUM__FAILED__INIT;
    failed.call = 10;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_FAILED;
    reply.failed = &failed;
    text_peer_say(&one, &reply, NULL, 0);
    assert_true(becomes(is_answered));
    assert_int_equal(got.n_traces, 1);
    assert_int_equal(got.step, 8);
    assert_int_equal(got.number, 10);
    assert_int_equal(got.body, TRIVIUM__TEXT_REPLY__BODY_FAILED);
}

static void what_is_not_known_is_passed_over(void **state) {
    (void)state;
    open_joined();
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    ProtobufCMessageUnknownField later = {
        .tag = 99, .wire_type = PROTOBUF_C_WIRE_TYPE_VARINT, .len = 1, .data = (uint8_t *)"\x01"};
    text_peer_say(&one, &reply, NULL, 0);       /* no body */
    reply.base.n_unknown_fields = 1;            /* one of a later version */
    reply.base.unknown_fields = &later;
    text_peer_say(&one, &reply, NULL, 0);
    say_answer(&one, 0);                        /* to no call */
    say_answer(&one, 3);
    assert_true(becomes(is_answered));
    assert_int_equal(got.number, 3);
    assert_int_equal(got.n_started + got.n_chunks + got.n_done + got.n_traces + got.n_lost, 0);
}

static void what_is_sent_arrives(void **state) {
    (void)state;
    failure f;
    open_joined();
    assert_int_equal(text_link_new_number(under_test), 1);
    assert_int_equal(text_link_new_number(under_test), 2);
    static const int32_t ids[] = {7, 8};
    Trivium__TextRequest m = TRIVIUM__TEXT_REQUEST__INIT;
    Trivium__Detokenize detokenize = TRIVIUM__DETOKENIZE__INIT;
    detokenize.call = 2;
    m.body_case = TRIVIUM__TEXT_REQUEST__BODY_DETOKENIZE;
    m.detokenize = &detokenize;
    assert_int_equal(text_link_send(under_test, &m, &(wire_raw){ids, sizeof ids}, 1, &f), STATUS_OK);
    assert_true(becomes(has_asked));
    const text_peer_asked *asked = text_peer_find(&one, TRIVIUM__TEXT_REQUEST__BODY_DETOKENIZE, 0);
    assert_non_null(asked);
    assert_int_equal(asked->m->detokenize->call, 2);
    assert_int_equal(asked->n_ids, 2);
    assert_int_equal(asked->ids[1], 8);
}

static void heartbeats_carry_what_the_owner_says(void **state) {
    (void)state;
    open_joined();
    assert_true(becomes(has_acknowledged));
    assert_int_equal(one.step, 5);
    assert_in_range(got.n_beats, 1, 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(it_joins_whoever_comes_later),
        TEST(it_joins_again_after_a_loss),
        TEST(the_second_endpoint_is_tried_too),
        TEST(a_lost_one_is_left_for_the_other),
        TEST(one_that_refuses_is_left_for_the_other),
        TEST(a_full_one_may_have_room_later),
        TEST(a_refusal_of_the_only_one_is_the_end),
        TEST(nobody_is_waited_for_as_long_as_was_said),
        TEST(another_daemon_is_no_tokenizerd),
        TEST(an_endpoint_that_is_none_is_refused),
        TEST(each_message_goes_where_it_belongs),
        TEST(what_is_not_known_is_passed_over),
        TEST(what_is_sent_arrives),
        TEST(heartbeats_carry_what_the_owner_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
