/* Request ids as people type them: hexadecimal, in full or the beginning. */
#ifndef TRIVIUM_REQUEST_H
#define TRIVIUM_REQUEST_H

#include <stdint.h>

#include "client/cli/flags.h"
#include "client/lib/client.h"
#include "proto/base/limits.h"

enum { REQUEST_DIGITS = 2 * REQUEST_BYTES };

/* STATUS_BAD_REQUEST when the text can be the beginning of no id. */
status request_check(const char *text, failure *f);

/* The one request that runs and whose id begins with `text` (checked), or with NULL the one that runs: an
 * exit code, after the sentence when there is none or more than one. A full id is taken as it is. */
int request_find(client *c, const char *text, uint8_t out[REQUEST_BYTES]);

/* Parse a command line whose one word, if any, is such a beginning. -1: go on with *word, NULL when there
 * is none; else the exit code. */
int request_word(const options *o, int argc, char **argv, const char **word);

/* Ask about such a request, on a client of its own: its id goes to `request`, which is part of `asked`, and
 * to `digits`. `handler` sees a good answer. An exit code. */
int request_ask(const common_flags *flags, const char *text, uint8_t request[REQUEST_BYTES],
                char digits[REQUEST_DIGITS + 1], const question *asked, answer_handler *handler,
                void *context);

#endif
