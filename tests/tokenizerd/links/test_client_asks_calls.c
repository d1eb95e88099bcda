/* client_link.h: calls of a client arrive as what they ask, and what makes no sense is answered or counted as
 * PROTOCOL.md has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/modeld/wire_chain.h"
#include "tests/support/tokenizerd/client_scene.h"
#include "tests/support/traceparents.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static client_scene *const c = &clients;

#define HEARS(m, raw, n_raw, line) assert_string_equal(client_scene_hears(&(m), (raw), (n_raw)), (line))

static void failed(uint64_t number, Trivium__Code code) {
    const Trivium__TextReply *m = client_scene_says(TRIVIUM__TEXT_REPLY__BODY_FAILED);
    assert_true(m->failed->call == number);
    assert_int_equal(m->failed->error->code, code);
    assert_true(m->failed->error->message[0]);
}

static uint64_t garbage(void) {
    client_link_status(c->link, c->peer, 1, c->models, c->modelds, 0);
    return client_scene_says(TRIVIUM__TEXT_REPLY__BODY_STATUS)->status->garbage;
}

/* ---- calls ---- */

static void texts_to_ids_and_back(void **state) {
    (void)state;
    Trivium__Tokenize tokenize = TRIVIUM__TOKENIZE__INIT;
    tokenize.call = 1;
    tokenize.model = "m";
    tokenize.special = tokenize.bos = true;
    tokenize.wait_ms = 7;
    Trivium__TextRequest m = ASK(TOKENIZE, tokenize, &tokenize);
    const wire_raw text = {"hi", 2};
    HEARS(m, &text, 1, "tokenize bos=1 number=1 model=m wait=7 pieces='hi'!");
    HEARS(m, &wire_none, 1, "tokenize bos=1 number=1 model=m wait=7 pieces=''!");
    HEARS(m, NULL, 0, "");
    failed(1, TRIVIUM__CODE__BAD_MESSAGE);
    Trivium__Detokenize detokenize = TRIVIUM__DETOKENIZE__INIT;
    detokenize.call = 2;
    m = ASK(DETOKENIZE, detokenize, &detokenize);
    HEARS(m, &wire_three, 1, "detokenize ids=[5,6,7] number=2 model= wait=0");
    HEARS(m, &wire_none, 1, "detokenize ids=[] number=2 model= wait=0");
    HEARS(m, NULL, 0, "");
    failed(2, TRIVIUM__CODE__BAD_MESSAGE);
    HEARS(m, &wire_odd, 1, "");
    failed(2, TRIVIUM__CODE__BAD_MESSAGE);
    detokenize.fingerprint = "f1";
    HEARS(m, &wire_three, 1, "detokenize fingerprint=f1 ids=[5,6,7] number=2 model= wait=0");
}

static void scores_and_probes(void **state) {
    (void)state;
    Trivium__Score score = TRIVIUM__SCORE__INIT;
    score.call = 3;
    const wire_raw text = {"hi", 2};
    score.pool = "p";
    score.bos = true;
    score.n_top = 2;
    score.traceparent = SOME_TRACEPARENT;
    Trivium__TextRequest m = ASK(SCORE, score, &score);
    HEARS(m, &text, 1, "score pool=p traceparent=" SOME_TRACEPARENT " bos=1 top=2 ids=- number=3 model= wait=0 pieces='hi'");
    HEARS(m, NULL, 0, "");
    failed(3, TRIVIUM__CODE__BAD_MESSAGE);
    score.has_ids = true;
    score.traceparent = "";
    HEARS(m, &wire_three, 1, "score pool=p traceparent= bos=1 top=2 ids=[5,6,7] number=3 model= wait=0");
    HEARS(m, NULL, 0, "");
    failed(3, TRIVIUM__CODE__BAD_MESSAGE);
    Trivium__Probe probe = TRIVIUM__PROBE__INIT;
    probe.call = 4;
    probe.seed = 9;
    probe.step = 1;
    probe.strategy = wire_temperature(2);
    probe.traceparent = SOME_TRACEPARENT;
    m = ASK(PROBE, probe, &probe);
    const float logits[] = {1.5f, -2};
    wire_raw row[] = {{logits, sizeof logits}, wire_three};
    HEARS(m, row, 2,
          "probe pool= traceparent=" SOME_TRACEPARENT " seed=9 step=1 row=1.5,-2 history=[5,6,7] "
          "strategy=1:temperature=2 number=4 model= wait=0");
    HEARS(m, row, 1, "");       /* no history */
    failed(4, TRIVIUM__CODE__BAD_MESSAGE);
    row[0].n_bytes = 5;
    HEARS(m, row, 2, "");
    failed(4, TRIVIUM__CODE__BAD_MESSAGE);
    row[0].n_bytes = 4;
    probe.strategy = wire_unknown();
    HEARS(m, row, 2, "");
    failed(4, TRIVIUM__CODE__UNSUPPORTED);
}

static void conversations(void **state) {
    (void)state;
    Trivium__Message user = TRIVIUM__MESSAGE__INIT, other = user, *messages[] = {&user, &other};
    user.role = "user";
    const wire_raw text = {"Hi!", 3};
    user.n_bytes = 3;
    other.role = "nobody";
    Trivium__Render render = TRIVIUM__RENDER__INIT;
    render.call = 5;
    render.model = "m";
    render.messages = messages;
    render.n_messages = 2;
    render.template_ = "chatml";
    render.n_ids_max = 100;
    render.n_reply = 50;
    render.wait_ms = 9;
    Trivium__TextRequest m = ASK(RENDER, render, &render);
    HEARS(m, &text, 1,
          "render number=5 model=m wait=9 form=chatml max=100 reply=50 messages=1'Hi!'3''");
    HEARS(m, NULL, 0, "");
    failed(5, TRIVIUM__CODE__BAD_MESSAGE);
    for (uint32_t n_bytes = 2; n_bytes <= 4; n_bytes += 2) {    /* of a text of 3 */
        user.n_bytes = n_bytes;
        HEARS(m, &text, 1, "");
        failed(5, TRIVIUM__CODE__BAD_MESSAGE);
    }
    user.n_bytes = 3;
    render.template_ = "no-such-form";
    HEARS(m, &text, 1, "");
    failed(5, TRIVIUM__CODE__BAD_REQUEST);
}

static void list_and_status(void **state) {
    (void)state;
    Trivium__List list = TRIVIUM__LIST__INIT;
    Trivium__StatusQuery query = TRIVIUM__STATUS_QUERY__INIT;
    list.call = 6;
    query.call = 7;
    Trivium__TextRequest m = ASK(LIST, list, &list);
    HEARS(m, NULL, 0, "list 6");
    m = ASK(STATUS, status, &query);
    HEARS(m, NULL, 0, "status 7");
}

static void a_call_is_cancelled_by_its_number(void **state) {
    (void)state;
    Trivium__CancelCall cancel = TRIVIUM__CANCEL_CALL__INIT;
    cancel.call = 7;
    Trivium__TextRequest m = ASK(CANCEL_CALL, cancel_call, &cancel);
    HEARS(m, NULL, 0, "call cancelled 7");
    HEARS(m, &wire_three, 1, "");   /* it takes no frames, and is not answered */
    assert_int_equal(garbage(), 1);
}

/* ---- what makes no sense ---- */

static void calls_with_too_many_frames_fail(void **state) {
    (void)state;
    Trivium__Tune tune = TRIVIUM__TUNE__INIT;
    Trivium__Cancel cancel = TRIVIUM__CANCEL__INIT;
    Trivium__Watch watch = TRIVIUM__WATCH__INIT;
    Trivium__Tokenize tokenize = TRIVIUM__TOKENIZE__INIT;
    Trivium__Detokenize detokenize = TRIVIUM__DETOKENIZE__INIT;
    Trivium__Score score = TRIVIUM__SCORE__INIT, score_of_ids = score;
    Trivium__Render render = TRIVIUM__RENDER__INIT;
    Trivium__List list = TRIVIUM__LIST__INIT;
    Trivium__StatusQuery query = TRIVIUM__STATUS_QUERY__INIT;
    tune.call = cancel.call = watch.call = tokenize.call = detokenize.call = score.call = 8;
    score_of_ids.call = render.call = list.call = query.call = 8;
    score_of_ids.has_ids = true;
    struct { Trivium__TextRequest m; size_t n_raw; } with_a_number[] = {
        {ASK(TUNE, tune, &tune), 1},
        {ASK(CANCEL, cancel, &cancel), 1},
        {ASK(WATCH, watch, &watch), 1},
        {ASK(TOKENIZE, tokenize, &tokenize), 2},
        {ASK(DETOKENIZE, detokenize, &detokenize), 2},
        {ASK(SCORE, score, &score), 2},
        {ASK(SCORE, score, &score_of_ids), 2},
        {ASK(RENDER, render, &render), 2},
        {ASK(LIST, list, &list), 1},
        {ASK(STATUS, status, &query), 1},
    };
    const wire_raw two[] = {wire_three, wire_three};
    for (size_t i = 0; i < sizeof with_a_number / sizeof *with_a_number; i++) {
        HEARS(with_a_number[i].m, two, with_a_number[i].n_raw, "");
        failed(8, TRIVIUM__CODE__BAD_MESSAGE);
    }
    assert_int_equal(garbage(), 0);
}

static void what_names_nobody_is_counted(void **state) {
    (void)state;
    Trivium__Pause pause = TRIVIUM__PAUSE__INIT;
    pause.request = (ProtobufCBinaryData){REQUEST_BYTES - 1, (uint8_t *)wire_id_bytes};
    Trivium__TextRequest m = ASK(PAUSE, pause, &pause);
    HEARS(m, NULL, 0, "");
    HEARS(m, &wire_three, 1, "");    /* too many frames, too */
    Trivium__Acknowledge ack = TRIVIUM__ACKNOWLEDGE__INIT;
    m = ASK(ACKNOWLEDGE, acknowledge, &ack);
    HEARS(m, NULL, 0, "");
    HEARS(m, &wire_three, 1, "");
    assert_int_equal(garbage(), 4);
}

static void what_is_no_request_is_counted(void **state) {
    (void)state;
    Trivium__TextRequest m = TRIVIUM__TEXT_REQUEST__INIT;
    HEARS(m, NULL, 0, "");      /* no body */
    HEARS(m, &wire_three, 1, "");
    ProtobufCMessageUnknownField later = {
        .tag = 1000, .wire_type = PROTOBUF_C_WIRE_TYPE_VARINT, .len = 1, .data = (uint8_t[]){1}};
    m.base.unknown_fields = &later;
    m.base.n_unknown_fields = 1;
    HEARS(m, NULL, 0, "");      /* a body that a later version may have */
    fake_peer_send_frames(&c->client.peer, &(wire_raw){"\xff\xff\xff", 3}, 1);
    asker_is_heard(&c->client);
    assert_int_equal(garbage(), 4);
    assert_int_equal(c->n_left, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(texts_to_ids_and_back),
        TEST(scores_and_probes),
        TEST(conversations),
        TEST(list_and_status),
        TEST(a_call_is_cancelled_by_its_number),
        TEST(calls_with_too_many_frames_fail),
        TEST(what_names_nobody_is_counted),
        TEST(what_is_no_request_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
