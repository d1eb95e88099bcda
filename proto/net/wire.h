/* One message ⇄ ZeroMQ frames: a protobuf header frame, then raw frames (rows, ids, log-probabilities).
 *
 * Raw frames are arrays of little-endian numbers (this code runs on little-endian machines only, which
 * wire.c asserts at compile time). Every size is checked against limits.h in both directions. */
#ifndef TRIVIUM_WIRE_H
#define TRIVIUM_WIRE_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/limits.h"
#include "proto/base/status.h"
#include "keys/key_pair.h"
#include "outbox/transit.h"

enum { RAW_FRAMES_MAX = FRAMES_MAX - 1, ROUTING_BYTES_MAX = 255 };

/* Where a message goes on a ROUTER; n_bytes 0 on a DEALER. */
typedef struct wire_route {
    uint8_t bytes[ROUTING_BYTES_MAX];
    uint8_t n_bytes;
} wire_route;

typedef struct wire_raw {
    const void *bytes;
    size_t n_bytes;
} wire_raw;

/* A message received. `header` is unpacked from frame 0; `raw` points into ZeroMQ's own buffers
 * (aligned to 8 bytes), all valid until wire_release. */
typedef struct wire_message {
    ProtobufCMessage *header;
    wire_raw raw[RAW_FRAMES_MAX];
    size_t n_raw;
    size_t n_bytes;                 /* of all its frames after the route */
    wire_route route;
    int connection;                 /* its descriptor, while it is there; -1: not known */
    char user[KEY_TEXT_BYTES];      /* of a Hello that came over tcp with keys: the sender's public key; else "" */
    struct wire_frames *frames;     /* owner of the above; NULL when empty */
} wire_message;

/* Take the next message off `socket` without waiting; the header is unpacked as `type`.
 * STATUS_NOT_FOUND: nothing there. STATUS_BAD_MESSAGE: what came could not be read; it was dropped,
 * `m->route` says who sent it, and `m->n_bytes` how much was there. */
status wire_receive(void *socket, const ProtobufCMessageDescriptor *type, wire_message *m);
void wire_release(wire_message *m);             /* NULL fields are fine; empties *m */
/* One more raw frame of *m and of all who hold it: `bytes` (malloc; NULL if there are none) is theirs from now on. There
 * are fewer than RAW_FRAMES_MAX. */
void wire_adopt_raw(wire_message *m, void *bytes, size_t n_bytes);
size_t wire_header_bytes(const wire_message *m);        /* that its header takes in memory */
/* One more holder of what was received: it stays until each of them has released its own. */
wire_message wire_keep(const wire_message *m);

/* Send without waiting; header and raw frames are copied into frames of ZeroMQ's own (the header is
 * packed straight into its frame). STATUS_BUSY: the queue to that peer is full, or a DEALER is not
 * connected now (ZeroMQ does not tell which). STATUS_NOT_FOUND: a ROUTER has no such peer, or the
 * connection broke in the middle. STATUS_TOO_LONG: a size past its bound, STATUS_NO_MEMORY; nothing sent.
 * `route` may be NULL on a DEALER. */
status wire_send(void *socket, const wire_route *route, const ProtobufCMessage *header,
                 const wire_raw *raw, size_t n_raw);

/* A copy of a message that could not be sent yet. */
typedef struct wire_parcel wire_parcel;
/* A new parcel in *out, the caller's. STATUS_TOO_LONG, STATUS_NO_MEMORY: *out is NULL. */
status wire_pack(wire_parcel **out, const ProtobufCMessage *header, const wire_raw *raw, size_t n_raw);
size_t wire_parcel_bytes(const wire_parcel *parcel);     /* that it takes in memory */
bool wire_parcel_large(const wire_parcel *parcel);       /* more than SMALL_MESSAGE_BYTES_MAX: it counts on its way */
/* As wire_send. On STATUS_OK the parcel is gone, on STATUS_BUSY it may be sent again, else only freed. A large
 * one counts in `way` until ZeroMQ gives its frames back; NULL: it is not counted. */
status wire_send_parcel(void *socket, const wire_route *route, wire_parcel **parcel, transit *way);
void wire_parcel_free(wire_parcel **parcel);

/* Raw frame `index` as a message of its own, within the bounds of its fields; NULL: it is missing, is none, or there is no
 * memory. The caller frees it with protobuf_c_message_free_unpacked. */
ProtobufCMessage *wire_unpack(const wire_message *m, size_t index, const ProtobufCMessageDescriptor *type);
/* The same the other way: the frame is the caller's, to free its bytes. STATUS_NO_MEMORY. */
status wire_pack_raw(const ProtobufCMessage *m, wire_raw *out);

/* Raw frame `index` as `count` numbers of `size` bytes: its pointer when the frame is there and has
 * exactly that length, else NULL. */
const void *wire_array(const wire_message *m, size_t index, size_t count, size_t size);
/* The same when the count comes from the frame: NULL when absent or not a whole number of items. */
const void *wire_items(const wire_message *m, size_t index, size_t size, size_t *count);

#endif
