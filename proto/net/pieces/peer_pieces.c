/* Messages of the link's own, whole or in pieces. */
#include "proto/net/peer_parts.h"
#include "proto/base/clock.h"

/* ---- coming in ---- */

/* A message never becomes whole. Its owner is to say so to whoever asked. */
static void refuse_header(peers *ps, peer *p, const wire_message *m, const failure *why) {
    wire_message header = *m;       /* the same holder's */
    header.n_raw = 0;
    if (ps->options.events.refuse) ps->options.events.refuse(ps->options.context, p, &header, why);
}

/* The same for the one on its way. */
static void refuse(peers *ps, peer *p, const failure *why) {
    refuse_header(ps, p, pieces_message(p->incoming), why);
    pieces_free(&p->incoming);
}

static void on_give_up(void *context, void *sender, const failure *why) {
    refuse(context, sender, why);
}

static void hand_on_whole(peers *ps, peer *p) {
    if (!pieces_whole(p->incoming)) return;
    ps->options.events.message(ps->options.context, p, pieces_message(p->incoming));
    pieces_free(&p->incoming);
}

static status begin(peers *ps, peer *p, const wire_message *m, const Trivium__Control *control, failure *f) {
    if (ps->options.sends_whole) return fail(f, STATUS_BAD_MESSAGE, "on this link messages come whole, not in pieces");
    const pieces_owner owner = {on_give_up, ps, p};
    return pieces_begin(&p->incoming, &owner, m, control, f);
}

void peer_take_body(peers *ps, peer *p, const wire_message *m, const Trivium__Control *control) {
    failure f;
    if (p->incoming) {
        fail(&f, STATUS_BAD_MESSAGE, "its last pieces never came: another message came first");
        refuse(ps, p, &f);
    }
    if (control->n_more == 0) ps->options.events.message(ps->options.context, p, m);
    else if (begin(ps, p, m, control, &f) == STATUS_OK) hand_on_whole(ps, p);
    else refuse_header(ps, p, m, &f);
}

/* The rest of one that was refused finds nobody. */
void peer_take_piece(peers *ps, peer *p, const wire_message *m, const Trivium__Piece *piece) {
    failure f;
    if (!p->incoming) return;
    if (pieces_take(p->incoming, m, piece->index, &f) == STATUS_OK) hand_on_whole(ps, p);
    else refuse(ps, p, &f);
}

/* Whoever begins a message and does not end it holds memory that others need. */
void peers_refuse_the_slow(peers *ps, uint64_t listened_ms) {
    failure f;
    peer *p;
    TAILQ_FOREACH(p, &ps->list, link) {
        if (p->incoming && pieces_check(p->incoming, listened_ms, &f) != STATUS_OK) refuse(ps, p, &f);
    }
}

/* ---- going out ---- */

static status post_piece(peers *ps, peer *p, uint32_t index, const wire_raw *raw) {
    Trivium__Piece piece = TRIVIUM__PIECE__INIT;
    Trivium__Control control = control_to(ps, p->incarnation);
    Trivium__Envelope envelope = TRIVIUM__ENVELOPE__INIT;
    wire_parcel *parcel;
    piece.index = index;
    control.word_case = TRIVIUM__CONTROL__WORD_PIECE;
    control.piece = &piece;
    envelope.control = &control;
    status st = wire_pack(&parcel, &envelope.base, raw, 1);
    return st == STATUS_OK ? peer_post(ps, p, parcel) : st;
}

status peer_send_in_pieces(peers *ps, peer *p, ProtobufCMessage *m, const wire_raw *raw, size_t n_raw) {
    uint64_t more[RAW_FRAMES_MAX];
    for (size_t i = 0; i < n_raw; i++) {
        if (raw[i].n_bytes > RAW_BYTES_MAX) return STATUS_TOO_LONG;
        more[i] = raw[i].n_bytes;
    }
    Trivium__Control control = control_to(ps, p->incarnation), **field = control_of(m);
    wire_parcel *parcel;
    control.n_more = n_raw;
    control.more = more;
    *field = &control;
    status st = wire_pack(&parcel, m, NULL, 0);
    *field = NULL;
    if (st == STATUS_OK) st = peer_post(ps, p, parcel);
    if (st != STATUS_OK) return st;
    pieces_cut cut = {.raw = raw, .n_raw = n_raw};
    wire_raw piece;
    for (uint32_t index = 0; st == STATUS_OK && pieces_next(&cut, &piece); index++) st = post_piece(ps, p, index, &piece);
    if (st == STATUS_NO_MEMORY) {       /* the rest will never come, and others must not wait for it */
        peer_doom(ps, p, "no memory for the rest of a message");
        st = STATUS_BUSY;
    }
    return st;
}
