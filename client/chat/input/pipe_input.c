#include "pipe_input.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { READ_BYTES = 4096 };

struct pipe_input {
    loop *loop;
    void (*progress)(void *context, status st);
    void *context;
    lines *lines;
    bool reading;               /* the loop watches stdin */
    bool ended;
};

pipe_input *pipe_input_new(loop *l, size_t line_bytes_max, void (*progress)(void *context, status st),
                           void *context) {
    pipe_input *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    *p = (pipe_input){.loop = l, .progress = progress, .context = context, .lines = lines_new(line_bytes_max)};
    if (!p->lines) pipe_input_free(&p);
    return p;
}

static void stop(pipe_input *p) {
    if (p->reading) loop_remove_fd(p->loop, STDIN_FILENO);
    p->reading = false;
}

void pipe_input_free(pipe_input **p) {
    if (!*p) return;
    stop(*p);
    lines_free(&(*p)->lines);
    free(*p);
    *p = NULL;
}

static void on_readable(void *context) {
    pipe_input *p = context;
    char bytes[READ_BYTES];
    ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    status st = STATUS_OK;
    if (n > 0) {
        st = lines_add(p->lines, bytes, (size_t)n);
    } else {
        stop(p);
        lines_end(p->lines);
        p->ended = true;
    }
    p->progress(p->context, st);
}

status pipe_input_want(pipe_input *p, bool is_wanted) {
    if (!is_wanted) stop(p);
    else if (!p->reading && !p->ended) p->reading = loop_add_reader(p->loop, STDIN_FILENO, on_readable, p) == 0;
    return is_wanted && !p->reading && !p->ended ? STATUS_NO_MEMORY : STATUS_OK;
}

bool pipe_input_has_ended(const pipe_input *p) {
    return p->ended;
}

lines_outcome pipe_input_next(pipe_input *p, const char **line, size_t *n_bytes) {
    return lines_next(p->lines, line, n_bytes);
}
