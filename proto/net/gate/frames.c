#include "frames.h"

enum {
    GREETING_BYTES = 64,
    MORE = 1, LONG = 2, COMMAND = 4,    /* flags of a frame */
    SHORT_BYTES_MAX = UINT8_MAX,        /* the longest body whose size is one byte */
    COMMAND_BYTES_MAX = 512,            /* names and properties of a connection, of which ZeroMQ keeps 25 times as much */
    NAME_BYTES_LEAST = 4, NAME_BYTES_MOST = 5,  /* of READY, ERROR, PING, PONG */
    PLACE_BYTES = 64,                   /* of a frame in a queue: a very short one lies in it altogether */
    INLINE_BYTES_MAX = 33,
    BUFFER_BYTES = 8192,                /* of ZeroMQ: a frame within it is not copied out of it */
};

static size_t overhead(size_t n_bytes) {
    size_t head_bytes = n_bytes > SHORT_BYTES_MAX ? FRAME_HEAD_BYTES_MAX : 2;
    bool in_buffer = n_bytes > INLINE_BYTES_MAX && n_bytes <= BUFFER_BYTES;
    return head_bytes + PLACE_BYTES + (in_buffer ? BUFFER_BYTES : 0);
}

size_t frame_weight(size_t n_bytes) {
    return n_bytes + overhead(n_bytes);
}

/* Older versions have frames of another form, and no program that Trivium works with speaks them. */
static size_t take_greeting(frames *f, const uint8_t *bytes, size_t n) {
    size_t i = 0;
    for (; i < n && f->n_greeting < GREETING_BYTES; i++, f->n_greeting++) {
        if (f->n_greeting == 0) f->alien |= bytes[i] != 0xff;
        if (f->n_greeting == 9) f->alien |= !(bytes[i] & 1);
        if (f->n_greeting == 10) f->alien |= bytes[i] < 2;
    }
    return i;
}

static size_t head_bytes(const frames *f) {
    return f->head[0] & LONG ? FRAME_HEAD_BYTES_MAX : 2;
}

static bool in_head(const frames *f) {
    return f->n_head == 0 || f->n_head < head_bytes(f);
}

static bool is_command(const frames *f) {
    return f->head[0] & COMMAND;
}

static void grow_open(frames *f, size_t n_bytes, size_t *grown) {
    f->open_bytes += n_bytes;
    *grown += n_bytes;
}

/* Its head is whole. */
static void begin_frame(frames *f, size_t *grown) {
    f->n_left = 0;
    f->named = false;
    f->n_identity = 0;
    f->alien |= !f->met && !is_command(f);  /* ZeroMQ takes READY from a frame of any kind */
    f->met = true;
    for (size_t i = 1; i < f->n_head; i++) f->n_left = f->n_left << 8 | f->head[i];
    if (is_command(f)) {
        f->alien |= f->n_left > COMMAND_BYTES_MAX;
        return;
    }
    f->n_open++;
    grow_open(f, overhead((size_t)f->n_left), grown);
}

/* Of SUBSCRIBE and CANCEL ZeroMQ makes parts of messages: they are for sockets of other kinds. */
static void take_name(frames *f, uint8_t n_bytes) {
    if (f->named) return;
    f->named = true;
    f->alien |= n_bytes < NAME_BYTES_LEAST || n_bytes > NAME_BYTES_MOST;
}

/* What a peer wants to be called. A name that begins with 0 may be the one that ZeroMQ is about to give to somebody else,
 * and then it ends the process. */
static void look_for_identity(frames *f, uint8_t byte) {
    static const char property[] = "\x08Identity";
    enum { PROPERTY_BYTES = sizeof property - 1, WITH_LENGTH_BYTES = PROPERTY_BYTES + 4 };
    if (f->n_identity == WITH_LENGTH_BYTES) {
        f->alien |= byte == 0;
        f->n_identity = 0;
    } else if (f->n_identity >= PROPERTY_BYTES || byte == property[f->n_identity]) {
        f->n_identity++;
    } else {
        f->n_identity = byte == property[0];
    }
}

static void take_command(frames *f, const uint8_t *bytes, size_t n) {
    take_name(f, bytes[0]);
    for (size_t i = 0; i < n; i++) look_for_identity(f, bytes[i]);
}

static void end_frame(frames *f) {
    if (!is_command(f) && !(f->head[0] & MORE)) f->n_open = f->open_bytes = 0;
    f->n_head = 0;
}

size_t frames_count(frames *f, const uint8_t *bytes, size_t n) {
    size_t grown = 0, i = take_greeting(f, bytes, n);
    while (i < n && !f->alien) {
        if (in_head(f)) {
            f->head[f->n_head++] = bytes[i++];
            if (in_head(f)) continue;
            begin_frame(f, &grown);
        } else {
            size_t n_body = n - i < f->n_left ? n - i : (size_t)f->n_left;
            if (is_command(f)) take_command(f, bytes + i, n_body);
            else grow_open(f, n_body, &grown);
            f->n_left -= n_body;
            i += n_body;
        }
        if (f->n_left == 0) end_frame(f);
    }
    return grown;
}
