#include "tokens_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/net/peer.h"
#include "tests/support/link/turns.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

tokens_scene tokens;

/* ---- those who serve ---- */

static void note_strategy(const strategy *chain, const failure *unreadable) {
    tokens.notes.unreadable = unreadable ? unreadable->code : STATUS_OK;
    tokens.notes.n_stages = unreadable ? 0 : chain->n_stages;
    tokens.notes.temperature = tokens.notes.n_stages > 0 ? chain->stages[0].numbers[0] : 0;
}

static void note_name(tokenizerd_link *from, text_name text) {
    tokens.notes.from = from;
    tokens.notes.attempt = text.attempt;
    memcpy(tokens.notes.request, text.request, REQUEST_BYTES);
}

static void note_text(const char *text, char out[64]) {
    snprintf(out, 64, "%s", text);
}

static void note_ids(const int32_t *ids, size_t n_ids, int32_t out[NOTED_IDS_MAX]) {
    assert_in_range(n_ids, 0, NOTED_IDS_MAX);
    if (n_ids > 0) memcpy(out, ids, n_ids * sizeof *ids);
}

static void note_job(const job *asked) {
    tokens.notes.asked = *asked;
    note_ids(asked->ids, asked->n_ids, tokens.notes.ids);
    note_text(asked->pool, tokens.notes.pool);
    note_text(asked->traceparent, tokens.notes.traceparent);
}

static void on_open(void *context, const job *asked, const failure *unreadable) {
    assert_ptr_equal(context, &tokens);
    note_job(asked);
    note_name(asked->from, (text_name){asked->text.request, asked->text.attempt, asked->text.number});
    note_strategy(asked->text.strategy, unreadable);
    note_ids(asked->text.end_ids, asked->text.n_end_ids, tokens.notes.end_ids);
    note_text(asked->text.session, tokens.notes.session);
    note_text(asked->text.semantics, tokens.notes.semantics);
    snprintf(tokens.notes.state, sizeof tokens.notes.state, "%.*s",
             (int)asked->text.n_sampler_state_bytes, (const char *)asked->text.sampler_state);
    tokens.notes.n_opened++;
}

static void on_retune(void *context, tokenizerd_link *from, text_name text, uint32_t change,
                      const strategy *wanted, const failure *unreadable) {
    assert_ptr_equal(context, &tokens);
    note_name(from, text);
    note_strategy(wanted, unreadable);
    tokens.notes.change = change;
    tokens.notes.n_retuned++;
}

static void on_watch(void *context, tokenizerd_link *from, text_name text, uint32_t n_watched) {
    assert_ptr_equal(context, &tokens);
    note_name(from, text);
    tokens.notes.n_watched_asked = n_watched;
    tokens.notes.n_watched++;
}

static void on_close(void *context, tokenizerd_link *from, text_name text) {
    assert_ptr_equal(context, &tokens);
    note_name(from, text);
    tokens.notes.n_closed++;
}

static void on_call(void *context, const job *call, const failure *unreadable) {
    assert_ptr_equal(context, &tokens);
    note_job(call);
    if (call->kind == SEQUENCE_PROBE) {
        assert_in_range(call->probe.row_width, 0, NOTED_IDS_MAX);
        memcpy(tokens.notes.row, call->probe.row, call->probe.row_width * sizeof *call->probe.row);
        note_strategy(call->probe.strategy, unreadable);
    }
    tokens.notes.from = call->from;
    tokens.notes.n_called++;
}

static void on_close_call(void *context, tokenizerd_link *from, uint64_t call) {
    assert_ptr_equal(context, &tokens);
    tokens.notes.from = from;
    tokens.notes.closed_call = call;
    tokens.notes.n_calls_closed++;
}

static void on_joined(void *context, tokenizerd_link *from, uint64_t incarnation) {
    assert_ptr_equal(context, &tokens);
    tokens.notes.from = from;
    tokens.notes.joined = incarnation;
}

static void on_lost(void *context, tokenizerd_link *from) {
    assert_ptr_equal(context, &tokens);
    tokens.notes.from = from;
    tokens.notes.joined = 0;
}

static void on_drain(void *context, tokenizerd_link *from, const drain_worker *order) {
    assert_ptr_equal(context, &tokens);
    tokens.notes.from = from;
    tokens.notes.drained_call = order->call;
    tokens.notes.n_drains++;
}

static void on_over(void *context, tokenizerd_link *from) {
    assert_ptr_equal(context, &tokens);
    tokens.notes.from = from;
    tokens.notes.n_over++;
}

static void on_refused(void *context, tokenizerd_link *from, const failure *why) {
    assert_ptr_equal(context, &tokens);
    tokens.notes.from = from;
    tokens.notes.refusal = *why;
    tokens.notes.n_refused++;
}

static const tokenizerd_link_events events = {
    .open = on_open,
    .retune = on_retune,
    .watch = on_watch,
    .close = on_close,
    .call = on_call,
    .close_call = on_close_call,
    .joined = on_joined,
    .lost = on_lost,
    .drain = on_drain,
    .over = on_over,
    .refused = on_refused,
};

static void take_figures(void *context, report_figures *out) {
    assert_ptr_equal(context, &tokens);
    *out = (report_figures){FIGURE, FIGURE, FIGURE, FIGURE, FIGURE, FIGURE};
}

/* ---- the tokens ---- */

static tokenizerd_link *join(const char *address, bool replaces) {
    static Trivium__Hello hello;
    trivium__hello__init(&hello);
    hello.version = PROTOCOL_VERSION_MAX;
    hello.role = TRIVIUM__ROLE__MODELD;
    hello.name = (char *)"tiny";
    hello.replaces = replaces;
    const tokenizerd_link_options options = {
        .address = address,
        .hello = &hello,
        .incarnation = peers_incarnation(),
        .heartbeat_ms = HEARTBEAT_MS,
        .model = tokens.model,
        .report = tokens.report,
        .garbage = &tokens.garbage,
        .events = &events,
        .context = &tokens,
    };
    failure f;
    tokenizerd_link *link;
    assert_int_equal(tokenizerd_link_new(&link, tokens.loop, &options, &f), STATUS_OK);
    return link;
}

static void open_link(size_t i, bool replaces) {
    place_make(&tokens.meetings[i]);
    fake_peer_bind(&tokens.fakes[i], tokens.meetings[i].address, &trivium__tokens_reply__descriptor);
    tokens.links[i] = join(tokens.meetings[i].address, replaces);
    assert_true(fake_peer_hears(&tokens.fakes[i], tokens.loop, TRIVIUM__CONTROL__WORD_HELLO));
}

int tokens_begin(void **state) {
    (void)state;
    tokens = (tokens_scene){.loop = loop_new(), .model = vocabulary_model, .no_samplers = samplers_new()};
    tokens.report = report_new(tokens.no_samplers, take_figures, &tokens);
    assert_true(tokens.loop && tokens.no_samplers && tokens.report);
    open_link(0, false);
    return 0;
}

int tokens_end(void **state) {
    (void)state;
    bool removed = true;
    for (size_t i = 0; i < 2; i++) {
        tokenizerd_link_free(&tokens.links[i]);
        fake_peer_close(&tokens.fakes[i]);
        if (tokens.meetings[i].folder[0]) removed = place_remove(&tokens.meetings[i]) && removed;
    }
    report_free(&tokens.report);
    samplers_free(&tokens.no_samplers);
    loop_free(&tokens.loop);
    return removed ? 0 : -1;
}

static void accept_by(fake_peer *f) {
    size_t n_over = tokens.notes.n_over;
    fake_peer_say_hello(f, fake_hello_of_the_silent(TRIVIUM__ROLE__TOKENIZERD));
    tokens_until(&tokens.notes.n_over, n_over + 1);
}

void tokens_accept(void) {
    accept_by(&tokens.fakes[0]);
}

void tokens_second(void) {
    open_link(1, false);
    accept_by(&tokens.fakes[1]);
}

void tokens_replace(void) {
    tokenizerd_link_free(&tokens.links[0]);
    fake_peer_close(&tokens.fakes[0]);
    assert_true(place_remove(&tokens.meetings[0]));
    open_link(0, true);
}

void tokens_bind_again(void) {
    fake_peer_close(&tokens.fakes[0]);
    fake_peer_bind(&tokens.fakes[0], tokens.meetings[0].address, &trivium__tokens_reply__descriptor);
    tokens.fakes[0].from = FAKE_INCARNATION + 1;
    assert_true(fake_peer_hears(&tokens.fakes[0], tokens.loop, TRIVIUM__CONTROL__WORD_HELLO));
}

void tokens_until(const size_t *n, size_t wanted) {
    assert_true(turns_until_count(tokens.loop, n, wanted));
}

void tokens_settle(void) {
    Trivium__Close nobodys = TRIVIUM__CLOSE__INIT;
    nobodys.request = (ProtobufCBinaryData){REQUEST_BYTES, (uint8_t *)"nobody has this."};
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_CLOSE;
    m.close = &nobodys;
    size_t n_closed = tokens.notes.n_closed;
    tokenizerd_says(&tokens.fakes[0], &m, NULL, 0);
    tokens_until(&tokens.notes.n_closed, n_closed + 1);
}

void tokenizerd_says(fake_peer *f, Trivium__TokensRequest *m, const wire_raw *raw, size_t n_raw) {
    fake_peer_send(f, &m->base, raw, n_raw);
}

const Trivium__TokensReply *tokenizerd_hears(fake_peer *f) {
    assert_true(fake_peer_hears(f, tokens.loop, FAKE_BODY));
    return (const Trivium__TokensReply *)f->header;
}
