/* `up --keep`: stay, and start again what ends. */
#ifndef TRIVIUM_SUPERVISOR_H
#define TRIVIUM_SUPERVISOR_H

#include "stack.h"

/* From here on, until its end, this process keeps the daemons that it or an earlier `up` started; signals
 * are held (signals.h). To be called under the lock of whoever starts or ends daemons, so that whoever ends
 * them next finds it. STATUS_IO. */
status supervisor_begin(stack *s, failure *f);

/* Keep them running until a signal ends that, then end them, but for a tokenizerd that another supervisor of
 * this folder needs. An exit code. */
int supervisor_run(stack *s);

#endif
