#include "terminal_jobs.h"

#include <signal.h>
#include <stdlib.h>

#include "client/cli/signals/signal_pipe.h"
#include "proto/base/process/signals.h"

struct terminal_jobs {
    job_events events;
    void *context;
    signal_pipe *signals;
};

static void give_way(terminal_jobs *j, int number) {
    j->events.give_back(j->context);
    signal_pipe_obey(number);
    for (int going_on; signal_pipe_next(j->signals, &going_on);) {}
    j->events.take(j->context);
}

static void on_signal(void *context) {
    terminal_jobs *j = context;
    int number;
    if (!signal_pipe_next(j->signals, &number)) return;
    if (number == SIGTSTP || number == SIGQUIT) give_way(j, number);
    else if (number == SIGCONT) j->events.take(j->context);
    else j->events.resize(j->context);
}

/* A shell without jobs has some of them ignored: they stay so. */
terminal_jobs *terminal_jobs_new(loop *l, const job_events *events, void *context) {
    static const int all[SIGNAL_PIPE_MAX] = {SIGTSTP, SIGQUIT, SIGCONT, SIGWINCH};
    int numbers[SIGNAL_PIPE_MAX];
    size_t n = 0;
    for (size_t i = 0; i < SIGNAL_PIPE_MAX; i++)
        if (!signals_ignored(all[i])) numbers[n++] = all[i];
    terminal_jobs *j = calloc(1, sizeof *j);
    if (!j) return NULL;
    *j = (terminal_jobs){.events = *events, .context = context};
    j->signals = signal_pipe_new(l, numbers, n, on_signal, j);
    if (!j->signals) terminal_jobs_free(&j);
    return j;
}

void terminal_jobs_free(terminal_jobs **j) {
    if (!*j) return;
    signal_pipe_free(&(*j)->signals);
    free(*j);
    *j = NULL;
}
