#include "terminal_changes.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "client/cli/signals/signal_pipe.h"

struct terminal_changes {
    loop_handler *resized, *continued;
    void *context;
    signal_pipe *signals;
};

/* Several at once count once each. */
void terminal_changes_check(terminal_changes *t) {
    if (!t) return;
    bool has_resized = false, has_continued = false;
    for (int number; signal_pipe_next(t->signals, &number);) {
        has_resized = has_resized || number == SIGWINCH;
        has_continued = has_continued || number == SIGCONT;
    }
    if (has_continued) t->continued(t->context);
    if (has_resized) t->resized(t->context);
}

static void on_signal(void *context) {
    terminal_changes_check(context);
}

terminal_changes *terminal_changes_new(loop *l, loop_handler *resized, loop_handler *continued, void *context) {
    static const int numbers[] = {SIGWINCH, SIGCONT};
    terminal_changes *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    *t = (terminal_changes){.resized = resized, .continued = continued, .context = context};
    t->signals = signal_pipe_new(l, numbers, sizeof numbers / sizeof *numbers, on_signal, t);
    if (!t->signals) terminal_changes_free(&t);
    return t;
}

void terminal_changes_free(terminal_changes **t) {
    if (!*t) return;
    signal_pipe_free(&(*t)->signals);
    free(*t);
    *t = NULL;
}
