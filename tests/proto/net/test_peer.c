/* Peers: joining in any order, living, being lost, and all that a stranger may send. Both sides run
 * on one loop; a fake is a bare socket that says what it likes. */
#include <czmq.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "logits.pb-c.h"
#include "proto/base/clock.h"
#include "proto/net/loop.h"
#include "proto/net/peer.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { BEAT_MS = 60, SOON_MS = 30000, FAKE = 77 };

static char folder[64], address[128];
static loop *l;

/* ---- One side of a link, and what happened to it ---- */

typedef struct side {
    peers *ps;
    endpoint_options where;
    Trivium__Hello hello;
    peers_options options;
    size_t n_joined, n_left, n_messages, n_refused, n_heard, n_beats;
    peer *last;                 /* that joined; NULL when it left */
    uint64_t ticket;            /* of the newest message */
    bool in_order;              /* each message had the next ticket */
    char why[200], said[600];
    status answer;              /* to a Hello */
    Trivium__Code refused_code;
    bool in_call;               /* we are within peers_send: no event may come */
    bool greet;                 /* send ticket 1 from within `joined` */
    bool cut;                   /* cut who sends a message */
    bool echo;
} side;

static status send_ticket(side *s, peer *p, uint64_t ticket, size_t n_bytes) {
    static uint8_t block[64 * 1024];
    Trivium__SampleRequest sample = TRIVIUM__SAMPLE_REQUEST__INIT;
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    sample.ticket = ticket;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE;
    m.sample = &sample;
    wire_raw raw = {block, n_bytes};
    s->in_call = true;
    status st = peers_send(s->ps, p, &m.base, &raw, n_bytes > 0);
    s->in_call = false;
    return st;
}

static status on_joined(void *context, peer *p, const Trivium__Hello *hello, failure *f) {
    side *s = context;
    assert_false(s->in_call);
    assert_string_equal(peer_name(p), hello->name);
    s->n_joined++;
    if (s->answer != STATUS_OK) return (fail)(f, s->answer, "not you, %s", hello->name);
    s->last = p;
    peer_set_user(p, s);
    if (s->greet) assert_int_equal(send_ticket(s, p, 1, 0), STATUS_OK);
    return STATUS_OK;
}

static void on_left(void *context, peer *p, const char *why) {
    side *s = context;
    assert_false(s->in_call);
    assert_ptr_equal(peer_user(p), s); /* still valid */
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
    if (s->echo) assert_int_equal(send_ticket(s, p, s->ticket, 1 << 16), STATUS_OK);
    if (!s->cut) return;
    peers_cut(s->ps, p, "enough");
    assert_int_equal(s->n_left, 0); /* not from within the call */
    assert_string_equal(peer_name(p), "joiner");
    assert_int_equal(send_ticket(s, p, 9, 0), STATUS_BUSY);
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

static void on_refused(void *context, const Trivium__Error *error) {
    side *s = context;
    s->n_refused++;
    s->refused_code = error->code;
    snprintf(s->said, sizeof s->said, "%s", error->message);
}

static side side_of(const char *name, liveness_rule liveness) {
    side s = {.in_order = true, .where = {.address = address, .high_water = HIGH_WATER_MESSAGES}};
    s.hello = (Trivium__Hello)TRIVIUM__HELLO__INIT;
    s.hello.version = PROTOCOL_VERSION;
    s.hello.name = (char *)name;
    s.options = (peers_options){
        .incoming = &trivium__logits_request__descriptor,
        .heartbeat_ms = BEAT_MS,
        .liveness = liveness,
        .events = {on_joined, on_left, on_message, NULL, NULL, on_refused},
    };
    return s;
}

/* Open a side anew, as a new process would. */
static void side_open(side *s, bool bound) {
    failure f;
    endpoint *e;
    assert_int_equal((bound ? endpoint_bind : endpoint_join)(&e, &s->where, &f), STATUS_OK);
    s->options.hello = &s->hello;
    s->options.context = s;
    s->options.incarnation = peers_incarnation();
    s->ps = peers_new(l, &e, &s->options);
    assert_non_null(s->ps);
    assert_null(e);
}

static side up, down; /* the bound one, the joining one */

static void sides_prepare(liveness_rule liveness) {
    up = side_of("bound", liveness);
    down = side_of("joiner", liveness);
}

static void sides_open(void) {
    side_open(&up, true);
    side_open(&down, false);
}

static void open_both(liveness_rule liveness) {
    sides_prepare(liveness);
    sides_open();
}

/* ---- Running the loop ---- */

static bool stopped_in_time;

static void stop(void *unused) {
    (void)unused;
    stopped_in_time = false;
    loop_stop(l);
}

static bool (*condition)(void);

static void look(void *unused) {
    (void)unused;
    if (condition && condition()) loop_stop(l);
}

static void run_ms(uint32_t ms) {
    condition = NULL;
    loop_once(l, ms, stop, NULL);
    loop_run(l);
}

/* Run the loop until it is true, for SOON_MS at most. */
static bool becomes(bool (*wanted)(void)) {
    condition = wanted;
    stopped_in_time = true;
    int guard = loop_once(l, SOON_MS, stop, NULL), each = loop_every(l, 1, look, NULL);
    loop_run(l);
    loop_cancel(l, guard);
    loop_cancel(l, each);
    return stopped_in_time;
}

static bool both_joined(void) { return up.last && down.last; }
static bool up_joined(void) { return up.last; }
static bool up_left(void) { return up.n_left > 0; }
static bool down_left(void) { return down.n_left > 0; }
static bool down_refused(void) { return down.n_refused > 0; }
static bool up_got_message(void) { return up.n_messages > 0; }
static bool down_heard(void) { return down.n_heard > 0; }
static bool down_got_message(void) { return down.n_messages > 0; }
static bool down_joined(void) { return down.last; }
static bool up_said_no_thrice(void) { return up.n_joined > 2; }
static bool both_heard_ten(void) { return up.n_heard >= 10 && down.n_heard >= 10; }
static bool down_beat_five(void) { return down.n_beats >= 5; }

static void open_joined(liveness_rule liveness) {
    open_both(liveness);
    assert_true(becomes(both_joined));
}

/* ---- A fake: a bare DEALER, or a bare ROUTER ---- */

static zsock_t *fake;
static zframe_t *fake_route; /* ROUTER: who spoke last */

static Trivium__Hello fake_hello(void) {
    Trivium__Hello hello = TRIVIUM__HELLO__INIT;
    hello.version = PROTOCOL_VERSION;
    hello.name = "fake";
    hello.heartbeat_ms = BEAT_MS;
    return hello;
}

static zsock_t *dealer_new(int receive_high_water) {
    zsock_t *dealer = zsock_new(ZMQ_DEALER);
    zsock_set_rcvhwm(dealer, receive_high_water);
    zsock_set_linger(dealer, 0);
    zsock_set_sndtimeo(dealer, SOON_MS);
    zsock_set_sndhwm(dealer, 100000);
    assert_int_equal(zsock_connect(dealer, "%s", address), 0);
    return dealer;
}

static void router_new(void) {
    fake = zsock_new(ZMQ_ROUTER);
    zsock_set_linger(fake, 0);
    zsock_set_router_mandatory(fake, 1);
    assert_int_equal(zsock_bind(fake, "%s", address), 0);
}

static void send_control(zsock_t *to, Trivium__Control *control) {
    Trivium__Envelope envelope = TRIVIUM__ENVELOPE__INIT;
    envelope.control = control;
    uint8_t bytes[1024];
    zframe_t *frame = zframe_new(bytes, trivium__envelope__pack(&envelope, bytes));
    if (zsock_type(to) == ZMQ_ROUTER)
        assert_int_equal(zframe_send(&fake_route, to, ZFRAME_MORE | ZFRAME_REUSE), 0);
    assert_int_equal(zframe_send(&frame, to, 0), 0);
}

static Trivium__Control control_of(uint64_t from, uint64_t to) {
    Trivium__Control control = TRIVIUM__CONTROL__INIT;
    control.from = from;
    control.to = to;
    return control;
}

static void say_hello(zsock_t *to, uint64_t from, uint64_t incarnation, Trivium__Hello hello) {
    Trivium__Control control = control_of(from, incarnation);
    control.word_case = TRIVIUM__CONTROL__WORD_HELLO;
    control.hello = &hello;
    send_control(to, &control);
}

static void say_heartbeat(zsock_t *to, uint64_t from, uint64_t incarnation) {
    Trivium__Heartbeat beat = TRIVIUM__HEARTBEAT__INIT;
    Trivium__Control control = control_of(from, incarnation);
    control.word_case = TRIVIUM__CONTROL__WORD_HEARTBEAT;
    control.heartbeat = &beat;
    send_control(to, &control);
}

/* The next word that came to the fake; WORD__NOT_SET: nothing there. *from is who sent it. */
static Trivium__Control__WordCase next_word(uint64_t *from) {
    zsock_set_rcvtimeo(fake, 0);
    zmsg_t *message = zmsg_recv(fake);
    if (!message) return TRIVIUM__CONTROL__WORD__NOT_SET;
    if (zsock_type(fake) == ZMQ_ROUTER) {
        zframe_destroy(&fake_route);
        fake_route = zmsg_pop(message);
    }
    zframe_t *header = zmsg_first(message);
    Trivium__Envelope *envelope =
        trivium__envelope__unpack(NULL, zframe_size(header), zframe_data(header));
    assert_non_null(envelope);
    Trivium__Control__WordCase word = envelope->control->word_case;
    if (from) *from = envelope->control->from;
    trivium__envelope__free_unpacked(envelope, NULL);
    zmsg_destroy(&message);
    return word;
}

static uint64_t spoken_by;
static Trivium__Control__WordCase awaited_word;
static size_t n_passed_over;
static bool heard_word(void) {
    Trivium__Control__WordCase word;
    while ((word = next_word(&spoken_by)) != TRIVIUM__CONTROL__WORD__NOT_SET)
        if (word == awaited_word) return true;
        else n_passed_over++;
    return false;
}

/* Run the loop until the fake hears that word; others before it are passed over. */
static bool hears(Trivium__Control__WordCase word) {
    awaited_word = word;
    n_passed_over = 0;
    return becomes(heard_word);
}

#define HEARS(word) assert_true(hears(TRIVIUM__CONTROL__WORD_##word))

/* ---- Set-up ---- */

static int begin(void **state) {
    (void)state;
    strcpy(folder, "/tmp/test_peer.XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(address, sizeof address, "ipc://%s/socket", folder);
    memset(&up, 0, sizeof up);
    memset(&down, 0, sizeof down);
    l = loop_new();
    return l ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    peers_free(&down.ps);
    peers_free(&up.ps);
    zsock_destroy(&fake);
    zframe_destroy(&fake_route);
    loop_free(&l);
    unlink(address + strlen("ipc://")); /* a fake's, if it is not gone already */
    return rmdir(folder);
}

static void open_up(liveness_rule liveness) {
    up = side_of("bound", liveness);
    side_open(&up, true);
    fake = dealer_new(HIGH_WATER_MESSAGES);
}

/* ---- Joining ---- */

static void they_join_in_any_order(void **state) {
    (void)state;
    down = side_of("joiner", LIVENESS_BOTH);
    side_open(&down, false); /* nobody is there yet */
    run_ms(3 * BEAT_MS);
    assert_null(peers_first(down.ps));
    up = side_of("bound", LIVENESS_BOTH);
    up.hello.pid = 1234;
    side_open(&up, true);
    assert_true(becomes(both_joined));
    assert_string_equal(peer_name(up.last), "joiner");
    assert_string_equal(peer_name(down.last), "bound");
    assert_int_equal(peer_hello(down.last)->pid, 1234);
    assert_int_equal(peer_hello(down.last)->heartbeat_ms, BEAT_MS);
    assert_true(peer_incarnation(down.last) == up.options.incarnation);
    assert_ptr_equal(peers_first(down.ps), down.last);
    assert_null(peers_next(down.ps, down.last));
    uint64_t uptime_ms = peer_uptime_ms(up.last); /* of `down`, which started first */
    assert_in_range(uptime_ms, 3 * BEAT_MS, SOON_MS);
    run_ms(20);
    assert_in_range(peer_uptime_ms(up.last), uptime_ms + 19, SOON_MS);
}

/* A client must not wait for an interval: Hello goes as soon as the connection stands. */
static void joining_takes_no_interval(void **state) {
    (void)state;
    sides_prepare(LIVENESS_BOTH);
    up.options.heartbeat_ms = down.options.heartbeat_ms = HEARTBEAT_MS_MAX;
    sides_open();
    assert_true(becomes(both_joined));
}

static void they_stay_joined(void **state) {
    (void)state;
    sides_prepare(LIVENESS_BOTH);
    up.options.events.heartbeat = down.options.events.heartbeat = on_heartbeat;
    up.options.events.heard = down.options.events.heard = on_heard;
    sides_open();
    assert_true(becomes(both_joined));
    uint64_t start_ms = clock_ms();
    assert_true(becomes(both_heard_ten));
    uint64_t n_max = (clock_ms() - start_ms) / (BEAT_MS / 2) + 2;
    assert_int_equal(up.n_left + down.n_left, 0);
    assert_in_range(up.n_heard, 10, n_max);
    assert_in_range(down.n_heard, 10, n_max);
    assert_in_range(up.n_beats, 10, n_max);
}

/* A report that changed need not wait for the next interval. */
static void a_heartbeat_may_be_sent_now(void **state) {
    (void)state;
    sides_prepare(LIVENESS_BOTH);
    up.options.heartbeat_ms = down.options.heartbeat_ms = HEARTBEAT_MS_MAX;
    up.options.events.heartbeat = on_heartbeat;
    down.options.events.heard = on_heard;
    sides_open();
    assert_true(becomes(both_joined));
    peers_beat(up.ps);
    assert_true(becomes(down_heard));
    assert_int_equal(up.n_beats, 1);
}

static void messages_go_both_ways_in_order(void **state) {
    (void)state;
    open_both(LIVENESS_BOTH);
    up.greet = true; /* before its Hello has left: must not overtake it */
    assert_true(becomes(both_joined));
    assert_true(becomes(down_got_message));
    enum { N = HIGH_WATER_MESSAGES - 1 };
    for (uint64_t ticket = 2; ticket <= N; ticket++)
        assert_int_equal(send_ticket(&up, up.last, ticket, 100), STATUS_OK);
    for (uint64_t ticket = 1; ticket <= N; ticket++)
        assert_int_equal(send_ticket(&down, down.last, ticket, 0), STATUS_OK);
    for (int i = 0; i < 3000 && (down.n_messages < N || up.n_messages < N); i++) run_ms(10);
    assert_int_equal(down.n_messages, N);
    assert_int_equal(up.n_messages, N);
    assert_true(up.in_order && down.in_order);
    assert_int_equal(up.n_left + down.n_left, 0);
}

/* A queue of one message: what is more is not lost, only later; nor is its reader, who has no cause
 * to speak and cannot be asked. */
static void what_does_not_fit_the_queue_waits(void **state) {
    (void)state;
    sides_prepare(LIVENESS_PING);
    up.where.high_water = down.where.high_water = 1;
    sides_open();
    assert_true(becomes(both_joined));
    enum { N = OUTBOX_MESSAGES_MAX < 200 ? OUTBOX_MESSAGES_MAX : 200 };
    for (uint64_t ticket = 1; ticket <= N; ticket++)
        assert_int_equal(send_ticket(&up, up.last, ticket, 60000), STATUS_OK);
    for (int i = 0; i < 3000 && down.n_messages < N; i++) run_ms(10);
    assert_int_equal(down.n_messages, N);
    assert_true(down.in_order);
    assert_int_equal(up.n_left + down.n_left, 0);
}

static bool offer_ticket(side *s, peer *p, uint64_t ticket) {
    Trivium__SampleRequest sample = TRIVIUM__SAMPLE_REQUEST__INIT;
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    sample.ticket = ticket;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE;
    m.sample = &sample;
    return peers_offer(s->ps, p, &m.base);
}

/* Behind messages that wait for room an offer is dropped, however many there are; it neither passes
 * them, nor takes their room, nor costs the peer its place. */
static void what_is_offered_leaves_at_once_or_not_at_all(void **state) {
    (void)state;
    sides_prepare(LIVENESS_PING);
    up.where.high_water = down.where.high_water = 1;
    sides_open();
    assert_true(becomes(both_joined));
    assert_true(offer_ticket(&up, up.last, 1));
    assert_true(becomes(down_got_message));
    enum { N = OUTBOX_MESSAGES_MAX < 200 ? OUTBOX_MESSAGES_MAX : 200 };
    for (uint64_t ticket = 2; ticket <= N; ticket++)
        assert_int_equal(send_ticket(&up, up.last, ticket, 60000), STATUS_OK);
    for (int i = 0; i < 2 * OUTBOX_MESSAGES_MAX; i++) assert_false(offer_ticket(&up, up.last, 999));
    for (int i = 0; i < 3000 && down.n_messages < N; i++) run_ms(10);
    assert_int_equal(down.n_messages, N);
    assert_true(down.in_order);
    assert_int_equal(up.n_left + down.n_left, 0);
}

static void an_owner_may_answer_at_length(void **state) {
    (void)state;
    open_joined(LIVENESS_BOTH);
    up.echo = true;
    send_ticket(&down, down.last, 1, 0);
    assert_true(becomes(down_got_message));
    assert_int_equal(down.ticket, 1);
}

static void joined_peers_are_listed_in_order(void **state) {
    (void)state;
    static const char *const names[] = {"one", "two", "three"};
    side joiners[3];
    up = side_of("bound", LIVENESS_BOTH);
    side_open(&up, true);
    for (size_t i = 0; i < 3; i++) {
        up.last = NULL;
        joiners[i] = side_of(names[i], LIVENESS_BOTH);
        side_open(&joiners[i], false);
        assert_true(becomes(up_joined));
    }
    peer *p = peers_first(up.ps);
    for (size_t i = 0; i < 3; i++, p = peers_next(up.ps, p))
        assert_string_equal(peer_name(p), names[i]);
    assert_null(p);
    peers_free(&joiners[1].ps);
    assert_true(becomes(up_left));
    assert_string_equal(up.why, "it left");
    assert_string_equal(peer_name(peers_next(up.ps, peers_first(up.ps))), "three");
    peers_free(&joiners[0].ps);
    peers_free(&joiners[2].ps);
}

/* ---- Refusing ---- */

static void an_owner_refuses_and_later_accepts(void **state) {
    (void)state;
    open_both(LIVENESS_BOTH);
    up.answer = STATUS_NAME_TAKEN;
    assert_true(becomes(down_refused));
    assert_int_equal(down.refused_code, TRIVIUM__CODE__NAME_TAKEN);
    assert_string_equal(down.said, "not you, joiner");
    assert_true(becomes(up_said_no_thrice)); /* Hello is said again … */
    assert_int_equal(down.n_refused, 1);  /* … and the same refusal is told once */
    assert_int_equal(up.n_left, 0);
    assert_null(peers_first(up.ps));
    up.answer = STATUS_OK;
    assert_true(becomes(both_joined));
}

static void a_joiner_may_refuse_too(void **state) {
    (void)state;
    open_both(LIVENESS_BOTH);
    down.answer = STATUS_UNSUPPORTED;
    assert_true(becomes(up_left));
    assert_string_equal(up.why, "not you, bound");
    assert_null(peers_first(down.ps));
    down.answer = STATUS_OK;
    up.n_left = 0;
    assert_true(becomes(both_joined));
}

static void another_version_is_refused(void **state) {
    (void)state;
    sides_prepare(LIVENESS_BOTH);
    down.hello.version = 99;
    sides_open();
    assert_true(becomes(down_refused));
    assert_int_equal(down.refused_code, TRIVIUM__CODE__BAD_VERSION);
    assert_non_null(strstr(down.said, "99"));
    char ours[16];
    snprintf(ours, sizeof ours, "%d", PROTOCOL_VERSION);
    assert_non_null(strstr(down.said, ours));
    assert_int_equal(up.n_joined, 0);
}

static void names_are_checked(void **state) {
    (void)state;
    char long_name[NAME_BYTES_MAX + 2];
    memset(long_name, 'a', sizeof long_name);
    long_name[sizeof long_name - 1] = 0;
    char *const bad[] = {"\x1b[31mred", "two\nlines", "\xff", long_name};
    open_up(LIVENESS_BOTH);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Trivium__Hello hello = fake_hello();
        hello.name = bad[i];
        say_hello(fake, FAKE, 0, hello);
        HEARS(REFUSED);
        hello = fake_hello();
        Trivium__SamplerOffer offer = TRIVIUM__SAMPLER_OFFER__INIT;
        offer.pool = bad[i];
        hello.sampler = &offer;
        say_hello(fake, FAKE, 0, hello);
        HEARS(REFUSED);
        hello = fake_hello();
        Trivium__DefaultModel word = TRIVIUM__DEFAULT_MODEL__INIT;
        word.name = bad[i];
        hello.default_model = &word;
        say_hello(fake, FAKE, 0, hello);
        HEARS(REFUSED);
    }
    assert_int_equal(up.n_joined, 0);
    long_name[NAME_BYTES_MAX] = 0;
    Trivium__Hello hello = fake_hello();
    hello.name = long_name;
    say_hello(fake, FAKE, 0, hello);
    HEARS(HELLO);
}

/* With the tables of `make tiny`; the real table would need a thousand sockets. */
static void a_full_table_refuses(void **state) {
    (void)state;
    if (PEERS_MAX > 64) skip();
    side joiners[PEERS_MAX];
    up = side_of("bound", LIVENESS_BOTH);
    side_open(&up, true);
    for (size_t i = 0; i < PEERS_MAX; i++) {
        up.last = NULL;
        joiners[i] = side_of("one of many", LIVENESS_BOTH);
        side_open(&joiners[i], false);
        assert_true(becomes(up_joined));
    }
    down = side_of("joiner", LIVENESS_BOTH);
    side_open(&down, false);
    assert_true(becomes(down_refused));
    assert_int_equal(down.refused_code, TRIVIUM__CODE__BUSY);
    peers_free(&joiners[0].ps);
    up.last = NULL;
    assert_true(becomes(both_joined));
    for (size_t i = 1; i < PEERS_MAX; i++) peers_free(&joiners[i].ps);
}

/* ---- Leaving, and coming again ---- */

static void a_daemon_that_ends_is_left_at_once(void **state) {
    (void)state;
    open_joined(LIVENESS_BOTH);
    peers_free(&up.ps);
    assert_true(becomes(down_left));
    assert_null(strstr(down.why, "silent"));
    assert_null(peers_first(down.ps));

    uint64_t before = up.options.incarnation; /* and the next one is joined */
    up.last = NULL;
    side_open(&up, true);
    assert_true(becomes(both_joined));
    assert_true(peer_incarnation(down.last) != before);
    assert_int_equal(down.n_joined, 2);
}

static void leaving_is_said(void **state) {
    (void)state;
    open_up(LIVENESS_BOTH);
    say_hello(fake, FAKE, 0, fake_hello());
    HEARS(HELLO);
    peers_free(&up.ps);
    HEARS(LEAVE);
}

static void leaving_is_heard(void **state) {
    (void)state;
    router_new();
    down = side_of("joiner", LIVENESS_BOTH);
    side_open(&down, false);
    HEARS(HELLO);
    say_hello(fake, FAKE, spoken_by, fake_hello());
    HEARS(HEARTBEAT);
    Trivium__Leave leave = TRIVIUM__LEAVE__INIT;
    Trivium__Control control = control_of(FAKE, spoken_by);
    control.word_case = TRIVIUM__CONTROL__WORD_LEAVE;
    control.leave = &leave;
    send_control(fake, &control);
    assert_true(becomes(down_left));
    assert_string_equal(down.why, "it left");
    HEARS(HELLO); /* it may come back */
}

/* The other side of a joiner dies without a word; its successor answers the first heartbeat. */
static void a_restarted_daemon_asks_for_hello(void **state) {
    (void)state;
    router_new();
    down = side_of("joiner", LIVENESS_BOTH);
    side_open(&down, false);
    HEARS(HELLO);
    say_hello(fake, FAKE, spoken_by, fake_hello());
    HEARS(HEARTBEAT);
    assert_int_equal(down.n_joined, 1);

    Trivium__SayHello word = TRIVIUM__SAY_HELLO__INIT;
    Trivium__Control control = control_of(FAKE + 1, down.options.incarnation);
    control.word_case = TRIVIUM__CONTROL__WORD_SAY_HELLO;
    control.say_hello = &word;
    send_control(fake, &control);
    send_control(fake, &control); /* one for each message that it did not know: no harm */
    HEARS(HELLO);
    assert_int_equal(down.n_left, 1);
    say_hello(fake, FAKE + 1, spoken_by, fake_hello());
    HEARS(HEARTBEAT);
    assert_int_equal(down.n_joined, 2);
    assert_int_equal(down.n_left, 1);
    assert_true(peer_incarnation(down.last) == FAKE + 1);
}

static void a_new_incarnation_replaces_the_old(void **state) {
    (void)state;
    open_up(LIVENESS_BOTH);
    say_hello(fake, FAKE, 0, fake_hello());
    HEARS(HELLO);
    say_hello(fake, FAKE + 1, 0, fake_hello());
    HEARS(HELLO);
    assert_int_equal(up.n_joined, 2);
    assert_int_equal(up.n_left, 1);
    assert_string_equal(up.why, "another incarnation joined");
    assert_true(peer_incarnation(peers_first(up.ps)) == FAKE + 1);
    assert_null(peers_next(up.ps, peers_first(up.ps)));
}

static void a_new_connection_replaces_the_old(void **state) {
    (void)state;
    open_up(LIVENESS_BOTH);
    say_hello(fake, FAKE, 0, fake_hello());
    HEARS(HELLO);
    zsock_t *old = fake;
    fake = dealer_new(HIGH_WATER_MESSAGES);
    say_heartbeat(fake, FAKE, up.options.incarnation); /* known, but not over this connection */
    HEARS(SAY_HELLO);
    say_hello(fake, FAKE, 0, fake_hello());
    HEARS(HELLO);
    assert_int_equal(up.n_joined, 2);
    assert_int_equal(up.n_left, 1);
    zsock_destroy(&old);
}

/* A slow answer makes a joiner say Hello twice: the second must not undo the first. */
static void a_repeated_hello_is_only_answered(void **state) {
    (void)state;
    open_up(LIVENESS_BOTH);
    say_hello(fake, FAKE, 0, fake_hello());
    say_hello(fake, FAKE, 0, fake_hello());
    HEARS(HELLO);
    HEARS(HELLO);
    assert_int_equal(up.n_joined, 1);
    assert_int_equal(up.n_left, 0);
}

/* ---- Silence ---- */

static void a_silent_joiner_is_lost(void **state) {
    (void)state;
    open_up(LIVENESS_BOTH);
    say_hello(fake, FAKE, 0, fake_hello());
    HEARS(HELLO);
    uint64_t start_ms = clock_ms();
    assert_true(becomes(up_left));
    assert_in_range(clock_ms() - start_ms, (LIVENESS - 1) * BEAT_MS, SOON_MS);
    assert_non_null(strstr(up.why, "silent"));
    HEARS(LEAVE);
    say_heartbeat(fake, FAKE, up.options.incarnation); /* it was only slow */
    HEARS(SAY_HELLO);
}

static void a_silent_daemon_is_lost(void **state) {
    (void)state;
    router_new();
    down = side_of("joiner", LIVENESS_BOTH);
    side_open(&down, false);
    HEARS(HELLO);
    say_hello(fake, FAKE, spoken_by, fake_hello());
    assert_true(becomes(down_left));
    assert_non_null(strstr(down.why, "silent"));
    HEARS(LEAVE); /* first: so that it can tell the next Hello from a repeated one */
    HEARS(HELLO);
}

static void each_side_is_measured_by_its_own_interval(void **state) {
    (void)state;
    open_up(LIVENESS_BOTH);
    Trivium__Hello slow = fake_hello();
    slow.heartbeat_ms = 10 * BEAT_MS;
    say_hello(fake, FAKE, 0, slow);
    HEARS(HELLO);
    run_ms(2 * LIVENESS * BEAT_MS);
    assert_int_equal(up.n_left, 0);
}

static void sleep_long(void *unused) {
    (void)unused;
    usleep(12 * BEAT_MS * 1000);
}

/* A process that was stopped, or computed, for long has heard nobody: its own fault. */
static void a_late_loop_loses_nobody(void **state) {
    (void)state;
    open_joined(LIVENESS_BOTH);
    for (int i = 0; i < 3; i++) {
        loop_once(l, 5, sleep_long, NULL);
        run_ms(BEAT_MS);
    }
    assert_int_equal(up.n_left + down.n_left, 0);
}

/* ---- The logits link ---- */

static void an_idle_sampler_is_pinged(void **state) {
    (void)state;
    open_up(LIVENESS_PING);
    say_hello(fake, FAKE, 0, fake_hello());
    HEARS(HELLO);
    for (int i = 0; i < 6; i++) {
        HEARS(HEARTBEAT);
        say_heartbeat(fake, FAKE, up.options.incarnation);
    }
    assert_int_equal(up.n_left, 0);
    assert_true(becomes(up_left)); /* no answer any more */
    assert_non_null(strstr(up.why, "silent"));
}

static void a_busy_sampler_may_be_silent(void **state) {
    (void)state;
    open_up(LIVENESS_PING);
    say_hello(fake, FAKE, 0, fake_hello());
    HEARS(HELLO);
    peer_set_busy(up.last, true);
    run_ms(4 * LIVENESS * BEAT_MS);
    assert_int_equal(up.n_left, 0);
    assert_int_equal(next_word(NULL), TRIVIUM__CONTROL__WORD__NOT_SET); /* nor was it asked */
    peer_set_busy(up.last, false); /* from now on its silence counts */
    uint64_t start_ms = clock_ms();
    assert_true(becomes(up_left));
    assert_in_range(clock_ms() - start_ms, (LIVENESS - 1) * BEAT_MS, SOON_MS);
}

static void a_joiner_answers_pings_and_lives(void **state) {
    (void)state;
    sides_prepare(LIVENESS_PING);
    down.options.events.heartbeat = on_heartbeat;
    sides_open();
    assert_true(becomes(both_joined));
    uint64_t start_ms = clock_ms();
    assert_true(becomes(down_beat_five));
    run_ms(4 * BEAT_MS);
    assert_int_equal(up.n_left + down.n_left, 0);
    uint64_t n_max = (clock_ms() - start_ms) / (BEAT_MS / 2) + 2;
    assert_in_range(down.n_beats, 5, n_max); /* one for each ping, none of its own accord */
}

/* ---- Full queues ---- */

static void who_never_reads_is_cut(void **state) {
    (void)state;
    open_up(LIVENESS_PING);
    Trivium__Hello hello = fake_hello();
    hello.heartbeat_ms = HEARTBEAT_MS_MAX;
    say_hello(fake, FAKE, 0, hello);
    assert_true(becomes(up_joined));
    peer *p = up.last;
    uint64_t n_sent = 0;
    status st = STATUS_OK;
    while (st == STATUS_OK && n_sent < 1000000) st = send_ticket(&up, p, ++n_sent, 2000);
    assert_int_equal(st, STATUS_BUSY);
    assert_in_range(n_sent, OUTBOX_MESSAGES_MAX, 999999);
    assert_int_equal(up.n_left, 0); /* not from within peers_send */
    assert_string_equal(peer_name(p), "fake");
    assert_null(peers_first(up.ps));
    assert_int_equal(send_ticket(&up, p, 1, 0), STATUS_BUSY);
    assert_true(becomes(up_left));
    assert_non_null(strstr(up.why, "read"));
}

static void an_outbox_is_bounded_in_bytes(void **state) {
    (void)state;
    if (OUTBOX_BYTES_MAX > 8 << 20) skip(); /* `make tiny` has a small one */
    up = side_of("bound", LIVENESS_PING);
    up.where.high_water = 1;
    side_open(&up, true);
    fake = dealer_new(1);
    say_hello(fake, FAKE, 0, fake_hello());
    assert_true(becomes(up_joined));
    static uint8_t block[OUTBOX_BYTES_MAX / 3];
    wire_raw raw = {block, sizeof block};
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    size_t n_sent = 0;
    while (n_sent < OUTBOX_MESSAGES_MAX &&
           peers_send(up.ps, up.last, &m.base, &raw, 1) == STATUS_OK)
        n_sent++;
    assert_in_range(n_sent, 1, OUTBOX_MESSAGES_MAX - 1); /* it was not their number */
}

static void too_long_is_told_and_nothing_is_cut(void **state) {
    (void)state;
    open_joined(LIVENESS_BOTH);
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    wire_raw raw = {&m, (size_t)RAW_BYTES_MAX + 1};
    assert_int_equal(peers_send(up.ps, up.last, &m.base, &raw, 1), STATUS_TOO_LONG);
    assert_null(m.control);
    run_ms(BEAT_MS);
    assert_int_equal(up.n_left + down.n_left, 0);
}

static void an_owner_may_cut_within_a_message(void **state) {
    (void)state;
    open_joined(LIVENESS_BOTH);
    up.cut = true;
    for (uint64_t ticket = 1; ticket <= 3; ticket++) send_ticket(&down, down.last, ticket, 0);
    assert_true(becomes(down_left)); /* it is told, and joins again */
    assert_int_equal(up.n_left, 1);
    assert_string_equal(up.why, "enough");
    assert_int_equal(up.n_messages, 1); /* what came after the cut is not heard */
    assert_true(becomes(both_joined));
}

static void a_killed_daemon_is_found_out_by_its_connection(void **state) {
    (void)state;
    router_new();
    down = side_of("joiner", LIVENESS_PING);
    side_open(&down, false);
    HEARS(HELLO);
    Trivium__Hello hello = fake_hello();
    hello.heartbeat_ms = HEARTBEAT_MS_MAX; /* its silence would not be noticed for minutes */
    say_hello(fake, FAKE, spoken_by, hello);
    assert_true(becomes(down_joined));
    run_ms(4 * BEAT_MS);
    assert_int_equal(down.n_joined, 1);
    assert_int_equal(down.n_left, 0);
    zsock_destroy(&fake);
    assert_true(becomes(down_left));
    assert_string_equal(down.why, "the connection broke");
}

static void a_killed_peer_is_found_out_by_sending(void **state) {
    (void)state;
    open_up(LIVENESS_BOTH);
    Trivium__Hello hello = fake_hello();
    hello.heartbeat_ms = HEARTBEAT_MS_MAX; /* its silence would not be noticed for minutes */
    say_hello(fake, FAKE, 0, hello);
    HEARS(HELLO);
    zsock_destroy(&fake);
    assert_true(becomes(up_left));
    assert_string_equal(up.why, "the connection broke");
}

/* ---- Strangers ---- */

static void garbage_is_counted_and_disturbs_nobody(void **state) {
    (void)state;
    open_joined(LIVENESS_BOTH);
    fake = dealer_new(HIGH_WATER_MESSAGES);
    srand(2);
    for (int i = 0; i < 300; i++) {
        for (int more = rand() % 7; more >= 0; more--) {
            uint8_t bytes[64];
            size_t n_bytes = rand() % 4 ? (size_t)rand() % sizeof bytes : 0;
            for (size_t b = 0; b < n_bytes; b++) bytes[b] = (uint8_t)rand();
            zframe_t *frame = zframe_new(bytes, n_bytes);
            assert_int_equal(zframe_send(&frame, fake, more > 0 ? ZFRAME_MORE : 0), 0);
        }
    }
    Trivium__Control control = control_of(0, up.options.incarnation); /* from nobody */
    send_control(fake, &control);
    say_heartbeat(fake, FAKE, up.options.incarnation);
    HEARS(SAY_HELLO); /* all before it was read */
    assert_in_range(peers_garbage(up.ps), 200, 301);
    assert_int_equal(peers_garbage(down.ps), 0);
    run_ms(2 * LIVENESS * BEAT_MS);
    assert_int_equal(up.n_left + down.n_left, 0);
    assert_int_equal(up.n_joined, 1);
}

static void messages_for_another_incarnation_are_dropped(void **state) {
    (void)state;
    open_up(LIVENESS_BOTH);
    say_hello(fake, FAKE, 0, fake_hello());
    HEARS(HELLO);
    uint64_t ours = up.options.incarnation;
    Trivium__SampleRequest sample = TRIVIUM__SAMPLE_REQUEST__INIT;
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE;
    m.sample = &sample;
    const struct {
        uint64_t from, to, ticket;
    } cases[] = {{FAKE, ours + 1, 5}, {FAKE, 0, 6}, {FAKE + 1, ours, 7}, {FAKE, ours, 1}};
    for (size_t i = 0; i < 4; i++) {
        Trivium__Control control = control_of(cases[i].from, cases[i].to);
        m.control = &control;
        sample.ticket = cases[i].ticket;
        uint8_t bytes[256];
        zframe_t *frame = zframe_new(bytes, trivium__logits_request__pack(&m, bytes));
        assert_int_equal(zframe_send(&frame, fake, 0), 0);
    }
    HEARS(SAY_HELLO); /* for FAKE + 1, who never said Hello */
    assert_true(becomes(up_got_message));
    assert_int_equal(up.n_messages, 1);
    assert_int_equal(up.ticket, 1);
}

/* Many messages of a stranger get some answers, not as many. */
static void answers_to_strangers_are_bounded(void **state) {
    (void)state;
    enum { N = 2 * PEERS_MAX + 100 };
    up = side_of("bound", LIVENESS_BOTH);
    up.options.heartbeat_ms = HEARTBEAT_MS_MAX; /* no tick within this test */
    side_open(&up, true);
    fake = dealer_new(HIGH_WATER_MESSAGES);
    for (int i = 0; i < N; i++) say_heartbeat(fake, FAKE, 1);
    say_hello(fake, FAKE, 0, fake_hello());
    HEARS(HELLO); /* all before it was read, and answered before it */
    assert_in_range(n_passed_over, 1, PEERS_MAX);
}

static void a_joiner_obeys_only_who_means_it(void **state) {
    (void)state;
    router_new();
    down = side_of("joiner", LIVENESS_BOTH);
    side_open(&down, false);
    HEARS(HELLO);
    uint64_t ours = spoken_by;
    say_hello(fake, FAKE, ours + 1, fake_hello()); /* an answer to somebody else */
    run_ms(BEAT_MS / 2);
    assert_int_equal(down.n_joined, 0);
    say_hello(fake, FAKE, ours, fake_hello());
    HEARS(HEARTBEAT);
    assert_int_equal(down.n_joined, 1);
    Trivium__Leave leave = TRIVIUM__LEAVE__INIT;
    Trivium__Control control = control_of(FAKE + 1, ours); /* somebody else leaves */
    control.word_case = TRIVIUM__CONTROL__WORD_LEAVE;
    control.leave = &leave;
    send_control(fake, &control);
    run_ms(BEAT_MS / 2);
    assert_int_equal(down.n_left, 0);
}

static void incarnations_differ(void **state) {
    (void)state;
    uint64_t one = peers_incarnation(), two = peers_incarnation();
    assert_true(one != 0 && two != 0 && one != two);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(they_join_in_any_order),
        TEST(joining_takes_no_interval),
        TEST(they_stay_joined),
        TEST(a_heartbeat_may_be_sent_now),
        TEST(messages_go_both_ways_in_order),
        TEST(what_does_not_fit_the_queue_waits),
        TEST(what_is_offered_leaves_at_once_or_not_at_all),
        TEST(an_owner_may_answer_at_length),
        TEST(joined_peers_are_listed_in_order),
        TEST(an_owner_refuses_and_later_accepts),
        TEST(a_joiner_may_refuse_too),
        TEST(another_version_is_refused),
        TEST(names_are_checked),
        TEST(a_full_table_refuses),
        TEST(a_daemon_that_ends_is_left_at_once),
        TEST(leaving_is_said),
        TEST(leaving_is_heard),
        TEST(a_restarted_daemon_asks_for_hello),
        TEST(a_new_incarnation_replaces_the_old),
        TEST(a_new_connection_replaces_the_old),
        TEST(a_repeated_hello_is_only_answered),
        TEST(a_silent_joiner_is_lost),
        TEST(a_silent_daemon_is_lost),
        TEST(each_side_is_measured_by_its_own_interval),
        TEST(a_late_loop_loses_nobody),
        TEST(an_idle_sampler_is_pinged),
        TEST(a_busy_sampler_may_be_silent),
        TEST(a_joiner_answers_pings_and_lives),
        TEST(who_never_reads_is_cut),
        TEST(an_outbox_is_bounded_in_bytes),
        TEST(too_long_is_told_and_nothing_is_cut),
        TEST(an_owner_may_cut_within_a_message),
        TEST(a_killed_daemon_is_found_out_by_its_connection),
        TEST(a_killed_peer_is_found_out_by_sending),
        TEST(garbage_is_counted_and_disturbs_nobody),
        TEST(messages_for_another_incarnation_are_dropped),
        TEST(answers_to_strangers_are_bounded),
        TEST(a_joiner_obeys_only_who_means_it),
        cmocka_unit_test(incarnations_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
