/* The ids of a text, as they are found: at most TOKENIZE_IDS_MAX. */
#ifndef TRIVIUM_TOKEN_IDS_H
#define TRIVIUM_TOKEN_IDS_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"

/* All zero is an empty list; free(ids). */
typedef struct token_ids {
    int32_t *ids;               /* [n_ids], with room for `capacity` */
    size_t n_ids, capacity;
} token_ids;

/* Whether a text may have n more: STATUS_TOO_LONG. */
status token_ids_fit(const token_ids *list, size_t n, failure *f);

/* Room for n more at ids[n_ids …]: whoever writes there adds to n_ids, all of them or fewer. STATUS_NO_MEMORY. */
status token_ids_room(token_ids *list, size_t n, failure *f);

status token_ids_add(token_ids *list, int32_t id, failure *f);      /* both codes */

#endif
