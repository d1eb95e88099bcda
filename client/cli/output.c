#include "output.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "proto/base/buffer.h"

/* A pipe that polls as writable takes this much without blocking (a page; PIPE_BUF). */
enum { WRITE_BYTES = 4096, WRITES_PER_TURN = 64 };

struct output {
    loop *loop;
    int fd;
    loop_handler *progress;
    void *context;
    buffer pending;
    size_t n_written;           /* of `pending` */
    bool waiting;               /* the loop watches the descriptor */
    int error;
};

output *output_new(loop *l, int fd, loop_handler *progress, void *context) {
    output *o = calloc(1, sizeof *o);
    if (!o) return NULL;
    o->loop = l;
    o->fd = fd;
    o->progress = progress;
    o->context = context;
    return o;
}

static void output_rest(output *o) {
    if (o->waiting) loop_remove_fd(o->loop, o->fd);
    o->waiting = false;
    o->pending.n_bytes = o->n_written = 0;
}

void output_free(output **o) {
    if (!*o) return;
    output_rest(*o);
    buffer_clear(&(*o)->pending);
    free(*o);
    *o = NULL;
}

size_t output_pending_bytes(const output *o) {
    return o->pending.n_bytes - o->n_written;
}

int output_error(const output *o) {
    return o->error;
}

static bool output_writable(const output *o) {
    struct pollfd item = {.fd = o->fd, .events = POLLOUT};
    return poll(&item, 1, 0) == 1;
}

/* One write that cannot block; false when nothing more goes out in this turn. */
static bool output_push(output *o) {
    if (output_pending_bytes(o) == 0 || !output_writable(o)) return false;
    size_t n = output_pending_bytes(o) < WRITE_BYTES ? output_pending_bytes(o) : WRITE_BYTES;
    ssize_t n_taken = write(o->fd, o->pending.bytes + o->n_written, n);
    if (n_taken < 0) {
        if (errno == EINTR || errno == EAGAIN) return false;
        o->error = errno;
        return false;
    }
    o->n_written += (size_t)n_taken;
    return true;
}

static void output_on_writable(void *context) {
    output *o = context;
    for (int i = 0; i < WRITES_PER_TURN && output_push(o); i++) {}
    if (o->error || output_pending_bytes(o) == 0) output_rest(o);
    o->progress(o->context);
}

/* What was written goes once it is the larger part, so that its bytes are moved once only. */
static void output_compact(output *o) {
    if (o->n_written < output_pending_bytes(o)) return;
    buffer_drop(&o->pending, o->n_written);
    o->n_written = 0;
}

status output_write(output *o, const void *bytes, size_t n_bytes) {
    if (o->error || n_bytes == 0) return STATUS_OK;
    output_compact(o);
    status st = buffer_add(&o->pending, bytes, n_bytes);
    if (st != STATUS_OK || o->waiting) return st;
    if (loop_add_writer(o->loop, o->fd, output_on_writable, o) != 0) return STATUS_NO_MEMORY;
    o->waiting = true;
    return STATUS_OK;
}

status output_json(output *o, json_t *value) {
    char *line = json_line(value);
    if (!line) return STATUS_NO_MEMORY;
    status st = output_write(o, line, strlen(line));
    free(line);
    return st;
}
