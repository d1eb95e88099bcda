/* A stack: the three daemons that one model needs here. Which of them run, how the others are started. */
#ifndef TRIVIUM_STACK_H
#define TRIVIUM_STACK_H

#include <stdbool.h>

#include "client/lib/call.h"
#include "command_line.h"
#include "daemon.h"
#include "model_file.h"
#include "settings.h"

enum { STACK_TOKENIZERD, STACK_MODELD, STACK_SAMPLERD, N_STACK_DAEMONS };

typedef struct stack_daemon {
    daemon_process process;     /* its name is set; pid 0: where it runs is not known */
    bool runs;                  /* it ran before, or was started */
    bool started;               /* by us */
    command_line line;          /* empty: not known how to start it */
} stack_daemon;

typedef struct stack_wish {
    const char *path;           /* the model's file; NULL: whichever runs, else the default one */
    const char *name;           /* the model's, checked; NULL: after its file */
    settings settings;          /* for those that are started */
} stack_wish;

typedef struct stack {
    const char *runtime;        /* borrowed */
    loop *loop;                 /* whose handler plans, borrowed */
    char model[NAME_BYTES_MAX + 1]; /* its name */
    model_file file;            /* that is wanted; its path is "" while none was looked for */
    stack_daemon all[N_STACK_DAEMONS];
} stack;

/* Begin: tokenizerd is found, or can be started. `runtime` is borrowed. */
status stack_init(stack *s, const char *runtime, const stack_wish *wish, failure *f);

/* Decide about modeld and samplerd, now that tokenizerd tells who has joined; s->loop is set. *decided
 * is false while that takes another report: whether a modeld that runs serves the file that is wanted
 * is known only once it has joined. STATUS_NOT_FOUND when there is no such file; STATUS_BUSY when the
 * model's name is taken by another file, or it (or tokenizerd) runs with other settings than those that are wanted.
 * The loop is served while a file is read to find out what it is. */
status stack_plan(stack *s, const stack_wish *wish, const status_report *report, bool *decided,
                  failure *f);

/* Start what does not run. */
status stack_start(stack *s, stack_daemon *one, failure *f);

/* All are ready, and tokenizerd knows which model is the default: requests that name none are served. */
bool stack_ready(const stack *s, const status_report *report);
/* Those that are not, as "modeld, samplerd". */
void stack_not_ready(const stack *s, const status_report *report, char *out, size_t out_bytes);

/* A daemon that we started and that has ended; NULL: none. */
const stack_daemon *stack_find_dead(const stack *s);

/* Start those that ran when they were looked for and have ended since: one that was just killed is
 * seen for a moment more. */
status stack_start_again(stack *s, failure *f);

/* End those that were started. */
void stack_stop(stack *s);

#endif
