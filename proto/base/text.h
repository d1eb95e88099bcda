/* Small text helpers that several programs need. */
#ifndef TRIVIUM_TEXT_H
#define TRIVIUM_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whole and well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). */
bool text_is_utf8(const uint8_t *bytes, size_t n_bytes);

/* A blank of ASCII: space, tab, newline, vertical tab, form feed, carriage return; whatever the locale. */
bool text_is_blank(uint8_t byte);

/* NUL-terminated, at most n_bytes_max bytes, UTF-8 and without control characters: fit for a name. */
bool text_is_printable(const char *text, size_t n_bytes_max);

/* Length of the longest prefix of `bytes` that does not end within a character: what may be shown now.
 * Bytes that can never become a character count as whole (whoever shows them replaces them). */
size_t text_whole_prefix(const uint8_t *bytes, size_t n_bytes);

/* Copy with each maximal ill-formed part replaced by U+FFFD. Returns malloc'ed bytes (caller frees),
 * NUL-terminated, length in *n_out; NULL: no memory. */
char *text_replace_ill_formed(const uint8_t *bytes, size_t n_bytes, size_t *n_out);

/* Does UTF-8 text begin with a character that has what follows shown in another order: an embedding, an override or an
 * isolate (U+202A … U+202E, U+2066 … U+2069)? Each has three bytes, as U+FFFD has. */
bool text_reorders(const uint8_t *bytes);
/* Each of these in a text, which is UTF-8, becomes U+FFFD. */
void text_keep_order(char *text);

/* A sentence that came from elsewhere, made fit to be shown or logged: control characters become blanks,
 * those at the end go, an ill-formed part and what text_reorders becomes U+FFFD, a character that is cut is left out. Writes at
 * most out_bytes (≥ 1) with the NUL, never a part of a character. Returns its length; 0: nothing is said. */
size_t text_sentence(const char *in, char *out, size_t out_bytes);

enum { TEXT_NUMBER_BYTES = 40 };        /* "-1.2345678901234567e-300" and its NUL fit; compilers reckon with 38 */

/* The least digits that read back as `number`, as printf writes them with %g: "0.8", "1e-09", "nan". */
void text_number(double number, char out[TEXT_NUMBER_BYTES]);

/* 2 × n_bytes hexadecimal digits and a NUL. */
void text_hex(const uint8_t *bytes, size_t n_bytes, char *out);
/* The reverse; n_digits must be even and at most 2 × n_bytes_max. Returns bytes written, or -1. */
int text_unhex(const char *digits, uint8_t *out, size_t n_bytes_max);

#endif
