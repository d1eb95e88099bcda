#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer_parts.h"

/* What the kernel says of the process at the other end of a Unix socket. */
void peer_find_owner(peer *p) {
    struct ucred who;
    socklen_t n_bytes = sizeof who;
    struct sockaddr address;
    socklen_t n_address = sizeof address;
    if (p->connection < 0 || getsockname(p->connection, &address, &n_address) != 0) return;
    if (address.sa_family != AF_UNIX) return;
    if (getsockopt(p->connection, SOL_SOCKET, SO_PEERCRED, &who, &n_bytes) != 0) return;
    snprintf(p->owner, sizeof p->owner, "uid:%u", (unsigned)who.uid);
    p->is_operator = p->names_owners = who.uid == 0 || who.uid == geteuid();
}

const char *peer_owner(const peer *p) {
    return p->owner;
}

bool peer_is_operator(const peer *p) {
    return p->is_operator;
}

bool peer_names_owners(const peer *p) {
    return p->names_owners;
}
