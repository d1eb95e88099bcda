/* How a daemon that is missing is started, for whoever reads it on any host. */
#ifndef TRIVIUM_JOIN_HINT_H
#define TRIVIUM_JOIN_HINT_H

#include <stdbool.h>

typedef struct join_place {
    const char *address;        /* where it is to join, as it is bound */
    const char *host;           /* whose address that is */
    bool has_keys;              /* its links over tcp do */
} join_place;

enum { JOIN_HINT_BYTES = 512 };

/* "start one with: COMMAND --join tcp://10.0.0.2:5556 --keys DIR", or "start one on host b with: COMMAND --join
 * ipc:///run/…", since a socket file leads nowhere from elsewhere. Cut where it does not fit. */
void join_hint(char out[JOIN_HINT_BYTES], const char *command, const join_place *where);

#endif
