#include "svg_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/terminal/term.h"
#include "proto/base/text.h"

double svg_text_width(const char *text) {
    return SVG_LETTER * (double)term_width(text);
}

static void character_write(char c, FILE *to) {
    switch (c) {
    case '&': fputs("&amp;", to); break;
    case '<': fputs("&lt;", to); break;
    case '>': fputs("&gt;", to); break;
    default: fputc((unsigned char)c < ' ' ? ' ' : c, to);       /* XML has no such characters */
    }
}

/* U+FFFE and U+FFFF are well-formed UTF-8, but no characters of XML. */
static bool is_noncharacter(const char *bytes) {
    return memcmp(bytes, "\xef\xbf", 2) == 0 && (uint8_t)bytes[2] >= 0xbe;
}

void svg_text_escaped(const char *text, size_t n_letters, FILE *to) {
    size_t n_bytes, width;
    char *whole = text_replace_ill_formed((const uint8_t *)text, strlen(text), &n_bytes);
    if (!whole) return;
    size_t n_fit = term_fit(whole, n_letters, &width);
    bool is_cut = n_fit < n_bytes;
    if (is_cut) n_fit = n_letters > 0 ? term_fit(whole, n_letters - 1, &width) : 0;
    for (size_t i = 0; i < n_fit; i++) {
        if (n_bytes - i >= 3 && is_noncharacter(whole + i)) whole[i + 2] = '\xbd';
        character_write(whole[i], to);
    }
    if (is_cut) fputs("\u2026", to);
    free(whole);
}

void svg_text_at(double x, double y, const char *anchor, const char *class, const char *text, double n_pixels,
                 FILE *to) {
    bool is_title = class && strcmp(class, "title") == 0;
    double n_letters = n_pixels / (is_title ? SVG_TITLE_LETTER : SVG_LETTER);
    fprintf(to, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"", x, y, anchor);
    if (class) fprintf(to, " class=\"%s\"", class);
    fputc('>', to);
    svg_text_escaped(text, n_letters > 0 ? (size_t)n_letters : 0, to);
    fputs("</text>\n", to);
}
