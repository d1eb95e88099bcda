#include "sides.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "logits.pb-c.h"
#include "place.h"
#include "turns.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

loop *test_loop;
side up, down;
fake_peer fake;
static place meeting;

/* ---- One side ---- */

static Trivium__LogitsRequest ticket_message(Trivium__SampleRequest *sample, uint64_t ticket) {
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    *sample = (Trivium__SampleRequest)TRIVIUM__SAMPLE_REQUEST__INIT;
    sample->ticket = ticket;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE;
    m.sample = sample;
    return m;
}

status side_send(side *s, peer *p, uint64_t ticket, size_t n_bytes) {
    static uint8_t block[64 * 1024];
    Trivium__SampleRequest sample;
    Trivium__LogitsRequest m = ticket_message(&sample, ticket);
    wire_raw raw = {block, n_bytes};
    assert_in_range(n_bytes, 0, sizeof block);
    s->in_call = true;
    status st = peers_send(s->ps, p, &m.base, &raw, n_bytes > 0);
    s->in_call = false;
    return st;
}

bool side_offer(side *s, peer *p, uint64_t ticket) {
    Trivium__SampleRequest sample;
    Trivium__LogitsRequest m = ticket_message(&sample, ticket);
    return peers_offer(s->ps, p, &m.base);
}

static status on_joined(void *context, peer *p, const Trivium__Hello *hello, failure *f) {
    side *s = context;
    assert_false(s->in_call);
    assert_string_equal(peer_name(p), hello->name);
    s->n_joined++;
    if (s->answer != STATUS_OK) return (fail)(f, s->answer, "not you, %s", hello->name);
    s->last = p;
    peer_set_user(p, s);
    if (s->greet) assert_int_equal(side_send(s, p, 1, 0), STATUS_OK);
    return STATUS_OK;
}

static void on_left(void *context, peer *p, const char *why) {
    side *s = context;
    assert_false(s->in_call);
    assert_ptr_equal(peer_user(p), s);      /* still valid */
    for (peer *other = peers_first(s->ps); other; other = peers_next(s->ps, other))
        assert_ptr_not_equal(other, p);
    s->n_left++;
    snprintf(s->why, sizeof s->why, "%s", why);
    if (s->last == p) s->last = NULL;
}

static void on_message(void *context, peer *p, const wire_message *m) {
    side *s = context;
    assert_false(s->in_call);
    const Trivium__LogitsRequest *request = (const Trivium__LogitsRequest *)m->header;
    assert_int_equal(request->body_case, TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE);
    if (request->sample->ticket != s->ticket + 1) s->in_order = false;
    s->ticket = request->sample->ticket;
    s->n_messages++;
    if (s->look) s->look(m);
    usleep(s->work_ms * 1000);
    if (s->echo) assert_int_equal(side_send(s, p, s->ticket, 1 << 16), STATUS_OK);
    if (!s->cut) return;
    peers_cut(s->ps, p, "enough");
    assert_int_equal(s->n_left, 0);         /* not from within the call */
    assert_string_equal(peer_name(p), "joiner");
    assert_int_equal(side_send(s, p, 9, 0), STATUS_BUSY);
}

static void on_refuse(void *context, peer *p, const wire_message *m, const failure *why) {
    side *s = context;
    (void)p;
    assert_int_equal(m->n_raw, 0);
    s->never_whole = ((const Trivium__LogitsRequest *)m->header)->sample->ticket;
    s->never_whole_why = why->code;
    s->n_never_whole++;
}

static void on_heartbeat(void *context, peer *p, Trivium__Heartbeat *beat) {
    (void)p;
    static Trivium__Acknowledge acknowledge = TRIVIUM__ACKNOWLEDGE__INIT, *list[] = {&acknowledge};
    acknowledge.step = 5;
    beat->n_acknowledged = 1;
    beat->acknowledged = list;
    ((side *)context)->n_beats++;
}

static void on_heard(void *context, peer *p, const Trivium__Heartbeat *beat) {
    (void)p;
    assert_int_equal(beat->n_acknowledged, 1);
    assert_int_equal(beat->acknowledged[0]->step, 5);
    ((side *)context)->n_heard++;
}

static void on_draining(void *context, peer *p) {
    side *s = context;
    (void)p;
    assert_false(s->in_call);
    s->n_draining++;
}

static void on_refused(void *context, const Trivium__Error *error) {
    side *s = context;
    s->n_refused++;
    s->refused_code = error->code;
    snprintf(s->said, sizeof s->said, "%s", error->message);
}

side side_of(const char *name, liveness_rule liveness) {
    side s = {.in_order = true,
              .where = {.address = meeting.address, .high_water = HIGH_WATER_MESSAGES}};
    s.hello = (Trivium__Hello)TRIVIUM__HELLO__INIT;
    s.hello.name = (char *)name;
    s.options = (peers_options){
        .incoming = &trivium__logits_request__descriptor,
        .heartbeat_ms = BEAT_MS,
        .liveness = liveness,
        .events = {.joined = on_joined, .left = on_left, .message = on_message, .refuse = on_refuse,
                   .draining = on_draining, .refused = on_refused},
    };
    return s;
}

void side_reports(side *s) {
    s->options.events.heartbeat = on_heartbeat;
}

void side_hears(side *s) {
    s->options.events.heard = on_heard;
}

void side_open(side *s, bool bound) {
    failure f;
    s->options.hello = &s->hello;
    s->options.context = s;
    s->options.incarnation = peers_incarnation();
    status st = (bound ? peers_bind : peers_join)(&s->ps, test_loop, &s->where, &s->options, &f);
    assert_int_equal(st, STATUS_OK);
}

/* ---- Both, and a fake ---- */

int sides_begin(void **state) {
    (void)state;
    place_make(&meeting);
    up = down = (side){0};
    fake = (fake_peer){0};
    test_loop = loop_new();
    return test_loop ? 0 : -1;
}

int sides_end(void **state) {
    (void)state;
    peers_free(&down.ps);
    peers_free(&up.ps);
    fake_peer_close(&fake);
    loop_free(&test_loop);
    return place_remove(&meeting) ? 0 : -1;
}

void sides_prepare(liveness_rule liveness) {
    up = side_of("bound", liveness);
    down = side_of("joiner", liveness);
}

void sides_open(void) {
    side_open(&up, true);
    side_open(&down, false);
}

void sides_open_joined(liveness_rule liveness) {
    sides_prepare(liveness);
    sides_open();
    assert_true(becomes(both_joined));
}

void up_with_fake(liveness_rule liveness) {
    up = side_of("bound", liveness);
    side_open(&up, true);
    fake_connects(HIGH_WATER_MESSAGES);
}

void fake_connects(int high_water) {
    fake_peer_join_narrowly(&fake, meeting.address, &trivium__logits_request__descriptor, high_water);
    fake.to = up.options.incarnation;
}

void fake_joined(void) {
    fake_peer_say_hello(&fake, hello_beating(BEAT_MS));
    HEARS(HELLO);
}

void down_with_fake(liveness_rule liveness) {
    fake_peer_bind(&fake, meeting.address, &trivium__logits_request__descriptor);
    down = side_of("joiner", liveness);
    side_open(&down, false);
    HEARS(HELLO);
}

Trivium__Hello hello_beating(uint32_t heartbeat_ms) {
    Trivium__Hello hello = fake_hello(TRIVIUM__ROLE__ROLE_NONE);
    hello.heartbeat_ms = heartbeat_ms;
    return hello;
}

/* ---- Running the loop ---- */

static bool asked(void *wanted) {
    return (*(bool (**)(void))wanted)();
}

bool becomes(bool (*wanted)(void)) {
    return turns_until(test_loop, asked, &wanted);
}

void run_ms(uint32_t ms) {
    turns_for_ms(test_loop, ms);
}

bool both_joined(void) { return up.last && down.last; }
bool up_joined(void) { return up.last; }
bool up_left(void) { return up.n_left > 0; }
bool down_joined(void) { return down.last; }
bool down_left(void) { return down.n_left > 0; }
bool down_refused(void) { return down.n_refused > 0; }
bool down_got_message(void) { return down.n_messages > 0; }

typedef struct arrival {
    const side *side;
    size_t n;
} arrival;

static bool arrived(void *context) {
    const arrival *a = context;
    return a->side->n_messages >= a->n;
}

bool all_arrive(size_t n, const side *s) {
    return turns_until(test_loop, arrived, &(arrival){s, n});
}
