#include "service_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "proto/base/limits.h"
#include "tests/support/modeld/wire_chain.h"
#include "tests/support/models/tiny_vocabulary.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

enum { N_VOCAB = TINY_FIRST_MERGE, N_CTX = 64, BEAT_MS = 60 };
_Static_assert((int)SCENE_BYTE == (int)TINY_FIRST_BYTE, "the vocabulary is the tiny one");

service_scene tokenizerd;

/* A test that is slow is told of its wait. */
static bool is_beside(const ProtobufCMessage *m) {
    return !tokenizerd.hears_waits &&
           ((const Trivium__TextReply *)m)->body_case == TRIVIUM__TEXT_REPLY__BODY_WAITING;
}

int service_scene_begin(void **state) {
    (void)state;
    failure f;
    service_scene *s = &tokenizerd;
    *s = (service_scene){.loop = loop_new()};
    assert_non_null(s->loop);
    place_make(&s->clients_at);
    place_make(&s->modelds_at);
    const service_options options = {.name = "tokenizerd",
                                     .bind_clients = s->clients_at.address,
                                     .bind_models = s->modelds_at.address,
                                     .heartbeat_ms = BEAT_MS,
                                     .drain_s = DRAIN_MS / 1000.0};
    assert_int_equal(service_new(&s->service, s->loop, &options, &f), STATUS_OK);
    asker_connect(&s->client, s->loop, s->clients_at.address, &trivium__text_reply__descriptor,
                  TRIVIUM__ROLE__CLIENT);
    s->client.passes_over = is_beside;
    assert_true(asker_joins(&s->client));
    s->offer = (Trivium__ModelOffer)TRIVIUM__MODEL_OFFER__INIT;
    s->offer.fingerprint = "f";
    s->offer.vocabulary = "bytes";
    s->offer.n_vocab = N_VOCAB;
    s->offer.n_ctx = N_CTX;
    s->first = (Trivium__DefaultModel)TRIVIUM__DEFAULT_MODEL__INIT;
    s->first.name = "m";        /* known from the beginning, so told when one joins, and never later */
    s->first.since_ms = 1;
    for (uint64_t i = 0; i < 2; i++) {
        asker *modeld = &s->modelds[i];
        asker_connect(modeld, s->loop, s->modelds_at.address, &trivium__tokens_request__descriptor,
                      TRIVIUM__ROLE__MODELD);
        modeld->peer.from += i;         /* each is a process of its own */
        modeld->hello.name = "m";
        modeld->hello.model = &s->offer;
        modeld->hello.default_model = &s->first;
    }
    return 0;
}

int service_scene_end(void **state) {
    (void)state;
    service_scene *s = &tokenizerd;
    asker_close(&s->client);
    asker_close(&s->modelds[0]);
    asker_close(&s->modelds[1]);
    service_free(&s->service);
    loop_free(&s->loop);
    assert_true(place_remove(&s->clients_at) && place_remove(&s->modelds_at));
    return 0;
}

/* ---- modelds ---- */

void scene_vocabulary(vocabulary_bearer *bring, void *context) {
    tiny_vocabulary v;
    tiny_vocabulary_make(&v, N_VOCAB, NULL, 0);
    ProtobufCBinaryData tokens[N_VOCAB];
    uint8_t types[N_VOCAB];
    for (size_t i = 0; i < N_VOCAB; i++) {
        tokens[i] = (ProtobufCBinaryData){strlen(v.tokens[i]), (uint8_t *)v.tokens[i]};
        types[i] = (uint8_t)v.types[i];
    }
    Trivium__VocabularyMeta meta = TRIVIUM__VOCABULARY_META__INIT;
    meta.kind = "gpt2";
    meta.split = "gpt-2";
    meta.bos = meta.eot = meta.eom = -1;
    meta.eos = TINY_IM_END;
    for (uint32_t n, first = 0; first < N_VOCAB; first += n) {
        n = N_VOCAB - first < VOCABULARY_PIECE_ITEMS ? N_VOCAB - first : VOCABULARY_PIECE_ITEMS;
        Trivium__VocabularyPiece piece = TRIVIUM__VOCABULARY_PIECE__INIT;
        piece.vocabulary = "bytes";
        piece.n_tokens_all = N_VOCAB;
        piece.first_token = first;
        piece.tokens = tokens + first;
        piece.n_tokens = n;
        piece.types = (ProtobufCBinaryData){n, types + first};
        if (first == 0) piece.meta = &meta;
        bring(context, &piece);
    }
    tiny_vocabulary_free(&v);
}

static void say_piece(void *modeld, Trivium__VocabularyPiece *piece) {
    modeld_says(modeld, REPLY(VOCABULARY, vocabulary, piece), NULL, 0);
}

void modeld_joins(asker *modeld) {
    assert_true(asker_joins(modeld));
    modeld_hears(modeld, TRIVIUM__TOKENS_REQUEST__BODY_DEFAULT_MODEL);
    if (tokenizerd.has_vocabulary) return;
    tokenizerd.has_vocabulary = true;
    modeld_hears(modeld, TRIVIUM__TOKENS_REQUEST__BODY_VOCABULARY);
    scene_vocabulary(say_piece, modeld);
}

void modeld_sends_report(asker *modeld, const char *pool) {
    Trivium__SamplerReport one = TRIVIUM__SAMPLER_REPORT__INIT, *list[] = {&one};
    Trivium__ModelReport report = TRIVIUM__MODEL_REPORT__INIT;
    Trivium__Heartbeat beat = TRIVIUM__HEARTBEAT__INIT;
    Trivium__Control control = TRIVIUM__CONTROL__INIT;
    one.name = (char *)"sam";
    one.pool = (char *)pool;
    report.samplers = list;
    report.n_samplers = pool != NULL;
    beat.report = &report;
    control.word_case = TRIVIUM__CONTROL__WORD_HEARTBEAT;
    control.heartbeat = &beat;
    fake_peer_say(&modeld->peer, control);
}

void modeld_reports(asker *modeld, const char *pool) {
    modeld_sends_report(modeld, pool);
    asker_is_heard(modeld);
}

void modeld_leaves(asker *modeld) {
    fake_peer_say_leave(&modeld->peer);
}

/* ---- saying and hearing ---- */

void client_says(Trivium__TextRequest m, const wire_raw *raw, size_t n_raw) {
    asker_says(&tokenizerd.client, &m.base, raw, n_raw);
}

void client_asks_to_score(uint64_t call, uint32_t wait_ms) {
    static const int32_t ids[] = {'a' + SCENE_BYTE};
    Trivium__Score score = TRIVIUM__SCORE__INIT;
    score.call = call;
    score.has_ids = true;
    score.model = "m";
    score.wait_ms = wait_ms;
    client_says(ASK(SCORE, score, &score), &(wire_raw){ids, sizeof ids}, 1);
}

void client_asks_to_probe(uint64_t call) {
    static const float logits[] = {1, 2, 3};
    Trivium__Probe probe = TRIVIUM__PROBE__INIT;
    probe.call = call;
    probe.model = "m";
    probe.strategy = wire_temperature(1);
    const wire_raw raw[] = {{logits, sizeof logits}, {NULL, 0}};
    client_says(ASK(PROBE, probe, &probe), raw, 2);
}

void modeld_says(asker *modeld, Trivium__TokensReply m, const wire_raw *raw, size_t n_raw) {
    asker_says(modeld, &m.base, raw, n_raw);
}

const Trivium__TextReply *client_hears(Trivium__TextReply__BodyCase kind) {
    const Trivium__TextReply *m = (const Trivium__TextReply *)asker_hears(&tokenizerd.client);
    assert_int_equal(m->body_case, kind);
    return m;
}

const Trivium__TokensRequest *modeld_hears(asker *modeld, Trivium__TokensRequest__BodyCase kind) {
    const Trivium__TokensRequest *m = (const Trivium__TokensRequest *)asker_hears(modeld);
    assert_int_equal(m->body_case, kind);
    return m;
}

const char *heard_as_text(asker *a) {
    static char text[N_CTX + 1];
    size_t n_bytes = 0;
    const uint8_t *frame = fake_peer_raw(&a->peer, 0, &n_bytes);
    assert_non_null(frame);
    int32_t id;
    size_t n_ids = n_bytes / sizeof id;
    assert_in_range(n_ids, 0, N_CTX);
    for (size_t i = 0; i < n_ids; i++) {
        memcpy(&id, frame + i * sizeof id, sizeof id);  /* which may lie anywhere */
        text[i] = (char)(id - SCENE_BYTE);
    }
    text[n_ids] = '\0';
    return text;
}
