/* How a command ends: its exit code and the one sentence on stderr. */
#ifndef TRIVIUM_OUTCOME_H
#define TRIVIUM_OUTCOME_H

#include "proto/base/status.h"

enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_WRONG_USE = 2, EXIT_INTERRUPTED = 130 };

/* "trivium: SENTENCE" on stderr; returns EXIT_FAILED. */
int outcome_failed(const failure *f);

/* The same for an argument of the wrong form or out of range; returns EXIT_WRONG_USE. */
int outcome_wrong_use(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
