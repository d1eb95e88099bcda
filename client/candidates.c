#include "candidates.h"

#include <stdlib.h>
#include <string.h>

#include "../proto/rt/fmath.h"
#include "json.h"
#include "term.h"

enum { LABEL_CELLS = 18, LINE_CELLS = 80 };

/* The name of the step that removed it; NULL: it stayed, or the chain has no such step. */
static const char *remover_of(const candidate *one, const strategy *chain) {
    if (one->removed_by == 0 || one->removed_by > chain->n_steps) return NULL;
    return step_table[chain->steps[one->removed_by - 1].kind].name;
}

/* A quoted text in so many columns, cut with an ellipsis. */
static void print_label(FILE *to, const uint8_t *text, size_t n_bytes) {
    char *label = term_quote(text, n_bytes);
    if (!label) return;
    term_cell(to, label, LABEL_CELLS);
    free(label);
}

/* One more word on a line that stands at *column; on the next one where it does not fit. */
static void print_word(FILE *to, const char *word, size_t *column) {
    if (*column + term_width(word) > LINE_CELLS) {
        fprintf(to, "\n%*s", LABEL_CELLS, "");
        *column = LABEL_CELLS;
    }
    fputs(word, to);
    *column += term_width(word);
}

/* "step 3  49152 → top_k 40 → top_p 12": the steps of the chain that removed something. */
static void print_left(FILE *to, const generation_token *token, const strategy *chain) {
    char word[64];
    size_t column = LABEL_CELLS;
    snprintf(word, sizeof word, " step %u", token->step);
    print_word(to, word, &column);
    if (token->n_left_items != chain->n_steps + 1) return;
    snprintf(word, sizeof word, "  %u", token->n_left[0]);
    print_word(to, word, &column);
    for (size_t i = 0; i < chain->n_steps; i++) {
        if (token->n_left[i + 1] == token->n_left[i]) continue;
        snprintf(word, sizeof word, " \u2192 %s %u", step_table[chain->steps[i].kind].name,
                 token->n_left[i + 1]);
        print_word(to, word, &column);
    }
}

static void print_one(FILE *to, const candidate *one, const strategy *chain, bool is_drawn,
                      bool colour) {
    const char *remover = remover_of(one, chain);
    bool is_dim = one->removed_by > 0;
    double raw = fmath_exp(one->logprob);
    if (is_dim) term_dim_begin(to, colour);
    fputs("  ", to);
    print_label(to, one->text, one->n_bytes);
    fprintf(to, " %.3f%s", raw, raw * BAR_CELLS >= 1 ? " " : "");
    term_bar(to, raw, colour && !is_dim);
    if (remover && !colour) fprintf(to, " %s", remover);
    if (is_dim) term_dim_end(to, colour);
    fputs(is_drawn ? " \u2190 drawn\n" : "\n", to);
}

void candidates_print(FILE *to, const generation_token *token, const strategy *chain, bool colour) {
    print_label(to, token->text, token->n_bytes);
    print_left(to, token, chain);
    fputc('\n', to);
    for (size_t i = 0; i < token->n_candidates; i++) {
        const candidate *one = &token->candidates[i];
        print_one(to, one, chain, one->id == token->id, colour);
    }
}

json_t *candidates_json(const generation_token *token, const strategy *chain) {
    json_t *list = json_array();
    for (size_t i = 0; list && i < token->n_candidates; i++) {
        const candidate *one = &token->candidates[i];
        json_t *item = json_pack("{s: i, s: o, s: o, s: o, s: s?}", "id", (int)one->id,
                                 "text", json_bytes(one->text, one->n_bytes),
                                 "logprob", json_number(one->logprob),
                                 "probability", json_number(one->probability),
                                 "removed_by", remover_of(one, chain));
        if (item && json_array_append_new(list, item) == 0) continue;
        json_decref(list);
        list = NULL;
    }
    return list;
}
