/* Who runs in a runtime folder: what pid files, locks of sockets, tokenizerd and the processes of this user tell. */
#ifndef TRIVIUM_ROSTER_H
#define TRIVIUM_ROSTER_H

#include "client/lib/call.h"
#include "daemon.h"

enum { ROSTER_OTHERS_BYTES = 1024 };

typedef struct roster {
    daemon_process all[DAEMONS_MAX];    /* each alive when it was looked for, and each once */
    size_t n;
    char others[ROSTER_OTHERS_BYTES];   /* "mine (pid 7, another program), …": that are not ours to end; "": none */
} roster;

/* Look. A tokenizerd that runs is asked who has joined, for five seconds at most. A modeld or samplerd of this user whose
 * place to join lies in the folder is of it, whether it has joined or not; a samplerd then serves the model of whoever
 * holds that place ("": nobody does). Where a settings file may say where one joins, it is among the others. */
void roster_take(roster *r, const char *runtime);

/* Is it a modeld or samplerd that serves this model? */
bool roster_serves(const daemon_process *p, const char *model);

/* The first of this role that serves `model` ("" is any), in what tokenizerd tells; NULL: none. One of
 * this host that was killed stays there until its silence is noticed: it does not count. */
const daemon_report *report_find(const status_report *r, const char *role, const char *model);

/* Does tokenizerd still tell of a modeld of this model that has ended here? Until its silence is noticed the
 * name is taken for other weights. */
bool report_lags(const status_report *r, const char *model);

/* The process of one that was reported; false: it is on another host, or what it said of itself is not so. */
bool report_process(const daemon_report *d, daemon_process *out);

#endif
