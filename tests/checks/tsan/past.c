/* Calls of ZeroMQ's that pass through the gate (proto/net/gate/calls.c), made past ThreadSanitizer, as libzmq.supp has it
 * do with all that the library calls itself: it does not see how ZeroMQ's threads hand each other what they read.
 * Loaded before it, this is the next one that the gate finds. */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int listen(int fd, int backlog) {
    return (int)syscall(SYS_listen, fd, backlog);
}

int accept4(int fd, struct sockaddr *address, socklen_t *n_address, int flags) {
    return (int)syscall(SYS_accept4, fd, address, n_address, flags);
}

ssize_t recv(int fd, void *bytes, size_t n, int flags) {
    return syscall(SYS_recvfrom, fd, bytes, n, flags, NULL, NULL);
}

int close(int fd) {
    return (int)syscall(SYS_close, fd);
}
