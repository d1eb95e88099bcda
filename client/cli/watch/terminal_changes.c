#include "terminal_changes.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

static const int numbers[] = {SIGWINCH, SIGCONT};
enum { N_NUMBERS = sizeof numbers / sizeof *numbers };

struct terminal_changes {
    loop *loop;
    loop_handler *resized, *continued;
    void *context;
    int pipe;                   /* the end that is read: a byte for each signal */
    struct sigaction before[N_NUMBERS];
};

static volatile sig_atomic_t pipe_in = -1;      /* the end that is written */

static void on_signal(int number) {
    int kept = errno;
    char byte = (char)number;
    ssize_t unused = write(pipe_in, &byte, 1);
    (void)unused;
    errno = kept;
}

/* Several at once count once each. */
void terminal_changes_check(terminal_changes *t) {
    if (!t) return;
    bool has_resized = false, has_continued = false;
    for (char number; read(t->pipe, &number, 1) == 1;) {
        has_resized = has_resized || number == SIGWINCH;
        has_continued = has_continued || number == SIGCONT;
    }
    if (has_continued) t->continued(t->context);
    if (has_resized) t->resized(t->context);
}

static void on_byte(void *context) {
    terminal_changes_check(context);
}

terminal_changes *terminal_changes_new(loop *l, loop_handler *resized, loop_handler *continued, void *context) {
    assert(pipe_in < 0);
    int ends[2];
    terminal_changes *t = calloc(1, sizeof *t);
    if (!t || pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) {
        free(t);
        return NULL;
    }
    *t = (terminal_changes){.loop = l, .resized = resized, .continued = continued, .context = context,
                            .pipe = ends[0]};
    if (loop_add_reader(l, t->pipe, on_byte, t) != 0) {
        close(ends[0]);
        close(ends[1]);
        free(t);
        return NULL;
    }
    pipe_in = ends[1];
    const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    for (int i = 0; i < N_NUMBERS; i++) sigaction(numbers[i], &action, &t->before[i]);
    return t;
}

void terminal_changes_free(terminal_changes **t) {
    if (!*t) return;
    for (int i = 0; i < N_NUMBERS; i++) sigaction(numbers[i], &(*t)->before[i], NULL);
    loop_remove_fd((*t)->loop, (*t)->pipe);
    close((*t)->pipe);
    close(pipe_in);
    pipe_in = -1;
    free(*t);
    *t = NULL;
}
