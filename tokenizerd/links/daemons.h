/* Daemons by the names that status shows: this one, the modelds that joined it, and the samplerds of these. */
#ifndef TRIVIUM_TOKENIZERD_DAEMONS_H
#define TRIVIUM_TOKENIZERD_DAEMONS_H

#include "client_link.h"

typedef enum daemon_role { DAEMON_TOKENIZERD, DAEMON_MODELD, DAEMON_SAMPLERD } daemon_role;

/* One of them; copied. */
typedef struct named_daemon {
    daemon_role role;
    char name[NAME_BYTES_MAX + 1], host[NAME_BYTES_MAX + 1];
    int32_t pid;
    modeld *modeld;             /* it, or one that the samplerd has joined; NULL: this tokenizerd */
} named_daemon;

/* The one of this name, pid (0: any) and host ("": any). STATUS_NOT_FOUND, or STATUS_BAD_REQUEST where there are several. */
status daemons_find(const client_link *l, const models *ms, const drain_order *order, named_daemon *out, failure *f);

#endif
