/* The place of a request in somebody's distributed trace, as the W3C's Trace Context writes it (traceparent):
 *
 *     00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
 *     version, trace id, parent id, flags: in hexadecimal, letters in lower case
 *
 * A request carries it along all links for the logs' sake; nothing else depends on it. Pure. */
#ifndef TRIVIUM_TRACEPARENT_H
#define TRIVIUM_TRACEPARENT_H

#include "proto/base/limits.h"
#include "proto/base/status.h"

enum {
    TRACE_ID_DIGITS = 32,
    TRACE_WORD_BYTES = sizeof " trace=" + TRACE_ID_DIGITS,
};

/* NULL or "" is none, and fine. A version after 00 may have more after a hyphen, of which nothing is known here: up to
 * TRACEPARENT_BYTES_MAX bytes in all. STATUS_BAD_REQUEST, with a sentence that does not repeat the text. */
status traceparent_check(const char *text, failure *f);

/* One that was checked, as version 00 has it: of a later version what 00 knows of it, as the standard wants it passed on. */
void traceparent_copy(char out[TRACEPARENT_BYTES + 1], const char *text);

/* For a line of a log, after other words: " trace=" and the trace id; "" where the text is none, or malformed. */
const char *traceparent_word(const char *text, char out[TRACE_WORD_BYTES]);

#endif
