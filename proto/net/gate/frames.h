/* Frames in the bytes of a connection as they come in (ZMTP 3, RFC 23; with keys CurveZMQ, RFC 26): what its messages weigh.
 * Pure. */
#ifndef TRIVIUM_FRAMES_H
#define TRIVIUM_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FRAME_HEAD_BYTES_MAX = 9,
    BOX_BYTES = 33,                 /* more than a frame has its box: "\x07MESSAGE", a nonce of 8 bytes, a code of 16, flags */
};

/* All zeros but `keys`: a connection that is to begin. */
typedef struct frames {
    bool keys;                      /* with keys: after HELLO and INITIATE come boxes */
    size_t n_greeting;              /* bytes of the greeting that came */
    uint8_t head[FRAME_HEAD_BYTES_MAX];
    size_t n_head;                  /* bytes of the head of the frame under way */
    uint64_t n_body, n_left;        /* bytes of its body: in all, and still to come */
    unsigned n_begun;               /* frames, up to the first one after the handshake */
    bool named;                     /* it is a command whose name has begun */
    size_t n_identity;              /* bytes of its property Identity that were seen, up to the first of its value */
    size_t open_bytes;              /* what the message under way weighs so far; 0: none is. With keys, the frame under way */
    size_t n_open;                  /* frames of it that have begun */
    size_t n_pings;                 /* boxes as large as a PING that came, and weigh nothing. The caller may set it back */
    bool alien;                     /* no ZMTP 3, or a command or a name that no peer of ours has: to be ended */
    bool other_mechanism;           /* alien, as it greets as one with other keys than these, or with none */
} frames;

/* Bytes in memory that a frame of a message counts for, from when it came until it is taken: itself, its head on
 * the road, its place in a queue, and the buffer of ZeroMQ in which a short one lies, which may hold nothing else.
 * `n_bytes` without the box, if it came in one. */
size_t frame_weight(size_t n_bytes, bool keys);

/* The next n bytes came. Returns by how much that which waits to be taken grew. */
size_t frames_count(frames *f, const uint8_t *bytes, size_t n);

/* How far the handshake came. */
typedef enum frames_stage {
    STAGE_SILENT,                   /* nothing came */
    STAGE_GREETS,                   /* something did, and nothing yet that follows a handshake */
    STAGE_TALKS,                    /* it is over; with keys: something follows on it */
    STAGE_ALIEN,                    /* what came is none */
} frames_stage;
frames_stage frames_stage_of(const frames *f);

/* Is in these properties of a handshake (RFC 23, metadata) an Identity that begins with 0? Such a name may be the one that
 * ZeroMQ is about to give to somebody else, and then it ends the process. */
bool frames_claim_identity(const uint8_t *properties, size_t n);

#endif
