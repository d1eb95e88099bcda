/* Peers: all that a stranger may send disturbs nobody. Both sides run on one loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "logits.pb-c.h"
#include "proto/base/limits.h"
#include "tests/support/link/sides.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static void garbage_is_counted_and_disturbs_nobody(void **state) {
    (void)state;
    sides_open_joined(LIVENESS_BOTH);
    fake_connects(HIGH_WATER_MESSAGES);
    srand(2);
    for (int i = 0; i < 300; i++) {
        uint8_t bytes[7][64];
        wire_raw frames[7];
        size_t n_frames = 1 + (size_t)rand() % 7;
        for (size_t k = 0; k < n_frames; k++) {
            frames[k] = (wire_raw){bytes[k], rand() % 4 ? (size_t)rand() % sizeof bytes[k] : 0};
            for (size_t b = 0; b < frames[k].n_bytes; b++) bytes[k][b] = (uint8_t)rand();
        }
        fake_peer_send_frames(&fake, frames, n_frames);
    }
    fake.from = 0;                          /* nobody */
    fake_peer_say_heartbeat(&fake);
    fake.from = FAKE_INCARNATION;
    fake_peer_say_heartbeat(&fake);
    HEARS(SAY_HELLO); /* all before it was read */
    assert_in_range(peers_garbage(up.ps), 200, 301);
    assert_int_equal(peers_garbage(down.ps), 0);
    run_ms(2 * LIVENESS * BEAT_MS);
    assert_int_equal(up.n_left + down.n_left, 0);
    assert_int_equal(up.n_joined, 1);
}

/* Who speaks counts first, then to whom. */
static void a_stranger_is_asked_for_hello_whoever_it_means(void **state) {
    (void)state;
    up_with_fake(LIVENESS_BOTH);
    uint64_t ours = up.options.incarnation;
    for (int i = 0; i < 2; i++) {
        fake.to = ours + (uint64_t)i;
        fake_peer_say_heartbeat(&fake);
        HEARS(SAY_HELLO);
    }
    fake.to = ours;
    fake_peer_say_leave(&fake);             /* words that end what is not there */
    fake_peer_ask_hello(&fake);
    fake.to = ours + 1;                     /* a Hello may be meant for whomever was here before */
    fake_joined();
    assert_int_equal(fake.n_passed_over, 0);
    assert_int_equal(up.n_joined, 1);
}

static bool up_got_message(void) { return up.n_messages > 0; }

static void messages_for_another_incarnation_are_dropped(void **state) {
    (void)state;
    up_with_fake(LIVENESS_BOTH);
    fake_joined();
    uint64_t ours = up.options.incarnation;
    Trivium__SampleRequest sample = TRIVIUM__SAMPLE_REQUEST__INIT;
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE;
    m.sample = &sample;
    const struct {
        uint64_t from, to, ticket;
    } cases[] = {{FAKE_INCARNATION, ours + 1, 5},
                 {FAKE_INCARNATION, 0, 6},
                 {FAKE_INCARNATION + 1, ours, 7},
                 {FAKE_INCARNATION, ours, 1}};
    for (size_t i = 0; i < 4; i++) {
        fake.from = cases[i].from;
        fake.to = cases[i].to;
        sample.ticket = cases[i].ticket;
        fake_peer_send(&fake, &m.base, NULL, 0);
    }
    HEARS(SAY_HELLO); /* for FAKE_INCARNATION + 1, who never said Hello */
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
    fake_connects(HIGH_WATER_MESSAGES);
    fake.to = 1;
    for (int i = 0; i < N; i++) fake_peer_say_heartbeat(&fake);
    fake_joined(); /* all before it was read, and answered before it */
    assert_in_range(fake.n_passed_over, 1, PEERS_MAX);
}

static void a_joiner_obeys_only_whoever_means_it(void **state) {
    (void)state;
    down_with_fake(LIVENESS_BOTH);
    uint64_t ours = fake.to;
    fake.to = ours + 1;
    fake_peer_say_hello(&fake, hello_beating(BEAT_MS)); /* an answer to somebody else */
    run_ms(BEAT_MS / 2);
    assert_int_equal(down.n_joined, 0);
    fake.to = ours;
    fake_peer_say_hello(&fake, hello_beating(BEAT_MS));
    HEARS(HEARTBEAT);
    assert_int_equal(down.n_joined, 1);
    fake.from = FAKE_INCARNATION + 1;       /* somebody else leaves */
    fake_peer_say_leave(&fake);
    run_ms(BEAT_MS / 2);
    assert_int_equal(down.n_left, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(garbage_is_counted_and_disturbs_nobody),
        TEST(a_stranger_is_asked_for_hello_whoever_it_means),
        TEST(messages_for_another_incarnation_are_dropped),
        TEST(answers_to_strangers_are_bounded),
        TEST(a_joiner_obeys_only_whoever_means_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
