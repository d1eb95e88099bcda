#include "candidates.h"

#include <stdlib.h>
#include <string.h>

#include "client/terminal/term.h"
#include "json.h"
#include "proto/numeric/fmath.h"

enum {
    LABEL_CELLS = 18,
    LINE_CELLS = 80,            /* a line is no longer where there is more room */
    ROW_CELLS = 34,             /* of a row without its bar: "  ", label, " 0.123 ", " ← drawn" */
};

/* Where it is printed to. */
typedef struct page {
    FILE *to;
    size_t n_columns;           /* at most LINE_CELLS */
    bool colour;
} page;

/* The name of the stage that removed it; NULL: it stayed, or the chain has no such stage. */
static const char *remover_of(const candidate *one, const strategy *chain) {
    if (one->removed_by == 0 || one->removed_by > chain->n_stages) return NULL;
    return stage_table[chain->stages[one->removed_by - 1].kind].name;
}

/* A quoted text in so many columns, cut with an ellipsis. */
static void print_label(FILE *to, const uint8_t *text, size_t n_bytes) {
    char *label = term_quote(text, n_bytes);
    if (!label) return;
    term_cell(to, label, LABEL_CELLS);
    free(label);
}

/* One more word on a line that stands at *column; on the next one where it does not fit. */
static void print_word(const page *p, const char *word, size_t *column) {
    if (*column > LABEL_CELLS && *column + term_width(word) > p->n_columns) {
        fprintf(p->to, "\n%*s", LABEL_CELLS, "");
        *column = LABEL_CELLS;
    }
    fputs(word, p->to);
    *column += term_width(word);
}

/* "step 3  49152 → top_k 40 → top_p 12": the stages of the chain that removed something. */
static void print_left(const page *p, const generation_token *token, const strategy *chain) {
    char word[64];
    size_t column = LABEL_CELLS;
    snprintf(word, sizeof word, " step %u", token->step);
    print_word(p, word, &column);
    if (token->n_left_items != chain->n_stages + 1) return;
    snprintf(word, sizeof word, "  %u", token->n_left[0]);
    print_word(p, word, &column);
    for (size_t i = 0; i < chain->n_stages; i++) {
        if (token->n_left[i + 1] == token->n_left[i]) continue;
        snprintf(word, sizeof word, " \u2192 %s %u", stage_table[chain->stages[i].kind].name,
                 token->n_left[i + 1]);
        print_word(p, word, &column);
    }
}

static void print_one(const page *p, const candidate *one, const strategy *chain, bool is_drawn) {
    const char *remover = remover_of(one, chain);
    bool is_dim = one->removed_by > 0;
    double raw = fmath_exp(one->logprob);
    size_t n_room = p->n_columns > ROW_CELLS ? p->n_columns - ROW_CELLS : 0;
    size_t n_bar = n_room < BAR_CELLS ? n_room : BAR_CELLS;
    if (is_dim) term_dim_begin(p->to, p->colour);
    fputs("  ", p->to);
    print_label(p->to, one->text, one->n_bytes);
    fprintf(p->to, " %.3f%s", raw, raw * (double)n_bar >= 1 ? " " : "");
    term_bar(p->to, raw, n_bar, p->colour && !is_dim);
    if (remover && !p->colour) fprintf(p->to, " %s", remover);
    if (is_dim) term_dim_end(p->to, p->colour);
    fputs(is_drawn ? " \u2190 drawn\n" : "\n", p->to);
}

void candidates_print(FILE *to, const generation_token *token, const strategy *chain,
                      size_t n_columns, bool colour) {
    const page p = {to, n_columns < LINE_CELLS ? n_columns : LINE_CELLS, colour};
    bool is_shown = false;
    print_label(to, token->text, token->n_bytes);
    print_left(&p, token, chain);
    fputc('\n', to);
    for (size_t i = 0; i < token->n_candidates; i++) {
        const candidate *one = &token->candidates[i];
        bool is_drawn = one->id == token->id;
        print_one(&p, one, chain, is_drawn);
        is_shown = is_shown || is_drawn;
    }
    if (is_shown) return;
    const candidate drawn = {.id = token->id, .logprob = token->logprob, .text = token->text,
                             .n_bytes = token->n_bytes};
    print_one(&p, &drawn, chain, true);
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
