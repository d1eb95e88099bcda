#include "link_input.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "proto/base/limits.h"
#include "proto/net/wire.h"

enum { ENDPOINTS_MAX = 8, INPUT_MESSAGES_MAX = 16, N_RAW_MASK = 7, STRANGER = 0x80 };

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

int __wrap_zmq_msg_send(zmq_msg_t *frame, void *socket, int flags) {
    if (!begun) return __real_zmq_msg_send(frame, socket, flags);
    int n_bytes = (int)zmq_msg_size(frame);
    zmq_msg_close(frame);
    zmq_msg_init(frame);
    return n_bytes;
}

/* ---- speaking ---- */

void __lsan_do_leak_check(void) __attribute__((weak));  /* not there where no sanitizer is */

void link_input_begin(void) {
    begun = true;
    if (__lsan_do_leak_check) must(atexit(__lsan_do_leak_check) == 0);
}

static void stop(void *context) {
    loop_stop(context);
}

static void turn(loop *l) {
    must(loop_once(l, 0, stop, l) >= 0);
    loop_run(l);
}

static const open_endpoint *endpoint_of(const link_speaker *speaker) {
    size_t n_before = 0;
    for (size_t i = 0; i < n_endpoints; i++)
        if (endpoints[i].bound == speaker->bound && n_before++ == speaker->endpoint) return &endpoints[i];
    abort();
}

/* frames[0] is the header, which is put after a control part with the speaker's words, if it has one. */
static void deliver(const link_speaker *speaker, Trivium__Control *control, const wire_raw *frames,
                    size_t n_frames) {
    const open_endpoint *e = endpoint_of(speaker);
    size_t n_control = 0;
    Trivium__Envelope envelope = TRIVIUM__ENVELOPE__INIT;
    if (control) {
        control->from = speaker->from;
        control->to = speaker->to;
        envelope.control = control;
        n_control = trivium__envelope__get_packed_size(&envelope);
    }
    uint8_t *header = malloc(n_control + frames[0].n_bytes + 1);
    must(header != NULL);
    if (control) trivium__envelope__pack(&envelope, header);
    if (frames[0].n_bytes > 0) memcpy(header + n_control, frames[0].bytes, frames[0].n_bytes);
    waiting.socket = e->socket;
    waiting.n_frames = waiting.n_read = 0;
    if (e->bound) waiting.frames[waiting.n_frames++] = e->route;
    waiting.frames[waiting.n_frames++] = (wire_raw){header, n_control + frames[0].n_bytes};
    for (size_t i = 1; i < n_frames; i++) waiting.frames[waiting.n_frames++] = frames[i];
    e->readable(e->context);
    must(waiting.n_read == waiting.n_frames);
    free(header);
}

void link_input_joins(const link_speaker *speaker) {
    static const wire_raw nothing = {NULL, 0};
    Trivium__Hello hello = speaker->hello;
    Trivium__Control control = TRIVIUM__CONTROL__INIT;
    control.word_case = TRIVIUM__CONTROL__WORD_HELLO;
    control.hello = &hello;
    deliver(speaker, &control, &nothing, 1);
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
    Trivium__Control control = TRIVIUM__CONTROL__INIT;
    deliver(speaker, way & STRANGER ? NULL : &control, frames, n_frames);
    return at;
}

void link_input_says(const link_speaker *speaker, const uint8_t *bytes, size_t n_bytes) {
    const uint8_t *at = bytes, *end = bytes + n_bytes;
    for (size_t i = 0; i < INPUT_MESSAGES_MAX && at < end; i++) at = say_one(speaker, at, end);
    turn(speaker->loop);
}

void link_input_leaves(const link_speaker *speaker) {
    static const wire_raw nothing = {NULL, 0};
    Trivium__Leave leave = TRIVIUM__LEAVE__INIT;
    Trivium__Control control = TRIVIUM__CONTROL__INIT;
    control.word_case = TRIVIUM__CONTROL__WORD_LEAVE;
    control.leave = &leave;
    deliver(speaker, &control, &nothing, 1);
    turn(speaker->loop);
}

void link_input_run(const link_speaker *speaker, const uint8_t *bytes, size_t n_bytes) {
    link_input_joins(speaker);
    link_input_says(speaker, bytes, n_bytes);
    link_input_leaves(speaker);
}
