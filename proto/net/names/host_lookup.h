/* A host's name is looked up, in a thread of its own: the C library waits for name servers as long as it likes, and one
 * that is mute may hold up nobody else. */
#ifndef TRIVIUM_HOST_LOOKUP_H
#define TRIVIUM_HOST_LOOKUP_H

#include <stddef.h>

#include "proto/base/limits.h"

typedef struct host_lookup host_lookup;

typedef enum host_lookup_result {
    LOOKUP_FOUND,
    LOOKUP_NONE,                /* there is no such name, or it has no address */
    LOOKUP_UNANSWERED,          /* no name server said so, or anything that could be used */
} host_lookup_result;

typedef struct host_lookup_answer {
    host_lookup_result result;
    size_t n_addresses;         /* LOOKUP_FOUND: 1 … NAME_ADDRESSES_MAX, whatever is more being left out; else 0 */
    char addresses[NAME_ADDRESSES_MAX][ADDRESS_BYTES];  /* endpoints, "tcp://10.0.0.2:7001", each once, the best first (RFC 6724) */
} host_lookup_answer;

/* `host` and `port` are copied. NULL: no memory or no thread, or LOOKUPS_MAX are under way in this process. */
host_lookup *host_lookup_begin(const char *host, const char *port);
int host_lookup_fd(const host_lookup *l);   /* can be read when the answer is there */
const host_lookup_answer *host_lookup_answered(const host_lookup *l);  /* valid as long as `l`. NULL: not yet */
/* Whatever is still under way goes on by itself, and its answer is nobody's: it holds up no exit of the process. Sets
 * *l = NULL; NULL is fine. */
void host_lookup_free(host_lookup **l);

#endif
