/* One code for every outcome, the same numbers as Code in common.proto, and its name in JSON. */
#ifndef TRIVIUM_STATUS_H
#define TRIVIUM_STATUS_H

#include <stddef.h>

typedef enum status {
    STATUS_OK,
    STATUS_BAD_MESSAGE,
    STATUS_BAD_REQUEST,
    STATUS_EMPTY_PROMPT,
    STATUS_NOT_UTF8,
    STATUS_BAD_ID,
    STATUS_TOO_LONG,
    STATUS_BUSY,
    STATUS_NO_TOKENIZERD,
    STATUS_NO_MODELD,
    STATUS_NO_SAMPLERD,
    STATUS_UNKNOWN_MODEL,
    STATUS_UNKNOWN_REQUEST,
    STATUS_UNKNOWN_POOL,
    STATUS_NAME_TAKEN,
    STATUS_BAD_VERSION,
    STATUS_UNSUPPORTED,
    STATUS_NO_CANDIDATE,
    STATUS_SAMPLER_FAILED,
    STATUS_NO_MEMORY,
    STATUS_NOT_FOUND,
    STATUS_IO,
    STATUS_CANCELLED,
    STATUS_TIMEOUT,
    STATUS_FORBIDDEN,
    STATUS_DRAINING,
    STATUS_KINDS
} status;

/* "too_long" for STATUS_TOO_LONG; "unknown" for a number that is none of ours. */
const char *status_name(status st);

/* A failure with its sentence for a person. Functions that can fail in ways a user must understand
 * take a `failure *` (never NULL), fill it and return its code. */
typedef struct failure {
    status code;
    char message[512];
} failure;

/* Fill `f` (printf style, cut at the end of the buffer) and return `code`. */
status fail(failure *f, status code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* "trivium: sentence" on stderr, exit 1: only for faults at start-up, only from main.c. */
_Noreturn void die(const char *program, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
