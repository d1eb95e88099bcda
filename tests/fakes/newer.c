/* Linked into the programs of the next version of the protocol (see the Makefile). What they say to a peer that speaks it
 * has the field that is new there, as a later build would fill it in; what they say to any other peer has not. A Hello
 * always has it: who will read it is not known yet. */
#include "proto/net/hello.h"
#include "proto/net/peer.h"

void __real_hello_fill(Trivium__Hello *hello, char host[HOST_BYTES]);
void __wrap_hello_fill(Trivium__Hello *hello, char host[HOST_BYTES]);
status __real_peers_send(peers *ps, peer *p, ProtobufCMessage *m, const wire_raw *raw, size_t n_raw);
status __wrap_peers_send(peers *ps, peer *p, ProtobufCMessage *m, const wire_raw *raw, size_t n_raw);
bool __real_peers_offer(peers *ps, peer *p, ProtobufCMessage *m);
bool __wrap_peers_offer(peers *ps, peer *p, ProtobufCMessage *m);

/* The body of a message of a link: the one of its oneof. NULL: it has none. */
static ProtobufCMessage *body_of(ProtobufCMessage *m) {
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &m->descriptor->fields[i];
        bool one_of_several = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
        if (one_of_several && *(const uint32_t *)((char *)m + field->quantifier_offset) == field->id)
            return *(ProtobufCMessage **)((char *)m + field->offset);
    }
    return NULL;
}

static void fill_in(const peer *p, ProtobufCMessage *m) {
    ProtobufCMessage *body = body_of(m);
    if (!body) return;
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(body->descriptor, "newer");
    if (field) *(uint32_t *)((char *)body + field->offset) = peer_version(p) == PROTOCOL_VERSION_MAX ? PROTOCOL_VERSION_MAX : 0;
}

void __wrap_hello_fill(Trivium__Hello *hello, char host[HOST_BYTES]) {
    __real_hello_fill(hello, host);
    hello->newer = PROTOCOL_VERSION_MAX;
}

status __wrap_peers_send(peers *ps, peer *p, ProtobufCMessage *m, const wire_raw *raw, size_t n_raw) {
    fill_in(p, m);
    return __real_peers_send(ps, p, m, raw, n_raw);
}

bool __wrap_peers_offer(peers *ps, peer *p, ProtobufCMessage *m) {
    fill_in(p, m);
    return __real_peers_offer(ps, p, m);
}
