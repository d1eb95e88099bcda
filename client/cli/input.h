/* A text from the command line or, for "-", from stdin: bytes as they are, but for a newline at the end of
 * stdin. */
#ifndef TRIVIUM_INPUT_H
#define TRIVIUM_INPUT_H

#include <stdbool.h>

#include "proto/base/buffer.h"
#include "proto/base/status.h"

/* `word` is the argument, NULL when there was none: then, and for "-", stdin is read to its end, of
 * which one last newline is left out unless it is to be kept. Where that is a terminal, stderr says that `what`
 * ("the prompt") is waited for. `out` is empty before; the caller clears it.
 * STATUS_TOO_LONG past TEXT_BYTES_MAX, STATUS_IO. */
status input_read(buffer *out, const char *what, const char *word, bool keep_newline, failure *f);

/* What it says, for those who read stdin themselves; nothing where that is no terminal. */
void input_tell_waiting(const char *what);

#endif
