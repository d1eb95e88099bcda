/* What `up` hands on to the daemons that it starts, and whether one that runs was started with it. */
#ifndef TRIVIUM_SETTINGS_H
#define TRIVIUM_SETTINGS_H

#include "command_line.h"
#include "proto/base/status.h"

enum {
    SETTING_THREADS,            /* these are modeld's */
    SETTING_KV_MEMORY,
    SETTING_N_CTX,
    SETTING_ISA,
    SETTING_DEFAULT_MODEL,      /* tokenizerd's */
    SETTING_LOG,                /* of all */
    N_SETTINGS
};

typedef struct settings {
    const char *values[N_SETTINGS];     /* borrowed; NULL: the daemon's default, or what it runs with */
} settings;

/* Add those that are for `program` ("modeld") to its command line. STATUS_TOO_LONG. */
status settings_add(const settings *s, const char *program, command_line *line, failure *f);

/* What was asked for must be what process `pid` of `program` was started with (0: nobody knows): no setting seems to
 * hold that does not. STATUS_BUSY: what differs, of `what` ("the model m"), which `trivium down` with the word
 * `down` ends. The log's level is not checked. */
status settings_check(const settings *s, const char *program, pid_t pid, const char *what, const char *down,
                      failure *f);

/* Does that process log as is asked for, if anything is? */
bool settings_logs(const settings *s, pid_t pid);

#endif
