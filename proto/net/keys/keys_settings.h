/* --keys and --insecure of a daemon, whose settings may come from a file, too. */
#ifndef TRIVIUM_KEYS_SETTINGS_H
#define TRIVIUM_KEYS_SETTINGS_H

#include <stdbool.h>

#include "proto/base/config/config.h"
#include "proto/base/status.h"

/* keys_choose of the settings "keys" and "insecure", whose values these are: a flag wins over the file. What the file is
 * at fault for is told with its line. */
status keys_settings_choose(config *settings, const char **folder, const bool *insecure, failure *f);

#endif
