#include "endpoint_settings.h"

#include "endpoint.h"
#include "proto/base/limits.h"

static status check(const char *address, bool binds, bool is_guarded, failure *f) {
    status st = endpoint_check(address, binds, f);
    return st == STATUS_OK ? endpoint_check_guarded(address, is_guarded, f) : st;
}

status endpoint_settings_check_bind(const config *settings, const char *flag, const char *address, bool is_guarded, failure *f) {
    status st = address ? check(address, true, is_guarded, f) : STATUS_OK;
    if (st != STATUS_OK) config_blame(settings, flag, f);
    return st;
}

status endpoint_settings_check_joins(const config *settings, const option_texts *joins, bool is_guarded, failure *f) {
    status st = STATUS_OK;
    if (joins->n_items > JOINS_MAX) st = fail(f, STATUS_BAD_REQUEST, "--join may be given at most %d times", JOINS_MAX);
    for (size_t i = 0; st == STATUS_OK && i < joins->n_items; i++) st = check(joins->items[i], false, is_guarded, f);
    if (st != STATUS_OK) config_blame(settings, "join", f);
    return st;
}
