#include "candidates.h"

#include <stdlib.h>
#include <string.h>

#include "client/terminal/term.h"
#include "json.h"
#include "proto/numeric/fmath.h"

enum {
    LABEL_CELLS = 18,           /* where there is room */
    LABEL_CELLS_MIN = 6,
    LINE_CELLS = 80,            /* a line is no longer where there is more room */
    NUMBER_CELLS = 8,           /* of a row: "  " before its label, " 0.123" after it */
    DRAWN_CELLS = 8,            /* " ← drawn" */
    STAGE_CELLS = 12,           /* " top_n_sigma" */
};

/* Where it is printed to. */
typedef struct page {
    FILE *to;
    size_t n_columns;           /* at most LINE_CELLS */
    size_t n_label, n_bar;      /* cells of a label, and of the bar of one */
    bool colour;
} page;

/* A row has all of its words before it has a bar. */
static page page_of(FILE *to, size_t n_columns, bool colour) {
    const size_t n_words = NUMBER_CELLS + (colour ? DRAWN_CELLS : STAGE_CELLS);
    page p = {.to = to, .n_columns = n_columns < LINE_CELLS ? n_columns : LINE_CELLS, .n_label = LABEL_CELLS,
              .colour = colour};
    size_t n_room = p.n_columns > n_words ? p.n_columns - n_words : 0;
    if (n_room < LABEL_CELLS) p.n_label = n_room > LABEL_CELLS_MIN ? n_room : LABEL_CELLS_MIN;
    else p.n_bar = n_room - LABEL_CELLS > BAR_CELLS ? BAR_CELLS : n_room - LABEL_CELLS;
    if (p.n_bar > 0 && p.n_label + p.n_bar == n_room) p.n_bar--;        /* a blank is before it */
    return p;
}

/* The name of the stage that removed it; NULL: it stayed, or the chain has no such stage. */
static const char *remover_of(const candidate *one, const strategy *chain) {
    if (one->removed_by == 0 || one->removed_by > chain->n_stages) return NULL;
    return stage_table[chain->stages[one->removed_by - 1].kind].name;
}

/* A quoted text in so many columns, cut with an ellipsis. */
static void print_label(const page *p, const uint8_t *text, size_t n_bytes) {
    char *label = term_quote(text, n_bytes);
    if (!label) return;
    term_cell(p->to, label, p->n_label);
    free(label);
}

/* One more word on a line that stands at *column; on the next one where it does not fit. */
static void print_word(const page *p, const char *word, size_t *column) {
    if (*column > p->n_label && *column + term_width(word) > p->n_columns) {
        fprintf(p->to, "\n%*s", (int)p->n_label, "");
        *column = p->n_label;
    }
    fputs(word, p->to);
    *column += term_width(word);
}

/* "step 3  49152 → top_k 40 → top_p 12": the stages of the chain that removed something. */
static void print_left(const page *p, const generation_token *token, const strategy *chain) {
    char word[64];
    size_t column = p->n_label;
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
    if (is_dim) term_dim_begin(p->to, p->colour);
    fputs("  ", p->to);
    print_label(p, one->text, one->n_bytes);
    fprintf(p->to, " %.3f%s", raw, raw * (double)p->n_bar >= 1 ? " " : "");
    term_bar(p->to, raw, p->n_bar, p->colour && !is_dim);
    if (remover && !p->colour) fprintf(p->to, " %s", remover);
    if (is_dim) term_dim_end(p->to, p->colour);
    fputs(is_drawn ? " \u2190 drawn\n" : "\n", p->to);
}

void candidates_print(FILE *to, const generation_token *token, const strategy *chain,
                      size_t n_columns, bool colour) {
    const page p = page_of(to, n_columns, colour);
    bool is_shown = false;
    print_label(&p, token->text, token->n_bytes);
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
