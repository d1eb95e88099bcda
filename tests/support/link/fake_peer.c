#include "fake_peer.h"

#include <czmq.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "proto/base/limits.h"
#include "turns.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

static void open_socket(fake_peer *f, int type, const ProtobufCMessageDescriptor *incoming) {
    zsock_t *zsock = zsock_new(type);
    assert_non_null(zsock);
    zsock_set_linger(zsock, 0);
    zsock_set_sndtimeo(zsock, SOON_MS);
    zsock_set_rcvtimeo(zsock, 0);
    zsock_set_sndhwm(zsock, 100000);
    *f = (fake_peer){.zsock = zsock, .from = FAKE_INCARNATION, .incoming = incoming};
}

void fake_peer_join_narrowly(fake_peer *f, const char *address,
                             const ProtobufCMessageDescriptor *incoming, int high_water) {
    open_socket(f, ZMQ_DEALER, incoming);
    zsock_set_rcvhwm(f->zsock, high_water);
    assert_int_equal(zsock_connect(f->zsock, "%s", address), 0);
}

void fake_peer_join(fake_peer *f, const char *address, const ProtobufCMessageDescriptor *incoming) {
    fake_peer_join_narrowly(f, address, incoming, HIGH_WATER_MESSAGES);
}

void fake_peer_bind(fake_peer *f, const char *address, const ProtobufCMessageDescriptor *incoming) {
    open_socket(f, ZMQ_ROUTER, incoming);
    zsock_set_router_mandatory(f->zsock, 1);
    assert_int_equal(zsock_bind(f->zsock, "%s", address), 0);
}

static void forget(fake_peer *f) {
    if (f->header) protobuf_c_message_free_unpacked(f->header, NULL);
    f->header = NULL;
    f->control = NULL;
    zmsg_destroy((zmsg_t **)&f->message);
}

void fake_peer_close(fake_peer *f) {
    forget(f);
    zframe_destroy((zframe_t **)&f->route);
    zsock_destroy((zsock_t **)&f->zsock);
}

/* ---- Speaking ---- */

Trivium__Hello fake_hello(Trivium__Role role) {
    Trivium__Hello hello = TRIVIUM__HELLO__INIT;
    hello.version = PROTOCOL_VERSION_MAX;
    hello.role = role;
    hello.name = (char *)"fake";
    return hello;
}

Trivium__Hello fake_hello_of_the_silent(Trivium__Role role) {
    Trivium__Hello hello = fake_hello(role);
    hello.heartbeat_ms = HEARTBEAT_MS_MAX;
    return hello;
}

void fake_peer_send_frames(fake_peer *f, const wire_raw *frames, size_t n_frames) {
    if (zsock_type(f->zsock) == ZMQ_ROUTER)
        assert_int_equal(zframe_send((zframe_t **)&f->route, f->zsock, ZFRAME_MORE | ZFRAME_REUSE), 0);
    for (size_t i = 0; i < n_frames; i++) {
        zframe_t *frame = zframe_new(frames[i].bytes, frames[i].n_bytes);
        assert_int_equal(zframe_send(&frame, f->zsock, i + 1 < n_frames ? ZFRAME_MORE : 0), 0);
    }
}

/* Field 1 of every message of a link. */
static Trivium__Control **control_field(ProtobufCMessage *m) {
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(m->descriptor, 1);
    assert_true(field && field->descriptor == &trivium__control__descriptor);
    return (Trivium__Control **)((char *)m + field->offset);
}

static void pack_and_send(fake_peer *f, ProtobufCMessage *m, Trivium__Control *control,
                          const wire_raw *raw, size_t n_raw) {
    wire_raw frames[FRAMES_MAX + 1];
    assert_in_range(n_raw, 0, FRAMES_MAX);
    control->from = f->from;
    control->to = f->to;
    *control_field(m) = control;
    uint8_t *packed = malloc(protobuf_c_message_get_packed_size(m));
    assert_non_null(packed);
    frames[0] = (wire_raw){packed, protobuf_c_message_pack(m, packed)};
    for (size_t i = 0; i < n_raw; i++) frames[1 + i] = raw[i];
    fake_peer_send_frames(f, frames, 1 + n_raw);
    *control_field(m) = NULL;
    free(packed);
}

void fake_peer_send(fake_peer *f, ProtobufCMessage *m, const wire_raw *raw, size_t n_raw) {
    Trivium__Control control = TRIVIUM__CONTROL__INIT;
    pack_and_send(f, m, &control, raw, n_raw);
}

void fake_peer_begin(fake_peer *f, ProtobufCMessage *m, const uint64_t *more, size_t n_more) {
    Trivium__Control control = TRIVIUM__CONTROL__INIT;
    control.more = (uint64_t *)more;
    control.n_more = n_more;
    pack_and_send(f, m, &control, NULL, 0);
}

void fake_peer_say_piece(fake_peer *f, uint32_t index, const void *bytes, size_t n_bytes) {
    Trivium__Piece piece = TRIVIUM__PIECE__INIT;
    Trivium__Control control = TRIVIUM__CONTROL__INIT;
    Trivium__Envelope envelope = TRIVIUM__ENVELOPE__INIT;
    piece.index = index;
    control.word_case = TRIVIUM__CONTROL__WORD_PIECE;
    control.piece = &piece;
    pack_and_send(f, &envelope.base, &control, &(wire_raw){bytes, n_bytes}, 1);
}

void fake_peer_say(fake_peer *f, Trivium__Control control) {
    Trivium__Envelope envelope = TRIVIUM__ENVELOPE__INIT;
    pack_and_send(f, &envelope.base, &control, NULL, 0);
}

/* `m` is the word's message. */
static void say_word(fake_peer *f, Trivium__Control__WordCase word, void *m) {
    Trivium__Control control = TRIVIUM__CONTROL__INIT;
    control.word_case = word;
    control.hello = m;          /* of a union of pointers */
    fake_peer_say(f, control);
}

void fake_peer_say_hello(fake_peer *f, Trivium__Hello hello) {
    say_word(f, TRIVIUM__CONTROL__WORD_HELLO, &hello);
}

void fake_peer_say_heartbeat(fake_peer *f) {
    say_word(f, TRIVIUM__CONTROL__WORD_HEARTBEAT, &(Trivium__Heartbeat)TRIVIUM__HEARTBEAT__INIT);
}

void fake_peer_say_leave(fake_peer *f) {
    say_word(f, TRIVIUM__CONTROL__WORD_LEAVE, &(Trivium__Leave)TRIVIUM__LEAVE__INIT);
}

void fake_peer_say_draining(fake_peer *f) {
    say_word(f, TRIVIUM__CONTROL__WORD_DRAINING, &(Trivium__Draining)TRIVIUM__DRAINING__INIT);
}

void fake_peer_ask_hello(fake_peer *f) {
    say_word(f, TRIVIUM__CONTROL__WORD_SAY_HELLO, &(Trivium__SayHello)TRIVIUM__SAY_HELLO__INIT);
}

/* ---- Hearing ---- */

bool fake_peer_take(fake_peer *f) {
    zmsg_t *message = zmsg_recv(f->zsock);
    if (!message) return false;
    forget(f);
    f->message = message;
    if (zsock_type(f->zsock) == ZMQ_ROUTER) {
        zframe_destroy((zframe_t **)&f->route);
        f->route = zmsg_pop(message);
    }
    zframe_t *header = zmsg_pop(message);
    assert_non_null(header);
    f->header = protobuf_c_message_unpack(f->incoming, NULL, zframe_size(header), zframe_data(header));
    zframe_destroy(&header);
    assert_non_null(f->header);
    f->control = *control_field(f->header);
    assert_non_null(f->control);
    f->word = f->control->word_case;
    f->to = f->control->from;
    return true;
}

typedef struct awaited {
    fake_peer *fake;
    Trivium__Control__WordCase word;
} awaited;

static bool heard_it(void *context) {
    const awaited *a = context;
    while (fake_peer_take(a->fake)) {
        if (a->fake->word == a->word) return true;
        a->fake->n_passed_over++;
    }
    return false;
}

bool fake_peer_hears(fake_peer *f, loop *l, Trivium__Control__WordCase word) {
    awaited a = {f, word};
    f->n_passed_over = 0;
    return turns_until(l, heard_it, &a);
}

const void *fake_peer_raw(const fake_peer *f, size_t index, size_t *n_bytes) {
    zframe_t *frame = f->message ? zmsg_first(f->message) : NULL;
    for (; frame && index > 0; index--) frame = zmsg_next(f->message);
    if (!frame) return NULL;
    *n_bytes = zframe_size(frame);
    return zframe_data(frame);
}
