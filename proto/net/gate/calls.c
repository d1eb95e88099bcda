/* The calls of ZeroMQ's library that end up here, and where they go on to. */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "connections.h"
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

static _Thread_local size_t opening;     /* the largest message there; 0: nothing opens */
static _Thread_local int opened;

void gate_opens(size_t message_bytes_max) {
    opening = message_bytes_max;
    opened = -1;
}

int gate_opened(void) {
    opening = 0;
    return opened;
}

int listen(int fd, int backlog) {
    NEXT(listen)
    if (opening) {
        connections_listen(fd, opening);
        opened = fd;
    }
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
    int connection = next(fd, address, n_address, flags);
    if (!connections_listening(fd)) return connection;
    if (connection >= 0 && connections_admit(connection, fd)) return connection;
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
