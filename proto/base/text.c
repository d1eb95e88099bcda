#include "text.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum utf8_kind {
    SEQUENCE_WHOLE,      /* a character */
    SEQUENCE_CUT,        /* the text ends within it */
    SEQUENCE_ILL_FORMED, /* no continuation makes it a character */
} utf8_kind;

/* The sequence at the start of `bytes` (n_bytes > 0): a character, or the longest part that could
 * have begun one (Unicode 15, table 3-7 and "maximal subpart"). */
static utf8_kind sequence_at(const uint8_t *bytes, size_t n_bytes, size_t *length) {
    uint8_t lead = bytes[0], low = 0x80, high = 0xbf;
    *length = 1;
    if (lead < 0x80) return SEQUENCE_WHOLE;
    if (lead < 0xc2 || lead > 0xf4) return SEQUENCE_ILL_FORMED;

    size_t n = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead == 0xe0) low = 0xa0;  /* below: an overlong form */
    if (lead == 0xed) high = 0x9f; /* above: a surrogate */
    if (lead == 0xf0) low = 0x90;  /* below: an overlong form */
    if (lead == 0xf4) high = 0x8f; /* above U+10FFFF */
    for (; *length < n; ++*length) {
        if (*length == n_bytes) return SEQUENCE_CUT;
        if (bytes[*length] < low || bytes[*length] > high) return SEQUENCE_ILL_FORMED;
        low = 0x80, high = 0xbf;
    }
    return SEQUENCE_WHOLE;
}

bool text_is_utf8(const uint8_t *bytes, size_t n_bytes) {
    size_t length;
    for (size_t i = 0; i < n_bytes; i += length)
        if (sequence_at(bytes + i, n_bytes - i, &length) != SEQUENCE_WHOLE) return false;
    return true;
}

/* A control character of C0 or C1 at the start of a whole sequence of this length. */
static bool is_control(const uint8_t *bytes, size_t length) {
    if (length == 1) return bytes[0] < 0x20 || bytes[0] == 0x7f;
    return length == 2 && bytes[0] == 0xc2 && bytes[1] < 0xa0; /* U+0080 … U+009F */
}

bool text_is_blank(uint8_t byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

bool text_is_printable(const char *text, size_t n_bytes_max) {
    size_t n_bytes = strnlen(text, n_bytes_max + 1);
    const uint8_t *bytes = (const uint8_t *)text;
    if (n_bytes > n_bytes_max || !text_is_utf8(bytes, n_bytes)) return false;
    size_t length;
    for (size_t i = 0; i < n_bytes; i += length) {
        sequence_at(bytes + i, n_bytes - i, &length);
        if (is_control(bytes + i, length)) return false;
    }
    return true;
}

size_t text_whole_prefix(const uint8_t *bytes, size_t n_bytes) {
    /* Only a lead byte among the last three can begin a character that is cut. */
    for (size_t back = 1; back <= 3 && back <= n_bytes; back++) {
        size_t at = n_bytes - back, length;
        if (bytes[at] >= 0x80 && bytes[at] < 0xc0) continue;
        return sequence_at(bytes + at, back, &length) == SEQUENCE_CUT ? at : n_bytes;
    }
    return n_bytes;
}

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

bool text_reorders(const uint8_t *bytes) {
    if (bytes[0] != 0xe2) return false;
    return (bytes[1] == 0x80 && bytes[2] >= 0xaa && bytes[2] <= 0xae) || (bytes[1] == 0x81 && bytes[2] >= 0xa6 && bytes[2] <= 0xa9);
}

void text_keep_order(char *text) {
    for (; *text; text++)
        if (text_reorders((const uint8_t *)text)) memcpy(text, replacement, sizeof replacement - 1);
}

char *text_replace_ill_formed(const uint8_t *bytes, size_t n_bytes, size_t *n_out) {
    if (n_bytes > (SIZE_MAX - 1) / 3) return NULL;
    char *out = malloc(3 * n_bytes + 1); /* at worst each byte is replaced by three */
    if (!out) return NULL;

    size_t n = 0, length;
    for (size_t i = 0; i < n_bytes; i += length) {
        bool whole = sequence_at(bytes + i, n_bytes - i, &length) == SEQUENCE_WHOLE;
        size_t n_put = whole ? length : sizeof replacement - 1;
        memcpy(out + n, whole ? (const char *)bytes + i : replacement, n_put);
        n += n_put;
    }
    out[n] = 0;
    *n_out = n;
    char *shrunk = realloc(out, n + 1);
    return shrunk ? shrunk : out;
}

size_t text_sentence(const char *in, char *out, size_t out_bytes) {
    const uint8_t *bytes = (const uint8_t *)in;
    size_t n_bytes = strlen(in), n = 0, length;
    for (size_t i = 0; i < n_bytes; i += length) {
        utf8_kind kind = sequence_at(bytes + i, n_bytes - i, &length);
        if (kind == SEQUENCE_CUT) break;
        const char *put = in + i;
        size_t n_put = length;
        if (kind == SEQUENCE_ILL_FORMED || text_reorders(bytes + i)) put = replacement, n_put = sizeof replacement - 1;
        else if (is_control(bytes + i, length)) put = " ", n_put = 1;
        if (n_put >= out_bytes - n) break;
        memcpy(out + n, put, n_put);
        n += n_put;
    }
    while (n > 0 && out[n - 1] == ' ') n--;
    out[n] = 0;
    return n;
}

/* Up to DBL_DIG digits, what %g writes without its last zeros is the shortest there is; not so for numbers below
 * DBL_MIN, which have fewer. */
void text_number(double number, char out[TEXT_NUMBER_BYTES]) {
    int n_digits = fabs(number) < DBL_MIN ? 1 : DBL_DIG;
    do snprintf(out, TEXT_NUMBER_BYTES, "%.*g", n_digits, number);
    while (strtod(out, NULL) != number && n_digits++ < DBL_DECIMAL_DIG);
}

void text_hex(const uint8_t *bytes, size_t n_bytes, char *out) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n_bytes; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = 0;
}

static int digit_value(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

int text_unhex(const char *digits, uint8_t *out, size_t n_bytes_max) {
    size_t n_digits = strlen(digits);
    if (n_digits % 2 != 0 || n_digits / 2 > n_bytes_max) return -1;
    for (size_t i = 0; i < n_digits; i += 2) {
        int high = digit_value(digits[i]), low = digit_value(digits[i + 1]);
        if (high < 0 || low < 0) return -1;
        out[i / 2] = (uint8_t)(high << 4 | low);
    }
    return (int)(n_digits / 2);
}
