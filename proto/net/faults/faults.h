/* What the log says of what is wrong for a while, and of much of a kind at once: neither may stay unseen nor fill it. Pure. */
#ifndef TRIVIUM_FAULTS_H
#define TRIVIUM_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"

/* Of something that is looked at again and again. All zeros: nothing is wrong with it. */
typedef struct lasting_fault {
    failure told;
} lasting_fault;

/* This is wrong now. True: it is to be told, for its sentence is not the one that was told last. */
bool fault_is_news(lasting_fault *one, const failure *now);
void fault_is_over(lasting_fault *one);

enum { FAULTS_MS = 60000 };         /* from one line of all others to the next */

/* Of many things, such as the files of a folder: FAULTS_NAMED_MAX of them within FAULTS_MS have a line of their own. All
 * zeros: there were none. */
typedef struct fault_crowd {
    size_t n_named;
    uint64_t named_ms;              /* when the first of these was */
    size_t n_others;                /* that had no line, and are still to be told */
    uint64_t others_ms;             /* when the last ones were; 0: never */
} fault_crowd;

/* One more. False: it has no line of its own, and counts among the others. */
bool faults_name(fault_crowd *c, uint64_t now_ms);
/* Takes the others that are to be told now, in one line; 0: none. */
size_t faults_take_others(fault_crowd *c, uint64_t now_ms);

#endif
