/* Two `peers` on one loop, and a fake beside them: what the tests of proto/net/peer.h share. What happened to
 * each side is counted; what it is to do in an event is set beforehand. Messages are SampleRequests of the logits
 * link, whose tickets say in which order they came. */
#ifndef TRIVIUM_TESTS_SIDES_H
#define TRIVIUM_TESTS_SIDES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fake_peer.h"
#include "proto/net/endpoint/endpoint.h"
#include "proto/net/loop.h"
#include "proto/net/peer.h"

enum { BEAT_MS = 60 };

/* One side of a link, and what happened to it. */
typedef struct side {
    peers *ps;
    endpoint_options where;
    Trivium__Hello hello;
    peers_options options;
    size_t n_joined, n_left, n_messages, n_refused, n_heard, n_beats, n_draining;
    peer *last;                 /* that joined; NULL when it left */
    uint64_t ticket;            /* of the newest message */
    bool in_order;              /* each message had the next ticket */
    char why[200], said[600];
    Trivium__Code refused_code;
    size_t n_never_whole;       /* messages that did not come whole: the newest one's ticket, and why */
    uint64_t never_whole;
    status never_whole_why;
    void (*look)(const wire_message *m);    /* NULL, or: at each message */
    bool in_call;               /* we are within peers_send: no event may come */

    status answer;              /* to a Hello */
    bool greet;                 /* send ticket 1 from within `joined` */
    bool cut;                   /* cut whoever sends a message */
    bool echo;
    uint32_t work_ms;           /* that each message takes */
} side;

extern loop *test_loop;
extern side up, down;           /* the bound one, the joining one */
extern fake_peer fake;

/* Before and after each test; cmocka's set-up and teardown. */
int sides_begin(void **state);
int sides_end(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, sides_begin, sides_end)

side side_of(const char *name, liveness_rule liveness);     /* not open yet */
void side_open(side *s, bool bound);        /* anew, as a new process would */
/* Before it opens: it counts its heartbeats and puts something into each; it counts those it hears and looks for
 * that in them. */
void side_reports(side *s);
void side_hears(side *s);

/* The next ticket, with a raw frame of n_bytes unless these are 0. */
status side_send(side *s, peer *p, uint64_t ticket, size_t n_bytes);
bool side_offer(side *s, peer *p, uint64_t ticket);

void sides_prepare(liveness_rule liveness);
void sides_open(void);
void sides_open_joined(liveness_rule liveness);             /* all of it, until both have joined */
void up_with_fake(liveness_rule liveness);                  /* the bound side; a fake that is connected to it */
void fake_connects(int high_water);                         /* to the bound side, anew */
void fake_joined(void);                                     /* it says Hello, and is answered */
void down_with_fake(liveness_rule liveness);                /* a bound fake; the joining side has said Hello */

Trivium__Hello hello_beating(uint32_t heartbeat_ms);        /* of a fake */

/* Run the loop: until it is true (false: not within SOON_MS), or for a while. */
bool becomes(bool (*wanted)(void));
void run_ms(uint32_t ms);
bool both_joined(void);
bool up_joined(void);
bool up_left(void);
bool down_joined(void);
bool down_left(void);
bool down_refused(void);
bool down_got_message(void);
bool all_arrive(size_t n, const side *s);   /* run until n messages came to this side */

/* Run the loop until the fake hears that word; others before it are passed over. */
#define HEARS(word) assert_true(fake_peer_hears(&fake, test_loop, TRIVIUM__CONTROL__WORD_##word))

#endif
