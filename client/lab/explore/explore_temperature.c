#include <stdlib.h>
#include <string.h>

#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "client/terminal/columns.h"
#include "client/terminal/term.h"
#include "explore.h"

enum { COLUMN_CELLS_MIN = 14 };         /* five of them fit a line of 80 */

static const double TOP_P = 0.95;       /* the chapter's, for this exercise */

/* A temperature: its chain, its samples and what they are like together. */
typedef struct heat {
    double temperature;
    strategy chain;
    explored_text *samples;     /* [n_samples], borrowed */
    text_figures figures;
    double logprob;             /* mean of its tokens' */
    size_t n_texts;             /* different ones among the samples */
    char *head, *told;          /* owned */
} heat;

typedef struct exploration {
    const explore_flags *flags;
    explored_text *texts;       /* [n_temperatures, n_samples] */
    heat heats[TEMPERATURES_MAX];
} exploration;

/* ---- chains ---- */

static status heat_chain(const explore_flags *flags, double temperature, strategy *out,
                         failure *f) {
    const strategy *named = &flags->stages.stages;
    bool keeps_top_p = stage_flags_replace(&flags->stages) || strategy_has(named, STAGE_TOP_P) ||
                       strategy_has(named, STAGE_MIROSTAT);
    status st = stage_flags_strategy(&flags->stages, START_DEFAULTS, out, f);
    if (st == STATUS_OK && !keeps_top_p) st = explore_set(out, STAGE_TOP_P, TOP_P, f);
    return st == STATUS_OK ? explore_set(out, STAGE_TEMPERATURE, temperature, f) : st;
}

/* ---- figures ---- */

static bool same_text(const explored_text *a, const explored_text *b) {
    return a->text.n_bytes == b->text.n_bytes &&
           (a->text.n_bytes == 0 || memcmp(a->text.bytes, b->text.bytes, a->text.n_bytes) == 0);
}

static size_t count_texts(const explored_text *samples, size_t n) {
    size_t n_texts = 0;
    for (size_t i = 0; i < n; i++) {
        size_t before = 0;
        while (before < i && !same_text(&samples[before], &samples[i])) before++;
        n_texts += before == i;
    }
    return n_texts;
}

static status heat_measure(heat *h, size_t n_samples) {
    double sum = 0;
    for (size_t i = 0; i < n_samples; i++) sum += explored_logprob_sum(&h->samples[i]);
    if (explored_figures(h->samples, n_samples, &h->figures) != STATUS_OK) return STATUS_NO_MEMORY;
    h->logprob = h->figures.n_tokens > 0 ? sum / (double)h->figures.n_tokens : 0;
    h->n_texts = count_texts(h->samples, n_samples);
    return STATUS_OK;
}

/* ---- for a person ---- */

static status heat_tell(heat *h, size_t n_samples) {
    const text_figures *f = &h->figures;
    if (asprintf(&h->head, "T = %.6g", h->temperature) < 0) h->head = NULL;
    if (asprintf(&h->told, "%zu/%zu tokens\n%.0f%% repeated\nlogprob %.2f\n%zu of %zu texts",
                 f->n_distinct, f->n_tokens, 100 * text_figures_repeated(f), h->logprob, h->n_texts,
                 n_samples) < 0)
        h->told = NULL;
    return h->head && h->told ? STATUS_OK : STATUS_NO_MEMORY;
}

/* A text that stands there already, at a lower temperature or as an earlier sample, is named instead of being shown
 * again: nobody should have to look for a difference that is not there. malloc'ed; NULL: no memory. */
static char *sample_text(const exploration *x, const heat *h, size_t sample) {
    const explored_text *text = &h->samples[sample];
    char *said = NULL;
    for (const heat *other = x->heats; other < h; other++) {
        if (!same_text(&other->samples[sample], text)) continue;
        return asprintf(&said, "(the same as at %s)", other->head) < 0 ? NULL : said;
    }
    for (size_t i = 0; i < sample; i++) {
        if (!same_text(&h->samples[i], text)) continue;
        return asprintf(&said, "(the same as sample %zu)", i + 1) < 0 ? NULL : said;
    }
    return term_plain((const uint8_t *)text->text.bytes, text->text.n_bytes);
}

/* One sample of each of some temperatures. */
static status print_samples(const exploration *x, const heat *heats, size_t n, size_t sample, size_t n_cells) {
    char *plain[COLUMNS_SIDE_MAX] = {NULL};
    const char *texts[COLUMNS_SIDE_MAX];
    bool whole = true;
    for (size_t i = 0; i < n; i++) {
        plain[i] = sample_text(x, &heats[i], sample);
        texts[i] = plain[i] ? plain[i] + strspn(plain[i], " \n") : "";
        whole = whole && plain[i];
    }
    columns_print(stdout, texts, n, n_cells, NULL);
    for (size_t i = 0; i < n; i++) free(plain[i]);
    return whole ? STATUS_OK : STATUS_NO_MEMORY;
}

/* Temperatures that stand side by side. */
static status print_band(const exploration *x, const heat *heats, size_t n, size_t n_cells) {
    const char *heads[COLUMNS_SIDE_MAX], *told[COLUMNS_SIDE_MAX];
    bool colour = term_has_colour(stdout);
    for (size_t i = 0; i < n; i++) {
        heads[i] = heats[i].head;
        told[i] = heats[i].told;
    }
    columns_print(stdout, heads, n, n_cells, colour ? TERM_BOLD : NULL);
    columns_print(stdout, told, n, n_cells, colour ? TERM_CYAN : NULL);
    status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < x->flags->n_samples; i++) {
        char label[80];
        snprintf(label, sizeof label, "\nsample %zu, seed %llu", i + 1,
                 (unsigned long long)heats[0].samples[i].request.seed);
        explore_remark(label);
        st = print_samples(x, heats, n, i, n_cells);
    }
    return st;
}

static status print_all(exploration *x) {
    size_t n = x->flags->n_temperatures;
    status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < n; i++)
        st = heat_tell(&x->heats[i], x->flags->n_samples);
    columns_layout layout = columns_fit(n, term_columns(stdout), COLUMN_CELLS_MIN);
    for (size_t i = 0; st == STATUS_OK && i < n; i += layout.n_side) {
        size_t n_here = n - i < layout.n_side ? n - i : layout.n_side;
        st = print_band(x, &x->heats[i], n_here, layout.n_cells);
        putchar('\n');
    }
    explore_remark("of all samples of a temperature together · tokens: different ones of all · "
                   "repeated: share of pairs of tokens in a row that were there before, in the "
                   "same sample or another · logprob: mean, before the chain · texts: different "
                   "ones");
    return st;
}

/* ---- for a program ---- */

static int print_sample_json(const explored_text *t, double temperature, size_t sample) {
    text_figures f;
    size_t n = explored_n_tokens(t);
    if (explored_figures(t, 1, &f) != STATUS_OK) return json_print(NULL);
    return json_print(json_pack(
        "{s: o, s: i, s: I, s: o, s: i, s: s, s: i, s: o, s: o}",
        "temperature", json_number(temperature),
        "sample", (int)sample + 1,
        "seed", (json_int_t)t->request.seed,
        "text", json_bytes(t->text.bytes, t->text.n_bytes),
        "completion_tokens", (int)n,
        "finish_reason", finish_reason_name(t->reason),
        "distinct_tokens", (int)f.n_distinct,
        "repeated", json_number(text_figures_repeated(&f)),
        "mean_logprob", n > 0 ? json_number(explored_logprob_sum(t) / (double)n) : json_null()));
}

static int print_heat_json(const heat *h, size_t n_samples) {
    const text_figures *f = &h->figures;
    return json_print(json_pack(
        "{s: {s: o, s: i, s: i, s: i, s: i, s: o, s: o}}", "together",
        "temperature", json_number(h->temperature),
        "samples", (int)n_samples,
        "texts", (int)h->n_texts,
        "completion_tokens", (int)f->n_tokens,
        "distinct_tokens", (int)f->n_distinct,
        "repeated", json_number(text_figures_repeated(f)),
        "mean_logprob", f->n_tokens > 0 ? json_number(h->logprob) : json_null()));
}

static int show_json(const exploration *x) {
    size_t n_samples = x->flags->n_samples;
    int code = EXIT_FINE;
    for (size_t i = 0; code == EXIT_FINE && i < x->flags->n_temperatures; i++) {
        const heat *h = &x->heats[i];
        for (size_t k = 0; code == EXIT_FINE && k < n_samples; k++)
            code = print_sample_json(&h->samples[k], h->temperature, k);
        if (code == EXIT_FINE) code = print_heat_json(h, n_samples);
    }
    return code;
}

/* ---- the whole ---- */

static int show(exploration *x) {
    status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < x->flags->n_temperatures; i++)
        st = heat_measure(&x->heats[i], x->flags->n_samples);
    if (st == STATUS_OK && x->flags->common.json) return show_json(x);
    if (st == STATUS_OK) st = print_all(x);
    if (st == STATUS_OK) return EXIT_FINE;
    return outcome_failed(&(failure){st, "no memory to show the texts"});
}

static status prepare(exploration *x, const generation_piece *prompt, failure *f) {
    size_t n_samples = x->flags->n_samples;
    for (size_t i = 0; i < x->flags->n_temperatures; i++) {
        heat *h = &x->heats[i];
        h->temperature = x->flags->temperatures[i];
        h->samples = x->texts + i * n_samples;
        if (heat_chain(x->flags, h->temperature, &h->chain, f) != STATUS_OK) return f->code;
        for (size_t k = 0; k < n_samples; k++)
            h->samples[k].request =
                explore_request(x->flags, prompt, &h->chain, x->flags->seed + k);
    }
    return STATUS_OK;
}

int explore_temperature(const explore_flags *flags, const char *prompt, size_t n_prompt) {
    const generation_piece piece = {(const uint8_t *)prompt, n_prompt, true};
    size_t n_texts = flags->n_temperatures * flags->n_samples;
    exploration *x = calloc(1, sizeof *x);
    if (x) x->texts = calloc(n_texts, sizeof *x->texts);
    if (!x || !x->texts) {
        free(x);
        return outcome_failed(&(failure){STATUS_NO_MEMORY, "no memory for the texts"});
    }
    x->flags = flags;
    failure f;
    int code = prepare(x, &piece, &f) == STATUS_OK
                   ? explored_texts_run(&flags->common, x->texts, n_texts)
                   : outcome_wrong_use("%s", f.message);
    if (code == EXIT_FINE) code = show(x);
    explored_texts_clear(x->texts, n_texts);
    for (size_t i = 0; i < flags->n_temperatures; i++) {
        strategy_clear(&x->heats[i].chain);
        free(x->heats[i].head);
        free(x->heats[i].told);
    }
    free(x->texts);
    free(x);
    return code;
}
