#include "wire.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "bounds/bounds.h"
#include "gate/gate.h"
#include "hello.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "raw frames are sent as they lie in memory");

enum {
    RAW_ALIGNMENT = 8,
    MEMORY_A_BYTE = 4,              /* that a message in a raw frame may take, unpacked */
};

/* ---- Memory for an unpacked header ----
 *
 * Measured before (bounds.h): one piece, of which protobuf-c gets its pieces one after another, and which is freed at
 * once. */

enum { ARENA_ALIGNMENT = 8 };       /* protobuf-c holds nothing wider than pointers and doubles */

typedef struct arena {
    uint8_t *bytes;                 /* [n_bytes] */
    size_t n_used, n_bytes;
} arena;

static void *arena_alloc(void *allocator_data, size_t size) {
    arena *a = allocator_data;
    size_t n_bytes = (size + ARENA_ALIGNMENT - 1) & ~(size_t)(ARENA_ALIGNMENT - 1);
    if (n_bytes < size || n_bytes > a->n_bytes - a->n_used) return NULL;
    void *memory = a->bytes + a->n_used;
    a->n_used += n_bytes;
    return memory;
}

static void arena_free_one(void *allocator_data, void *pointer) {
    (void)allocator_data, (void)pointer; /* all at once, in wire_release */
}

/* ---- Receiving ---- */

struct wire_frames {
    zmq_msg_t raw[RAW_FRAMES_MAX];
    void *aligned[RAW_FRAMES_MAX];  /* a copy, where ZeroMQ put a frame at an odd address; or NULL */
    size_t n_raw;
    arena memory;                   /* of the header */
    size_t n_holders;
};

static bool has_more(zmq_msg_t *frame) {
    return zmq_msg_more(frame) != 0;
}

/* Receive the next frame into `frame`, which is initialized here. False: nothing there. */
static bool frame_receive(void *socket, zmq_msg_t *frame) {
    zmq_msg_init(frame);
    int rc;
    do rc = zmq_msg_recv(frame, socket, ZMQ_DONTWAIT);
    while (rc < 0 && zmq_errno() == EINTR);
    if (rc < 0) zmq_msg_close(frame);
    return rc >= 0;
}

static void count_frame(wire_message *m, zmq_msg_t *frame) {
    m->n_bytes += zmq_msg_size(frame);
    gate_took(m->connection, zmq_msg_size(frame));
}

/* The same for a frame of this message, which is taken from its connection then. */
static bool frame_take(void *socket, wire_message *m, zmq_msg_t *frame) {
    if (!frame_receive(socket, frame)) return false;
    count_frame(m, frame);
    return true;
}

/* Take away the rest of a message that is not to be read further. */
static void frames_drain(void *socket, wire_message *m, bool more) {
    zmq_msg_t frame;
    while (more && frame_take(socket, m, &frame)) {
        more = has_more(&frame);
        zmq_msg_close(&frame);
    }
}

static ProtobufCMessage *header_unpack(arena *a, const ProtobufCMessageDescriptor *type,
                                       zmq_msg_t *frame) {
    size_t n_bytes = zmq_msg_size(frame);
    if (n_bytes == 0 || n_bytes > HEADER_BYTES_MAX) return NULL;
    if (bounds_measure(type, zmq_msg_data(frame), n_bytes, &a->n_bytes) != STATUS_OK) return NULL;
    a->bytes = a->n_bytes <= UNPACKED_BYTES_MAX ? malloc(a->n_bytes) : NULL;
    if (!a->bytes) return NULL;
    ProtobufCAllocator allocator = {arena_alloc, arena_free_one, a};
    return protobuf_c_message_unpack(type, &allocator, n_bytes, zmq_msg_data(frame));
}

/* Where the frame's bytes lie, at an aligned address; NULL: too long, or no memory to copy them. */
static const void *raw_bytes(struct wire_frames *frames, size_t index) {
    zmq_msg_t *frame = &frames->raw[index];
    size_t n_bytes = zmq_msg_size(frame);
    void *bytes = zmq_msg_data(frame);
    if (n_bytes > RAW_BYTES_MAX) return NULL;
    if (bytes && (uintptr_t)bytes % RAW_ALIGNMENT == 0) return bytes;
    void *copy = malloc(n_bytes > 0 ? n_bytes : 1); /* malloc's own alignment is at least ours */
    if (copy && n_bytes > 0) memcpy(copy, bytes, n_bytes);
    return frames->aligned[index] = copy;
}

/* The frames after the header, of which there may be RAW_FRAMES_MAX. */
static status raws_receive(void *socket, wire_message *m, bool more) {
    struct wire_frames *frames = m->frames;
    while (more) {
        if (frames->n_raw == RAW_FRAMES_MAX) {
            frames_drain(socket, m, more);
            return STATUS_BAD_MESSAGE;
        }
        size_t index = frames->n_raw;
        if (!frame_take(socket, m, &frames->raw[index])) return STATUS_BAD_MESSAGE;
        frames->n_raw++;
        more = has_more(&frames->raw[index]);
        const void *bytes = raw_bytes(frames, index);
        if (!bytes) {
            frames_drain(socket, m, more);
            return STATUS_BAD_MESSAGE;
        }
        m->raw[m->n_raw++] = (wire_raw){bytes, zmq_msg_size(&frames->raw[index])};
    }
    return STATUS_OK;
}

/* The frame that a ROUTER puts in front: who sent it. False: it is longer than any may be, which ZeroMQ bounds only where
 * it is its own. */
static bool route_set(wire_route *route, zmq_msg_t *frame) {
    size_t n_bytes = zmq_msg_size(frame);
    if (n_bytes > ROUTING_BYTES_MAX) return false;
    route->n_bytes = (uint8_t)n_bytes;
    memcpy(route->bytes, zmq_msg_data(frame), n_bytes);
    return true;
}

static bool is_router(void *socket) {
    int type = 0;
    size_t n_bytes = sizeof type;
    int rc = zmq_getsockopt(socket, ZMQ_TYPE, &type, &n_bytes);
    assert(rc == 0);
    (void)rc;
    return type == ZMQ_ROUTER;
}

status wire_receive(void *socket, const ProtobufCMessageDescriptor *type, wire_message *m) {
    *m = (wire_message){.connection = -1};
    zmq_msg_t frame;
    if (!frame_receive(socket, &frame)) return STATUS_NOT_FOUND;
    bool known = true;
    if (is_router(socket)) {
        known = route_set(&m->route, &frame);
        bool more = has_more(&frame);
        zmq_msg_close(&frame);
        if (!more || !frame_receive(socket, &frame)) return STATUS_BAD_MESSAGE;
    }
    bool more = has_more(&frame);
    m->connection = zmq_msg_get(&frame, ZMQ_SRCFD);
    count_frame(m, &frame);
    status st = STATUS_BAD_MESSAGE;
    m->frames = known ? calloc(1, sizeof *m->frames) : NULL;
    if (m->frames) m->frames->n_holders = 1;
    if (m->frames) m->header = header_unpack(&m->frames->memory, type, &frame);
    if (m->header && hello_in(m->header)) key_user(m->user, &frame);
    zmq_msg_close(&frame);
    if (m->header)
        st = raws_receive(socket, m, more);
    else
        frames_drain(socket, m, more);
    if (st != STATUS_OK) {
        wire_message dropped = {.route = m->route, .n_bytes = m->n_bytes, .connection = -1};
        wire_release(m);
        *m = dropped;
    }
    return st;
}

void wire_release(wire_message *m) {
    struct wire_frames *frames = m->frames;
    if (frames && --frames->n_holders == 0) {
        for (size_t i = 0; i < frames->n_raw; i++) {
            zmq_msg_close(&frames->raw[i]);
            free(frames->aligned[i]);
        }
        free(frames->memory.bytes);
        free(frames);
    }
    *m = (wire_message){0};
}

void wire_adopt_raw(wire_message *m, void *bytes, size_t n_bytes) {
    static const max_align_t nothing;
    struct wire_frames *frames = m->frames;
    assert(frames->n_raw < RAW_FRAMES_MAX);
    zmq_msg_init(&frames->raw[frames->n_raw]);
    frames->aligned[frames->n_raw++] = bytes;
    m->raw[m->n_raw++] = (wire_raw){bytes ? bytes : &nothing, n_bytes};
}

size_t wire_header_bytes(const wire_message *m) {
    return m->frames->memory.n_bytes;
}

wire_message wire_keep(const wire_message *m) {
    m->frames->n_holders++;
    return *m;
}

/* ---- Sending ---- */

enum { FRAME_EXTRA_BYTES = 64 };    /* that a frame takes beside its bytes, of ZeroMQ and of malloc */

struct wire_parcel {
    zmq_msg_t frames[FRAMES_MAX];
    size_t n_frames;
    size_t n_bytes;                 /* in memory, all of it */
    bool large;                     /* its frames can be counted on their way */
};

static bool sizes_fit(size_t header_bytes, const wire_raw *raw, size_t n_raw) {
    assert(n_raw <= RAW_FRAMES_MAX);
    if (header_bytes > HEADER_BYTES_MAX) return false;
    for (size_t i = 0; i < n_raw; i++)
        if (raw[i].n_bytes > RAW_BYTES_MAX) return false;
    return true;
}

/* A new frame of the parcel to be written; NULL: no memory. */
static void *parcel_frame(wire_parcel *parcel, size_t n_bytes) {
    zmq_msg_t *frame = &parcel->frames[parcel->n_frames];
    bool made = parcel->large && n_bytes > 0 ? transit_frame(frame, n_bytes) : zmq_msg_init_size(frame, n_bytes) == 0;
    if (!made) return NULL;
    parcel->n_frames++;
    return zmq_msg_data(frame);
}

static void parcel_empty(wire_parcel *parcel) {
    for (size_t i = 0; i < parcel->n_frames; i++) zmq_msg_close(&parcel->frames[i]);
    parcel->n_frames = 0;
}

static status parcel_fill(wire_parcel *parcel, const ProtobufCMessage *header, const wire_raw *raw,
                          size_t n_raw) {
    size_t header_bytes = protobuf_c_message_get_packed_size(header);
    *parcel = (wire_parcel){0};
    if (!sizes_fit(header_bytes, raw, n_raw)) return STATUS_TOO_LONG;
    size_t n_bytes = header_bytes + (1 + n_raw) * FRAME_EXTRA_BYTES;
    for (size_t i = 0; i < n_raw; i++) n_bytes += raw[i].n_bytes;
    parcel->n_bytes = n_bytes + sizeof *parcel;
    parcel->large = n_bytes > SMALL_MESSAGE_BYTES_MAX;
    uint8_t *packed = parcel_frame(parcel, header_bytes);
    if (packed) protobuf_c_message_pack(header, packed);
    for (size_t i = 0; packed && i < n_raw; i++) {
        packed = parcel_frame(parcel, raw[i].n_bytes);
        if (packed && raw[i].n_bytes > 0) memcpy(packed, raw[i].bytes, raw[i].n_bytes);
    }
    if (packed) return STATUS_OK;
    parcel_empty(parcel);
    return STATUS_NO_MEMORY;
}

static int frame_send(void *socket, zmq_msg_t *frame, bool more) {
    int rc;
    do rc = zmq_msg_send(frame, socket, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0));
    while (rc < 0 && zmq_errno() == EINTR);
    return rc;
}

/* The frame that tells a ROUTER where the rest goes. It decides whether the message is taken. */
static status route_send(void *socket, const wire_route *route) {
    zmq_msg_t frame;
    if (zmq_msg_init_size(&frame, route->n_bytes) != 0) return STATUS_NO_MEMORY;
    memcpy(zmq_msg_data(&frame), route->bytes, route->n_bytes);
    if (frame_send(socket, &frame, true) >= 0) return STATUS_OK;
    status st = zmq_errno() == EAGAIN ? STATUS_BUSY : STATUS_NOT_FOUND;
    zmq_msg_close(&frame);
    return st;
}

/* On STATUS_BUSY the frames are as they were; else they were taken or are of no use any more. */
static status parcel_send(void *socket, const wire_route *route, wire_parcel *parcel) {
    bool routed = route && route->n_bytes > 0;
    if (routed) {
        status st = route_send(socket, route);
        if (st != STATUS_OK) return st;
    }
    status st = STATUS_OK;
    for (size_t i = 0; i < parcel->n_frames; i++) {
        if (frame_send(socket, &parcel->frames[i], i + 1 < parcel->n_frames) >= 0) continue;
        if (i == 0 && !routed) return zmq_errno() == EAGAIN ? STATUS_BUSY : STATUS_NOT_FOUND;
        /* The connection broke within the message. ZeroMQ drops the frames up to the last one, so
         * they must be given to it: else it would drop the next message's. */
        st = STATUS_NOT_FOUND;
    }
    return st;
}

/* An empty frame is not counted; and of one that ZeroMQ has taken nothing is left here. */
static void frames_begin(wire_parcel *parcel, transit *way) {
    for (size_t i = 0; parcel->large && i < parcel->n_frames; i++)
        if (zmq_msg_size(&parcel->frames[i]) > 0) transit_begin(way, &parcel->frames[i]);
}

static void frames_cancel(wire_parcel *parcel) {
    for (size_t i = 0; parcel->large && i < parcel->n_frames; i++)
        if (zmq_msg_size(&parcel->frames[i]) > 0) transit_cancel(&parcel->frames[i]);
}

status wire_send(void *socket, const wire_route *route, const ProtobufCMessage *header,
                 const wire_raw *raw, size_t n_raw) {
    wire_parcel parcel;
    status st = parcel_fill(&parcel, header, raw, n_raw);
    if (st != STATUS_OK) return st;
    frames_begin(&parcel, NULL);
    st = parcel_send(socket, route, &parcel);
    parcel_empty(&parcel);
    return st;
}

status wire_pack(wire_parcel **out, const ProtobufCMessage *header, const wire_raw *raw,
                 size_t n_raw) {
    wire_parcel *parcel = malloc(sizeof *parcel);
    status st = parcel ? parcel_fill(parcel, header, raw, n_raw) : STATUS_NO_MEMORY;
    if (st != STATUS_OK) {
        free(parcel);
        parcel = NULL;
    }
    *out = parcel;
    return st;
}

size_t wire_parcel_bytes(const wire_parcel *parcel) {
    return parcel->n_bytes;
}

bool wire_parcel_large(const wire_parcel *parcel) {
    return parcel->large;
}

status wire_send_parcel(void *socket, const wire_route *route, wire_parcel **parcel, transit *way) {
    frames_begin(*parcel, way);
    status st = parcel_send(socket, route, *parcel);
    if (st == STATUS_OK) wire_parcel_free(parcel);
    else frames_cancel(*parcel);
    return st;
}

void wire_parcel_free(wire_parcel **parcel) {
    if (*parcel) parcel_empty(*parcel);
    free(*parcel);
    *parcel = NULL;
}

/* ---- Raw frames as messages ---- */

ProtobufCMessage *wire_unpack(const wire_message *m, size_t index, const ProtobufCMessageDescriptor *type) {
    size_t n_memory;
    if (index >= m->n_raw) return NULL;
    const wire_raw *raw = &m->raw[index];
    if (bounds_measure(type, raw->bytes, raw->n_bytes, &n_memory) != STATUS_OK) return NULL;
    if (n_memory > UNPACKED_BYTES_MAX + MEMORY_A_BYTE * raw->n_bytes) return NULL;
    return protobuf_c_message_unpack(type, NULL, raw->n_bytes, raw->bytes);
}

status wire_pack_raw(const ProtobufCMessage *m, wire_raw *out) {
    size_t n_bytes = protobuf_c_message_get_packed_size(m);
    uint8_t *bytes = malloc(n_bytes + 1);
    if (!bytes) return STATUS_NO_MEMORY;
    protobuf_c_message_pack(m, bytes);
    *out = (wire_raw){bytes, n_bytes};
    return STATUS_OK;
}

/* ---- Raw frames as arrays ---- */

const void *wire_items(const wire_message *m, size_t index, size_t size, size_t *count) {
    if (index >= m->n_raw || m->raw[index].n_bytes % size != 0) return NULL;
    *count = m->raw[index].n_bytes / size;
    return m->raw[index].bytes;
}

const void *wire_array(const wire_message *m, size_t index, size_t count, size_t size) {
    size_t n_items;
    const void *items = wire_items(m, index, size, &n_items);
    return items && n_items == count ? items : NULL;
}
