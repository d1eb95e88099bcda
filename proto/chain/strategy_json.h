/* Strategies to and from JSON: the array that `--chain` and `probe` take. */
#ifndef TRIVIUM_STRATEGY_JSON_H
#define TRIVIUM_STRATEGY_JSON_H

#include <jansson.h>

#include "strategy.h"

/* New reference; NULL: no memory. An infinite bias is the string "-inf". */
json_t *strategy_to_json(const strategy *s);

/* [{"temperature": 0.8}, {"top_p": 0.9}], one stage an object, in order. `out` is cleared first.
 * STATUS_BAD_REQUEST with a sentence that names the stage and what is wrong with it. */
status strategy_from_json(strategy *out, const json_t *array, failure *f);

#endif
