/* Finds tokens that are whole texts of their own, such as <|im_start|>, in a text: the leftmost
 * one, and of several that begin there the longest. */
#ifndef TRIVIUM_SPECIALS_H
#define TRIVIUM_SPECIALS_H

#include <stddef.h>
#include <stdint.h>

#include "byte_strings.h"

typedef struct specials specials;

/* ids: the strings of `texts` to look for, [n_ids]; copied. `texts` is borrowed, must not change.
 * Strings that are empty or not UTF-8 are never found: a match begins and ends between characters.
 * NULL: no memory. */
specials *specials_new(const byte_strings *texts, const int32_t *ids, size_t n_ids);
void specials_free(specials **s);

/* The first special text that begins at `from` … `until` - 1 in a UTF-8 text. Returns its id and where it lies
 * (*begin … *end), or -1 and *begin = *end = n_bytes. */
int32_t specials_find(const specials *s, const uint8_t *text, size_t n_bytes, size_t from, size_t until,
                      size_t *begin, size_t *end);

#endif
