/* Endpoints that others join. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "address.h"
#include "endpoint_parts.h"
#include "proto/base/process/lockfile.h"
#include "proto/net/gate/gate.h"

enum { BACKLOG = PEERS_MAX }; /* connections not yet accepted: all clients may come back at once */

/* A listening Unix socket at `path`, whose lock is held: what lies there is a dead process's. */
static status listen_at(const char *path, int *out, failure *f) {
    struct stat info;
    if (lstat(path, &info) == 0 && (!S_ISSOCK(info.st_mode) || unlink(path) != 0))
        return fail(f, STATUS_IO, "%s is in the way of a socket", path);

    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path); /* its length was checked */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        listen(fd, BACKLOG) == 0) {
        *out = fd;
        return STATUS_OK;
    }
    fail(f, STATUS_IO, "cannot bind to %s: %s", path, strerror(errno));
    if (fd >= 0) close(fd);
    return f->code;
}

/* What lies in it cannot be made without it. */
static status check_folder(const char *path, failure *f) {
    struct stat info;
    const char *slash = strrchr(path, '/');
    char folder[IPC_PATH_BYTES_MAX + 1];
    if (!slash || slash == path) return STATUS_OK;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    if (stat(folder, &info) == 0 || (errno != ENOENT && errno != ENOTDIR)) return STATUS_OK;
    return fail(f, STATUS_IO, "there is no folder %s for the socket ipc://%s", folder, path);
}

static void say_another_place(key_link link, failure *f) {
    static const char *const flags[] = {
        [LINK_TEXT] = "bind-clients", [LINK_TOKENS] = "bind-models", [LINK_LOGITS] = "bind-samplers"};
    failure why = *f;
    fail(f, why.code, "%s; --%s takes another place", why.message, flags[link]);
}

/* ZeroMQ gets a socket that we made: one of its own making it would remove from the file system
 * some time after it was closed, when the next process may already have put its own there. */
static status bind_ipc(endpoint *e, const char *path, failure *f) {
    if (check_folder(path, f) != STATUS_OK) return f->code;
    snprintf(e->lock_path, sizeof e->lock_path, "%s.lock", path);
    status st = lockfile_take(&e->lock_fd, e->lock_path, f);
    if (st == STATUS_BUSY) say_another_place(e->link, f);
    if (st != STATUS_OK) return st;
    int fd;
    st = listen_at(path, &fd, f);
    if (st != STATUS_OK) return st;
    e->path = path;
    void *socket = zsock_resolve(e->zsock);
    if (zmq_setsockopt(socket, ZMQ_USE_FD, &fd, sizeof fd) != 0 ||
        zmq_bind(socket, e->address) != 0) {
        fail(f, STATUS_IO, "cannot bind to %s: %s", e->address, zmq_strerror(zmq_errno()));
        close(fd);
        return f->code;
    }
    return STATUS_OK;
}

static status bind_tcp(endpoint *e, failure *f) {
    zsock_set_backlog(e->zsock, BACKLOG);
    if (e->keys && keys_dress_bound(e->keys, e->link, zsock_resolve(e->zsock), f) != STATUS_OK) return f->code;
    if (zmq_bind(zsock_resolve(e->zsock), e->address) != 0) {
        if (zmq_errno() == ENODEV)      /* in the system's words: no such device */
            return fail(f, STATUS_IO, "cannot bind to %s: it names neither an address nor a device of this host; "
                        "tcp://*:PORT is all of them", e->address);
        status code = zmq_errno() == EADDRINUSE ? STATUS_BUSY : STATUS_IO;
        return fail(f, code, "cannot bind to %s: %s", e->address, zmq_strerror(zmq_errno()));
    }
    char *actual = zsock_last_endpoint(e->zsock); /* with the port that "*" became */
    if (actual && strlen(actual) < sizeof e->address) strcpy(e->address, actual);
    freen(actual);
    return STATUS_OK;
}

status endpoint_bind(endpoint **out, const endpoint_options *options, failure *f) {
    endpoint *e;
    status st = endpoint_new(&e, ZMQ_ROUTER, options, f);
    if (st != STATUS_OK) return st;
    e->bound = true;
    st = endpoint_watch(e, ZMQ_EVENT_DISCONNECTED, f);
    /* Without it a message to a peer that is gone, or whose queue is full, vanishes untold. */
    zsock_set_router_mandatory(e->zsock, 1);
    const char *path = address_path(e->address);
    gate_opens(options->whole ? ANSWER_BYTES_MAX : MESSAGE_BYTES_MAX, e->keys ? GATE_KEYS : GATE_CLEAR);
    if (st == STATUS_OK) st = path ? bind_ipc(e, path, f) : bind_tcp(e, f);
    e->listener = gate_opened();
    if (st != STATUS_OK) {
        endpoint_close(&e);
        return st;
    }
    *out = e;
    return STATUS_OK;
}

/* Ends ZeroMQ's listener, which takes its connections along. What the system has accepted meanwhile waits in the listening
 * socket, which goes on under another number: nobody else can have the port. */
static bool stop_accepting(endpoint *e, failure *f) {
    int copy = fcntl(gate_descriptor(e->listener), F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
        fail(f, STATUS_IO, "cannot listen anew at %s: %s", e->address, strerror(errno));
        return false;
    }
    gate_listens_too(e->listener, copy);
    if (zmq_unbind(zsock_resolve(e->zsock), e->address) == 0) {
        e->kept_fd = copy;
        return true;
    }
    fail(f, STATUS_IO, "cannot listen anew at %s: %s", e->address, zmq_strerror(zmq_errno()));
    close(copy);
    return false;
}

/* By another listener, since one keeps the key with which it was bound. */
bool endpoint_bind_anew(endpoint *e, bool *cut, failure *f) {
    void *socket = zsock_resolve(e->zsock);
    *cut = false;
    if (keys_dress_bound(e->keys, e->link, socket, f) != STATUS_OK) return false;
    if (e->kept_fd < 0) *cut = stop_accepting(e, f);
    if (e->kept_fd < 0) return false;
    bool bound = zmq_setsockopt(socket, ZMQ_USE_FD, &e->kept_fd, sizeof e->kept_fd) == 0 && zmq_bind(socket, e->address) == 0;
    if (bound) e->kept_fd = -1;         /* ZeroMQ's from now on */
    else fail(f, STATUS_IO, "cannot bind to %s anew: %s", e->address, zmq_strerror(zmq_errno()));
    return bound;
}
