/* All modelds that a samplerd draws for: a link to each address that its endpoints lead to (proto/net/names/join_table.h). */
#ifndef TRIVIUM_SAMPLERD_MODELDS_H
#define TRIVIUM_SAMPLERD_MODELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "logits_link.h"

typedef struct modelds modelds;

/* `endpoints` [n_endpoints], 1 … JOINS_MAX, borrowed as is what `how` points to; its address, joined and lost are filled in
 * here. Fails as join_table_new and logits_link_join; *out is NULL then. */
status modelds_join(modelds **out, loop *l, const char *const *endpoints, size_t n_endpoints, const logits_link_options *how,
                    failure *f);
void modelds_drain(modelds *m);         /* we drain: all of them are told, and whoever joins later */
bool modelds_are_over(const modelds *m);        /* none of them has anything for us any more (logits_link_is_over) */
void modelds_free(modelds **m);         /* says Leave to all; NULL is fine */

#endif
