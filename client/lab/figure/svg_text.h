/* Texts of an SVG file, and how much room they take: about, for whoever shows it brings the font. */
#ifndef TRIVIUM_SVG_TEXT_H
#define TRIVIUM_SVG_TEXT_H

#include <stddef.h>
#include <stdio.h>

enum { SVG_LETTER = 7, SVG_TITLE_LETTER = 10 };     /* pixels of one, of 13 pixels height and of 18 */

double svg_text_width(const char *text);        /* pixels at 13 */

/* The text as XML, cut with an ellipsis to so many letters; what is no character of XML becomes a blank or
 * U+FFFD. */
void svg_text_escaped(const char *text, size_t n_letters, FILE *to);

/* A text element: x is where it begins, ends or has its middle, as `anchor` says ("start", "end", "middle").
 * `class` may be NULL. It is cut to n_pixels. */
void svg_text_at(double x, double y, const char *anchor, const char *class, const char *text, double n_pixels,
                 FILE *to);

#endif
