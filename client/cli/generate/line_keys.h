/* The keys of a line of --input: each is a flag of a text, by its name, with its value as JSON has it. */
#ifndef TRIVIUM_LINE_KEYS_H
#define TRIVIUM_LINE_KEYS_H

#include <jansson.h>

#include "generate_flags.h"

/* Put what the line says over the flags, which borrow from it then. Its prompt ("prompt", "messages" or "ids")
 * is not looked at, and its "id" may be anything that keeps its digits. STATUS_BAD_REQUEST for a key that there is not,
 * with the nearest one, or for a wrong value; what a flag's own check says; STATUS_NO_MEMORY. */
status line_keys_take(generate_flags *flags, const json_t *line, failure *f);

#endif
