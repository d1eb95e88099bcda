#include "logits_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "proto/net/peer.h"
#include "proto/numeric/fmath.h"
#include "tests/support/link/turns.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

const float SCENE_LOGITS[SCENE_ROWS * SCENE_VOCAB] = {0, 1, 2, 3, 4, 5, -1, -2, -3, -4, -5, -6};
const int32_t SCENE_ID_LIST[SCENE_IDS] = {5, 0, 2};
logits_scene scene;

static status draw(void *context, unsigned drawer, const sample_rows *rows, sampled_rows *out, failure *f) {
    noting_sampler *s = context;
    (void)drawer;
    s->n_calls++;
    s->rows = *rows;
    assert_in_range(rows->n_rows, 1, SCENE_ROWS);
    assert_int_equal(rows->n_vocab, SCENE_VOCAB);
    if (rows->scored) memcpy(s->scored, rows->scored, rows->n_rows * sizeof *s->scored);
    for (uint32_t at = 0; rows->cut.n_left == 0 && !rows->scored && at < rows->n_rows; at++)
        memcpy(s->logits + at * SCENE_VOCAB, rows->logits[at], SCENE_VOCAB * sizeof *s->logits);
    assert_in_range(rows->n_ids, 0, SCENE_IDS);
    if (rows->n_ids > 0) memcpy(s->ids, rows->ids, rows->n_ids * sizeof *s->ids);
    if (rows->given) memcpy(s->given, rows->given, rows->n_rows * sizeof *s->given);
    assert_in_range(rows->n_state_bytes, 0, sizeof s->state);
    if (rows->n_state_bytes > 0) memcpy(s->state, rows->state, rows->n_state_bytes);
    s->n_stages = rows->strategy->n_stages;
    s->temperature = s->n_stages > 0 ? rows->strategy->stages[0].numbers[0] : 0;
    if (s->meanwhile) s->meanwhile();
    *out = (sampled_rows){s->results, rows->n_rows, rows->want_probabilities ? s->probabilities : NULL};
    return s->answer == STATUS_OK ? STATUS_OK : (fail)(f, s->answer, "the sampler says no");
}

static void drain(void *context) {
    noting_sampler *s = context;
    s->n_orders++;
}

logits_link *scene_join(const char *address, const char *name) {
    failure f;
    logits_link *link;
    const logits_link_options options = {
        .address = address, .name = name, .pool = "careful",
        .incarnation = peers_incarnation(), .heartbeat_ms = HEARTBEAT_MS, .map_rows = true, .takes_cut_rows = true,
        .draw_threads = scene.threads, .calls = {.draw = draw, .drain = drain}, .context = &scene.sampler,
    };
    assert_int_equal(logits_link_join(&link, scene.loop, &options, &f), STATUS_OK);
    return link;
}

void scene_draw_with(threads *draw_threads, logits_calls calls) {
    failure f;
    const logits_link_options options = {
        .address = scene.meeting.address, .name = "another", .pool = "", .incarnation = peers_incarnation(),
        .heartbeat_ms = HEARTBEAT_MS, .map_rows = true, .draw_threads = draw_threads, .calls = calls,
    };
    logits_link_free(&scene.link);
    assert_int_equal(logits_link_join(&scene.link, scene.loop, &options, &f), STATUS_OK);
    assert_true(fake_peer_hears(&scene.modeld, scene.loop, TRIVIUM__CONTROL__WORD_HELLO));
}

int scene_begin(void **state) {
    (void)state;
    scene = (logits_scene){.loop = loop_new(), .threads = threads_new(1, fmath_thread_start)};
    assert_non_null(scene.loop);
    assert_non_null(scene.threads);
    place_make(&scene.meeting);
    fake_peer_bind(&scene.modeld, scene.meeting.address, &trivium__logits_reply__descriptor);
    scene.link = scene_join(scene.meeting.address, "sam");
    assert_true(fake_peer_hears(&scene.modeld, scene.loop, TRIVIUM__CONTROL__WORD_HELLO));
    return 0;
}

int scene_end(void **state) {
    (void)state;
    logits_link_free(&scene.link);
    fake_peer_close(&scene.modeld);
    loop_free(&scene.loop);
    threads_free(&scene.threads);
    return place_remove(&scene.meeting) ? 0 : -1;
}

void scene_accept(void) {
    fake_peer_say_hello(&scene.modeld, fake_hello(TRIVIUM__ROLE__MODELD));
}

void scene_offer(const shared_rows *rows) {
    Trivium__SharedRows offered = TRIVIUM__SHARED_ROWS__INIT;
    Trivium__Hello hello = fake_hello(TRIVIUM__ROLE__MODELD);
    offered.fd = shared_rows_fd(rows);
    hello.pid = (int32_t)getpid();
    hello.shared_rows = &offered;
    fake_peer_say_hello(&scene.modeld, hello);
}

void scene_share(const shared_rows *rows) {
    scene_offer(rows);
    assert_true(fake_peer_hears(&scene.modeld, scene.loop, FAKE_BODY));
    const Trivium__LogitsReply *reply = (const Trivium__LogitsReply *)scene.modeld.header;
    assert_int_equal(reply->body_case, TRIVIUM__LOGITS_REPLY__BODY_MAPPED);
}

order order_good(void) {
    order o = {.sample = TRIVIUM__SAMPLE_REQUEST__INIT, .n_raw = 2};
    o.sample.ticket = TICKET;
    o.sample.request = (ProtobufCBinaryData){4, (uint8_t *)"text"};
    o.sample.attempt = 3;
    o.sample.step = STEP;
    o.sample.n_vocab = SCENE_VOCAB;
    o.sample.n_ids = SCENE_IDS;
    o.sample.n_prompt = 2;
    o.sample.seed = 11;
    order_set_rows(&o, 1);
    o.raw[1] = (wire_raw){SCENE_ID_LIST, sizeof SCENE_ID_LIST};
    return o;
}

void order_set_rows(order *o, uint32_t n_rows) {
    o->sample.n_rows = n_rows;
    o->raw[0] = (wire_raw){SCENE_LOGITS, n_rows * SCENE_VOCAB * sizeof *SCENE_LOGITS};
}

void order_send(order *o, fake_peer *modeld) {
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE;
    m.sample = &o->sample;
    fake_peer_send(modeld, &m.base, o->raw, o->n_raw);
}

const Trivium__SampleReply *heard_reply(fake_peer *modeld) {
    assert_true(fake_peer_hears(modeld, scene.loop, FAKE_BODY));
    const Trivium__LogitsReply *reply = (const Trivium__LogitsReply *)modeld->header;
    assert_int_equal(reply->body_case, TRIVIUM__LOGITS_REPLY__BODY_SAMPLE);
    assert_true(reply->sample->ticket == TICKET);
    return reply->sample;
}

const Trivium__SampleReply *order_answer(order *o) {
    order_send(o, &scene.modeld);
    return heard_reply(&scene.modeld);
}
