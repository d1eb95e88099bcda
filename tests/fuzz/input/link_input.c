#include "link_input.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "proto/base/limits.h"
#include "proto/net/hello.h"

enum { ENDPOINTS_MAX = 8, INPUT_MESSAGES_MAX = 16 };
/* The first byte of a message in an input, and that of a header that is named. */
enum { N_RAW_MASK = 3, IN_PIECES = 4, WHICH_SHIFT = 3, NAMED = 0x40, STRANGER = 0x80, BODY_MASK = 0x1f };
/* Of protobuf's wire format: the tags of Control in a message, of its incarnations, and of the lengths of frames. */
enum { CONTROL_TAG = 0x0a, FROM_TAG = 0x09, TO_TAG = 0x11, INCARNATION_BYTES = 9, MORE_TAG = 0x52 };
enum { VARINT_BYTES_MAX = 5, LENGTH_DELIMITED = 2 };

/* ---- what is put in place of functions of ZeroMQ and of the loop (--wrap of the linker) ---- */

int __real_loop_add_socket(loop *l, void *socket, loop_handler *handler, void *context);
int __wrap_loop_add_socket(loop *l, void *socket, loop_handler *handler, void *context);
int __real_zmq_msg_recv(zmq_msg_t *frame, void *socket, int flags);
int __wrap_zmq_msg_recv(zmq_msg_t *frame, void *socket, int flags);
int __real_zmq_msg_more(const zmq_msg_t *frame);
int __wrap_zmq_msg_more(const zmq_msg_t *frame);
int __real_zmq_msg_send(zmq_msg_t *frame, void *socket, int flags);
int __wrap_zmq_msg_send(zmq_msg_t *frame, void *socket, int flags);

typedef struct open_endpoint {
    void *socket;
    loop_handler *readable;
    void *context;
    bool bound, in_message;
    wire_raw route;             /* bound: who spoke last on the real socket, owned */
    const ProtobufCMessageDescriptor *outgoing;
    link_ear *ear;              /* NULL: nobody listens */
    size_t n_frames_sent;       /* of the message that is being sent */
} open_endpoint;

static open_endpoint endpoints[ENDPOINTS_MAX];
static size_t n_endpoints;
static bool begun;

/* What lies in the socket: one message. */
static struct {
    void *socket;
    wire_raw frames[FRAMES_MAX + 1 + N_RAW_MASK];
    size_t n_frames, n_read;
} waiting;

static void must(bool holds) {
    if (!holds) abort();
}

int __wrap_loop_add_socket(loop *l, void *socket, loop_handler *handler, void *context) {
    int type = 0;
    size_t n_bytes = sizeof type;
    must(zmq_getsockopt(socket, ZMQ_TYPE, &type, &n_bytes) == 0);
    if (type == ZMQ_ROUTER || type == ZMQ_DEALER) {
        must(n_endpoints < ENDPOINTS_MAX);
        endpoints[n_endpoints++] = (open_endpoint){
            .socket = socket, .readable = handler, .context = context, .bound = type == ZMQ_ROUTER};
    }
    return __real_loop_add_socket(l, socket, handler, context);
}

/* A frame that came through the real socket: the first one of a message on a bound endpoint is its sender. */
static void note_route(void *socket, zmq_msg_t *frame) {
    for (size_t i = 0; i < n_endpoints; i++) {
        open_endpoint *e = &endpoints[i];
        if (e->socket != socket || !e->bound) continue;
        if (!e->in_message) {
            void *copy = malloc(zmq_msg_size(frame));
            must(copy != NULL);
            memcpy(copy, zmq_msg_data(frame), zmq_msg_size(frame));
            free((void *)e->route.bytes);
            e->route = (wire_raw){copy, zmq_msg_size(frame)};
        }
        e->in_message = __real_zmq_msg_more(frame) != 0;
    }
}

int __wrap_zmq_msg_recv(zmq_msg_t *frame, void *socket, int flags) {
    if (!begun) {
        int n = __real_zmq_msg_recv(frame, socket, flags);
        if (n >= 0) note_route(socket, frame);
        return n;
    }
    if (waiting.socket != socket || waiting.n_read == waiting.n_frames) {
        errno = EAGAIN;
        return -1;
    }
    wire_raw one = waiting.frames[waiting.n_read++];
    zmq_msg_close(frame);
    must(zmq_msg_init_size(frame, one.n_bytes) == 0);
    if (one.n_bytes > 0) memcpy(zmq_msg_data(frame), one.bytes, one.n_bytes);
    return (int)one.n_bytes;
}

int __wrap_zmq_msg_more(const zmq_msg_t *frame) {
    return begun ? waiting.n_read < waiting.n_frames : __real_zmq_msg_more(frame);
}

/* A frame that the side under test sends: the header is heard, the second one on a bound endpoint. */
static void hear(open_endpoint *e, zmq_msg_t *frame, bool more) {
    size_t index = e->n_frames_sent++;
    if (!more) e->n_frames_sent = 0;
    if (!e->ear || index != (e->bound ? 1 : 0)) return;
    ProtobufCMessage *m = protobuf_c_message_unpack(e->outgoing, NULL, zmq_msg_size(frame), zmq_msg_data(frame));
    must(m != NULL);
    e->ear(m);
    protobuf_c_message_free_unpacked(m, NULL);
}

int __wrap_zmq_msg_send(zmq_msg_t *frame, void *socket, int flags) {
    if (!begun) return __real_zmq_msg_send(frame, socket, flags);
    for (size_t i = 0; i < n_endpoints; i++)
        if (endpoints[i].socket == socket) hear(&endpoints[i], frame, flags & ZMQ_SNDMORE);
    int n_bytes = (int)zmq_msg_size(frame);
    zmq_msg_close(frame);
    zmq_msg_init(frame);
    return n_bytes;
}

/* ---- turns and ends ---- */

void __lsan_do_leak_check(void) __attribute__((weak));  /* not there where no sanitizer is */

void link_input_begin(void) {
    begun = true;
    if (__lsan_do_leak_check) must(atexit(__lsan_do_leak_check) == 0);
}

static place *places[ENDPOINTS_MAX];
static size_t n_places;

static void remove_places(void) {
    while (n_places > 0) (void)place_remove(places[--n_places]);
}

void link_input_removes(place *p) {
    must(n_places < ENDPOINTS_MAX);
    if (n_places == 0) must(atexit(remove_places) == 0);
    places[n_places++] = p;
}

static void stop(void *context) {
    loop_stop(context);
}

void link_input_turns_ms(const link_speaker *speaker, uint32_t ms) {
    timer end = {0};
    loop_once(speaker->loop, &end, ms, stop, speaker->loop);
    loop_run(speaker->loop);
    loop_cancel(speaker->loop, &end);
}

void link_input_turn(const link_speaker *speaker) {
    link_input_turns_ms(speaker, 0);
}

static open_endpoint *endpoint_of(const link_speaker *speaker) {
    size_t n_before = 0;
    for (size_t i = 0; i < n_endpoints; i++)
        if (endpoints[i].bound == speaker->bound && n_before++ == speaker->endpoint) return &endpoints[i];
    abort();
}

void link_input_listen(const link_speaker *speaker, const ProtobufCMessageDescriptor *type, link_ear *ear) {
    open_endpoint *e = endpoint_of(speaker);
    e->outgoing = type;
    e->ear = ear;
}

/* ---- headers, by hand: a link refuses a field that comes twice ---- */

static size_t write_varint(uint8_t *out, size_t value) {
    size_t n = 0;
    for (; value > 0x7f; value >>= 7) out[n++] = (uint8_t)(value | 0x80);
    out[n++] = (uint8_t)value;
    return n;
}

static size_t write_number(uint8_t *out, uint8_t tag, uint64_t value) {
    out[0] = tag;
    memcpy(out + 1, &value, sizeof value);
    return INCARNATION_BYTES;
}

/* The control part that the header begins with is taken from it; without one it is empty. */
static wire_raw take_control(wire_raw *header) {
    const uint8_t *at = header->bytes, *end = at + header->n_bytes;
    if (at == end || *at != CONTROL_TAG) return (wire_raw){at, 0};
    size_t n_bytes = 0;
    unsigned shift = 0;
    bool more = true;
    for (at++; more && at < end && shift < 32; shift += 7) {
        n_bytes |= (size_t)(*at & 0x7f) << shift;
        more = *at++ & 0x80;
    }
    if (n_bytes > (size_t)(end - at)) n_bytes = (size_t)(end - at);
    *header = (wire_raw){at + n_bytes, (size_t)(end - at) - n_bytes};
    return (wire_raw){at, n_bytes};
}

static size_t write_bytes(uint8_t *out, wire_raw from) {
    if (from.n_bytes > 0) memcpy(out, from.bytes, from.n_bytes);
    return from.n_bytes;
}

/* The lengths of the frames that are to follow, as a control part has them. */
enum { MORE_BYTES_MAX = 2 + N_RAW_MASK * VARINT_BYTES_MAX };
static wire_raw write_more(uint8_t out[MORE_BYTES_MAX], const wire_raw *raw, size_t n_raw) {
    size_t n = 2;
    for (size_t i = 0; i < n_raw; i++) n += write_varint(out + n, raw[i].n_bytes);
    out[0] = MORE_TAG;
    out[1] = (uint8_t)(n - 2);
    return (wire_raw){out, n};
}

/* The header with the speaker's incarnations and `more` in its control part; freed by the caller. */
static wire_raw header_from(const link_speaker *speaker, wire_raw header, wire_raw more) {
    wire_raw control = take_control(&header);
    size_t n_bytes = 2 * INCARNATION_BYTES + control.n_bytes + more.n_bytes;
    uint8_t *out = malloc(2 * VARINT_BYTES_MAX + n_bytes + header.n_bytes);
    must(out != NULL);
    size_t n = write_varint(out, CONTROL_TAG);
    n += write_varint(out + n, n_bytes);
    n += write_number(out + n, FROM_TAG, speaker->from);
    n += write_number(out + n, TO_TAG, speaker->to);
    n += write_bytes(out + n, control);
    n += write_bytes(out + n, more);
    n += write_bytes(out + n, header);
    return (wire_raw){out, n};
}

/* The header around what the input says of a body and what names it; freed by the caller. */
static wire_raw header_named(const link_speaker *speaker, uint8_t way, wire_raw said) {
    uint8_t names[LINK_NAMES_BYTES_MAX];
    const uint8_t *bytes = said.bytes;
    uint32_t body = bytes[0] & BODY_MASK;
    size_t n_names = speaker->names(body, way >> WHICH_SHIFT & WHICH_MAX, names), n_said = said.n_bytes - 1;
    must(n_names <= sizeof names);
    uint8_t *out = malloc(2 * VARINT_BYTES_MAX + n_said + n_names);
    must(out != NULL);
    size_t n = write_varint(out, body << 3 | LENGTH_DELIMITED);
    n += write_varint(out + n, n_said + n_names);
    memcpy(out + n, bytes + 1, n_said);
    memcpy(out + n + n_said, names, n_names);
    return (wire_raw){out, n + n_said + n_names};
}

/* ---- speaking ---- */

/* frames[0] is the header. */
static void deliver_as_it_is(const link_speaker *speaker, const wire_raw *frames, size_t n_frames) {
    const open_endpoint *e = endpoint_of(speaker);
    waiting.socket = e->socket;
    waiting.n_frames = waiting.n_read = 0;
    if (e->bound) waiting.frames[waiting.n_frames++] = e->route;
    for (size_t i = 0; i < n_frames; i++) waiting.frames[waiting.n_frames++] = frames[i];
    e->readable(e->context);
    must(waiting.n_read == waiting.n_frames);
}

static void deliver(const link_speaker *speaker, const wire_raw *frames, size_t n_frames) {
    wire_raw all[1 + N_RAW_MASK];
    must(n_frames <= sizeof all / sizeof *all);
    memcpy(all, frames, n_frames * sizeof *all);
    all[0] = header_from(speaker, frames[0], (wire_raw){NULL, 0});
    deliver_as_it_is(speaker, all, n_frames);
    free((void *)all[0].bytes);
}

void link_input_tells(const link_speaker *speaker, const ProtobufCMessage *m, const wire_raw *raw, size_t n_raw) {
    wire_raw frames[FRAMES_MAX];
    uint8_t *packed = malloc(protobuf_c_message_get_packed_size(m) + 1);
    must(packed != NULL && n_raw < FRAMES_MAX);
    frames[0] = (wire_raw){packed, protobuf_c_message_pack(m, packed)};
    for (size_t i = 0; i < n_raw; i++) frames[1 + i] = raw[i];
    deliver(speaker, frames, 1 + n_raw);
    free(packed);
}

static void say_word_with(const link_speaker *speaker, Trivium__Control control, const wire_raw *raw, size_t n_raw) {
    Trivium__Envelope envelope = TRIVIUM__ENVELOPE__INIT;
    envelope.control = &control;
    link_input_tells(speaker, &envelope.base, raw, n_raw);
}

static void say_word(const link_speaker *speaker, Trivium__Control control) {
    say_word_with(speaker, control, NULL, 0);
}

static void say_piece(const link_speaker *speaker, uint32_t index, wire_raw raw) {
    Trivium__Piece piece = TRIVIUM__PIECE__INIT;
    Trivium__Control control = TRIVIUM__CONTROL__INIT;
    piece.index = index;
    control.word_case = TRIVIUM__CONTROL__WORD_PIECE;
    control.piece = &piece;
    say_word_with(speaker, control, &raw, 1);
}

static void deliver_in_pieces(const link_speaker *speaker, const wire_raw *frames, size_t n_frames) {
    uint8_t more[MORE_BYTES_MAX];
    uint32_t index = 0;
    wire_raw header = header_from(speaker, frames[0], write_more(more, frames + 1, n_frames - 1));
    deliver_as_it_is(speaker, &header, 1);
    free((void *)header.bytes);
    for (size_t i = 1; i < n_frames; i++) {
        const uint8_t *bytes = frames[i].bytes;
        size_t n_bytes = frames[i].n_bytes, half = n_bytes / 2;
        if (half > 0) say_piece(speaker, index++, (wire_raw){bytes, half});
        if (n_bytes > 0) say_piece(speaker, index++, (wire_raw){bytes + half, n_bytes - half});
    }
}

void link_input_joins(const link_speaker *speaker) {
    Trivium__Hello hello = speaker->hello;
    Trivium__Control control = TRIVIUM__CONTROL__INIT;
    control.word_case = TRIVIUM__CONTROL__WORD_HELLO;
    control.hello = &hello;
    say_word(speaker, control);
}

/* A joining side that is refused, or refuses, ends for good: then no other input would have anybody to speak to. */
static bool would_end_it(const link_speaker *speaker, wire_raw header) {
    wire_raw part = take_control(&header);
    if (speaker->bound || part.n_bytes == 0) return false;
    failure f;
    Trivium__Control *control = trivium__control__unpack(NULL, part.n_bytes, part.bytes);
    bool ends = control && (control->word_case == TRIVIUM__CONTROL__WORD_REFUSED ||
                            (control->word_case == TRIVIUM__CONTROL__WORD_HELLO && hello_check(control->hello, &f) != STATUS_OK));
    if (control) trivium__control__free_unpacked(control, NULL);
    return ends;
}

/* A number of two bytes, no more than are left after it. */
static size_t take_length(const uint8_t **at, const uint8_t *end) {
    if (end - *at < 2) {
        *at = end;
        return 0;
    }
    size_t n = (size_t)(*at)[0] | (size_t)(*at)[1] << 8;
    *at += 2;
    return n;
}

static const uint8_t *say_one(const link_speaker *speaker, const uint8_t *at, const uint8_t *end) {
    wire_raw frames[1 + N_RAW_MASK];
    uint8_t way = *at++;
    size_t n_frames = 1 + (way & N_RAW_MASK);
    for (size_t i = 0; i < n_frames; i++) frames[i].n_bytes = take_length(&at, end);
    for (size_t i = 0; i < n_frames; i++) {
        size_t n_left = (size_t)(end - at);
        if (frames[i].n_bytes > n_left) frames[i].n_bytes = n_left;
        frames[i].bytes = at;
        at += frames[i].n_bytes;
    }
    bool is_named = way & NAMED && speaker->names && frames[0].n_bytes > 0;
    if (is_named) frames[0] = header_named(speaker, way, frames[0]);
    if (way & STRANGER) deliver_as_it_is(speaker, frames, n_frames);
    else if (!would_end_it(speaker, frames[0]))
        (way & IN_PIECES ? deliver_in_pieces : deliver)(speaker, frames, n_frames);
    if (is_named) free((void *)frames[0].bytes);
    return at;
}

void link_input_says(const link_speaker *speaker, const uint8_t *bytes, size_t n_bytes) {
    const uint8_t *at = bytes, *end = bytes + n_bytes;
    for (size_t i = 0; i < INPUT_MESSAGES_MAX && at < end; i++) at = say_one(speaker, at, end);
    link_input_turn(speaker);
}

void link_input_leaves(const link_speaker *speaker) {
    Trivium__Leave leave = TRIVIUM__LEAVE__INIT;
    Trivium__Control control = TRIVIUM__CONTROL__INIT;
    control.word_case = TRIVIUM__CONTROL__WORD_LEAVE;
    control.leave = &leave;
    say_word(speaker, control);
    link_input_turn(speaker);
}

void link_input_run(const link_speaker *speaker, const uint8_t *bytes, size_t n_bytes) {
    link_input_joins(speaker);
    link_input_says(speaker, bytes, n_bytes);
    link_input_leaves(speaker);
}
