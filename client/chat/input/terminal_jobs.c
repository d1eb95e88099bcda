#include "terminal_jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/base/process/signals.h"

struct terminal_jobs {
    loop *loop;
    job_events events;
    void *context;
    int pipe;                   /* the end that is read */
};

static const int job_signals[] = {SIGTSTP, SIGQUIT, SIGCONT, SIGWINCH};
enum { N_JOB_SIGNALS = sizeof job_signals / sizeof *job_signals };

static volatile sig_atomic_t job_pipe = -1;         /* the end that is written */

static void job_signal(int number) {
    int kept = errno;
    char byte = (char)number;
    ssize_t unused = write(job_pipe, &byte, 1);
    (void)unused;
    errno = kept;
}

/* A shell without jobs has it ignore them. */
static void signal_handle(int number, void (*handler)(int)) {
    const struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    if (!signals_ignored(number)) sigaction(number, &action, NULL);
}

static void give_way(terminal_jobs *j, int number) {
    j->events.give_back(j->context);
    signal_handle(number, SIG_DFL);
    raise(number);                                  /* it stops here, or ends */
    signal_handle(number, job_signal);
    for (char going_on; read(j->pipe, &going_on, 1) == 1;) {}
    j->events.take(j->context);
}

static void on_job_signal(void *context) {
    terminal_jobs *j = context;
    char number;
    if (read(j->pipe, &number, 1) != 1) return;
    if (number == SIGTSTP || number == SIGQUIT) give_way(j, number);
    else if (number == SIGCONT) j->events.take(j->context);
    else j->events.resize(j->context);
}

terminal_jobs *terminal_jobs_new(loop *l, const job_events *events, void *context) {
    int ends[2];
    terminal_jobs *j = calloc(1, sizeof *j);
    if (!j || pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) {
        free(j);
        return NULL;
    }
    *j = (terminal_jobs){l, *events, context, ends[0]};
    job_pipe = ends[1];
    if (loop_add_reader(l, j->pipe, on_job_signal, j) != 0) terminal_jobs_free(&j);
    else for (int i = 0; i < N_JOB_SIGNALS; i++) signal_handle(job_signals[i], job_signal);
    return j;
}

void terminal_jobs_free(terminal_jobs **j) {
    if (!*j) return;
    for (int i = 0; i < N_JOB_SIGNALS; i++) signal_handle(job_signals[i], SIG_DFL);
    loop_remove_fd((*j)->loop, (*j)->pipe);
    close((*j)->pipe);
    close(job_pipe);
    free(*j);
    *j = NULL;
}
