/* modeld_link.h: what a modeld says arrives as the call that it means, and what makes no sense costs it as
 * much as PROTOCOL.md says. The modeld is a bare socket, the rest of tokenizerd a fake that writes down its
 * calls. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/tokenizerd/modeld_scene.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static modeld_scene *const c = &modelds;

static const ProtobufCBinaryData short_id = {REQUEST_BYTES - 1, (uint8_t *)wire_id_bytes};

static void say_heartbeat(Trivium__Heartbeat *beat) {
    Trivium__Control control = TRIVIUM__CONTROL__INIT;
    control.word_case = TRIVIUM__CONTROL__WORD_HEARTBEAT;
    control.heartbeat = beat;
    fake_peer_say(&c->fake.peer, control);
}

#define HEARS(m, raw, n_raw, line) assert_string_equal(modeld_scene_hears(&(m), (raw), (n_raw)), (line))

/* ---- joining ---- */

static void a_hello_brings_the_offer(void **state) {
    (void)state;
    assert_true(asker_joins(&c->fake));
    assert_string_equal(heard_all(), "joined m fingerprint=f vocabulary=v n_vocab=300 n_ctx=64 kv=4096 "
                                     "incarnation=77 first=-@0");
}

static void a_hello_brings_the_first_model(void **state) {
    (void)state;
    Trivium__DefaultModel word = TRIVIUM__DEFAULT_MODEL__INIT;
    word.name = "other";
    word.since_ms = 1234;
    c->fake.hello.default_model = &word;
    assert_true(asker_joins(&c->fake));
    assert_non_null(strstr(heard_all(), " first=other@1234"));
}

static void one_that_drains_stays_joined(void **state) {
    (void)state;
    assert_true(asker_joins(&c->fake));
    heard_all();
    fake_peer_say_draining(&c->fake.peer);
    fake_peer_say_draining(&c->fake.peer);
    asker_is_heard(&c->fake);
    assert_string_equal(heard_all(), "draining");
    assert_non_null(c->modeld);
}

static void only_modelds_with_a_model_may_join(void **state) {
    (void)state;
    c->fake.hello.role = TRIVIUM__ROLE__CLIENT;
    assert_false(asker_joins(&c->fake));
    assert_int_equal(c->fake.peer.control->refused->code, TRIVIUM__CODE__BAD_REQUEST);
    assert_string_equal(c->fake.peer.control->refused->message,
                        "this endpoint is for modelds; clients use the other one");
    c->fake.hello.role = TRIVIUM__ROLE__MODELD;
    c->fake.hello.model = NULL;
    assert_false(asker_joins(&c->fake));
    assert_string_equal(heard_all(), "");
}

static void who_is_not_wanted_hears_why(void **state) {
    (void)state;
    c->answer = STATUS_NAME_TAKEN;
    for (int i = 0; i < 2; i++) {
        assert_false(asker_joins(&c->fake));
        assert_int_equal(c->fake.peer.control->refused->code, TRIVIUM__CODE__NAME_TAKEN);
        assert_string_equal(c->fake.peer.control->refused->message, "not you");
    }
    c->answer = STATUS_OK;       /* it may come again */
    assert_true(asker_joins(&c->fake));
    assert_non_null(c->modeld);
}

static void what_is_said_at_once_comes_after_our_hello(void **state) {
    (void)state;
    c->ask_at_once = "v";
    assert_true(asker_joins(&c->fake));
    const Trivium__TokensRequest *m =
        modeld_scene_says(TRIVIUM__TOKENS_REQUEST__BODY_VOCABULARY);
    assert_string_equal(m->vocabulary->vocabulary, "v");
}

static void a_modeld_that_leaves_is_told_of(void **state) {
    (void)state;
    fake_peer_say_leave(&c->fake.peer);
    modeld_scene_loses_modeld();
    assert_true(asker_joins(&c->fake));
    assert_non_null(c->modeld);
}

static void its_newest_report_is_kept(void **state) {
    (void)state;
    assert_null(modeld_link_report(c->modeld));
    Trivium__ModelReport report = TRIVIUM__MODEL_REPORT__INIT;
    Trivium__Heartbeat beat = TRIVIUM__HEARTBEAT__INIT;
    beat.report = &report;
    for (report.sequences = 1; report.sequences < 3; report.sequences++)
        say_heartbeat(&beat);
    beat.report = NULL;
    say_heartbeat(&beat);
    asker_is_heard(&c->fake);
    assert_int_equal(modeld_link_report(c->modeld)->sequences, 2);
    assert_string_equal(modeld_link_hello(c->modeld)->name, "m");
}

static void is_told(Trivium__Heartbeat *beat, bool as_news) {
    heard_all();
    say_heartbeat(beat);
    asker_is_heard(&c->fake);
    assert_string_equal(heard_all(), as_news ? "samplers changed" : "");
}

/* What its samplerds do makes no news: only who is there. */
static void news_of_its_samplerds(void **state) {
    (void)state;
    Trivium__SamplerReport one = TRIVIUM__SAMPLER_REPORT__INIT, *list[] = {&one};
    Trivium__ModelReport report = TRIVIUM__MODEL_REPORT__INIT;
    Trivium__Heartbeat beat = TRIVIUM__HEARTBEAT__INIT;
    one.pool = DEFAULT_POOL;
    one.semantics = "mine/1";
    report.samplers = list;
    beat.report = &report;
    assert_int_equal(modeld_link_samplerd(c->modeld, "", ""), SAMPLERD_UNTOLD);
    is_told(&beat, true);
    assert_int_equal(modeld_link_samplerd(c->modeld, "", ""), SAMPLERD_ABSENT);
    report.n_samplers = 1;
    is_told(&beat, true);
    assert_int_equal(modeld_link_samplerd(c->modeld, "", ""), SAMPLERD_ANSWERS);
    assert_int_equal(modeld_link_samplerd(c->modeld, DEFAULT_POOL, "mine/1"), SAMPLERD_ANSWERS);
    assert_int_equal(modeld_link_samplerd(c->modeld, DEFAULT_POOL, "mine/2"), SAMPLERD_ABSENT);
    assert_int_equal(modeld_link_samplerd(c->modeld, "other", ""), SAMPLERD_ABSENT);
    one.steps = one.outstanding = 1;
    is_told(&beat, false);
    one.draining = true;
    is_told(&beat, true);
    assert_int_equal(modeld_link_samplerd(c->modeld, "", ""), SAMPLERD_DRAINS);
    one.hanging = true;
    is_told(&beat, true);
    assert_int_equal(modeld_link_samplerd(c->modeld, "", ""), SAMPLERD_HANGS);
    one.pool = "other";
    is_told(&beat, true);
    one.semantics = "mine/2";
    is_told(&beat, true);
}

/* ---- texts ---- */

static void tokens(void **state) {
    (void)state;
    Trivium__Candidate one = TRIVIUM__CANDIDATE__INIT, *list[] = {&one};
    Trivium__Drawn drawn = TRIVIUM__DRAWN__INIT;
    drawn.id = 5;
    drawn.state = (ProtobufCBinaryData){2, (uint8_t *)"mu"};
    drawn.candidates = list;
    drawn.n_candidates = 1;
    Trivium__Token token = TRIVIUM__TOKEN__INIT;
    token.request = wire_id;
    token.attempt = 2;
    token.step = 7;
    token.drawn = &drawn;
    token.semantics = "s";
    token.forward_ms = 1.5;
    token.sample_ms = 0.25;
    Trivium__TokensReply m = REPLY(TOKEN, token, &token);
    HEARS(m, NULL, 0, "token ab..cd attempt=2 step=7 id=5 state='mu' semantics=s forward=1.5 sample=0.25 "
                      "candidates=1");
    Trivium__Glimpse trace = TRIVIUM__GLIMPSE__INIT;
    trace.request = wire_id;
    trace.step = 7;
    trace.drawn = &drawn;
    m = REPLY(GLIMPSE, glimpse, &trace);
    HEARS(m, NULL, 0, "trace ab..cd step=7 id=5");
}

static void changes_and_ends(void **state) {
    (void)state;
    Trivium__Retuned retuned = TRIVIUM__RETUNED__INIT;
    retuned.request = wire_id;
    retuned.attempt = 2;
    retuned.change = 3;
    retuned.step = 9;
    Trivium__TokensReply m = REPLY(TUNED, tuned, &retuned);
    HEARS(m, NULL, 0, "retuned ab..cd attempt=2 change=3 from=9");
    Trivium__Closed closed = TRIVIUM__CLOSED__INIT;
    closed.request = wire_id;
    closed.attempt = 2;
    closed.queue_ms = 1;
    closed.prefill_ms = 2;
    closed.n_cached = 3;
    m = REPLY(CLOSED, closed, &closed);
    closed.reason = TRIVIUM__CLOSE_REASON__CLOSE_END_ID;
    HEARS(m, NULL, 0, "closed ab..cd attempt=2 finish=1 queue=1 prefill=2 cached=3");
    closed.reason = TRIVIUM__CLOSE_REASON__CLOSE_LENGTH;
    HEARS(m, NULL, 0, "closed ab..cd attempt=2 finish=2 queue=1 prefill=2 cached=3");
    closed.reason = TRIVIUM__CLOSE_REASON__CLOSE_SUPERSEDED;
    HEARS(m, NULL, 0, "closed ab..cd attempt=2 finish=4 queue=1 prefill=2 cached=3");
    Trivium__Error error = TRIVIUM__ERROR__INIT;
    error.code = TRIVIUM__CODE__BUSY;
    error.message = "no pages";
    closed.error = &error;
    closed.reason = TRIVIUM__CLOSE_REASON__CLOSE_ERROR;
    HEARS(m, NULL, 0, "closed ab..cd attempt=2 finish=5 queue=1 prefill=2 cached=3 why=7:no pages");
    closed.reason = TRIVIUM__CLOSE_REASON__CLOSE_ASKED;
    HEARS(m, NULL, 0, "closed ab..cd attempt=2 finish=5 queue=1 prefill=2 cached=3 "
                      "why=1:the modeld closed the text without being asked");
}

/* ---- calls ---- */

static void answers_to_calls(void **state) {
    (void)state;
    Trivium__Candidate one = TRIVIUM__CANDIDATE__INIT, two = one, *list[] = {&one, &two};
    one.id = 8;
    two.id = 9;
    Trivium__ScoredIds scored = TRIVIUM__SCORED_IDS__INIT;
    scored.call = 1;
    scored.top = list;
    scored.n_top = 2;
    const double numbers[] = {-1, -2.5};
    wire_raw raw = {numbers, sizeof numbers};
    Trivium__TokensReply m = REPLY(SCORED, scored, &scored);
    HEARS(m, &raw, 1, "scored 1 -1 -2.5 top=[8,9]");
    Trivium__ProbedRow probed = TRIVIUM__PROBED_ROW__INIT;
    probed.call = 2;
    probed.id = 1;
    Trivium__TokensReply p = REPLY(PROBED, probed, &probed);
    HEARS(p, &raw, 1, "probed 2 id=1 -1 -2.5");
    raw.n_bytes = 9;            /* no whole number of them: whoever asked says that it does not fit */
    HEARS(m, &raw, 1, "scored 1 - top=[8,9]");
    HEARS(m, NULL, 0, "scored 1 - top=[8,9]");
    HEARS(p, &raw, 1, "probed 2 id=1 -");
    HEARS(p, NULL, 0, "probed 2 id=1 -");
    Trivium__Error error = TRIVIUM__ERROR__INIT;
    error.code = TRIVIUM__CODE__NO_SAMPLERD;
    error.message = "none";
    Trivium__CallFailed failed = TRIVIUM__CALL_FAILED__INIT;
    failed.call = 3;
    failed.error = &error;
    m = REPLY(FAILED, failed, &failed);
    HEARS(m, NULL, 0, "failed 3 10: none");
}

static void answers_that_never_become_whole_fail(void **state) {
    (void)state;
    const double number = -1;
    const uint64_t two = 2 * sizeof number, too_many = (uint64_t)RAW_BYTES_MAX + 1;
    fake_peer *peer = &c->fake.peer;
    Trivium__ScoredIds scored = TRIVIUM__SCORED_IDS__INIT;
    Trivium__ProbedRow probed = TRIVIUM__PROBED_ROW__INIT;
    scored.call = 1;
    probed.call = 2;
    Trivium__TokensReply s = REPLY(SCORED, scored, &scored), p = REPLY(PROBED, probed, &probed);
    fake_peer_begin(peer, &s.base, &two, 1);
    fake_peer_say_piece(peer, 0, &number, sizeof number);
    fake_peer_say_piece(peer, 0, &number, sizeof number);       /* twice */
    fake_peer_begin(peer, &p.base, &too_many, 1);
    fake_peer_begin(peer, &p.base, &two, 1);
    HEARS(s, NULL, 0,                                           /* another message before its pieces */
          "failed 1 1: piece 1 of a message was due, not piece 0 of 8 bytes\n"
          "failed 2 6: 16777217 bytes are more than a message holds, 16777216\n"
          "failed 2 1: its last pieces never came: another message came first\n"
          "scored 1 - top=[]");
    fake_peer_begin(peer, &s.base, &two, 1);
    fake_peer_say_piece(peer, 0, &number, sizeof number);
    fake_peer_say_piece(peer, 1, &number, sizeof number);
    asker_is_heard(&c->fake);
    assert_string_equal(heard_all(), "scored 1 -1 -1 top=[]");
    Trivium__CallFailed failed = TRIVIUM__CALL_FAILED__INIT;    /* has no frames: nobody is answered */
    Trivium__TokensReply m = REPLY(FAILED, failed, &failed);
    fake_peer_begin(peer, &m.base, &too_many, 1);
    asker_is_heard(&c->fake);
    assert_string_equal(heard_all(), "");
    assert_int_equal(c->n_left, 0);
}

/* ---- what makes no sense ---- */

static void what_names_no_text_is_counted(void **state) {
    (void)state;
    Trivium__Drawn drawn = TRIVIUM__DRAWN__INIT;
    Trivium__Token token = TRIVIUM__TOKEN__INIT;
    Trivium__Retuned retuned = TRIVIUM__RETUNED__INIT;
    Trivium__Closed closed = TRIVIUM__CLOSED__INIT;
    Trivium__Glimpse trace = TRIVIUM__GLIMPSE__INIT;
    token.request = retuned.request = closed.request = trace.request = short_id;
    token.drawn = trace.drawn = &drawn;
    Trivium__TokensReply messages[] = {
        REPLY(TOKEN, token, &token),
        REPLY(TUNED, tuned, &retuned),
        REPLY(CLOSED, closed, &closed),
        REPLY(GLIMPSE, glimpse, &trace),
    };
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        HEARS(messages[i], NULL, 0, "");
        assert_int_equal(modeld_link_garbage(c->link), i + 1);
    }
    assert_int_equal(c->n_left, 0);
}

static void a_token_without_what_was_drawn_is_counted(void **state) {
    (void)state;
    static Trivium__Candidate one = TRIVIUM__CANDIDATE__INIT, *list[CANDIDATES_MAX + 1];
    for (size_t i = 0; i <= CANDIDATES_MAX; i++) list[i] = &one;
    Trivium__Token token = TRIVIUM__TOKEN__INIT;
    Trivium__Glimpse trace = TRIVIUM__GLIMPSE__INIT;
    token.request = trace.request = wire_id;
    Trivium__TokensReply m = REPLY(TOKEN, token, &token);
    Trivium__TokensReply g = REPLY(GLIMPSE, glimpse, &trace);
    HEARS(m, NULL, 0, "");
    HEARS(g, NULL, 0, "");
    Trivium__Drawn drawn = TRIVIUM__DRAWN__INIT;
    drawn.candidates = list;
    drawn.n_candidates = CANDIDATES_MAX + 1;
    token.drawn = trace.drawn = &drawn;
    HEARS(m, NULL, 0, "");
    HEARS(g, NULL, 0, "");
    assert_int_equal(modeld_link_garbage(c->link), 4);
    drawn.n_candidates = CANDIDATES_MAX;
    assert_non_null(strstr(modeld_scene_hears(&m, NULL, 0), "token"));
    assert_non_null(strstr(modeld_scene_hears(&g, NULL, 0), "trace"));
}

static void what_is_no_reply_is_counted(void **state) {
    (void)state;
    Trivium__TokensReply m = TRIVIUM__TOKENS_REPLY__INIT;
    HEARS(m, NULL, 0, "");      /* no body */
    ProtobufCMessageUnknownField later = {
        .tag = 1000, .wire_type = PROTOBUF_C_WIRE_TYPE_VARINT, .len = 1, .data = (uint8_t[]){1}};
    m.base.unknown_fields = &later;
    m.base.n_unknown_fields = 1;
    HEARS(m, NULL, 0, "");      /* a body that a later version may have */
    fake_peer_send_frames(&c->fake.peer, &(wire_raw){"\xff\xff\xff", 3}, 1);
    asker_is_heard(&c->fake);
    assert_int_equal(modeld_link_garbage(c->link), 3);
    assert_int_equal(c->n_left, 0);
}

int main(void) {
#define FIRST(name) cmocka_unit_test_setup_teardown(name, modeld_scene_begin, modeld_scene_end)
#define JOINED(name) cmocka_unit_test_setup_teardown(name, modeld_scene_begin_joined, modeld_scene_end)
    const struct CMUnitTest tests[] = {
        FIRST(a_hello_brings_the_offer),
        FIRST(a_hello_brings_the_first_model),
        FIRST(one_that_drains_stays_joined),
        FIRST(only_modelds_with_a_model_may_join),
        FIRST(who_is_not_wanted_hears_why),
        FIRST(what_is_said_at_once_comes_after_our_hello),
        JOINED(a_modeld_that_leaves_is_told_of),
        JOINED(its_newest_report_is_kept),
        JOINED(news_of_its_samplerds),
        JOINED(tokens),
        JOINED(changes_and_ends),
        JOINED(answers_to_calls),
        JOINED(answers_that_never_become_whole_fail),
        JOINED(what_names_no_text_is_counted),
        JOINED(a_token_without_what_was_drawn_is_counted),
        JOINED(what_is_no_reply_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
