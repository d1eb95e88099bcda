/* Daemons as processes of a runtime folder: started detached, found again by pid file or by the
 * lock of a socket, ended. */
#ifndef TRIVIUM_DAEMON_H
#define TRIVIUM_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "proto/base/limits.h"
#include "proto/base/status.h"

enum { DAEMON_NAME_BYTES = 64, DAEMONS_MAX = 64, FOLDER_BYTES = 3072, FILE_STATE_BYTES = 80 };

/* How the name of an `up --keep` process begins. */
#define SUPERVISOR_NAME "up-"

/* A process, told from a later one with its pid by the time of its start. */
typedef struct daemon_process {
    char name[DAEMON_NAME_BYTES];   /* "tokenizerd"; its files are NAME.pid and NAME.log */
    pid_t pid;
    unsigned long long started;     /* ticks after boot */
    char model[NAME_BYTES_MAX + 1]; /* that it serves; "": not known, or none */
    char file[FILE_STATE_BYTES];    /* of a modeld: model_file's state of its file; "": not known */
} daemon_process;

/* One `up` or `down` at a time in a folder: wait up to wait_s for the lock. STATUS_BUSY after that.
 */
status daemons_lock(const char *runtime, double wait_s, int *lock, failure *f);
void daemons_unlock(const char *runtime, int *lock);

/* Start argv[0] (a path, or searched in PATH) as a session of its own, without any descriptor of
 * ours, stdin from /dev/null, stdout and stderr to NAME.log; NAME.pid is written. An older log
 * becomes NAME.log.old. `p` has its name, model and file, and gets its pid and start. STATUS_IO with a
 * sentence. */
status daemon_start(const char *runtime, const char *const *argv, daemon_process *p, failure *f);

/* Write NAME.pid for a process that runs: this one, for `up --keep`. */
status daemon_record(const char *runtime, const daemon_process *p, failure *f);
void daemon_forget(const char *runtime, const char *name);      /* removes NAME.pid */

/* Is it an `up --keep`? And how many of those run here, this process not counted? */
bool daemon_is_supervisor(const daemon_process *p);
size_t daemons_supervisors(const char *runtime);

/* The process of this pid as it is now; false when there is none (or it is a zombie). */
bool daemon_identify(pid_t pid, daemon_process *out);
bool daemon_alive(const daemon_process *p);

/* The process that NAME.pid tells of; daemon_find: when it is alive. */
bool daemon_last(const char *runtime, const char *name, daemon_process *out);
bool daemon_find(const char *runtime, const char *name, daemon_process *out);

/* Is it a program of that name, and ours to end? A peer may say any number, and one in a file is of whoever wrote it, in another
 * container perhaps. */
bool daemon_is_program(pid_t pid, const char *name);

/* p->model of a modeld that no pid file tells of, as its command line says; "": it does not. */
void daemon_read_model(daemon_process *p);

/* The process that holds the lock of the socket `socket` ("clients") in the runtime folder. */
bool daemon_find_holder(const char *runtime, const char *socket, daemon_process *out);

/* Does NAME.pid tell of this very process? Alive or not: whoever ends a daemon on purpose removes it. */
bool daemon_recorded(const char *runtime, const daemon_process *p);

/* All of the folder, by pid file and by lock, each process once; at most DAEMONS_MAX. */
size_t daemons_list(const char *runtime, daemon_process out[DAEMONS_MAX]);

/* Add to a list of n unless it is there, or there is no room; returns how many there are now. */
size_t daemons_add(daemon_process list[DAEMONS_MAX], size_t n, const daemon_process *p);

/* Remove the pid files of processes that are gone, of this model alone (NULL: of all). How many. */
size_t daemons_forget_gone(const char *runtime, const char *model);

/* SIGTERM to all of them, wait, SIGKILL to those that are left after 5 s; the pid files that tell of them
 * go. */
void daemons_stop(const char *runtime, const daemon_process *list, size_t n);

/* The last line of NAME.log, "" when there is none. */
void daemon_last_words(const char *runtime, const char *name, char *out, size_t out_bytes);

#endif
