#include "byte_letters.h"

/* The bytes that are not their own letter lie in three ranges, and so do their letters. */
enum {
    LOW_BYTES = 33,                     /* 0 … 32 */
    MIDDLE_FIRST = 127,                 /* 127 … 160 */
    MIDDLE_BYTES = 34,
    SOFT_HYPHEN = 173,
    LETTERS_FIRST = 0x100,
    LETTERS_MIDDLE = LETTERS_FIRST + LOW_BYTES,
    LETTERS_LAST = LETTERS_MIDDLE + MIDDLE_BYTES,
};

uint32_t byte_letter(uint8_t byte) {
    if (byte < LOW_BYTES) return LETTERS_FIRST + (uint32_t)byte;
    if (byte >= MIDDLE_FIRST && byte < MIDDLE_FIRST + MIDDLE_BYTES)
        return LETTERS_MIDDLE + (uint32_t)byte - MIDDLE_FIRST;
    return byte == SOFT_HYPHEN ? LETTERS_LAST : byte;
}

/* -1: the letter stands for no byte. */
static int byte_of_letter(uint32_t letter) {
    if (letter == LETTERS_LAST) return SOFT_HYPHEN;
    if (letter > LETTERS_LAST) return -1;
    if (letter >= LETTERS_MIDDLE) return (int)(letter - LETTERS_MIDDLE + MIDDLE_FIRST);
    if (letter >= LETTERS_FIRST) return (int)(letter - LETTERS_FIRST);
    return byte_letter((uint8_t)letter) == letter ? (int)letter : -1;
}

bool byte_letters_undo(const uint8_t *text, size_t n_bytes, uint8_t *out, size_t *n_out) {
    size_t n = 0;
    for (size_t i = 0; i < n_bytes; i++) {
        uint32_t letter = text[i];
        if (letter >= 0x80) {
            /* every letter is below U+0800: two bytes, the first at least C2 (no overlong form) */
            if (letter < 0xC2 || letter > 0xDF || i + 1 == n_bytes || (text[i + 1] & 0xC0) != 0x80)
                return false;
            letter = (letter & 0x1F) << 6 | (text[++i] & 0x3Fu);
        }
        int byte = byte_of_letter(letter);
        if (byte < 0) return false;
        out[n++] = (uint8_t)byte;
    }
    *n_out = n;
    return true;
}
