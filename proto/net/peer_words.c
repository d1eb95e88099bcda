#include <assert.h>

#include "errors.h"
#include "peer_parts.h"
#include "proto/base/clock.h"

Trivium__Control **control_of(ProtobufCMessage *m) {
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(m->descriptor, 1);
    assert(field && field->descriptor == &trivium__control__descriptor);
    return (Trivium__Control **)((char *)m + field->offset);
}

Trivium__Control control_to(const peers *ps, uint64_t to) {
    Trivium__Control control = TRIVIUM__CONTROL__INIT;
    control.from = ps->options.incarnation;
    control.to = to;
    return control;
}

status control_send(peers *ps, const wire_route *route, Trivium__Control *control) {
    Trivium__Envelope envelope = TRIVIUM__ENVELOPE__INIT;
    envelope.control = control;
    return wire_send(ps->socket, route, &envelope.base, NULL, 0);
}

Trivium__Control control_hello(peers *ps, uint64_t to) {
    Trivium__Control control = control_to(ps, to);
    ps->hello.uptime_ms = clock_ms() - ps->started_ms;
    control.word_case = TRIVIUM__CONTROL__WORD_HELLO;
    control.hello = &ps->hello;
    return control;
}

status peers_send_leave(peers *ps, const wire_route *route, uint64_t to, const char *why) {
    Trivium__Leave leave = TRIVIUM__LEAVE__INIT;
    leave.why = (char *)why;
    Trivium__Control control = control_to(ps, to);
    control.word_case = TRIVIUM__CONTROL__WORD_LEAVE;
    control.leave = &leave;
    return control_send(ps, route, &control);
}

void peers_send_refusal(peers *ps, const wire_route *route, uint64_t to, failure *f) {
    Trivium__Error error = error_to_wire(f);
    Trivium__Control control = control_to(ps, to);
    control.word_case = TRIVIUM__CONTROL__WORD_REFUSED;
    control.refused = &error;
    control_send(ps, route, &control);
}

void peers_send_say_hello(peers *ps, const wire_route *route, uint64_t to) {
    Trivium__SayHello say_hello = TRIVIUM__SAY_HELLO__INIT;
    Trivium__Control control = control_to(ps, to);
    control.word_case = TRIVIUM__CONTROL__WORD_SAY_HELLO;
    control.say_hello = &say_hello;
    control_send(ps, route, &control);
}

/* Whoever is bound asks one that it does not know for Hello, and so tells who it is. */
status peers_ask_who(peers *ps) {
    Trivium__Heartbeat beat = TRIVIUM__HEARTBEAT__INIT;
    Trivium__Control control = control_to(ps, 0);
    control.word_case = TRIVIUM__CONTROL__WORD_HEARTBEAT;
    control.heartbeat = &beat;
    return control_send(ps, NULL, &control);
}

/* A heartbeat never waits: where something else waits, that will be the sign of life. */
bool peers_send_heartbeat(peers *ps, peer *p) {
    if (p->state != PEER_JOINED || !outbox_empty(p->outbox)) return false;
    Trivium__Heartbeat beat = TRIVIUM__HEARTBEAT__INIT;
    if (ps->options.events.heartbeat) ps->options.events.heartbeat(ps->options.context, p, &beat);
    Trivium__Control control = control_to(ps, p->incarnation);
    control.word_case = TRIVIUM__CONTROL__WORD_HEARTBEAT;
    control.heartbeat = &beat;
    status st = control_send(ps, &p->route, &control);
    if (st == STATUS_NOT_FOUND) peer_doom_broken(ps, p);
    return st == STATUS_OK;
}

void peers_beat(peers *ps) {
    peer *p;
    TAILQ_FOREACH(p, &ps->list, link) peers_send_heartbeat(ps, p);
}

/* Unlike the other words it must not be lost, nor overtake our Hello: so it goes where messages go. */
static bool say_draining(peers *ps, peer *p) {
    Trivium__Draining draining = TRIVIUM__DRAINING__INIT;
    Trivium__Control control = control_to(ps, p->incarnation);
    Trivium__Envelope envelope = TRIVIUM__ENVELOPE__INIT;
    wire_parcel *parcel;
    control.word_case = TRIVIUM__CONTROL__WORD_DRAINING;
    control.draining = &draining;
    envelope.control = &control;
    if (wire_pack(&parcel, &envelope.base, NULL, 0) != STATUS_OK) return false;
    peer_post(ps, p, parcel);
    return true;
}

/* Whoever cannot be told for want of memory is told at the next tick. */
void peers_say_draining(peers *ps) {
    if (!ps->is_draining) return;
    peer *p;
    TAILQ_FOREACH(p, &ps->list, link)
        if (p->state == PEER_JOINED && !p->knows_draining) p->knows_draining = say_draining(ps, p);
}

void peers_drain(peers *ps) {
    ps->is_draining = true;
    peers_say_draining(ps);
}
