/* An endpoint that is joined, as addresses: those of its host's name, which come and go, or itself, where it has none
 * (ipc, and numbers). ZeroMQ gets addresses only: while it looks a name up all its links stand still.
 *
 * A name is looked up again every few seconds, and at once when that is asked for (a link of it is lost), but not more
 * often than every NAME_ASK_MS_MIN. All of it from the loop's thread. */
#ifndef TRIVIUM_NAME_H
#define TRIVIUM_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/status.h"
#include "proto/net/loop.h"

typedef struct name name;

typedef enum name_state {
    NAME_ASKED,                 /* nobody has answered yet */
    NAME_FOUND,
    NAME_NONE,                  /* there is no such name now, or it has no address */
    NAME_UNANSWERED,            /* no name server answers: what was known before still counts */
} name_state;

bool name_needed(const char *endpoint);     /* has it a name that must be looked up? */

/* `endpoint` is one (endpoint_check), and copied. `changed`: the state or the addresses are others now; the name may be
 * freed within. Never called before this returns. STATUS_NO_MEMORY: *out is NULL. */
status name_new(name **out, loop *l, const char *endpoint, loop_handler *changed, void *context, failure *f);
void name_free(name **n);                   /* NULL is fine */

void name_ask(name *n);                     /* soon, for it may have changed */

name_state name_now(const name *n);
size_t name_n_addresses(const name *n);     /* 0 … NAME_ADDRESSES_MAX */
const char *name_address(const name *n, size_t i);  /* valid until `changed`, or the name's end */
bool name_has(const name *n, const char *address);

#endif
