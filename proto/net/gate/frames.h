/* Frames in the bytes of a connection as they come in (ZMTP 3 without keys): what its messages weigh. Pure. */
#ifndef TRIVIUM_FRAMES_H
#define TRIVIUM_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FRAME_HEAD_BYTES_MAX = 9 };

/* All zeros: a connection that is to begin. */
typedef struct frames {
    size_t n_greeting;              /* bytes of the greeting that came */
    uint8_t head[FRAME_HEAD_BYTES_MAX];
    size_t n_head;                  /* bytes of the head of the frame under way */
    uint64_t n_left;                /* bytes of its body that are still to come */
    bool met;                       /* the first frame has begun, which must be READY */
    bool named;                     /* it is a command whose name has begun */
    size_t n_identity;              /* bytes of its property Identity that were seen, up to the first of its value */
    size_t open_bytes;              /* what the message under way weighs so far; 0: none is */
    size_t n_open;                  /* frames of it that have begun */
    bool alien;                     /* no ZMTP 3, or a command or a name that no peer of ours has: to be ended */
} frames;

/* Bytes in memory that a frame of a message counts for, from when it came until it is taken: itself, its head on
 * the road, its place in a queue, and the buffer of ZeroMQ in which a short one lies, which may hold nothing else. */
size_t frame_weight(size_t n_bytes);

/* The next n bytes came. Returns by how much that which waits to be taken grew. */
size_t frames_count(frames *f, const uint8_t *bytes, size_t n);

#endif
