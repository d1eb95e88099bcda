#include "client_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "proto/net/peer.h"
#include "tests/support/link/turns.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

enum { BEAT_MS = 60 };

/* ---- the fake of its interface ---- */

static void of_client(void *context, const peer *client) {
    client_scene *c = context;
    c->peer = (peer *)client;
}

/* The owner is told where it is not the client itself. */
static void of_sender(void *context, const sender *who) {
    of_client(context, who->client);
    const bool is_itself = strcmp(who->owner, peer_owner(who->client)) == 0;
    if (!is_itself) heard("%s: ", who->owner);
}

static void hear_id(const uint8_t *id, size_t n_id_bytes) {
    heard(" id=%zu:%02x..%02x", n_id_bytes, n_id_bytes > 0 ? id[0] : 0,
          n_id_bytes > 0 ? id[n_id_bytes - 1] : 0);
}

static void hear_strategy(const strategy *s) {
    heard(" strategy=%zu", s->n_stages);
    for (size_t i = 0; i < s->n_stages; i++)
        heard(":%s=%g", stage_table[s->stages[i].kind].name, s->stages[i].numbers[0]);
}

static void hear_fault(const failure *fault) {
    heard(" fault=%d", fault->code);
}

static void hear_request(const request_order *o) {
    heard(" model=%s fingerprint=%s pool=%s session=%s semantics=%s change=%u seed=%llu", o->model,
          o->fingerprint, o->pool, o->session, o->semantics, o->change, (unsigned long long)o->seed);
    heard(" state=%s max=%u eos=%d cache=%d candidates=%u wait=%u n_prompt=%zu",
          heard_bytes(o->sampler_state.bytes, o->sampler_state.n_bytes), o->max_new_tokens,
          !o->ignore_eos, !o->no_cache, o->n_candidates, o->wait_ms, o->n_prompt);
    heard(" priority=%d traceparent=%s stops=", o->priority, o->traceparent);
    for (size_t i = 0; i < o->n_stops; i++)
        heard("%s", heard_bytes(o->stops[i].bytes, o->stops[i].n_bytes));
    heard_ids("stop_ids", o->stop_ids, o->n_stop_ids);
    heard_ids("ids", o->ids, o->n_ids);
    hear_strategy(o->strategy);
}

static void hear_pieces(const prompt_piece *pieces, size_t n_pieces) {
    enum { SHOWN_MAX = 4 };
    heard(" pieces=");
    if (n_pieces > SHOWN_MAX) heard("%zu", n_pieces);
    for (size_t i = 0; n_pieces <= SHOWN_MAX && i < n_pieces; i++)
        heard("%s%s", heard_bytes(pieces[i].bytes, pieces[i].n_bytes), pieces[i].special ? "!" : "");
}

static void hear_conversation(const conversation_order *o) {
    heard(" form=%s max=%u reply=%u messages=", o->form == CHAT_NO_FORM ? "" : chat_form_name(o->form), o->n_ids_max,
          o->n_reply);
    for (size_t i = 0; i < o->n_messages; i++)
        heard("%d%s", (int)o->messages[i].role, heard_bytes(o->messages[i].content, o->messages[i].n_bytes));
}

static void on_generate(void *context, const sender *who, const generate_order *order) {
    of_sender(context, who);
    heard("generate");
    hear_id(order->request.id, REQUEST_BYTES);
    heard(" attempt=%u", order->request.attempt);
    if (order->fault) {
        hear_fault(order->fault);
    } else {
        hear_request(&order->request);
        hear_pieces(order->pieces, order->n_pieces);
        if (order->conversation) hear_conversation(order->conversation);
        if (order->conversation) heard(" as_room_allows=%d", order->conversation->as_room_allows);
    }
    heard_end();
}

static void on_generate_refused(void *context, const sender *who, const uint8_t id[REQUEST_BYTES], uint32_t attempt) {
    of_sender(context, who);
    heard("refused");
    hear_id(id, REQUEST_BYTES);
    heard(" attempt=%u", attempt);
    heard_end();
}

static void on_tune(void *context, const sender *who, const tune_order *order) {
    of_sender(context, who);
    heard("tune %llu", (unsigned long long)order->number);
    hear_id(order->id, order->n_id_bytes);
    heard(" replace=%d", order->replace);
    if (order->fault) hear_fault(order->fault);
    else hear_strategy(order->strategy);
    heard_end();
}

static void on_cancel(void *context, const sender *who, uint64_t number, const uint8_t *id,
                      size_t n_id_bytes) {
    of_sender(context, who);
    heard("cancel %llu", (unsigned long long)number);
    hear_id(id, n_id_bytes);
    heard_end();
}

static void on_watch(void *context, const sender *who, const watch_order *order) {
    of_sender(context, who);
    heard("watch %llu", (unsigned long long)order->number);
    hear_id(order->id, order->n_id_bytes);
    heard(" candidates=%u", order->n_candidates);
    heard_end();
}

static void hear_kind(const call_order *o) {
    switch (o->kind) {
    case CALL_TOKENIZE: heard("tokenize bos=%d", o->tokenize.bos); break;
    case CALL_DETOKENIZE:
        heard("detokenize");
        if (o->detokenize.fingerprint[0]) heard(" fingerprint=%s", o->detokenize.fingerprint);
        heard_ids("ids", o->detokenize.ids, o->detokenize.n_ids);
        break;
    case CALL_RENDER: heard("render?"); break;
    case CALL_SCORE:
        heard("score pool=%s traceparent=%s bos=%d top=%u", o->score.pool, o->score.traceparent, o->score.bos, o->score.n_top);
        heard_ids("ids", o->score.ids, o->score.n_ids);
        break;
    case CALL_PROBE:
        heard("probe pool=%s traceparent=%s seed=%llu step=%u row=", o->probe.pool, o->probe.traceparent,
              (unsigned long long)o->probe.seed, o->probe.step);
        for (size_t i = 0; i < o->probe.n_row; i++) heard("%s%g", i > 0 ? "," : "", o->probe.row[i]);
        heard_ids("history", o->probe.history, o->probe.n_history);
        hear_strategy(o->probe.strategy);
        break;
    }
}

static void on_call(void *context, const call_order *order, const prompt_piece *text) {
    of_sender(context, &(sender){order->client, order->owner, false});
    hear_kind(order);
    heard(" number=%llu model=%s wait=%u", (unsigned long long)order->client_number, order->model,
          order->wait_ms);
    if (text) hear_pieces(text, 1);
    heard_end();
}

static void on_render(void *context, const sender *who, const prompt_order *order) {
    of_sender(context, who);
    heard("render number=%llu model=%s wait=%u", (unsigned long long)order->number, order->model, order->wait_ms);
    hear_conversation(&order->conversation);
    heard_end();
}

static void on_call_cancelled(void *context, const peer *client, uint64_t number) {
    of_client(context, client);
    heard("call cancelled %llu", (unsigned long long)number);
    heard_end();
}

static void on_list(void *context, const sender *who, uint64_t number) {
    of_sender(context, who);
    heard("list %llu", (unsigned long long)number);
    heard_end();
}

static void on_status(void *context, peer *client, uint64_t number) {
    of_client(context, client);
    heard("status %llu", (unsigned long long)number);
    heard_end();
}

static void on_acknowledged(void *context, const peer *client, const uint8_t id[REQUEST_BYTES],
                            uint32_t attempt, uint32_t change) {
    of_client(context, client);
    heard("acknowledged");
    hear_id(id, REQUEST_BYTES);
    heard(" attempt=%u change=%u", attempt, change);
    heard_end();
}

static void on_pause(void *context, const peer *client, const uint8_t id[REQUEST_BYTES],
                     uint32_t attempt, uint32_t n_steps) {
    of_client(context, client);
    heard("pause");
    hear_id(id, REQUEST_BYTES);
    heard(" attempt=%u steps=%u", attempt, n_steps);
    heard_end();
}

static void on_drain(void *context, peer *client, const drain_order *order) {
    of_client(context, client);
    heard("drain %llu \"%s\" pid=%d host=\"%s\"", (unsigned long long)order->number, order->name, order->pid, order->host);
    heard_end();
}

static void on_left(void *context, const peer *client) {
    client_scene *c = context;
    c->n_left++;
    if (c->peer == client) c->peer = NULL;
}

static const client_link_events events = {
    .generate = on_generate,
    .generate_refused = on_generate_refused,
    .tune = on_tune,
    .cancel = on_cancel,
    .watch = on_watch,
    .call = on_call,
    .render = on_render,
    .call_cancelled = on_call_cancelled,
    .list = on_list,
    .status = on_status,
    .drain = on_drain,
    .acknowledged = on_acknowledged,
    .pause = on_pause,
    .left = on_left,
};

/* ---- the case ---- */

client_scene clients;

int client_scene_begin(void **state) {
    (void)state;
    client_scene *c = &clients;
    static const modeld_link_events nobody;
    failure f;
    *c = (client_scene){.loop = loop_new(), .models = models_new()};
    assert_true(c->loop && c->models);
    place_make(&c->meeting);
    place_make(&c->other);
    link_options options = {.loop = c->loop,
                            .name = "tokenizerd",
                            .address = c->meeting.address,
                            .incarnation = 42,
                            .heartbeat_ms = BEAT_MS};
    assert_int_equal(client_link_new(&c->link, &options, &events, c, &f), STATUS_OK);
    options.address = c->other.address;
    assert_int_equal(modeld_link_new(&c->modelds, &options, &nobody, NULL, &f), STATUS_OK);
    asker_connect(&c->client, c->loop, c->meeting.address, &trivium__text_reply__descriptor,
                  TRIVIUM__ROLE__CLIENT);
    assert_true(asker_joins(&c->client));
    Trivium__List list = TRIVIUM__LIST__INIT;   /* so that c->peer is known */
    Trivium__TextRequest m = ASK(LIST, list, &list);
    client_scene_hears(&m, NULL, 0);
    assert_non_null(c->peer);
    return 0;
}

int client_scene_end(void **state) {
    (void)state;
    client_scene *c = &clients;
    asker_close(&c->client);
    client_link_free(&c->link);
    modeld_link_free(&c->modelds);
    models_free(&c->models);
    loop_free(&c->loop);
    assert_true(place_remove(&c->meeting) && place_remove(&c->other));
    return 0;
}

const char *client_scene_hears(Trivium__TextRequest *m, const wire_raw *raw, size_t n_raw) {
    heard_all();
    asker_says(&clients.client, &m->base, raw, n_raw);
    return heard_all();
}

const Trivium__TextReply *client_scene_says(Trivium__TextReply__BodyCase kind) {
    const Trivium__TextReply *reply = (const Trivium__TextReply *)asker_hears(&clients.client);
    assert_int_equal(reply->body_case, kind);
    return reply;
}

static bool has_left(void *context) {
    return ((client_scene *)context)->n_left > 0;
}

void client_scene_loses_client(void) {
    assert_true(turns_until(clients.loop, has_left, &clients));
}
