/* client_link.h: what a client says of texts arrives as the call that it means, and what makes no sense is
 * answered as PROTOCOL.md has it. The client is a bare socket, the rest of tokenizerd a fake that writes down
 * its calls. */
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

static void say_heartbeat(Trivium__Heartbeat *beat) {
    Trivium__Control control = TRIVIUM__CONTROL__INIT;
    control.word_case = TRIVIUM__CONTROL__WORD_HEARTBEAT;
    control.heartbeat = beat;
    fake_peer_say(&c->client.peer, control);
}

#define HEARS(m, raw, n_raw, line) assert_string_equal(client_scene_hears(&(m), (raw), (n_raw)), (line))

static Trivium__Generate generate_new(void) {
    Trivium__Generate m = TRIVIUM__GENERATE__INIT;
    m.request = wire_id;
    m.attempt = 3;
    return m;
}

static const Trivium__Done *done(void) {
    return client_scene_says(TRIVIUM__TEXT_REPLY__BODY_DONE)->done;
}

static uint64_t garbage(void) {
    client_link_status(c->link, c->peer, 1, c->models, c->modelds, 0);
    return client_scene_says(TRIVIUM__TEXT_REPLY__BODY_STATUS)->status->garbage;
}

/* ---- who may join ---- */

static void only_clients_may_join(void **state) {
    (void)state;
    asker other;
    asker_connect(&other, c->loop, c->meeting.address, &trivium__text_reply__descriptor,
                  TRIVIUM__ROLE__MODELD);
    assert_false(asker_joins(&other));
    assert_int_equal(other.peer.control->refused->code, TRIVIUM__CODE__BAD_REQUEST);
    assert_string_equal(other.peer.control->refused->message,
                        "this endpoint is for clients; modelds join the other one");
    asker_close(&other);
}

static void a_client_that_leaves_is_told_of(void **state) {
    (void)state;
    fake_peer_say_leave(&c->client.peer);
    client_scene_loses_client();
    assert_null(c->peer);
}

/* ---- generations ---- */

static void a_generate_with_text(void **state) {
    (void)state;
    Trivium__Generate g = generate_new();
    Trivium__Segment said = TRIVIUM__SEGMENT__INIT, mark = TRIVIUM__SEGMENT__INIT;
    Trivium__Segment *pieces[] = {&mark, &said};
    const wire_raw text = {"<s>Once", 7};
    mark.n_bytes = 3;
    mark.special = true;
    said.n_bytes = 4;
    g.segments = pieces;
    g.n_segments = 2;
    ProtobufCBinaryData stops[] = {wire_text("."), wire_text("!")};
    g.stops = stops;
    g.n_stops = 2;
    g.stop_ids = (int32_t[]){9};
    g.n_stop_ids = 1;
    g.model = "m";
    g.pool = "p";
    g.session = "s";
    g.seed = 11;
    g.max_new_tokens = 20;
    g.n_candidates = 4;
    g.wait_ms = 500;
    g.priority = -3;
    g.traceparent = SOME_TRACEPARENT;
    g.strategy = wire_temperature(0.5);
    Trivium__TextRequest m = ASK(GENERATE, generate, &g);
    HEARS(m, &text, 1,
          "generate id=16:ab..cd attempt=3 model=m fingerprint= pool=p session=s semantics= change=0 "
          "seed=11 state='' max=20 eos=1 cache=1 candidates=4 wait=500 n_prompt=0 priority=-3 "
          "traceparent=" SOME_TRACEPARENT " stops='.''!' "
          "stop_ids=[9] ids=- strategy=1:temperature=0.5 pieces='<s>'!'Once'");
}

static void a_generate_with_ids(void **state) {
    (void)state;
    Trivium__Generate g = generate_new();
    g.n_prompt = 2;
    g.fingerprint = "f";
    g.semantics = "trivium/3";
    g.change = 4;
    g.state = wire_text("mu");
    g.ignore_eos = g.no_cache = true;
    Trivium__TextRequest m = ASK(GENERATE, generate, &g);
    HEARS(m, &wire_three, 1,
          "generate id=16:ab..cd attempt=3 model= fingerprint=f pool= session= semantics=trivium/3 change=4 "
          "seed=0 state='mu' max=0 eos=0 cache=0 candidates=0 wait=0 n_prompt=2 priority=0 traceparent= stops= stop_ids=- "
          "ids=[5,6,7] strategy=0 pieces=");
    const char *line = client_scene_hears(&m, &wire_none, 1);  /* no ids are ids, too */
    assert_non_null(strstr(line, " ids=[] "));
}

static void a_generate_with_messages(void **state) {
    (void)state;
    Trivium__Message user = TRIVIUM__MESSAGE__INIT, other = user, *messages[] = {&user, &other};
    user.role = "user";
    user.n_bytes = 3;
    other.role = "nobody";
    Trivium__Generate g = generate_new();
    g.messages = messages;
    g.n_messages = 2;
    g.template_ = "chatml";
    g.n_ids_max = 100;
    g.n_reply = 50;
    g.as_room_allows = true;
    const wire_raw text = {"Hi!", 3};
    Trivium__TextRequest m = ASK(GENERATE, generate, &g);
    const char *line = client_scene_hears(&m, &text, 1);
    assert_non_null(strstr(line, " ids=- "));
    assert_non_null(strstr(line, " pieces= form=chatml max=100 reply=50 messages=1'Hi!'3'' as_room_allows=1"));
    g.n_messages = 0;           /* none are a conversation, too, where anything is said about one */
    assert_non_null(strstr(client_scene_hears(&m, &wire_none, 1), " messages= as_room_allows=1"));
    g.template_ = "";
    g.n_ids_max = 0;
    g.as_room_allows = false;
    assert_non_null(strstr(client_scene_hears(&m, &wire_none, 1), " messages= as_room_allows=0"));
}

static void messages_that_cannot_be_read(void **state) {
    (void)state;
    Trivium__Segment segment = TRIVIUM__SEGMENT__INIT, *segments[] = {&segment};
    Trivium__Message user = TRIVIUM__MESSAGE__INIT, *messages[] = {&user};
    user.role = "user";
    Trivium__Generate g = generate_new();
    g.messages = messages;
    g.n_messages = 1;
    const wire_raw text = {"Hi!", 3};
    Trivium__TextRequest m = ASK(GENERATE, generate, &g);
    HEARS(m, NULL, 0, "generate id=16:ab..cd attempt=3 fault=1");
    for (uint32_t n_bytes = 2; n_bytes <= 4; n_bytes += 2) {    /* of a text of 3 */
        user.n_bytes = n_bytes;
        HEARS(m, &text, 1, "generate id=16:ab..cd attempt=3 fault=1");
    }
    user.n_bytes = 3;
    assert_null(strstr(client_scene_hears(&m, &text, 1), "fault"));
    g.template_ = "no-such-form";
    HEARS(m, &text, 1, "generate id=16:ab..cd attempt=3 fault=2");
    g.template_ = "";
    g.segments = segments;
    g.n_segments = 1;
    HEARS(m, &text, 1, "generate id=16:ab..cd attempt=3 fault=2");
    g.n_segments = 0;
    g.n_prompt = 1;
    HEARS(m, &text, 1, "generate id=16:ab..cd attempt=3 fault=2");
}

/* Whoever keeps the requests must see them all the same: an attempt that is here already is told so first. */
static void a_generate_that_cannot_be_read_comes_with_its_fault(void **state) {
    (void)state;
    static Trivium__Segment one = TRIVIUM__SEGMENT__INIT, *pieces[SEGMENTS_MAX + 1];
    static ProtobufCBinaryData stops[STOPS_MAX + 1];
    for (size_t i = 0; i <= SEGMENTS_MAX; i++) pieces[i] = &one;
    Trivium__Generate g = generate_new();
    Trivium__TextRequest m = ASK(GENERATE, generate, &g);
    HEARS(m, &wire_odd, 1, "generate id=16:ab..cd attempt=3 fault=1");
    g.segments = pieces;
    g.n_segments = 1;
    HEARS(m, &wire_three, 1, "generate id=16:ab..cd attempt=3 fault=1");    /* more text than the segments have */
    HEARS(m, NULL, 0, "generate id=16:ab..cd attempt=3 fault=1");
    one.n_bytes = sizeof wire_three_ids + 1;
    HEARS(m, &wire_three, 1, "generate id=16:ab..cd attempt=3 fault=1");    /* less */
    one.n_bytes = 0;
    g.n_segments = SEGMENTS_MAX + 1;
    HEARS(m, &wire_none, 1, "generate id=16:ab..cd attempt=3 fault=6");
    g.n_segments = SEGMENTS_MAX;
    assert_null(strstr(client_scene_hears(&m, &wire_none, 1), "fault"));     /* that many there may be */
    g.stops = stops;
    g.n_stops = STOPS_MAX + 1;
    HEARS(m, &wire_none, 1, "generate id=16:ab..cd attempt=3 fault=2");
    g.n_stops = 0;
    g.strategy = wire_unknown();
    HEARS(m, &wire_none, 1, "generate id=16:ab..cd attempt=3 fault=16");
    assert_true(asker_is_silent(&c->client));     /* the answer is not the link's to give */
}

static void a_generate_without_a_name_is_done_at_once(void **state) {
    (void)state;
    Trivium__Generate g = generate_new();
    g.request.len = REQUEST_BYTES - 1;
    Trivium__TextRequest m = ASK(GENERATE, generate, &g);
    HEARS(m, NULL, 0, "");
    const Trivium__Done *d = done();
    assert_int_equal(d->request.len, REQUEST_BYTES - 1);
    assert_memory_equal(d->request.data, wire_id_bytes, REQUEST_BYTES - 1);
    assert_int_equal(d->attempt, 3);
    assert_int_equal(d->reason, TRIVIUM__FINISH_REASON__FINISH_ERROR);
    assert_string_equal(d->error->message, "a request's id has 16 bytes, not 15");
}

static void a_generate_with_too_many_frames_is_done_and_counts(void **state) {
    (void)state;
    Trivium__Generate g = generate_new();
    Trivium__TextRequest m = ASK(GENERATE, generate, &g);
    const wire_raw two[] = {wire_three, wire_three};
    HEARS(m, two, 2, "refused id=16:ab..cd attempt=3");
    const Trivium__Done *d = done();
    assert_memory_equal(d->request.data, wire_id_bytes, REQUEST_BYTES);
    assert_int_equal(d->error->code, TRIVIUM__CODE__BAD_MESSAGE);
    assert_string_equal(d->error->message, "2 raw frames came with a message that takes 1");
    g.request.len = 3;
    HEARS(m, two, 2, "");       /* nobody is named: there is nothing to remember */
    assert_int_equal(done()->error->code, TRIVIUM__CODE__BAD_MESSAGE);
}

/* ---- about a text ---- */

static void tune_cancel_and_watch(void **state) {
    (void)state;
    Trivium__Tune tune = TRIVIUM__TUNE__INIT;
    tune.call = 1;
    tune.request = wire_text("\xab\x01");
    tune.replace = true;
    tune.strategy = wire_temperature(40);
    Trivium__TextRequest m = ASK(TUNE, tune, &tune);
    HEARS(m, NULL, 0, "tune 1 id=2:ab..01 replace=1 strategy=1:temperature=40");
    tune.strategy = wire_temperature(-1);
    tune.replace = false;
    HEARS(m, NULL, 0, "tune 1 id=2:ab..01 replace=0 fault=2");
    Trivium__Cancel cancel = TRIVIUM__CANCEL__INIT;
    cancel.call = 2;
    cancel.request = wire_id;
    m = ASK(CANCEL, cancel, &cancel);
    HEARS(m, NULL, 0, "cancel 2 id=16:ab..cd");
    Trivium__Watch watch = TRIVIUM__WATCH__INIT;
    watch.call = 3;
    watch.n_candidates = 6;
    m = ASK(WATCH, watch, &watch);
    HEARS(m, NULL, 0, "watch 3 id=0:00..00 candidates=6");
}

static void pause_and_acknowledge(void **state) {
    (void)state;
    Trivium__Pause pause = TRIVIUM__PAUSE__INIT;
    pause.request = wire_id;
    pause.attempt = 2;
    pause.step = 8;
    Trivium__TextRequest m = ASK(PAUSE, pause, &pause);
    HEARS(m, NULL, 0, "pause id=16:ab..cd attempt=2 steps=8");
    Trivium__Acknowledge ack = TRIVIUM__ACKNOWLEDGE__INIT, bad = ack;
    ack.request = wire_id;
    ack.attempt = 2;
    ack.change = 5;
    m = ASK(ACKNOWLEDGE, acknowledge, &ack);
    HEARS(m, NULL, 0, "acknowledged id=16:ab..cd attempt=2 change=5");
    Trivium__Heartbeat beat = TRIVIUM__HEARTBEAT__INIT;
    Trivium__Acknowledge *list[] = {&ack, &bad, &ack};
    beat.acknowledged = list;
    beat.n_acknowledged = 3;
    say_heartbeat(&beat);
    asker_is_heard(&c->client);
    assert_string_equal(heard_all(), "acknowledged id=16:ab..cd attempt=2 change=5\n"
                                     "acknowledged id=16:ab..cd attempt=2 change=5");
    assert_int_equal(garbage(), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(only_clients_may_join),
        TEST(a_client_that_leaves_is_told_of),
        TEST(a_generate_with_text),
        TEST(a_generate_with_ids),
        TEST(a_generate_with_messages),
        TEST(messages_that_cannot_be_read),
        TEST(a_generate_that_cannot_be_read_comes_with_its_fault),
        TEST(a_generate_without_a_name_is_done_at_once),
        TEST(a_generate_with_too_many_frames_is_done_and_counts),
        TEST(tune_cancel_and_watch),
        TEST(pause_and_acknowledge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
