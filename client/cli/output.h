/* Writing to stdout without ever blocking the loop: bytes wait here until the descriptor can take
 * them. */
#ifndef TRIVIUM_OUTPUT_H
#define TRIVIUM_OUTPUT_H

#include <jansson.h>
#include <stddef.h>

#include "proto/base/status.h"
#include "proto/net/loop.h"

typedef struct output output;

/* `progress` is called from the loop after bytes went out, and once when the descriptor failed. */
output *output_new(loop *l, int fd, loop_handler *progress, void *context);  /* NULL: no memory */
void output_free(output **o);

status output_write(output *o, const void *bytes, size_t n_bytes);  /* STATUS_NO_MEMORY */
size_t output_pending_bytes(const output *o);   /* not yet written; 0 after a failure */

/* 0, or the errno that ended it (EPIPE: the reader is gone). What is written after that is dropped.
 */
int output_error(const output *o);

/* One JSON value and a newline, as json_line writes it. Takes over `value`; NULL is
 * STATUS_NO_MEMORY. */
status output_json(output *o, json_t *value);

#endif
