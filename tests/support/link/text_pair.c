#include "text_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "turns.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static void on_waiting(void *context, const char *sentence, bool in_text) {
    text_pair *p = context;
    assert_true(sentence[0]);
    p->n_waits_told++;
    p->was_in_text = in_text;
}

void text_pair_begin(text_pair *p, uint32_t wait_ms) {
    failure f;
    memset(p, 0, sizeof *p);
    place_make(&p->meeting);
    p->endpoints[0] = p->meeting.address;
    text_peer_init(&p->peer);
    const client_options how = {.endpoints = p->endpoints, .n_endpoints = 1, .wait_ms = wait_ms,
                                .has_own_wait = true, .waiting = on_waiting, .context = p};
    assert_int_equal(client_open(&p->client, &how, &f), STATUS_OK);
}

void text_pair_end(text_pair *p) {
    text_peer_clear(&p->peer);
    client_close(&p->client);
    assert_true(place_remove(&p->meeting));
}

static bool holds(void *context) {
    return (*(bool (**)(void))context)();
}

bool text_pair_becomes(text_pair *p, bool (*wanted)(void)) {
    return turns_until(client_loop(p->client), holds, &wanted);
}

/* What the conditions below look at. */
static text_pair *looked_at;
static size_t n_wanted;
static Trivium__TextRequest__BodyCase body_wanted;

static bool has_joined(void) {
    return looked_at->peer.n_joined == n_wanted;
}

static bool has_asked(void) {
    return text_peer_find(&looked_at->peer, body_wanted, n_wanted) != NULL;
}

void text_pair_join(text_pair *p) {
    looked_at = p;
    n_wanted = p->peer.n_joined + 1;
    text_peer_open(&p->peer, client_loop(p->client), p->meeting.address);
    assert_true(text_pair_becomes(p, has_joined));
}

void text_pair_again(text_pair *p) {
    text_peer_close(&p->peer);
    text_pair_join(p);
}

const text_peer_asked *text_pair_asked(text_pair *p, Trivium__TextRequest__BodyCase body, size_t n) {
    looked_at = p;
    body_wanted = body;
    n_wanted = n;
    assert_true(text_pair_becomes(p, has_asked));
    return text_peer_find(&p->peer, body, n);
}
