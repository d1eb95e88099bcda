#include "keys_settings.h"

#include "keys.h"

status keys_settings_choose(config *settings, const char **folder, const bool *insecure, failure *f) {
    config_exclude(settings, "keys", "insecure");
    status st = keys_choose(folder, *insecure, f);
    if (st != STATUS_OK) config_blame(settings, "keys", f);
    return st;
}
