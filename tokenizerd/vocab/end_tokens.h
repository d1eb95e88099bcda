/* Tokens that are known by their texts to end what a model writes, whatever its file says of them. */
#ifndef TRIVIUM_END_TOKENS_H
#define TRIVIUM_END_TOKENS_H

#include <stddef.h>
#include <stdint.h>

enum { END_TOKENS_MAX = 36 };

/* The text of one of them; NULL past the last. There are fewer than END_TOKENS_MAX. */
const char *end_token_text(size_t index);

/* Bit i of `present`: the vocabulary has text i. Returns those of them that end what a model writes: beside
 * some of the others a text has another meaning. */
uint64_t end_tokens_ending(uint64_t present);

#endif
