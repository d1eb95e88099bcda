/* Where tokenizerds may be: all addresses of several endpoints (proto/net/names/host_name.h), which have their turns one
 * after the other. */
#ifndef TRIVIUM_PLACES_H
#define TRIVIUM_PLACES_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/status.h"
#include "proto/net/endpoint/endpoint.h"
#include "proto/net/loop.h"

typedef struct places places;

/* `endpoints` [n_endpoints], 1 … JOINS_MAX, borrowed. `changed`: names have other addresses now, or it is known that they
 * have none. NULL: no memory. */
places *places_new(loop *l, const char *const *endpoints, size_t n_endpoints, loop_handler *changed, void *context);
void places_free(places **p);               /* NULL is fine */

/* The address whose turn it is, until places_next; first that of the first endpoint that has one. NULL: none is known, or
 * it is no address of a name any more. */
const char *places_now(const places *p);
/* The next one's turn. False: there is no other. */
bool places_next(places *p);
size_t places_count(const places *p);       /* that are known now, some of them perhaps twice */
bool places_are_several(const places *p);   /* not the same */
void places_ask(places *p);                 /* soon, for names may have changed */
bool places_none_exists(const places *p);   /* each is a name, and there is no such name */

void places_reached(places *p, endpoint_reach reach);   /* how far one came where it is whose turn it is */
/* "A or B": the endpoints. Cut where `out` ends. */
void places_list(const places *p, char *out, size_t out_bytes);
/* The same, each with the cause why it was not reached yet where that is known: "A (why) or B". */
void places_list_known(const places *p, char *out, size_t out_bytes);
/* "A: why; nor at B: why": how far one came there. */
void places_explain(const places *p, char *out, size_t out_bytes);

#endif
