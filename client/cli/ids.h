/* A list of token ids, as text, as JSON and as numbers. */
#ifndef TRIVIUM_IDS_H
#define TRIVIUM_IDS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"

/* All zero is an empty one. */
typedef struct id_list {
    int32_t *ids;               /* [n_ids], owned */
    size_t n_ids, capacity;
} id_list;

void ids_clear(id_list *list);                  /* frees; empty afterwards */

/* STATUS_BAD_ID for a number that no message can carry; only tokenizerd knows which ids a vocabulary
 * has. */
status ids_add(id_list *list, long long id, failure *f);

/* All of ids[n_ids], in order: the same for each of them. */
status ids_add_all(id_list *list, const int32_t *ids, size_t n_ids, failure *f);

/* A whole number at the beginning of a text, digits that may have a minus in front; *end: what follows
 * it. STATUS_BAD_REQUEST, STATUS_BAD_ID as above. */
status ids_number(const char *text, long long *id, const char **end, failure *f);

/* Numbers with a comma or blanks between each two, or none; brackets around them are fine, and so is
 * JSON. STATUS_BAD_REQUEST for anything else, STATUS_TOO_LONG past TOKENIZE_IDS_MAX. */
status ids_from_text(id_list *list, const char *text, failure *f);

/* An array of integers; `key` names it in messages. */
status ids_from_json(id_list *list, const char *key, const json_t *array, failure *f);

json_t *ids_to_json(const int32_t *ids, size_t n_ids);      /* NULL: no memory */

#endif
