/* How varied some texts are together, in figures about their tokens. */
#ifndef TRIVIUM_TEXT_FIGURES_H
#define TRIVIUM_TEXT_FIGURES_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"

enum { FIGURES_RUN = 2 };       /* tokens in a row that make a run */

typedef struct token_text {
    const int32_t *ids;         /* [n] */
    size_t n;
} token_text;

/* A run is FIGURES_RUN tokens in a row of one text: each place of it but the last FIGURES_RUN - 1
 * begins one. It is repeated when it was there before, in its own text or in another one.
 * n_repeated / n_runs is what the field calls rep-n, 1 - distinct-n. */
typedef struct text_figures {
    size_t n_tokens;            /* of all texts */
    size_t n_distinct;          /* different ids among these */
    size_t n_runs;              /* of all texts */
    size_t n_repeated;          /* those less the different ones among them */
} text_figures;

/* Of texts[n_texts] together. STATUS_NO_MEMORY. */
status text_figures_of(const token_text *texts, size_t n_texts, text_figures *out);

/* n_repeated / n_runs; 0 where there are no runs. */
double text_figures_repeated(const text_figures *f);

#endif
