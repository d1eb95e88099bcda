#include "frames.h"

enum {
    GREETING_BYTES = 64,
    MECHANISM_AT = 12, MECHANISM_END = 32,  /* in the greeting: its name, and zeros */
    MORE = 1, LONG = 2, COMMAND = 4,    /* flags of a frame */
    SHORT_BYTES_MAX = UINT8_MAX,        /* the longest body whose size is one byte */
    COMMAND_BYTES_MAX = 512,            /* names and properties of a connection, of which ZeroMQ keeps 25 times as much */
    NAME_BYTES_LEAST = 4, NAME_BYTES_MOST = 5,  /* of READY, ERROR, PING, PONG */
    HELLO_BYTES = 200, INITIATE_BYTES_LEAST = 257,
    HELLO_NAME_BYTES = 5, INITIATE_NAME_BYTES = 8,
    PING_BYTES = 7,                     /* with a time to live, and without a context */
    PLACE_BYTES = 64,                   /* of a frame in a queue: a very short one lies in it altogether */
    INLINE_BYTES_MAX = 33,
    BUFFER_BYTES = 8192,                /* of ZeroMQ: a frame within it is not copied out of it; a box is opened where it lies */
};

static size_t overhead(size_t n_bytes) {
    size_t head_bytes = n_bytes > SHORT_BYTES_MAX ? FRAME_HEAD_BYTES_MAX : 2;
    bool in_buffer = n_bytes > INLINE_BYTES_MAX && n_bytes <= BUFFER_BYTES;
    return head_bytes + PLACE_BYTES + (in_buffer ? BUFFER_BYTES : 0);
}

size_t frame_weight(size_t n_bytes, bool keys) {
    if (keys && n_bytes == PING_BYTES) return 0;
    if (keys) n_bytes += BOX_BYTES;
    return n_bytes + overhead(n_bytes);
}

/* Older versions have frames of another form, and no program that Trivium works with speaks them. */
static size_t take_greeting(frames *f, const uint8_t *bytes, size_t n) {
    static const char clear[MECHANISM_END - MECHANISM_AT] = "NULL", keys[MECHANISM_END - MECHANISM_AT] = "CURVE";
    const char *mechanism = f->keys ? keys : clear;
    size_t i = 0;
    for (; i < n && f->n_greeting < GREETING_BYTES && !f->alien; i++, f->n_greeting++) {
        size_t at = f->n_greeting;
        if (at == 0) f->alien = bytes[i] != 0xff;
        if (at == 9) f->alien = !(bytes[i] & 1);
        if (at == 10) f->alien = bytes[i] < 2;
        if (at >= MECHANISM_AT && at < MECHANISM_END)
            f->alien = f->other_mechanism = bytes[i] != (uint8_t)mechanism[at - MECHANISM_AT];
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

static unsigned handshake_frames(const frames *f) {
    return f->keys ? 2 : 1;             /* HELLO and INITIATE; READY */
}

static bool is_ping(const frames *f) {
    return f->keys && !is_command(f) && f->n_body == BOX_BYTES + PING_BYTES;
}

static void grow_open(frames *f, size_t n_bytes, size_t *grown) {
    f->open_bytes += n_bytes;
    *grown += n_bytes;
}

/* With keys. What of its message a frame is stands in the box: outside it may not say so, for ZeroMQ heeds both. */
static bool may_begin_box(const frames *f) {
    uint8_t flags = f->head[0] & (uint8_t)~LONG;
    if (f->n_begun == 0) return flags == COMMAND && f->n_body == HELLO_BYTES;
    if (f->n_begun == 1) return flags == COMMAND && f->n_body >= INITIATE_BYTES_LEAST && f->n_body <= COMMAND_BYTES_MAX;
    return flags == 0 && f->n_body >= BOX_BYTES;
}

/* ZeroMQ takes READY from a frame of any kind. */
static bool may_begin(const frames *f) {
    if (f->keys) return may_begin_box(f);
    return is_command(f) ? f->n_body <= COMMAND_BYTES_MAX : f->n_begun > 0;
}

/* Its head is whole. */
static void begin_frame(frames *f, size_t *grown) {
    f->n_body = 0;
    for (size_t i = 1; i < f->n_head; i++) f->n_body = f->n_body << 8 | f->head[i];
    f->n_left = f->n_body;
    f->named = false;
    f->n_identity = 0;
    f->alien |= !may_begin(f);
    if (f->n_begun <= handshake_frames(f)) f->n_begun++;
    if (is_command(f)) return;
    if (is_ping(f)) {
        f->n_pings++;
        return;
    }
    f->n_open++;
    grow_open(f, overhead((size_t)f->n_body), grown);
}

/* Of SUBSCRIBE and CANCEL ZeroMQ makes parts of messages: they are for sockets of other kinds. */
static void take_name(frames *f, uint8_t n_bytes) {
    if (f->named) return;
    f->named = true;
    if (f->keys) f->alien |= n_bytes != (f->n_begun == 1 ? HELLO_NAME_BYTES : INITIATE_NAME_BYTES);
    else f->alien |= n_bytes < NAME_BYTES_LEAST || n_bytes > NAME_BYTES_MOST;
}

/* What a peer wants to be called. True: this byte is the first of it, and 0. */
static bool claims_identity(size_t *n_seen, uint8_t byte) {
    static const char property[] = "\x08Identity";
    enum { PROPERTY_BYTES = sizeof property - 1, WITH_LENGTH_BYTES = PROPERTY_BYTES + 4 };
    if (*n_seen == WITH_LENGTH_BYTES) {
        *n_seen = 0;
        return byte == 0;
    }
    if (*n_seen >= PROPERTY_BYTES || byte == property[*n_seen]) ++*n_seen;
    else *n_seen = byte == property[0];
    return false;
}

bool frames_claim_identity(const uint8_t *properties, size_t n) {
    bool claims = false;
    size_t n_seen = 0;
    for (size_t i = 0; i < n && !claims; i++) claims = claims_identity(&n_seen, properties[i]);
    return claims;
}

static void take_command(frames *f, const uint8_t *bytes, size_t n) {
    take_name(f, bytes[0]);
    for (size_t i = 0; i < n && !f->keys; i++) f->alien |= claims_identity(&f->n_identity, bytes[i]);
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
            else if (!is_ping(f)) grow_open(f, n_body, &grown);
            f->n_left -= n_body;
            i += n_body;
        }
        if (f->n_left == 0) end_frame(f);
    }
    return grown;
}

frames_stage frames_stage_of(const frames *f) {
    if (f->n_greeting == 0) return STAGE_SILENT;
    if (f->alien && !f->other_mechanism) return STAGE_ALIEN;
    unsigned n_handshake = handshake_frames(f);
    bool over = f->n_begun > n_handshake || (f->n_begun == n_handshake && f->n_head == 0 && !f->keys);
    return over ? STAGE_TALKS : STAGE_GREETS;
}
