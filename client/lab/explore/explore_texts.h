/* Several texts that are written at once over one connection, kept to be compared when all are
 * there. */
#ifndef TRIVIUM_EXPLORE_TEXTS_H
#define TRIVIUM_EXPLORE_TEXTS_H

#include "client/cli/flags.h"
#include "proto/base/buffer.h"
#include "text_figures.h"

/* A token of such a text. */
typedef struct explored_token {
    int32_t id;
    double logprob;             /* of the raw softmax */
    size_t piece_at, n_piece;   /* its text, in pieces; none: no candidates were asked for */
    size_t left_at, n_left_items;   /* what its chain left, in left; no items: not told */
} explored_token;

/* The request is filled in but for its id, the rest is zero, before it is run. */
typedef struct explored_text {
    generation_request request;
    char model[NAME_BYTES_MAX + 1];
    buffer text;                /* UTF-8 */
    buffer tokens;              /* of explored_token */
    buffer pieces;
    buffer left;                /* of uint32_t */
    finish_reason reason;
} explored_text;

/* Write all of texts[n], a bounded number at a time. Returns an exit code, after the sentence for
 * the first one that fails, which ends the others. */
int explored_texts_run(const common_flags *flags, explored_text *texts, size_t n);
void explored_texts_clear(explored_text *texts, size_t n);

size_t explored_n_tokens(const explored_text *t);
const explored_token *explored_token_at(const explored_text *t, size_t i);

/* How many tokens there were before the chain's first stage, and after each: [n_left_items]. */
const uint32_t *explored_left(const explored_text *t, const explored_token *token);

/* Of texts[n] together. STATUS_NO_MEMORY. */
status explored_figures(const explored_text *texts, size_t n, text_figures *out);
double explored_logprob_sum(const explored_text *t);

#endif
