/* `up --keep`: stay, and start again what ends. */
#ifndef TRIVIUM_KEEPER_H
#define TRIVIUM_KEEPER_H

#include "parts.h"

/* From here on, until its end, this process keeps the parts that it or an earlier `up` started; signals
 * are held (signals.h). To be called under the lock of whoever starts or ends daemons, so that whoever ends
 * them next finds it. STATUS_IO. */
status keeper_begin(parts *p, failure *f);

/* Keep them running until a signal ends that, then end them, but for a tokenizerd that another keeper of
 * this folder needs. An exit code. */
int keeper_run(parts *p);

#endif
