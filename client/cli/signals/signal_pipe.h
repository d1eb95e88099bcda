/* Signals that are told from the loop, where whatever they ask for may be done. */
#ifndef TRIVIUM_SIGNAL_PIPE_H
#define TRIVIUM_SIGNAL_PIPE_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/net/loop.h"

enum { SIGNAL_PIPE_MAX = 4 };

typedef struct signal_pipe signal_pipe;

/* From now on each of numbers[n], at most SIGNAL_PIPE_MAX, waits to be taken; `ready` is called from the loop while one
 * does. One at a time in a process. NULL: impossible here, they do what they did. */
signal_pipe *signal_pipe_new(loop *l, const int *numbers, size_t n, loop_handler *ready, void *context);
void signal_pipe_free(signal_pipe **p);         /* they do what they did. NULL is fine */

bool signal_pipe_next(signal_pipe *p, int *number);     /* the oldest; false: none waits */

/* Let one of them do now what it always does: the program stops or ends. Returns when it goes on. */
void signal_pipe_obey(int number);

#endif
