#include "bound_link.h"

#include "proto/base/log.h"
#include "proto/net/endpoint.h"

status bound_link_open(bound_link *b, const link_options *o,
                       const ProtobufCMessageDescriptor *incoming, const peers_events *events,
                       void *context, failure *f) {
    endpoint *e = NULL;
    hello_introduce(&b->hello, TRIVIUM__ROLE__TOKENIZERD, o->name, o->heartbeat_ms, b->host);
    status st = hello_check(&b->hello, f);
    const endpoint_options where = {
        .address = o->address, .high_water = HIGH_WATER_MESSAGES, .insecure = o->insecure};
    if (st == STATUS_OK) st = endpoint_bind(&e, &where, f);
    if (st != STATUS_OK) return st;
    const peers_options who = {
        .incoming = incoming,
        .hello = &b->hello,
        .incarnation = o->incarnation,
        .heartbeat_ms = o->heartbeat_ms,
        .liveness = LIVENESS_BOTH,
        .events = *events,
        .context = context,
    };
    b->peers = peers_new(o->loop, &e, &who);
    if (b->peers) return STATUS_OK;
    endpoint_close(&e);
    return fail(f, STATUS_NO_MEMORY, "no memory for %s", o->address);
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
