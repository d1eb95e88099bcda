#include "text_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { BEAT_MS = 50 };

/* ---- what comes ---- */

static status on_joined(void *context, peer *p, const Trivium__Hello *hello, failure *f) {
    text_peer *t = context;
    if (t->refusal != STATUS_OK) {
        t->n_refused++;
        return (fail)(f, t->refusal, "not you, %s", hello->name);
    }
    t->client = p;
    t->n_joined++;
    return STATUS_OK;
}

static void on_left(void *context, peer *p, const char *why) {
    (void)why;
    text_peer *t = context;
    if (t->client == p) t->client = NULL;
}

static void on_message(void *context, peer *p, const wire_message *m) {
    (void)p;
    text_peer *t = context;
    assert_true(t->n_asked < TEXT_PEER_ASKED_MAX);
    text_peer_asked *one = &t->asked[t->n_asked++];
    size_t n_bytes = protobuf_c_message_get_packed_size(m->header);
    uint8_t *bytes = malloc(n_bytes + 1);
    assert_non_null(bytes);
    protobuf_c_message_pack(m->header, bytes);
    *one = (text_peer_asked){.m = trivium__text_request__unpack(NULL, n_bytes, bytes),
                             .n_frames = m->n_raw};
    assert_non_null(one->m);
    free(bytes);
    if (m->n_raw == 0) return;
    const wire_raw *last = &m->raw[m->n_raw - 1];
    assert_true(last->n_bytes <= sizeof one->ids);
    memcpy(one->ids, last->bytes, last->n_bytes);
    one->n_bytes = last->n_bytes;
    one->n_ids = last->n_bytes / sizeof *one->ids;
}

static void on_heard(void *context, peer *p, const Trivium__Heartbeat *beat) {
    (void)p;
    text_peer *t = context;
    t->n_beats++;
    t->n_acknowledged = beat->n_acknowledged;
    if (beat->n_acknowledged == 0) return;
    const Trivium__Acknowledge *last = beat->acknowledged[beat->n_acknowledged - 1];
    t->step = last->step;
    t->attempt = last->attempt;
    t->change = last->change;
}

/* ---- its life ---- */

void text_peer_init(text_peer *t) {
    memset(t, 0, sizeof *t);
    trivium__hello__init(&t->hello);
    t->hello.role = TRIVIUM__ROLE__TOKENIZERD;
    t->hello.name = (char *)"tokenizerd";
}

void text_peer_open(text_peer *t, loop *l, const char *address) {
    failure f;
    const endpoint_options where = {.address = address, .high_water = HIGH_WATER_MESSAGES};
    const peers_options who = {
        .incoming = &trivium__text_request__descriptor,
        .hello = &t->hello,
        .incarnation = peers_incarnation(),
        .heartbeat_ms = BEAT_MS,
        .liveness = LIVENESS_BOTH,
        .events = {.joined = on_joined, .left = on_left, .message = on_message, .heard = on_heard},
        .context = t,
    };
    assert_int_equal(peers_bind(&t->peers, l, &where, &who, &f), STATUS_OK);
}

void text_peer_close(text_peer *t) {
    peers_free(&t->peers);
    t->client = NULL;
}

void text_peer_clear(text_peer *t) {
    text_peer_close(t);
    for (size_t i = 0; i < t->n_asked; i++) trivium__text_request__free_unpacked(t->asked[i].m, NULL);
    t->n_asked = 0;
}

const text_peer_asked *text_peer_find(const text_peer *t, Trivium__TextRequest__BodyCase body, size_t n) {
    for (size_t i = 0; i < t->n_asked; i++) {
        if (t->asked[i].m->body_case == body && n-- == 0) return &t->asked[i];
    }
    return NULL;
}

void text_peer_say(text_peer *t, Trivium__TextReply *reply, const wire_raw *raw, size_t n_raw) {
    assert_non_null(t->client);
    assert_int_equal(peers_send(t->peers, t->client, &reply->base, raw, n_raw), STATUS_OK);
}
