#include "endpoint_settings.h"

#include "endpoint.h"
#include "proto/base/limits.h"

status endpoint_settings_check_bind(const config *settings, const char *flag, const char *address, failure *f) {
    if (!address || endpoint_check(address, true, f) == STATUS_OK) return STATUS_OK;
    config_blame(settings, flag, f);
    return f->code;
}

status endpoint_settings_check_joins(const config *settings, const option_texts *joins, failure *f) {
    status st = STATUS_OK;
    if (joins->n_items > JOINS_MAX) st = fail(f, STATUS_BAD_REQUEST, "--join may be given at most %d times", JOINS_MAX);
    for (size_t i = 0; st == STATUS_OK && i < joins->n_items; i++) st = endpoint_check(joins->items[i], false, f);
    if (st != STATUS_OK) config_blame(settings, "join", f);
    return st;
}
