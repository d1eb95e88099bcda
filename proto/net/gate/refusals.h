/* Who was refused, by address: strangers must neither stay unseen nor fill the log. Pure; the caller locks. */
#ifndef TRIVIUM_REFUSALS_H
#define TRIVIUM_REFUSALS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "proto/base/limits.h"

enum { REFUSAL_LINE_MS = 60000 };   /* from one line of an address to its next */

typedef enum refusal {
    REFUSAL_HANDSHAKE,              /* it did not come to an end: no key or another one, no word in time */
    REFUSAL_SILENT,                 /* not a byte */
    REFUSAL_NO_HELLO,               /* none that was accepted */
    REFUSAL_NO_MESSAGE,             /* no ZMTP, or none that a peer of ours speaks */
    N_REFUSALS,
} refusal;

/* Whence connections came, and where to. */
typedef struct refused_way {
    struct in6_addr from, to;       /* of IPv4, mapped into it */
    uint16_t to_port;
} refused_way;

/* Those of one way, or of all others, for which there is no place. */
typedef struct refused {
    bool has_way;
    refused_way way;
    size_t n[N_REFUSALS];           /* since its last line */
    uint64_t told_ms;               /* when that was; 0: there was none */
} refused;

/* All zeros: none yet. */
typedef struct refused_addresses {
    refused addresses[REFUSED_ADDRESSES_MAX];
    refused others;
} refused_addresses;

/* False: one of a socket that has no address, as those for processes of this machine. */
bool refusals_way(const struct sockaddr *from, const struct sockaddr *to, refused_way *out);

void refusals_count(refused_addresses *r, const refused_way *way, refusal why);

/* Takes the next line that is due: a way that was refused and had none for REFUSAL_LINE_MS. False: there is none. A
 * way that was not refused in that time loses its place. */
bool refusals_next(refused_addresses *r, uint64_t now_ms, refused *out);

enum { REFUSED_NAME_BYTES = 2 * INET6_ADDRSTRLEN + 40 };
/* How a line names it: "10.0.0.7 endpoint=tcp://10.0.0.1:5555", "others". */
void refused_name(const refused *one, char name[REFUSED_NAME_BYTES]);

#endif
