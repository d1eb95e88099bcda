/* The calls of ZeroMQ's library that end up here, and where they go on to. */
#include <dlfcn.h>
#include <errno.h>
#include <sodium/crypto_box.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "connections.h"
#include "frames.h"
#include "gate.h"
#include "proto/base/clock.h"

enum { NAP_US = 250, AWAKE_US = 50 };

/* The next one in the order of libraries: a sanitizer's, or the C library's. */
#define NEXT(name)                                                                                      \
    static __typeof__(name) *_Atomic cached;                                                            \
    __typeof__(name) *next = atomic_load_explicit(&cached, memory_order_acquire);                       \
    if (!next) {                                                                                        \
        *(void **)&next = dlsym(RTLD_NEXT, #name);                                                      \
        atomic_store_explicit(&cached, next, memory_order_release);                                     \
    }

static _Thread_local bool opens, opened;
static _Thread_local listener opening;  /* what the next ones to listen are */

void gate_opens(size_t message_bytes_max, gate_mechanism mechanism) {
    connections_begin();
    opens = true;
    opened = false;
    opening = (listener){listeners_new_endpoint(), message_bytes_max, mechanism == GATE_KEYS};
}

int gate_opened(void) {
    opens = false;
    return opened ? opening.endpoint : -1;
}

int gate_descriptor(int endpoint) {
    listener unused;
    return listeners_find_endpoint(endpoint, &unused);
}

void gate_listens_too(int endpoint, int descriptor) {
    listener same;
    if (listeners_find_endpoint(endpoint, &same) >= 0) listeners_add(descriptor, &same);
}

int listen(int fd, int backlog) {
    NEXT(listen)
    if (opens) opened = listeners_add(fd, &opening);
    return next(fd, backlog);
}

/* The poll that led here returns at once as long as there is something to read or accept. So ZeroMQ's thread sleeps a
 * little, but once for all that wait, and then looks at the others. */
static void nap(void) {
    static atomic_uint_fast64_t ended_us;
    if (clock_us() < atomic_load(&ended_us) + AWAKE_US) return;
    nanosleep(&(struct timespec){.tv_nsec = NAP_US * 1000}, NULL);
    atomic_store(&ended_us, clock_us());
}

int accept4(int fd, struct sockaddr *address, socklen_t *n_address, int flags) {
    NEXT(accept4)
    listener at;
    if (!listeners_find(fd, &at)) return next(fd, address, n_address, flags);
    struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
    socklen_t n_from = sizeof from;
    bool asked = address && n_address;
    int connection = next(fd, asked ? address : (struct sockaddr *)&from, asked ? n_address : &n_from, flags);
    const struct sockaddr *whence = asked ? address : (struct sockaddr *)&from;
    if (connection >= 0 && connections_admit(connection, &at, whence)) return connection;
    /* Whatever there is too little of: to ZeroMQ the other side has thought better of it, for else it ends the process. */
    if (connection >= 0) close(connection);
    else if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) return -1;
    else nap();
    errno = ECONNABORTED;
    return -1;
}

ssize_t recv(int fd, void *bytes, size_t n, int flags) {
    NEXT(recv)
    size_t n_most = n;
    connections_turn turn = connections_read(fd, &n_most);
    if (turn == TURN_FOREIGN) return next(fd, bytes, n, flags);
    if (turn == TURN_ENDS) return 0;
    if (turn == TURN_WAITS) {
        nap();
        errno = EAGAIN;
        return -1;
    }
    ssize_t n_read = next(fd, bytes, n < n_most ? n : n_most, flags);
    if (n_read > 0 && !connections_count(fd, bytes, (size_t)n_read)) return 0;
    return n_read;
}

int close(int fd) {
    NEXT(close)
    return connections_close(fd) ? 0 : next(fd);
}

/* With keys a peer says in a box what it wants to be called: in INITIATE (RFC 26), after its key and what vouches for that. */
static bool is_initiate(const unsigned char *nonce) {
    static const char prefix[] = "CurveZMQINITIATE";
    return memcmp(nonce, prefix, sizeof prefix - 1) == 0;
}

int crypto_box_open(unsigned char *plain, const unsigned char *box, unsigned long long n_bytes, const unsigned char *nonce,
                    const unsigned char *public_key, const unsigned char *secret_key) {
    enum { PROPERTIES_AT = crypto_box_ZEROBYTES + 128 };
    NEXT(crypto_box_open)
    int rc = next(plain, box, n_bytes, nonce, public_key, secret_key);
    if (rc != 0 || !is_initiate(nonce) || n_bytes < PROPERTIES_AT) return rc;
    return frames_claim_identity(plain + PROPERTIES_AT, n_bytes - PROPERTIES_AT) ? -1 : 0;
}
