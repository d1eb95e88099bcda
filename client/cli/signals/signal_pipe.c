#include "signal_pipe.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct signal_pipe {
    loop *loop;
    int pipe;                   /* the end that is read: a byte for each signal */
    int numbers[SIGNAL_PIPE_MAX];
    size_t n;
    struct sigaction before[SIGNAL_PIPE_MAX];
};

static volatile sig_atomic_t pipe_in = -1;      /* the end that is written */

static void on_signal(int number) {
    int kept = errno;
    char byte = (char)number;
    ssize_t unused = write(pipe_in, &byte, 1);
    (void)unused;
    errno = kept;
}

static void handle(int number, void (*handler)(int), struct sigaction *before) {
    const struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(number, &action, before);
}

static void pipe_close(signal_pipe *p) {
    close(p->pipe);
    close(pipe_in);
    pipe_in = -1;
    free(p);
}

signal_pipe *signal_pipe_new(loop *l, const int *numbers, size_t n, loop_handler *ready, void *context) {
    assert(pipe_in < 0 && n <= SIGNAL_PIPE_MAX);
    int ends[2];
    signal_pipe *p = calloc(1, sizeof *p);
    if (!p || pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) {
        free(p);
        return NULL;
    }
    *p = (signal_pipe){.loop = l, .pipe = ends[0], .n = n};
    pipe_in = ends[1];
    if (loop_add_reader(l, p->pipe, ready, context) != 0) {
        pipe_close(p);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        p->numbers[i] = numbers[i];
        handle(numbers[i], on_signal, &p->before[i]);
    }
    return p;
}

void signal_pipe_free(signal_pipe **p) {
    if (!*p) return;
    for (size_t i = 0; i < (*p)->n; i++) sigaction((*p)->numbers[i], &(*p)->before[i], NULL);
    loop_remove_fd((*p)->loop, (*p)->pipe);
    pipe_close(*p);
    *p = NULL;
}

bool signal_pipe_next(signal_pipe *p, int *number) {
    char byte;
    bool is_there = read(p->pipe, &byte, 1) == 1;
    if (is_there) *number = byte;
    return is_there;
}

void signal_pipe_obey(int number) {
    handle(number, SIG_DFL, NULL);
    raise(number);              /* it stops here, or ends */
    handle(number, on_signal, NULL);
}
