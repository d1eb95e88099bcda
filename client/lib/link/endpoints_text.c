#include "endpoints_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* For whoever can do something about it: `trivium up` starts daemons on this host, which listen at a file. */
static const char *unreached_because(const char *address, endpoint_reach reach) {
    bool is_file = strncmp(address, "ipc:", 4) == 0;
    switch (reach) {
    case REACH_NO_ADDRESS: return "the name of the host does not resolve";
    case REACH_REFUSED:
        return is_file ? "nothing listens there; start the daemons with `trivium up`"
                       : "the connection was refused (nothing listens there, or the host is out of reach)";
    case REACH_NO_HANDSHAKE:
        return is_file ? "what listens there is no tokenizerd"
                       : "the connection was ended before a word was said (its key is another one, ours is not known there, "
                         "or it is no tokenizerd)";
    case REACH_SILENT: break;
    }
    return is_file ? "what listens there says nothing" : "there is silence, from the host or from what listens there";
}

void endpoints_text(const char *const *endpoints, size_t n, const endpoint_reach *reached, char *out, size_t out_bytes) {
    size_t n_bytes = 0;
    for (size_t i = 0; i < n && n_bytes < out_bytes; i++) {
        const char *why = reached ? unreached_because(endpoints[i], reached[i]) : "";
        n_bytes += (size_t)snprintf(out + n_bytes, out_bytes - n_bytes, "%s%s%s%s",
                                    i == 0 ? "" : reached ? "; nor at " : " or ", endpoints[i], reached ? ": " : "", why);
    }
}
