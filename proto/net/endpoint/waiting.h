/* What the log of a joining side says while nobody is joined: a line WAITING_FIRST_MS after that began, and one each
 * WAITING_NEXT_MS from then on; but of all together WAITING_LINES_MAX at most within WAITING_NEXT_MS, for links that take
 * turns begin anew again and again. From the loop's thread. */
#ifndef TRIVIUM_WAITING_H
#define TRIVIUM_WAITING_H

#include <stdint.h>

#include "proto/base/limits.h"

enum {
    WAITING_FIRST_MS = 3000,
    WAITING_NEXT_MS = 60000,
    WAITING_LINES_MAX = 2 * JOINS_MAX,
};

/* All zeros: nothing is waited for. */
typedef struct waiting {
    uint64_t line_ms;               /* when the next line is due; 0: nothing is waited for */
} waiting;

/* To be called several times a second while it lasts: writes the line that is due. `reach` says why: a word of reach_name, or
 * one of these below. */
void waiting_goes_on(waiting *w, const char *endpoint, const char *reach);
void waiting_over(waiting *w);

#define WAITING_NO_ADDRESS "no_address"     /* the name of the host has none */
#define WAITING_TURNS "turns"               /* it has more than there are links, and none of them is joined */

#endif
