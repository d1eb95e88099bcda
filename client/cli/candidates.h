/* The candidates of a token: what the model thought likely, what the chain left of it. */
#ifndef TRIVIUM_CANDIDATES_H
#define TRIVIUM_CANDIDATES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "client/lib/generation.h"

/* For a person: a line on the token, then for each candidate a bar of its raw probability, and one
 * for the drawn token where it is none of them. The drawn one is marked; one that the chain removed is
 * dim, or without colour followed by the name of the stage in `chain` that removed it. On lines of
 * fewer than 80 columns the bars are shorter. */
void candidates_print(FILE *to, const generation_token *token, const strategy *chain,
                      size_t n_columns, bool colour);

/* [{"id": 1, "text": "…", "logprob": -1.5, "probability": 0.2, "removed_by": null or a stage}]
 * NULL: no memory. */
json_t *candidates_json(const generation_token *token, const strategy *chain);

#endif
