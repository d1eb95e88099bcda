/* What tells a program to end: SIGINT, SIGTERM and SIGHUP. From the first instruction of main on none of them
 * ends it by itself: it ends in order, with an exit code of its own. */
#ifndef TRIVIUM_SIGNALS_H
#define TRIVIUM_SIGNALS_H

#include <stdbool.h>

typedef enum signals_rule {
    SIGNALS_END,                /* each ends the program at once: nothing is to be put in order */
    SIGNALS_HOLD_INTERRUPT,     /* SIGINT waits, the others end it */
    SIGNALS_HOLD,               /* all of them wait until they are taken */
} signals_rule;

/* The first thing in main: SIGNALS_END holds, with this exit code. A SIGINT or SIGHUP that was ignored stays
 * so: with nohup, or in the background of a shell without jobs, a terminal's does not mean this program.
 * SIGTERM always counts. What was blocked is unblocked, and what came meanwhile counts now. A reader that
 * went away is an error of write(), nothing worse. */
void signals_begin(int exit_code);

/* The rule from now on; returns the one before. One that waits and is not held any more ends the program now. */
signals_rule signals_set(signals_rule rule);

int signals_waiting(void);      /* the number of one that waits, SIGINT only when it is alone; 0: none does */
/* The same, and none waits any longer. *second is the number of another one that came before this was taken, of the same
 * number perhaps; 0: none did. NULL: that is not wanted. */
int signals_take(int *second);

/* From now on, write to this eventfd when one comes; -1: to none. Returns the eventfd before. */
int signals_wake(int fd);

/* From now on SIGHUP ends nothing, whatever the rule, and even if it was ignored: it writes to this eventfd. -1: it
 * ends the program again, as the rule has it. */
void signals_hangup_wakes(int fd);

bool signals_ignored(int number);       /* as it is now: whoever handles it for a while asks first */

/* In a child that becomes another of our programs: what comes before that one's signals_begin waits for it,
 * and nothing is ignored. Safe after a fork of a process with threads. */
void signals_hand_on(void);

#endif
