/* What is logged while a test listens, in place of stderr. It uses the scratch file (scratch.h). */
#ifndef TRIVIUM_TESTS_LOG_CATCH_H
#define TRIVIUM_TESTS_LOG_CATCH_H

#include <stddef.h>

#include "proto/base/log.h"

/* From now on, as this daemon's, down to this level. */
void log_catch(const char *daemon, log_level level);
const char *log_caught(void);                   /* since then; valid until the next call */
size_t log_caught_times(const char *words);     /* how often it has these */
void log_catch_end(void);                       /* as it was before; where nobody listens that is fine, too */

#endif
