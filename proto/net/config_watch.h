/* A daemon's settings while it runs: SIGHUP has their file read again, between two handlers of the loop. */
#ifndef TRIVIUM_CONFIG_WATCH_H
#define TRIVIUM_CONFIG_WATCH_H

#include "loop.h"
#include "proto/base/config/config.h"

/* From now on, with what can change (config_on_change), checked as at the start. All of them outlive the
 * loop's run. Without a file SIGHUP ends the loop, as ever. 0, or -1: no memory. */
int config_watch(config *c, loop *l, const config_change *table, config_check *check);

#endif
