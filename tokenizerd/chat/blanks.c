#include "blanks.h"

#include <stdbool.h>
#include <string.h>

enum { BLANK_BYTES_MAX = 3 };

static bool is_blank(const uint8_t *character, size_t n_bytes) {
    static const char *const wide[] = {
        "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2007",
        "\u2008", "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000",
    };
    if (n_bytes == 1)
        return character[0] == ' ' || (character[0] >= '\t' && character[0] <= '\r') ||
               (character[0] >= 0x1c && character[0] <= 0x1f);
    if (n_bytes == 2) return character[0] == 0xc2 && (character[1] == 0x85 || character[1] == 0xa0);
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (memcmp(character, wide[i], BLANK_BYTES_MAX) == 0) return true;
    return false;
}

/* Length of the blank at one end; 0: none stands there. */
static size_t blank_at(const uint8_t *text, size_t n_bytes, bool at_end) {
    for (size_t n = 1; n <= BLANK_BYTES_MAX && n <= n_bytes; n++)
        if (is_blank(at_end ? text + n_bytes - n : text, n)) return n;
    return 0;
}

size_t blanks_at_start(const uint8_t *text, size_t n_bytes) {
    size_t n = 0;
    for (size_t step; (step = blank_at(text + n, n_bytes - n, false)) > 0;) n += step;
    return n;
}

size_t blanks_at_end(const uint8_t *text, size_t n_bytes) {
    size_t n = 0;
    for (size_t step; (step = blank_at(text, n_bytes - n, true)) > 0;) n += step;
    return n;
}
