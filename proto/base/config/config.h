/* What a daemon is told: its command line, and the settings file that --config names, with the same names. What
 * stands on the command line wins. While the daemon runs, SIGHUP has the file read again. */
#ifndef TRIVIUM_CONFIG_H
#define TRIVIUM_CONFIG_H

#include "proto/base/options.h"
#include "proto/base/status.h"

typedef struct config config;

/* options_parse of a daemon, which takes no words, with --config FILE as one flag more; then the file. A line `name =
 * value` is `--name value`; a flag is `name`, or `name = true` or `false`; what may be repeated on the command line
 * may be so here, and if it stands there, lines of that name do not count. Rows of the kind OPTION_CALL tell their
 * out_bytes. From here on SIGHUP does not end the program if there is a file: it waits for config_reload.
 *
 * STATUS_OK; STATUS_NOT_FOUND as options_parse; else what is wrong, as FILE:LINE and a sentence where it is a line's
 * fault. `o` and argv are borrowed, and what the rows' `out` got of the file lives as long as the config. */
status config_open(config **out, const options *o, int argc, char **argv, failure *f);
void config_close(config **c);          /* NULL is fine */

/* A check that comes later found fault with what `name` got: say where that stands, if it does in the file. */
void config_blame(const config *c, const char *name, failure *f);

/* Of two settings that exclude each other, where one stands on the command line: what the file says of the other does
 * not count. */
void config_exclude(config *c, const char *one, const char *other);

typedef void config_changed(void *context);

/* Settings that can change while the daemon runs: `changed` is called when the row's `out` has got another value, or
 * its first one, if the line is gone. What `out` pointed to before may be used until it returns. The others hold
 * until the next start. */
typedef struct config_change {
    const char *name;           /* of a row that is no OPTION_TEXTS; NULL ends a table */
    config_changed *changed;
    void *context;
} config_change;

/* What is wrong with all settings together, which the rows' `out` have? It may change them, as config_exclude does. */
typedef status config_check(config *c, failure *f);

/* The table is borrowed. `check` judges what a file read anew would come to, before any of it is taken, and is given a config of
 * its own for it; NULL: nothing of that kind can be wrong. */
void config_on_change(config *c, const config_change *table, config_check *check);

/* An eventfd that can be read once a SIGHUP came, to be watched with config_reload as its handler, and the config;
 * -1: there is no file. */
int config_hangup_fd(const config *c);

/* Read the file again. A log line says what changed and what would need a start; where anything in it is wrong
 * nothing changes, and a log line says why. */
void config_reload(void *config);

#endif
