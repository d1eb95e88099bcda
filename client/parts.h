/* The three daemons that one model needs here: which of them run, how the others are started. */
#ifndef TRIVIUM_PARTS_H
#define TRIVIUM_PARTS_H

#include <stdbool.h>

#include "call.h"
#include "daemon.h"

enum { PART_TOKENIZERD, PART_MODELD, PART_SAMPLERD, N_PARTS };

enum { PART_ARGUMENTS_MAX = 5, PART_ARGUMENT_BYTES = 4096 };

typedef struct part {
    daemon_process process;     /* its name is set; pid 0: where it runs is not known */
    bool runs;                  /* it ran before, or was started */
    bool started;               /* by us */
    char arguments[PART_ARGUMENTS_MAX][PART_ARGUMENT_BYTES];
    int n_arguments;            /* 0: not known how to start it */
} part;

typedef struct parts {
    const char *runtime;        /* borrowed */
    char model[NAME_BYTES_MAX + 1]; /* its name; "" is any */
    bool stands_in;             /* it is the embedded one, because the default one was not fetched */
    part all[N_PARTS];
} parts;

/* Begin: tokenizerd is found, or can be started. `runtime` is borrowed. */
status parts_init(parts *p, const char *runtime, failure *f);

/* Decide about modeld and samplerd, now that tokenizerd tells who has joined. `path`: the model
 * that is wanted, NULL: whichever runs, else the default one. STATUS_NOT_FOUND when its file is not
 * there. */
status parts_plan(parts *p, const char *path, const status_report *report, failure *f);

/* Start what does not run. */
status part_start(parts *p, part *one, failure *f);

bool parts_ready(const parts *p, const status_report *report);

/* A part that was started and has ended; NULL: none. */
const part *parts_find_dead(const parts *p);

/* Start those that ran when they were looked for and have ended since: one that was just killed is
 * seen for a moment more. */
status parts_start_again(parts *p, failure *f);

/* End those that were started. */
void parts_stop(parts *p);

#endif
