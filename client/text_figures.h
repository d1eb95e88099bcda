/* How varied a text is, in figures about its tokens. */
#ifndef TRIVIUM_TEXT_FIGURES_H
#define TRIVIUM_TEXT_FIGURES_H

#include <stddef.h>
#include <stdint.h>

#include "../proto/rt/status.h"

enum { FIGURES_RUN = 4 };       /* tokens that make a repetition when they come again in a row */

typedef struct text_figures {
    size_t n_tokens;
    size_t n_distinct;          /* different ids among them */
    size_t n_repeated;          /* tokens within a run of FIGURES_RUN that the text has again */
} text_figures;

/* Of ids[n]. STATUS_NO_MEMORY. */
status text_figures_of(const int32_t *ids, size_t n, text_figures *out);

/* Of several texts, each counted for itself. */
void text_figures_add(text_figures *sum, const text_figures *one);

#endif
