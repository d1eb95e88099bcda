/* Endpoints that a daemon is given, on its command line or in its settings file: what is wrong with one that stands in the
 * file is told with its line. */
#ifndef TRIVIUM_ENDPOINT_SETTINGS_H
#define TRIVIUM_ENDPOINT_SETTINGS_H

#include "proto/base/config/config.h"
#include "proto/base/options.h"
#include "proto/base/status.h"

/* Can the value of this flag be bound (endpoint_check, endpoint_check_guarded)? NULL is fine: it was not given. */
status endpoint_settings_check_bind(const config *settings, const char *flag, const char *address, bool is_guarded, failure *f);

/* Can all values of --join be joined, and are they JOINS_MAX at most? */
status endpoint_settings_check_joins(const config *settings, const option_texts *joins, bool is_guarded, failure *f);

#endif
