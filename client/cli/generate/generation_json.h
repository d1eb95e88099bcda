/* A text's JSON: its tokens, and how long it took. */
#ifndef TRIVIUM_GENERATION_JSON_H
#define TRIVIUM_GENERATION_JSON_H

#include <jansson.h>

#include "client/lib/generation.h"

/* {"step", "id", "text", "logprob"} of token i, and "candidates" where they are wanted. The text of a chunk belongs to
 * its last token. NULL: no memory. */
json_t *generation_token_json(const generation_chunk *chunk, size_t i, bool has_candidates);

/* {"queue_ms", …, "decode_tok_s"}; n_prompt: ids. NULL: no memory. */
json_t *generation_timings_json(const generation_done *done, uint32_t n_prompt);

/* Tokens a second, from the first to the last. */
double generation_decoded_per_second(const generation_done *done);

#endif
