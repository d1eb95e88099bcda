/* `up --keep`: stay, and start again what ends. */
#ifndef TRIVIUM_KEEPER_H
#define TRIVIUM_KEEPER_H

#include "parts.h"

/* From here on this process keeps the parts, until its end: SIGINT, SIGTERM and SIGCHLD wait for
 * keeper_run. To be called under the lock of who starts or ends daemons, so that whoever ends them next
 * finds it. STATUS_IO. */
status keeper_begin(const parts *p, failure *f);

/* Keep them running until SIGINT or SIGTERM, then end them. An exit code. */
int keeper_run(parts *p);

#endif
