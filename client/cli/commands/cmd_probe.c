#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/ask.h"
#include "client/cli/batch/call_batch.h"
#include "client/cli/command_table.h"
#include "client/cli/items.h"
#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "client/terminal/columns.h"
#include "client/terminal/term.h"
#include "proto/chain/strategy_json.h"
#include "proto/numeric/fmath.h"

typedef struct probe_flags {
    common_flags common;
    stage_flags stages;
    strategy chain;             /* what the flags make, from an empty chain */
    const char *model, *pool, *input, *traceparent;
    const char *logits, *labels, *history;
    uint64_t seed, step;
    const probe_question *asked;    /* the one without --input, while it is asked */
    int code;                   /* of showing its answer */
} probe_flags;

/* ---- logits ---- */

/* A row holds float32; only "-inf" may be infinite there. */
static status logit_set(float *out, double number, failure *f) {
    *out = (float)number;
    if (number == -INFINITY || isfinite(*out)) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST, "the logit %g is beyond a 32-bit float", number);
}

static status logits_room(probe_question *asked, float **logits, size_t n, failure *f) {
    if (n == 0) return fail(f, STATUS_NO_CANDIDATE, "the row of logits is empty");
    if (n > N_VOCAB_MAX) return fail(f, STATUS_TOO_LONG, "more than %d logits", N_VOCAB_MAX);
    *logits = malloc(n * sizeof **logits);
    if (!*logits) return fail(f, STATUS_NO_MEMORY, "no memory for %zu logits", n);
    asked->logits = *logits;
    asked->n_logits = n;
    return STATUS_OK;
}

static status logit_from_json(float *out, const json_t *item, failure *f) {
    if (json_is_number(item)) return logit_set(out, json_number_value(item), f);
    if (json_is_string(item) && strcmp(json_string_value(item), "-inf") == 0) {
        return logit_set(out, -INFINITY, f);
    }
    return fail(f, STATUS_BAD_REQUEST, "\"logits\" must hold numbers or \"-inf\" only");
}

static status logits_from_json(task *t, failure *f) {
    const json_t *array = json_object_get(t->line, "logits");
    if (!json_is_array(array)) {
        return fail(f, STATUS_BAD_REQUEST, "the line needs \"logits\", an array of numbers");
    }
    status st = logits_room(&t->question.probe, &t->logits, json_array_size(array), f);
    for (size_t i = 0; st == STATUS_OK && i < t->question.probe.n_logits; i++) {
        st = logit_from_json(&t->logits[i], json_array_get(array, i), f);
    }
    return st;
}

static status logits_from_flag(task *t, const char *list, failure *f) {
    const char *whole = list;
    size_t n = items_count(list);
    status st = logits_room(&t->question.probe, &t->logits, n ? n : 1, f);
    for (size_t i = 0; st == STATUS_OK && i < t->question.probe.n_logits; i++) {
        char item[ITEM_BYTES];
        double number = -INFINITY;
        items_take(&list, item);
        if (strcmp(item, "-inf") != 0 && !options_real(item, &number)) {
            return fail(f, STATUS_BAD_REQUEST,
                        "--logits takes numbers or -inf between commas, as 5,3,2; not \"%.40s\"",
                        *item ? item : whole);
        }
        st = logit_set(&t->logits[i], number, f);
    }
    return st;
}

/* ---- lines ---- */

/* What the flags say; logits and history are still to come. */
static question question_of(const probe_flags *flags) {
    return (question){.kind = ASK_PROBE,
                      .probe = {.model = flags->model, .pool = flags->pool, .chain = &flags->chain,
                                .seed = flags->seed, .step = (uint32_t)flags->step,
                                .traceparent = flags->traceparent}};
}

static void history_set(task *t) {
    t->question.probe.history = t->ids.ids;
    t->question.probe.n_history = t->ids.n_ids;
}

static status read_line(const void *context, task *t, failure *f) {
    const probe_flags *flags = context;
    const json_t *chain = json_object_get(t->line, "chain");
    probe_question *asked = &t->question.probe;
    uint64_t step_number = 0;
    t->question = question_of(flags);
    status st = logits_from_json(t, f);
    if (st == STATUS_OK && json_object_get(t->line, "history")) st = task_ids(t, "history", f);
    if (st == STATUS_OK && chain) {
        st = strategy_from_json(&t->chain, chain, f);
        asked->chain = &t->chain;
    }
    if (st == STATUS_OK) st = task_uint(t, "seed", SEED_MAX - 1, flags->seed, &asked->seed, f);
    if (st == STATUS_OK) st = task_uint(t, "step", UINT32_MAX, flags->step, &step_number, f);
    asked->step = (uint32_t)step_number;
    history_set(t);
    return st;
}

static json_t *answer_json(const answer *a) {
    const probe_answer *probed = answer_to_probe(a);
    return json_pack("{s: o, s: i}", "probs",
                     json_numbers(probed->probabilities, probed->n_logits), "id", (int)probed->id);
}

/* ---- bars ---- */

enum {
    LABEL_CELLS_MAX = 27,       /* so that no line is longer than 80 */
    LABEL_CELLS_MIN = 8,
    NUMBER_CELLS = 9,           /* after a label: " : 0.123 " */
    OTHERS_CELLS = 20,          /* beside a label on a narrow terminal: that and some of a bar */
};

/* Of the widest label. */
static size_t label_cells_max(void) {
    size_t n_room = term_room(stdout);
    if (n_room >= LABEL_CELLS_MAX + OTHERS_CELLS) return LABEL_CELLS_MAX;
    return n_room > LABEL_CELLS_MIN + OTHERS_CELLS ? n_room - OTHERS_CELLS : LABEL_CELLS_MIN;
}

/* What each logit stands for: its label, or its number. */
typedef struct labels {
    char **texts;               /* [n], owned */
    size_t n;
    size_t n_cells;             /* of the widest, at most label_cells_max */
} labels;

/* The next item on one line; malloc'ed. */
static char *label_take(const char **list) {
    size_t n_bytes;
    const char *from = items_next(list, &n_bytes);
    char *label = term_plain((const uint8_t *)from, n_bytes);
    for (char *at = label; at && *at; at++) {
        if (*at == '\n') *at = ' ';
    }
    return label;
}

static char *number_text(size_t i) {
    char *text = NULL;
    return asprintf(&text, "%zu", i) < 0 ? NULL : text;
}

static void labels_clear(labels *l) {
    for (size_t i = 0; l->texts && i < l->n; i++) free(l->texts[i]);
    free(l->texts);
    *l = (labels){0};
}

/* `list` may be NULL. STATUS_NO_MEMORY. */
static status labels_make(labels *l, const char *list, size_t n) {
    *l = (labels){.texts = calloc(n, sizeof *l->texts), .n = n};
    bool whole = l->texts != NULL;
    for (size_t i = 0; whole && i < n; i++) {
        l->texts[i] = list ? label_take(&list) : number_text(i);
        whole = l->texts[i] != NULL;
        size_t n_cells = whole ? term_width(l->texts[i]) : 0;
        if (n_cells > l->n_cells) l->n_cells = n_cells;
    }
    if (l->n_cells > label_cells_max()) l->n_cells = label_cells_max();
    if (!whole) labels_clear(l);
    return whole ? STATUS_OK : STATUS_NO_MEMORY;
}

/* Does the chain do nothing but push down ids of the history? */
static bool only_penalizes(const strategy *chain) {
    for (size_t i = 0; i < chain->n_stages; i++) {
        switch (chain->stages[i].kind) {
        case STAGE_REPETITION_PENALTY:
        case STAGE_PRESENCE_PENALTY:
        case STAGE_FREQUENCY_PENALTY: break;
        default: return false;
        }
    }
    return chain->n_stages > 0;
}

static bool is_in_history(const probe_question *asked, size_t id) {
    for (size_t i = 0; i < asked->n_history; i++) {
        if (asked->history[i] >= 0 && (size_t)asked->history[i] == id) return true;
    }
    return false;
}

/* What to add to the logarithm of a probability to have its logit: an id outside the history kept
 * its own. NAN: there is none. */
static double logit_offset(const probe_question *asked, const probe_answer *a) {
    for (size_t i = 0; i < a->n_logits; i++) {
        if (a->probabilities[i] > 0 && !is_in_history(asked, i))
            return (double)asked->logits[i] - fmath_log(a->probabilities[i]);
    }
    return NAN;
}

/* "the : 5.0 → 3.33 ← penalized", for each logit. */
static void show_penalties(const probe_flags *flags, const probe_answer *a, const labels *l) {
    double offset = logit_offset(flags->asked, a);
    if (!only_penalizes(&flags->chain) || isnan(offset)) return;
    enum { PENALTY_CELLS = 28 };
    const char *mark = term_room(stdout) < l->n_cells + PENALTY_CELLS ? " \u2190" : " \u2190 penalized";
    puts("logits:");
    for (size_t i = 0; i < a->n_logits; i++) {
        double before = (double)flags->asked->logits[i], after = before;
        if (is_in_history(flags->asked, i))
            after = a->probabilities[i] > 0 ? fmath_log(a->probabilities[i]) + offset : -INFINITY;
        bool is_penalized = before - after > 1e-5;
        int n_digits = fabs(before * 10 - rint(before * 10)) < 1e-6 ? 1 : 2;
        term_cell(stdout, l->texts[i], l->n_cells);
        printf(" : %.*f \u2192 %.2f%s\n", n_digits, before, after, is_penalized ? mark : "");
    }
}

static void show_bars(const probe_answer *a, const labels *l) {
    bool colour = term_has_colour(stdout);
    size_t n_room = term_room(stdout), n_beside = l->n_cells + NUMBER_CELLS, n_bar = BAR_CELLS;
    if (n_room < n_beside + BAR_CELLS) n_bar = n_room > n_beside ? n_room - n_beside : 0;
    for (size_t i = 0; i < a->n_logits; i++) {
        double probability = a->probabilities[i];
        bool has_bar = probability * (double)n_bar >= 1, is_removed = probability == 0;
        if (is_removed) term_dim_begin(stdout, colour);
        term_cell(stdout, l->texts[i], l->n_cells);
        printf(" : %.3f%s", probability, has_bar ? " " : "");
        term_bar(stdout, probability, n_bar, colour);
        if (is_removed) term_dim_end(stdout, colour);
        putchar('\n');
    }
}

static void show_drawn(const probe_flags *flags, const char *label) {
    char *line = NULL;
    size_t n_bytes, n_cells = term_width(label);
    FILE *to = open_memstream(&line, &n_bytes);
    if (!to) return;
    fprintf(to, "drawn with seed %llu at step %llu: ", (unsigned long long)flags->seed,
            (unsigned long long)flags->step);
    term_cell(to, label, n_cells < LABEL_CELLS_MAX ? n_cells : LABEL_CELLS_MAX);
    if (fclose(to) == 0) columns_print_text(stdout, line, NULL);
    free(line);
}

static void show(void *context, const answer *a) {
    probe_flags *flags = context;
    labels l;
    if (flags->common.json) {
        json_print(answer_json(a));
        return;
    }
    const probe_answer *probed = answer_to_probe(a);
    if (labels_make(&l, flags->labels, probed->n_logits) != STATUS_OK) {
        flags->code = outcome_failed(&(failure){STATUS_NO_MEMORY, "no memory for the labels"});
        return;
    }
    show_bars(probed, &l);
    show_penalties(flags, probed, &l);
    show_drawn(flags, l.texts[probed->id]);
    labels_clear(&l);
}

/* As many as logits, where any are given; an empty one is a label, too. */
static status labels_check(const char *list, size_t n_logits, failure *f) {
    if (!list || items_count(list) == n_logits) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST, "--labels must name each logit: there are %zu labels for "
                "%zu logits", items_count(list), n_logits);
}

static int probe_one(probe_flags *flags) {
    if (!flags->logits) return outcome_wrong_use("probe needs --logits 5,3,2 or --input F.jsonl");
    task t;
    failure f;
    task_init(&t);
    t.question = question_of(flags);
    status st = logits_from_flag(&t, flags->logits, &f);
    if (st == STATUS_OK) st = labels_check(flags->labels, t.question.probe.n_logits, &f);
    if (st == STATUS_OK && flags->history) st = ids_from_text(&t.ids, flags->history, &f);
    history_set(&t);
    flags->asked = &t.question.probe;
    int code = EXIT_FAILED;
    if (st == STATUS_OK) code = ask(&flags->common, &t.question, show, flags);
    else outcome_failed(&f);
    if (code == EXIT_FINE) code = flags->code;
    task_clear(&t);
    return st == STATUS_BAD_REQUEST ? EXIT_WRONG_USE : code;
}

static int probe_parsed(probe_flags *flags) {
    failure f;
    status st = stage_flags_check(&flags->stages, &f);
    if (st == STATUS_OK) st = stage_flags_strategy(&flags->stages, START_EMPTY, &flags->chain, &f);
    if (st != STATUS_OK) {
        outcome_failed(&f);
        return EXIT_WRONG_USE;
    }
    if (!flags->input) return probe_one(flags);
    if (flags->logits) return outcome_wrong_use("--input and --logits exclude each other");
    static const call_rules rules = {.read = read_line, .show = answer_json};
    return call_batch_run(&flags->common, flags->input, &rules, flags);
}

int cmd_probe(int argc, char **argv) {
    probe_flags flags = {0};
    common_flags_init(&flags.common);
    stage_flags_init(&flags.stages);
    strategy_init(&flags.chain);
    const option_row rows[] = {
        {.name = "logits", .kind = OPTION_TEXT, .value_name = "5,3,2", .out = &flags.logits,
         .help = "one row of logits"},
        {.name = "labels", .kind = OPTION_TEXT, .value_name = "A,B,C", .out = &flags.labels,
         .help = "what they stand for, as many as there are logits"},
        {.name = "history", .kind = OPTION_TEXT, .value_name = "0,1", .out = &flags.history,
         .help = "ids so far, for penalties"},
        {.name = "seed", .kind = OPTION_UINT, .value_name = "N", .out = &flags.seed,
         .max = (double)(SEED_MAX - 1), .help = "of the draw (0)"},
        {.name = "step", .kind = OPTION_UINT, .value_name = "N", .out = &flags.step,
         .max = UINT32_MAX, .help = "of the draw (0)"},
        {.name = "input", .kind = OPTION_TEXT, .value_name = "F.jsonl", .out = &flags.input,
         .help = "lines of {\"logits\": […]} and, if you like, history, chain, seed and step"},
        flags_model_row(&flags.model),
        {.name = "sampler", .kind = OPTION_CALL, .value_name = "POOL", .out = &flags.pool,
         .take = flags_take_name, .help = "pool of the samplerd that is asked"},
        flags_traceparent_row(&flags.traceparent),
        {.name = NULL},
    };
    const options o = {
        .usage = "trivium probe --logits 5,3,2,1,0.5 [flags]",
        .summary = "Show the probabilities that a strategy makes of given logits, through a real\n"
                   "samplerd. The chain is empty at first: only what the flags name is in it.\n\n"
                   "  trivium probe --logits 5,3,2,1,0.5 --temperature 0.5 \\\n"
                   "    --labels sunny,cloudy,rainy,windy,foggy\n\n"
                   "Penalties alone, with --history, also show the logits before and after them.",
        .tables = {rows, flags.stages.rows, flags.common.rows},
    };
    size_t n_words;
    int code = flags_parse(&o, argc, argv, NULL, &n_words);
    if (code < 0) code = probe_parsed(&flags);
    stage_flags_clear(&flags.stages);
    strategy_clear(&flags.chain);
    return code;
}
