#include <stdlib.h>
#include <string.h>

#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "client/terminal/columns.h"
#include "client/terminal/table.h"
#include "client/terminal/term.h"
#include "explore.h"

static const double TOP_K = 50, TOP_P = 0.9;    /* the chapter's */

enum {
    BOTH, ALONE, SIDES,         /* top-k before top-p; top-p alone */
    TOKEN_CELLS = 14,           /* where there is room */
    TOKEN_CELLS_MIN = 4,
    NARROW_CELLS = 19,          /* of a step with its sides under each other, without the tokens */
    SUMMARY_CELLS = 40,         /* of the summary on a narrow terminal */
    LEFT_BAR_CELLS = 8,         /* for counts up to 2^16 */
    STEP_CELLS = 74,            /* of a step with both sides in a line */
    COLUMN_CELLS_MIN = 30,
};

typedef struct side_by_side {
    const explore_flags *flags;
    strategy chains[SIDES];
    explored_text texts[SIDES];
    size_t n_steps;             /* of the longer one */
    size_t n_comparable;        /* steps after the same text: to the first that drew differently */
    bool parted;
} side_by_side;

/* ---- chains ---- */

static status sides_chains(side_by_side *p, failure *f) {
    strategy *both = &p->chains[BOTH];
    status st = stage_flags_strategy(&p->flags->stages, START_DEFAULTS, both, f);
    if (st == STATUS_OK && !strategy_has(both, STAGE_TOP_P))
        st = explore_set(both, STAGE_TOP_P, TOP_P, f);
    if (st == STATUS_OK && !strategy_has(both, STAGE_TOP_K))
        st = explore_set(both, STAGE_TOP_K, TOP_K, f);
    if (st != STATUS_OK) return st;
    if (strategy_copy(&p->chains[ALONE], both) != STATUS_OK)
        return fail(f, STATUS_NO_MEMORY, "no memory for a chain");
    strategy_remove(&p->chains[ALONE], STAGE_TOP_K);
    return STATUS_OK;
}

/* ---- steps ---- */

/* NULL: the text has ended. */
static const explored_token *token_at(const side_by_side *p, int side, size_t at) {
    const explored_text *t = &p->texts[side];
    return at < explored_n_tokens(t) ? explored_token_at(t, at) : NULL;
}

static void sides_compare(side_by_side *p) {
    size_t n[SIDES] = {explored_n_tokens(&p->texts[BOTH]), explored_n_tokens(&p->texts[ALONE])};
    size_t n_shared = n[BOTH] < n[ALONE] ? n[BOTH] : n[ALONE];
    p->n_steps = n[BOTH] > n[ALONE] ? n[BOTH] : n[ALONE];
    p->n_comparable = n_shared;
    for (size_t i = 0; i < n_shared && !p->parted; i++) {
        p->parted = token_at(p, BOTH, i)->id != token_at(p, ALONE, i)->id;
        if (p->parted) p->n_comparable = i + 1;
    }
}

/* What the whole chain left at a step; -1: not told, or the text has ended. */
static long left_after_all(const side_by_side *p, int side, size_t at) {
    const explored_token *token = token_at(p, side, at);
    if (!token || token->n_left_items == 0) return -1;
    return (long)explored_left(&p->texts[side], token)[token->n_left_items - 1];
}

/* What the chain with top-k left after that stage of it, as above. */
static long left_after_top_k(const side_by_side *p, size_t at) {
    const strategy *chain = &p->chains[BOTH];
    const explored_token *token = token_at(p, BOTH, at);
    if (!token || token->n_left_items != chain->n_stages + 1) return -1;
    size_t i = 0;
    while (chain->stages[i].kind != STAGE_TOP_K) i++;   /* sides_chains has put it there */
    return (long)explored_left(&p->texts[BOTH], token)[i + 1];
}

/* ---- for a person: the texts ---- */

/* Then two columns of it would be read for a difference that is not there. */
static bool is_one_text(const side_by_side *p) {
    return !p->parted && p->n_comparable == p->n_steps;
}

static status print_texts(const side_by_side *p) {
    char *plain[SIDES];
    const char *texts[SIDES] = {"", ""};
    static const char *const names[SIDES] = {"top-k, then top-p", "top-p alone"};
    for (int side = 0; side < SIDES; side++) {
        const buffer *text = &p->texts[side].text;
        plain[side] = term_plain((const uint8_t *)text->bytes, text->n_bytes);
        if (plain[side]) texts[side] = plain[side] + strspn(plain[side], " \n");
    }
    columns_layout layout = columns_fit(SIDES, term_columns(stdout), COLUMN_CELLS_MIN);
    for (size_t i = 0; i < SIDES; i += layout.n_side) {
        columns_print(stdout, names + i, layout.n_side, layout.n_cells,
                      term_has_colour(stdout) ? TERM_BOLD : NULL);
        columns_print(stdout, texts + i, layout.n_side, layout.n_cells, NULL);
        putchar('\n');
    }
    if (is_one_text(p)) {
        explore_remark("Both are the same text: at each step the two drew the same token. A smaller "
                       "--top-k, a larger --top-p or another --seed may part them.");
        putchar('\n');
    }
    bool whole = plain[BOTH] && plain[ALONE];
    for (int side = 0; side < SIDES; side++) free(plain[side]);
    return whole ? STATUS_OK : STATUS_NO_MEMORY;
}

/* ---- for a person: the steps ---- */

static bool is_narrow(void) {
    return term_columns(stdout) < STEP_CELLS;
}

static size_t token_cells(void) {
    size_t n_columns = term_columns(stdout);
    if (n_columns >= NARROW_CELLS + TOKEN_CELLS) return TOKEN_CELLS;
    return n_columns > NARROW_CELLS + TOKEN_CELLS_MIN ? n_columns - NARROW_CELLS : TOKEN_CELLS_MIN;
}

/* A quoted token; empty for one that the text does not have. */
static void print_token(const side_by_side *p, int side, size_t at) {
    const explored_token *token = token_at(p, side, at);
    const char *pieces = p->texts[side].pieces.bytes;
    char *quoted = NULL;
    if (token) quoted = term_quote((const uint8_t *)pieces + token->piece_at, token->n_piece);
    term_cell(stdout, quoted ? quoted : "", token_cells());
    free(quoted);
}

static void print_count(long n, int n_cells) {
    if (n < 0) printf("%*s", n_cells, "-");
    else printf("%*ld", n_cells, n);
}

/* Half a cell for each time that one token doubles to n. Returns the cells. */
static int print_log_bar(long n, bool colour) {
    int n_halves = 0, n_cells = 0;
    for (; n > 1 && n_halves < 2 * LEFT_BAR_CELLS; n /= 2) n_halves++;
    if (colour) fputs(TERM_CYAN, stdout);
    for (; n_cells < n_halves / 2; n_cells++) fputs("\u2588", stdout);
    if (n_halves % 2) fputs("\u258c", stdout);
    if (colour) fputs(TERM_PLAIN, stdout);
    return n_cells + n_halves % 2;
}

/* The two sides under each other, without bars. */
static void print_narrow_step(const side_by_side *p, size_t at, bool is_same) {
    printf("%4zu  ", at);
    print_token(p, BOTH, at);
    print_count(left_after_top_k(p, at), 6);
    print_count(left_after_all(p, BOTH, at), 7);
    printf("\n      ");
    if (is_same) term_cell(stdout, "the same", token_cells());
    else print_token(p, ALONE, at);
    print_count(left_after_all(p, ALONE, at), 6 + 7);
    putchar('\n');
}

static void print_step(const side_by_side *p, size_t at, bool colour) {
    const explored_token *both = token_at(p, BOTH, at), *alone = token_at(p, ALONE, at);
    bool is_same = both && alone && at < p->n_comparable && both->id == alone->id;
    if (is_narrow()) {
        print_narrow_step(p, at, is_same);
        return;
    }
    printf("%4zu  ", at);
    print_token(p, BOTH, at);
    print_count(left_after_top_k(p, at), 6);
    print_count(left_after_all(p, BOTH, at), 7);
    putchar(' ');
    int n_cells = print_log_bar(left_after_all(p, BOTH, at), colour);
    printf("%*s", LEFT_BAR_CELLS - n_cells + COLUMNS_GAP, "");
    if (is_same) term_cell(stdout, "the same", token_cells());
    else print_token(p, ALONE, at);
    print_count(left_after_all(p, ALONE, at), 7);
    if (left_after_all(p, ALONE, at) > 1) putchar(' ');
    print_log_bar(left_after_all(p, ALONE, at), colour);
    putchar('\n');
}

static void print_steps(const side_by_side *p) {
    bool colour = term_has_colour(stdout);
    const int n_token = (int)token_cells();
    printf("step  %-*s top-k +top-p", n_token, "token");
    if (is_narrow()) printf("\n      %-*s        top-p\n", n_token, "token");
    else printf(" %*s  %-*s  top-p\n", LEFT_BAR_CELLS, "", n_token, "token");
    for (size_t i = 0; i < p->n_steps; i++) {
        print_step(p, i, colour);
        if (i + 1 != p->n_comparable || i + 1 == p->n_steps) continue;
        explore_remark(p->parted ? "---- here they part: from now on, these are steps of different "
                                   "texts ----"
                                 : "---- one of the texts ends here ----");
    }
    putchar('\n');
}

/* ---- for a person: least, median, most ---- */

static int by_size(const void *a, const void *b) {
    long left = *(const long *)a, right = *(const long *)b;
    return (left > right) - (left < right);
}

/* Counts of the first n_steps of a side, sorted; those that were told. */
static size_t counts_of(const side_by_side *p, int side, size_t n_steps, long *out) {
    size_t n = 0;
    for (size_t i = 0; i < n_steps; i++) {
        long left = left_after_all(p, side, i);
        if (left >= 0) out[n++] = left;
    }
    qsort(out, n, sizeof *out, by_size);
    return n;
}

static void summary_counts(table *t, const side_by_side *p, int side, size_t n_steps, long *counts) {
    size_t n = counts_of(p, side, n_steps, counts);
    table_cell(t, "%zu", n);
    if (n == 0) {
        for (int i = 0; i < 3; i++) table_cell(t, "-");
        return;
    }
    table_cell(t, "%ld", counts[0]);
    table_cell(t, "%g", ((double)counts[(n - 1) / 2] + (double)counts[n / 2]) / 2);
    table_cell(t, "%ld", counts[n - 1]);
}

/* Fewer columns than in a wide one; a terminal that is narrower even than these gets lists of the wide one's. */
static bool summary_is_narrow(void) {
    return is_narrow() && term_columns(stdout) >= SUMMARY_CELLS;
}

/* Both sides of the first n_steps, which are named in a column of their own; on a narrow terminal in
 * a line of their own. */
static void summary_rows(table *t, const side_by_side *p, size_t n_steps, const char *steps, long *counts) {
    bool narrow = summary_is_narrow();
    if (narrow) table_cell(t, "%s", steps);
    for (int i = 0; narrow && i < 4; i++) table_cell(t, "%s", "");
    for (int side = 0; side < SIDES; side++) {
        const char *both = narrow ? " top-k + top-p" : "top-k, then top-p";
        const char *alone = narrow ? " top-p alone" : "top-p alone";
        table_cell(t, "%s", side == BOTH ? both : alone);
        if (!narrow) table_cell(t, "%s", steps);
        summary_counts(t, p, side, n_steps, counts);
    }
}

static void summary_heads(table *t) {
    static const char *const numbers[] = {"steps", "min", "median", "max"};
    size_t n_before = summary_is_narrow() ? 1 : 2;
    table_cell(t, "%s", is_narrow() ? "tokens left" : "tokens left to draw from");
    if (!summary_is_narrow()) table_cell(t, "of");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        table_align_right(t, n_before + i);
        table_cell(t, "%s", numbers[i]);
    }
}

static status print_summary(const side_by_side *p) {
    long *counts = calloc(p->n_steps + 1, sizeof *counts);
    table *t = table_new(summary_is_narrow() ? 5 : 6);
    status st = counts && t ? STATUS_OK : STATUS_NO_MEMORY;
    if (st == STATUS_OK) {
        summary_heads(t);
        summary_rows(t, p, p->n_comparable, p->parted ? "until they part" : "both", counts);
        if (p->n_comparable < p->n_steps)
            summary_rows(t, p, p->n_steps, "its whole text", counts);
        table_print_within(t, stdout, term_columns(stdout));
    }
    table_free(&t);
    free(counts);
    return st;
}

/* ---- for a program ---- */

static json_t *token_json(const side_by_side *p, int side, size_t at) {
    const explored_token *token = token_at(p, side, at);
    if (!token) return json_null();
    const char *pieces = p->texts[side].pieces.bytes;
    long left = left_after_all(p, side, at), after_top_k = left_after_top_k(p, at);
    json_t *object = json_pack("{s: i, s: o, s: o}", "id", (int)token->id,
                               "text", json_bytes(pieces + token->piece_at, token->n_piece),
                               "left", left < 0 ? json_null() : json_integer(left));
    if (object && side == BOTH) {
        json_object_set_new(object, "top_k",
                            after_top_k < 0 ? json_null() : json_integer(after_top_k));
    }
    return object;
}

static json_t *text_json(const side_by_side *p, int side) {
    return json_bytes(p->texts[side].text.bytes, p->texts[side].text.n_bytes);
}

static int show_json(const side_by_side *p) {
    int code = EXIT_FINE;
    for (size_t i = 0; code == EXIT_FINE && i < p->n_steps; i++) {
        code = json_print(json_pack("{s: i, s: b, s: o, s: o}",
                                    "step", (int)i,
                                    "comparable", i < p->n_comparable,
                                    "top_k_top_p", token_json(p, BOTH, i),
                                    "top_p", token_json(p, ALONE, i)));
    }
    if (code != EXIT_FINE) return code;
    return json_print(json_pack(
        "{s: {s: I, s: o, s: o, s: o}}", "done",
        "seed", (json_int_t)p->flags->seed,
        "parted_at", p->parted ? json_integer((json_int_t)p->n_comparable - 1) : json_null(),
        "top_k_top_p", text_json(p, BOTH),
        "top_p", text_json(p, ALONE)));
}

/* ---- the whole ---- */

static int show(side_by_side *p) {
    sides_compare(p);
    if (p->flags->common.json) return show_json(p);
    status st = print_texts(p);
    if (st == STATUS_OK) print_steps(p);
    if (st == STATUS_OK) st = print_summary(p);
    if (st == STATUS_OK) return EXIT_FINE;
    return outcome_failed(&(failure){st, "no memory to show the texts"});
}

int explore_top_p(const explore_flags *flags, const char *prompt, size_t n_prompt) {
    const generation_piece piece = {(const uint8_t *)prompt, n_prompt, true};
    side_by_side *p = calloc(1, sizeof *p);
    if (!p) return outcome_failed(&(failure){STATUS_NO_MEMORY, "no memory for the texts"});
    p->flags = flags;
    failure f;
    status st = sides_chains(p, &f);
    for (int side = 0; side < SIDES; side++) {
        p->texts[side].request = explore_request(flags, &piece, &p->chains[side], flags->seed);
        p->texts[side].request.n_candidates = 1;        /* with them comes what each stage left */
    }
    int code = st == STATUS_OK ? explored_texts_run(&flags->common, p->texts, SIDES)
                               : outcome_wrong_use("%s", f.message);
    if (code == EXIT_FINE) code = show(p);
    explored_texts_clear(p->texts, SIDES);
    for (int side = 0; side < SIDES; side++) strategy_clear(&p->chains[side]);
    free(p);
    return code;
}
