/* Ordinary texts: words and blanks, which stand for nothing but themselves. A token of another text, such
 * as <|im_start|>, may mark something. */
#ifndef TRIVIUM_ORDINARY_H
#define TRIVIUM_ORDINARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ordinary ordinary;

ordinary *ordinary_new(void);           /* NULL: no memory */
void ordinary_free(ordinary **o);

/* One character that is no control character; or letters, digits and white space only. */
bool ordinary_has(const ordinary *o, const uint8_t *text, size_t n_bytes);

#endif
