/* A text from the command line or, for "-", from stdin: bytes as they are. */
#ifndef TRIVIUM_INPUT_H
#define TRIVIUM_INPUT_H

#include "../proto/rt/status.h"
#include "buffer.h"

/* `word` is the argument, NULL when there was none: then, and for "-", stdin is read to its end.
 * `out` is empty before; the caller clears it. STATUS_TOO_LONG past TEXT_BYTES_MAX, STATUS_IO. */
status input_read(buffer *out, const char *word, failure *f);

#endif
