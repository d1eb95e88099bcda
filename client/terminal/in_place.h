/* Some lines on a terminal that are drawn over and over at the same place. */
#ifndef TRIVIUM_IN_PLACE_H
#define TRIVIUM_IN_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { IN_PLACE_LINES_MAX = 200 };      /* more are left out */

typedef struct in_place {
    int fd;                     /* the terminal: it is asked for its size each time */
    size_t n_lines;             /* drawn, and to be drawn over; 0 at first */
    size_t n_cells[IN_PLACE_LINES_MAX];     /* of each of them */
} in_place;

/* Is it a terminal that moves its cursor? One without TERM, or with TERM=dumb, does not. */
bool in_place_works(int fd);

size_t in_place_columns(const in_place *p);     /* 80 where the terminal does not say */

/* Print what draws these lines over the last ones; each ends with a newline. A line that wrapped or
 * scrolled away could not be drawn over, so what the terminal has no room for is left out: the last
 * lines, and the right end of a line, after an ellipsis. Lines that were drawn when the terminal was wider
 * are taken to be broken into as many rows as they need now. */
void in_place_print(in_place *p, FILE *to, const char *lines);

/* Something else was written since, or will be: what was drawn stays, and the next lines follow it. */
void in_place_leave(in_place *p);

#endif
