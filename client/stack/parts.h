/* The three daemons that one model needs here: which of them run, how the others are started. */
#ifndef TRIVIUM_PARTS_H
#define TRIVIUM_PARTS_H

#include <stdbool.h>

#include "client/lib/call.h"
#include "command_line.h"
#include "daemon.h"
#include "model_file.h"

enum { PART_TOKENIZERD, PART_MODELD, PART_SAMPLERD, N_PARTS };

typedef struct part {
    daemon_process process;     /* its name is set; pid 0: where it runs is not known */
    bool runs;                  /* it ran before, or was started */
    bool started;               /* by us */
    command_line line;          /* empty: not known how to start it */
} part;

/* What `up` hands on to modeld. */
enum { SETTING_THREADS, SETTING_KV_MEMORY, SETTING_N_CTX, SETTING_ISA, N_SETTINGS };

typedef struct parts_wish {
    const char *path;           /* the model's file; NULL: whichever runs, else the default one */
    const char *name;           /* the model's, checked; NULL: after its file */
    const char *settings[N_SETTINGS];   /* NULL: modeld's default, or what it runs with */
} parts_wish;

typedef struct parts {
    const char *runtime;        /* borrowed */
    loop *loop;                 /* whose handler plans, borrowed */
    char model[NAME_BYTES_MAX + 1]; /* its name */
    model_file file;            /* that is wanted; its path is "" while none was looked for */
    part all[N_PARTS];
} parts;

/* Begin: tokenizerd is found, or can be started. `runtime` is borrowed. */
status parts_init(parts *p, const char *runtime, failure *f);

/* Decide about modeld and samplerd, now that tokenizerd tells who has joined; p->loop is set. *decided
 * is false while that takes another report: whether a modeld that runs serves the file that is wanted
 * is known once it has joined. STATUS_NOT_FOUND when there is no such file; STATUS_BUSY when the model's
 * name is taken by another file, or it runs with other settings than those that are wanted. The loop is
 * served while a file is read to find out what it is. */
status parts_plan(parts *p, const parts_wish *wish, const status_report *report, bool *decided,
                  failure *f);

/* Start what does not run. */
status part_start(parts *p, part *one, failure *f);

/* All of them are, and tokenizerd knows which model is the default: requests that name none are served. */
bool parts_ready(const parts *p, const status_report *report);

/* A part that was started and has ended; NULL: none. */
const part *parts_find_dead(const parts *p);

/* Start those that ran when they were looked for and have ended since: one that was just killed is
 * seen for a moment more. */
status parts_start_again(parts *p, failure *f);

/* End those that were started. */
void parts_stop(parts *p);

#endif
