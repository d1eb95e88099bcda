/* `status --live` and `--ready`: is something there, would a text be served? For probes of pods and units. */
#ifndef TRIVIUM_PROBE_STATUS_H
#define TRIVIUM_PROBE_STATUS_H

#include "client/lib/call.h"

/* Would a text of this model (NULL: the default one) be served now, by daemons that take something new? STATUS_NO_MODELD, …:
 * what is missing. */
status probe_status_ready(const status_report *r, const char *model, failure *f);

/* One line of what came of `what` ("live", "ready"), on stdout, or what is missing on stderr. The exit code. */
int probe_status_show(const char *what, const failure *missing, bool json);

#endif
