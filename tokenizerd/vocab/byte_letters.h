/* GPT-2's byte-level spelling: vocabulary files write each byte as one printable letter.
 *
 * Bytes 33–126, 161–172 and 174–255 are the letters with these code points; the other 68 bytes, in
 * ascending order, are the letters from U+0100 on (so a space is "Ġ", a newline "Ċ").
 * Source: Radford et al. 2019, the released encoder's bytes_to_unicode. */
#ifndef TRIVIUM_BYTE_LETTERS_H
#define TRIVIUM_BYTE_LETTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Code point of a byte's letter, below U+0144. */
uint32_t byte_letter(uint8_t byte);

/* Undo the spelling of a text: `out` has room for n_bytes and may be `text` itself. Returns false
 * when the text has a letter that stands for no byte, or is not UTF-8; *n_out is then unset. */
bool byte_letters_undo(const uint8_t *text, size_t n_bytes, uint8_t *out, size_t *n_out);

#endif
