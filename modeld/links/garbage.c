#include "garbage.h"

#include "proto/base/log.h"

void garbage_count(garbage *g, const char *message) {
    if (g->n_messages++ == 0) log_event(LOG_ERROR, "garbage", "message=%s", message);
}
