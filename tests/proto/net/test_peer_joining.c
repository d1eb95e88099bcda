/* Peers: joining in any order, messages both ways, leaving and coming again. Both sides run on one loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "logits.pb-c.h"
#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "tests/support/link/sides.h"
#include "tests/support/link/turns.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

/* ---- Joining ---- */

static void they_join_in_any_order(void **state) {
    (void)state;
    down = side_of("joiner", LIVENESS_BOTH);
    side_open(&down, false); /* nobody is there yet */
    run_ms(3 * BEAT_MS);
    assert_null(peers_first(down.ps));
    up = side_of("bound", LIVENESS_BOTH);
    side_open(&up, true);
    assert_true(becomes(both_joined));
    assert_string_equal(peer_name(up.last), "joiner");
    assert_string_equal(peer_name(down.last), "bound");
    assert_int_equal(peer_hello(down.last)->pid, getpid());
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

static bool both_heard_ten(void) { return up.n_heard >= 10 && down.n_heard >= 10; }

static void they_stay_joined(void **state) {
    (void)state;
    sides_prepare(LIVENESS_BOTH);
    side_reports(&up);
    side_reports(&down);
    side_hears(&up);
    side_hears(&down);
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

static bool down_heard(void) { return down.n_heard > 0; }

/* A report that changed need not wait for the next interval. */
static void a_heartbeat_may_be_sent_now(void **state) {
    (void)state;
    sides_prepare(LIVENESS_BOTH);
    up.options.heartbeat_ms = down.options.heartbeat_ms = HEARTBEAT_MS_MAX;
    side_reports(&up);
    side_hears(&down);
    sides_open();
    assert_true(becomes(both_joined));
    peers_beat(up.ps);
    assert_true(becomes(down_heard));
    assert_int_equal(up.n_beats, 1);
}

/* ---- Messages ---- */

static void messages_go_both_ways_in_order(void **state) {
    (void)state;
    sides_prepare(LIVENESS_BOTH);
    sides_open();
    up.greet = true; /* before its Hello has left: must not overtake it */
    assert_true(becomes(both_joined));
    assert_true(becomes(down_got_message));
    enum { N = 10 };
    for (uint64_t ticket = 2; ticket <= N; ticket++)
        assert_int_equal(side_send(&up, up.last, ticket, 100), STATUS_OK);
    for (uint64_t ticket = 1; ticket <= N; ticket++)
        assert_int_equal(side_send(&down, down.last, ticket, 0), STATUS_OK);
    assert_true(all_arrive(N, &down) && all_arrive(N, &up));
    assert_int_equal(down.n_messages, N);
    assert_int_equal(up.n_messages, N);
    assert_true(up.in_order && down.in_order);
    assert_int_equal(up.n_left + down.n_left, 0);
}

static void an_owner_may_answer_at_length(void **state) {
    (void)state;
    sides_open_joined(LIVENESS_BOTH);
    up.echo = true;
    side_send(&down, down.last, 1, 0);
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

/* ---- Leaving, and coming again ---- */

static void a_daemon_that_ends_is_left_at_once(void **state) {
    (void)state;
    sides_open_joined(LIVENESS_BOTH);
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
    up_with_fake(LIVENESS_BOTH);
    fake_joined();
    peers_free(&up.ps);
    HEARS(LEAVE);
    assert_string_equal(fake.control->leave->why, "");
}

static void leaving_is_heard(void **state) {
    (void)state;
    down_with_fake(LIVENESS_BOTH);
    fake_peer_say_hello(&fake, hello_beating(BEAT_MS));
    HEARS(HEARTBEAT);
    fake_peer_say_leave(&fake);
    assert_true(becomes(down_left));
    assert_string_equal(down.why, "it left");
    HEARS(HELLO); /* it may come back */
}

/* Either side: the one that gives the other up says why, and the other's owner hears that. */
static void being_given_up_is_heard(void **state) {
    (void)state;
    down_with_fake(LIVENESS_BOTH);
    fake_peer_say_hello(&fake, hello_beating(BEAT_MS));
    HEARS(HEARTBEAT);
    Trivium__Control control = TRIVIUM__CONTROL__INIT;
    Trivium__Leave leave = TRIVIUM__LEAVE__INIT;
    control.word_case = TRIVIUM__CONTROL__WORD_LEAVE;
    control.leave = &leave;
    leave.why = "silent for 77 ms";
    fake_peer_say(&fake, control);
    assert_true(becomes(down_left));
    assert_string_equal(down.why, "it gave us up: silent for 77 ms");
}

static void says_why_it_gives_up(const side *s) {
    HEARS(LEAVE);
    assert_non_null(strstr(s->why, "silent for "));
    assert_string_equal(fake.control->leave->why, s->why);
}

static void giving_up_is_said_with_its_reason(void **state) {
    (void)state;
    up_with_fake(LIVENESS_BOTH);
    fake_joined();
    assert_true(becomes(up_left));
    says_why_it_gives_up(&up);
    fake_peer_close(&fake);
    peers_free(&up.ps);
    down_with_fake(LIVENESS_BOTH);
    fake_peer_say_hello(&fake, hello_beating(BEAT_MS));
    assert_true(becomes(down_left));
    says_why_it_gives_up(&down);
}

/* The other side of a joiner dies without a word; its successor answers the first heartbeat. */
static void a_restarted_daemon_asks_for_hello(void **state) {
    (void)state;
    down_with_fake(LIVENESS_BOTH);
    fake_peer_say_hello(&fake, hello_beating(BEAT_MS));
    HEARS(HEARTBEAT);
    assert_int_equal(down.n_joined, 1);

    fake.from = FAKE_INCARNATION + 1;
    fake_peer_ask_hello(&fake);
    fake_peer_ask_hello(&fake);             /* one for each message that it did not know: no harm */
    HEARS(HELLO);
    assert_int_equal(down.n_left, 1);
    fake_peer_say_hello(&fake, hello_beating(BEAT_MS));
    HEARS(HEARTBEAT);
    assert_int_equal(down.n_joined, 2);
    assert_int_equal(down.n_left, 1);
    assert_true(peer_incarnation(down.last) == FAKE_INCARNATION + 1);
}

static void a_new_incarnation_replaces_the_old(void **state) {
    (void)state;
    up_with_fake(LIVENESS_BOTH);
    fake_joined();
    fake.from = FAKE_INCARNATION + 1;
    fake_joined();
    assert_int_equal(up.n_joined, 2);
    assert_int_equal(up.n_left, 1);
    assert_string_equal(up.why, "another incarnation joined");
    assert_true(peer_incarnation(peers_first(up.ps)) == FAKE_INCARNATION + 1);
    assert_null(peers_next(up.ps, peers_first(up.ps)));
}

static void a_new_connection_replaces_the_old(void **state) {
    (void)state;
    up_with_fake(LIVENESS_BOTH);
    fake_joined();
    fake_peer old = fake;
    fake_connects(HIGH_WATER_MESSAGES);
    fake_peer_say_heartbeat(&fake);         /* known, but not over this connection */
    HEARS(SAY_HELLO);
    fake_joined();
    assert_int_equal(up.n_joined, 2);
    assert_int_equal(up.n_left, 1);
    fake_peer_close(&old);
}

/* A slow answer makes a joiner say Hello twice: the second must not undo the first. */
static void a_repeated_hello_is_only_answered(void **state) {
    (void)state;
    up_with_fake(LIVENESS_BOTH);
    fake_peer_say_hello(&fake, hello_beating(BEAT_MS));
    fake_joined();
    HEARS(HELLO);
    assert_int_equal(up.n_joined, 1);
    assert_int_equal(up.n_left, 0);
}

enum { CROWD_MAX = 40, N_CROWD = PEERS_MAX < CROWD_MAX ? PEERS_MAX : CROWD_MAX };

/* Those of the crowd from `first` on, each `step`-th, ask, and hear the answer themselves. */
static void each_is_answered(fake_peer *crowd, size_t first, size_t step) {
    Trivium__SampleRequest sample = TRIVIUM__SAMPLE_REQUEST__INIT;
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE;
    m.sample = &sample;
    for (size_t i = first; i < N_CROWD; i += step) {
        sample.ticket = i + 1;
        fake_peer_send(&crowd[i], &m.base, NULL, 0);
    }
    for (size_t i = first; i < N_CROWD; i += step) {
        assert_true(fake_peer_hears(&crowd[i], test_loop, FAKE_BODY));
        assert_true(((Trivium__LogitsRequest *)crowd[i].header)->sample->ticket == i + 1);
    }
}

static void each_of_many_is_known_by_its_connection(void **state) {
    (void)state;
    up_with_fake(LIVENESS_BOTH);
    up.echo = true;
    fake_peer crowd[N_CROWD];
    for (size_t i = 0; i < N_CROWD; i++) {
        if (i > 0) fake_connects(HIGH_WATER_MESSAGES);
        fake.from = i + 1;
        fake_peer_say_hello(&fake, hello_beating(HEARTBEAT_MS_MAX));
        HEARS(HELLO);
        crowd[i] = fake;
    }
    each_is_answered(crowd, 0, 1);
    for (size_t i = 0; i < N_CROWD; i += 2) fake_peer_say_leave(&crowd[i]);
    assert_true(turns_until_count(test_loop, &up.n_left, (N_CROWD + 1) / 2));
    each_is_answered(crowd, 1, 2);
    fake_peer_say_heartbeat(&crowd[0]);
    assert_true(fake_peer_hears(&crowd[0], test_loop, TRIVIUM__CONTROL__WORD_SAY_HELLO));
    for (size_t i = 0; i + 1 < N_CROWD; i++) fake_peer_close(&crowd[i]);
    fake = crowd[N_CROWD - 1];
}

static void incarnations_differ(void **state) {
    (void)state;
    uint64_t one = peers_incarnation(), two = peers_incarnation();
    assert_true(one != 0 && two != 0 && one != two);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(they_join_in_any_order),
        TEST(joining_takes_no_interval),
        TEST(they_stay_joined),
        TEST(a_heartbeat_may_be_sent_now),
        TEST(messages_go_both_ways_in_order),
        TEST(an_owner_may_answer_at_length),
        TEST(joined_peers_are_listed_in_order),
        TEST(a_daemon_that_ends_is_left_at_once),
        TEST(leaving_is_said),
        TEST(leaving_is_heard),
        TEST(being_given_up_is_heard),
        TEST(giving_up_is_said_with_its_reason),
        TEST(a_restarted_daemon_asks_for_hello),
        TEST(a_new_incarnation_replaces_the_old),
        TEST(a_new_connection_replaces_the_old),
        TEST(a_repeated_hello_is_only_answered),
        TEST(each_of_many_is_known_by_its_connection),
        cmocka_unit_test(incarnations_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
