#include "asker.h"

#include <setjmp.h>
#include <stdarg.h>

#include "tests/support/link/turns.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

enum { READ_AHEAD_MESSAGES = 10, PATIENCE_MS = 20000 };

void asker_connect(asker *a, loop *l, const char *address, const ProtobufCMessageDescriptor *incoming,
                   Trivium__Role role) {
    *a = (asker){.loop = l, .hello = fake_hello(role)};
    a->hello.heartbeat_ms = PATIENCE_MS;        /* it sends none by itself */
    fake_peer_join_narrowly(&a->peer, address, incoming, READ_AHEAD_MESSAGES);
}

static void forget_list(asker *a) {
    if (a->list) protobuf_c_message_free_unpacked(a->list, NULL);
    a->list = NULL;
}

const ProtobufCMessage *asker_list(asker *a, const ProtobufCMessageDescriptor *type) {
    size_t n_bytes = 0;
    const uint8_t *bytes = fake_peer_raw(&a->peer, 0, &n_bytes);
    assert_non_null(bytes);
    forget_list(a);
    a->list = protobuf_c_message_unpack(type, NULL, n_bytes, bytes);
    assert_non_null(a->list);
    return a->list;
}

void asker_close(asker *a) {
    forget_list(a);
    fake_peer_close(&a->peer);
}

/* A Hello that is said again is answered again, after all that came before it. */
static void say_hello(asker *a) {
    fake_peer_say_hello(&a->peer, a->hello);
    a->n_hellos++;
}

/* The next word but heartbeats. False: nothing is there. */
static bool take(asker *a) {
    while (fake_peer_take(&a->peer)) {
        if (a->peer.word == TRIVIUM__CONTROL__WORD_HEARTBEAT) continue;
        bool is_answer_to_hello = a->peer.word == TRIVIUM__CONTROL__WORD_HELLO ||
                                  a->peer.word == TRIVIUM__CONTROL__WORD_REFUSED;
        if (is_answer_to_hello) a->n_hellos--;
        return true;
    }
    return false;
}

static bool heard_all_hellos(void *context) {
    asker *a = context;
    while (a->n_hellos > 0 && take(a)) {}
    return a->n_hellos == 0;
}

bool asker_joins(asker *a) {
    say_hello(a);
    assert_true(turns_until(a->loop, heard_all_hellos, a));
    return a->peer.word == TRIVIUM__CONTROL__WORD_HELLO;
}

static bool is_answer(const asker *a) {
    return a->peer.word == FAKE_BODY && !(a->passes_over && a->passes_over(a->peer.header));
}

static bool heard_or_answered(void *context) {
    asker *a = context;
    while (a->n_hellos > 0 && !a->has_answer && take(a)) a->has_answer = is_answer(a);
    return a->n_hellos == 0 || a->has_answer;
}

void asker_is_heard(asker *a) {
    assert_false(a->has_answer);        /* the test has forgotten one */
    say_hello(a);
    assert_true(turns_until(a->loop, heard_or_answered, a));
}

void asker_says(asker *a, ProtobufCMessage *m, const wire_raw *raw, size_t n_raw) {
    fake_peer_send(&a->peer, m, raw, n_raw);
    asker_is_heard(a);
}

bool asker_is_silent(asker *a) {
    asker_is_heard(a);
    return !a->has_answer;
}

static bool answered(void *context) {
    asker *a = context;
    while (!a->has_answer && take(a)) a->has_answer = is_answer(a);
    return a->has_answer;
}

const ProtobufCMessage *asker_hears(asker *a) {
    assert_true(turns_until(a->loop, answered, a));
    a->has_answer = false;
    return a->peer.header;
}

void asker_hears_leave(asker *a) {
    assert_true(fake_peer_hears(&a->peer, a->loop, TRIVIUM__CONTROL__WORD_LEAVE));
}
