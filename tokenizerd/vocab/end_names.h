/* Tokens that are known by their texts to end what a model writes, whatever its file says of them. */
#ifndef TRIVIUM_END_NAMES_H
#define TRIVIUM_END_NAMES_H

#include <stddef.h>
#include <stdint.h>

enum { END_NAMES_MAX = 36 };

/* NULL past the last, which is below END_NAMES_MAX. */
const char *end_name_at(size_t index);

/* Bit i of `present`: the vocabulary has name i. Returns those of them that end a text: beside some of
 * its neighbours a name has another meaning. */
uint64_t end_names_ending(uint64_t present);

#endif
