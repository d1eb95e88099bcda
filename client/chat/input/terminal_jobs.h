/* What a terminal tells its foreground: to stop (Ctrl-Z) or to end (Ctrl-\), to go on, that its size is another.
 * Told from the loop, so that the terminal is given back before. */
#ifndef TRIVIUM_TERMINAL_JOBS_H
#define TRIVIUM_TERMINAL_JOBS_H

#include "proto/net/loop.h"

typedef struct terminal_jobs terminal_jobs;

typedef struct job_events {
    void (*give_back)(void *context);   /* the program is about to stop or to end */
    void (*take)(void *context);        /* it goes on */
    void (*resize)(void *context);
} job_events;

/* One at a time. NULL: where this is impossible, the signals do what they always do. */
terminal_jobs *terminal_jobs_new(loop *l, const job_events *events, void *context);
void terminal_jobs_free(terminal_jobs **j);     /* NULL is fine; the signals do what they always do */

#endif
