#include "bound_link.h"

#include "proto/base/log.h"

status bound_link_open(bound_link *b, const link_options *o,
                       const ProtobufCMessageDescriptor *incoming, const peers_events *events,
                       void *context, failure *f) {
    Trivium__Hello hello = TRIVIUM__HELLO__INIT;
    hello.role = TRIVIUM__ROLE__TOKENIZERD;
    hello.name = (char *)o->name;
    const endpoint_options where = {
        .address = o->address,
        .high_water = HIGH_WATER_MESSAGES,
        .high_water_in = o->link == LINK_TOKENS ? HIGH_WATER_TOKENS : 0,
        .link = o->link,
        .keys = o->keys,
        .insecure = o->insecure,
    };
    const peers_options who = {
        .incoming = incoming,
        .hello = &hello,
        .incarnation = o->incarnation,
        .heartbeat_ms = o->heartbeat_ms,
        .liveness = LIVENESS_BOTH,
        .events = *events,
        .context = context,
    };
    return peers_bind(&b->peers, o->loop, &where, &who, f);
}

void bound_link_close(bound_link *b) {
    peers_free(&b->peers);
}

void bound_link_garbage(bound_link *b, const char *what) {
    if (b->n_garbage++ == 0) log_event(LOG_INFO, "garbage", "message=%s", what);
}

uint64_t bound_link_garbage_count(const bound_link *b) {
    return b->n_garbage + peers_garbage(b->peers);
}

ProtobufCBinaryData bytes_to_wire(const uint8_t *bytes, size_t n_bytes) {
    return (ProtobufCBinaryData){.len = n_bytes, .data = (uint8_t *)bytes};
}
