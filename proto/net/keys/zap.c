#include "zap.h"

#include <czmq.h>
#include <stdlib.h>
#include <string.h>

#include "key_pair.h"

#define ZAP_ADDRESS "inproc://zeromq.zap.01"
#define ZAP_VERSION "1.0"

enum { DOMAIN_BYTES = 256 };

struct zap {
    loop *loop;
    zsock_t *zsock;
    zap_admits *admits;
    void *context;
};

/* The frames of a request, in order. */
typedef enum zap_frame {
    FRAME_VERSION, FRAME_REQUEST, FRAME_DOMAIN, FRAME_ADDRESS, FRAME_ROUTE, FRAME_MECHANISM, FRAME_KEY, ZAP_FRAMES
} zap_frame;

typedef struct zap_request {
    zmq_msg_t frames[ZAP_FRAMES];
    size_t n_frames;                /* that came, which may be more */
} zap_request;

/* ZeroMQ itself writes it, but whoever shares this process could, too. False: there is none. */
static bool receive(void *socket, zap_request *r) {
    bool more = true;
    for (r->n_frames = 0; more; r->n_frames++) {
        zmq_msg_t spare, *frame = r->n_frames < ZAP_FRAMES ? &r->frames[r->n_frames] : &spare;
        zmq_msg_init(frame);
        if (zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) < 0) return false;
        more = zmq_msg_more(frame);
        if (frame == &spare) zmq_msg_close(frame);
    }
    return true;
}

static void release(zap_request *r) {
    for (size_t i = 0; i < r->n_frames && i < ZAP_FRAMES; i++) zmq_msg_close(&r->frames[i]);
}

static bool is_text(zmq_msg_t *frame, const char *text) {
    return zmq_msg_size(frame) == strlen(text) && memcmp(zmq_msg_data(frame), text, strlen(text)) == 0;
}

/* Leaves the key that was asked about in `key`; "": there is none to be let in. */
static void judge(const zap *z, zap_request *r, char key[KEY_TEXT_BYTES]) {
    char domain[DOMAIN_BYTES];
    key[0] = 0;
    bool whole = r->n_frames == ZAP_FRAMES && is_text(&r->frames[FRAME_VERSION], ZAP_VERSION) &&
                 is_text(&r->frames[FRAME_MECHANISM], "CURVE") && zmq_msg_size(&r->frames[FRAME_KEY]) == KEY_BYTES;
    if (!whole) return;
    snprintf(domain, sizeof domain, "%.*s", (int)zmq_msg_size(&r->frames[FRAME_DOMAIN]),
             (const char *)zmq_msg_data(&r->frames[FRAME_DOMAIN]));
    zmq_z85_encode(key, zmq_msg_data(&r->frames[FRAME_KEY]), KEY_BYTES);
    if (!z->admits(z->context, domain, key)) key[0] = 0;
}

/* Its User-Id is the key, by which messages of the connection are known from then on. */
static void answer(void *socket, zap_request *r, const char *key) {
    bool admitted = key[0] != 0;
    zmq_send(socket, ZAP_VERSION, strlen(ZAP_VERSION), ZMQ_SNDMORE);
    if (r->n_frames > FRAME_REQUEST)
        zmq_send(socket, zmq_msg_data(&r->frames[FRAME_REQUEST]), zmq_msg_size(&r->frames[FRAME_REQUEST]), ZMQ_SNDMORE);
    else
        zmq_send(socket, "", 0, ZMQ_SNDMORE);
    zmq_send(socket, admitted ? "200" : "400", 3, ZMQ_SNDMORE);
    zmq_send(socket, "", 0, ZMQ_SNDMORE);
    zmq_send(socket, key, strlen(key), ZMQ_SNDMORE);
    zmq_send(socket, "", 0, 0);
}

static void on_request(void *context) {
    zap *z = context;
    void *socket = zsock_resolve(z->zsock);
    for (zap_request r; receive(socket, &r); release(&r)) {
        char key[KEY_TEXT_BYTES];
        judge(z, &r, key);
        answer(socket, &r, key);
    }
}

status zap_new(zap **out, loop *l, zap_admits *admits, void *context, failure *f) {
    zap *z = *out = calloc(1, sizeof *z);
    if (!z) return fail(f, STATUS_NO_MEMORY, "no memory for keys");
    *z = (zap){.loop = l, .zsock = zsock_new(ZMQ_REP), .admits = admits, .context = context};
    status st = z->zsock ? STATUS_OK : fail(f, STATUS_NO_MEMORY, "cannot make a socket: %s", zmq_strerror(zmq_errno()));
    if (st == STATUS_OK && zmq_bind(zsock_resolve(z->zsock), ZAP_ADDRESS) != 0)
        st = fail(f, STATUS_BUSY, "this process has somebody already who knows its keys");
    if (st == STATUS_OK && loop_add_socket_alone(l, zsock_resolve(z->zsock), on_request, z) != 0)
        st = fail(f, STATUS_NO_MEMORY, "no memory for keys");
    if (st != STATUS_OK) zap_free(out);
    return st;
}

void zap_free(zap **z) {
    if (!*z) return;
    void *socket = (*z)->zsock ? zsock_resolve((*z)->zsock) : NULL;
    if (socket) {
        loop_remove_socket((*z)->loop, socket);
        zmq_unbind(socket, ZAP_ADDRESS);    /* else the name is free some time after it was closed */
    }
    zsock_destroy(&(*z)->zsock);
    free(*z);
    *z = NULL;
}
