/* What those who asked for another strategy, and the client of the text, are told of it. */
#ifndef TRIVIUM_CHANGES_H
#define TRIVIUM_CHANGES_H

#include "proto/base/status.h"
#include "tokenizerd/links/client_link.h"
#include "tokenizerd/requests/request.h"

void changes_tell(client_link *clients, request *r);      /* its client, of what is due */
void changes_drop(client_link *clients, request *r);      /* at its end: whoever asked is told */
/* Its model is here: changes that do not fit are dropped, and whoever asked is told. Codes of
 * request_adopt_changes. */
status changes_meet(client_link *clients, request *r, failure *f);
/* Its client has received those up to this ordinal: whoever asked is answered. */
void changes_acknowledged(client_link *clients, request *r, uint32_t ordinal);

#endif
