/* The lines of stdin where it is no terminal: read from the loop, only while they are wanted. */
#ifndef TRIVIUM_PIPE_INPUT_H
#define TRIVIUM_PIPE_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "client/terminal/lines.h"
#include "proto/net/loop.h"

typedef struct pipe_input pipe_input;

/* `progress` is called from the loop when more was read, or the end: STATUS_OK or STATUS_NO_MEMORY. NULL: no
 * memory. */
pipe_input *pipe_input_new(loop *l, size_t line_bytes_max, void (*progress)(void *context, status st),
                           void *context);
void pipe_input_free(pipe_input **p);           /* NULL is fine */

status pipe_input_want(pipe_input *p, bool is_wanted);  /* STATUS_NO_MEMORY; nothing happens after the end */
bool pipe_input_has_ended(const pipe_input *p);     /* what lines_next has not told yet is there still */

/* As lines_next: from what was read. */
lines_outcome pipe_input_next(pipe_input *p, const char **line, size_t *n_bytes);

#endif
