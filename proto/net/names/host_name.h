/* An endpoint that is joined, as addresses: those of its host's name, which come and go, or itself, where it has none
 * (ipc, and numbers). ZeroMQ gets addresses only: while it looks a name up all its links stand still.
 *
 * A name is looked up again every few seconds, and at once when that is asked for (a link of it is lost), but not more
 * often than every NAME_ASK_MS_MIN. All of it from the loop's thread. */
#ifndef TRIVIUM_HOST_NAME_H
#define TRIVIUM_HOST_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/status.h"
#include "proto/net/loop.h"

typedef struct host_name host_name;

typedef enum host_name_state {
    NAME_ASKED,                 /* nobody has answered yet */
    NAME_FOUND,
    NAME_NONE,                  /* there is no such name now, or it has no address */
    NAME_UNANSWERED,            /* no name server answers: what was known before still counts */
} host_name_state;

bool host_name_needed(const char *endpoint);     /* has it a name that must be looked up? */

/* `endpoint` is one (endpoint_check), and copied. `changed`: the state or the addresses are others now; the name may be
 * freed within. Never called before this returns. STATUS_NO_MEMORY: *out is NULL. */
status host_name_new(host_name **out, loop *l, const char *endpoint, loop_handler *changed, void *context, failure *f);
void host_name_free(host_name **n);                   /* NULL is fine */

void host_name_ask(host_name *n);                     /* soon, for it may have changed */

host_name_state host_name_now(const host_name *n);
size_t host_name_n_addresses(const host_name *n);     /* 0 … NAME_ADDRESSES_MAX */
const char *host_name_address(const host_name *n, size_t i);  /* valid until `changed`, or the name's end */
bool host_name_has(const host_name *n, const char *address);

#endif
