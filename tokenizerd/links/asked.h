/* Which request somebody means. */
#ifndef TRIVIUM_ASKED_H
#define TRIVIUM_ASKED_H

#include "client_link.h"
#include "tokenizerd/requests/requests.h"

/* As requests_match, among those that the asker may see: of an owner its own, and another's is answered as one that is not
 * there. An operator's own goes before others' of the same beginning. */
status asked_match(const requests *rs, const sender *who, const uint8_t *prefix, size_t n_bytes, request **out, failure *f);

#endif
