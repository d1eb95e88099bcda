#include "join_hint.h"

#include <stdio.h>
#include <string.h>

void join_hint(char out[JOIN_HINT_BYTES], const char *command, const join_place *where) {
    const char *address = where->address, *port = strrchr(address, ':');
    if (strncmp(address, "tcp://", 6) != 0) {
        snprintf(out, JOIN_HINT_BYTES, "start one on host %s with: %s --join %s", where->host, command, address);
        return;
    }
    /* Of all addresses none is known here that leads to this host. */
    bool is_any = strncmp(address + 6, "0.0.0.0:", 8) == 0 || strncmp(address + 6, "[::]:", 5) == 0;
    snprintf(out, JOIN_HINT_BYTES, "start one with: %s --join %s%s%s", command, is_any ? "tcp://HOST" : address,
             is_any ? port : "", where->has_keys ? " --keys DIR" : "");
}
