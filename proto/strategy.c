#include "strategy.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const step_row step_table[STEP_KINDS] = {
    [STEP_LOGIT_BIAS] = {
        .name = "logit_bias", .shape = SHAPE_BIASES, .n_fields = 1,     /* the field is one bias */
        .fields = {{.min = -INFINITY, .max = DBL_MAX, .range = "finite or -inf"}},
        .help = "add X to the logit of token ID; -inf bans it; biases for the same id add",
    },
    [STEP_REPETITION_PENALTY] = {
        .name = "repetition_penalty", .shape = SHAPE_NUMBER, .n_fields = 1,
        .fields = {{.max = DBL_MAX, .above_min = true, .range = "above 0 and finite"}},
        .help = "for each id so far: divide its logit when positive, else multiply it; 1 is off",
    },
    [STEP_PRESENCE_PENALTY] = {
        .name = "presence_penalty", .shape = SHAPE_NUMBER, .n_fields = 1,
        .fields = {{.min = -DBL_MAX, .max = DBL_MAX, .range = "finite"}},
        .help = "subtract once from the logit of each id so far",
    },
    [STEP_FREQUENCY_PENALTY] = {
        .name = "frequency_penalty", .shape = SHAPE_NUMBER, .n_fields = 1,
        .fields = {{.min = -DBL_MAX, .max = DBL_MAX, .range = "finite"}},
        .help = "subtract from the logit of each id so far, for each time it occurs",
    },
    [STEP_DRY] = {
        .name = "dry", .shape = SHAPE_OBJECT, .n_fields = 4, .lists = "breakers",
        .fields = {{.name = "multiplier", .max = DBL_MAX, .range = "0 or more and finite"},
                   {.name = "base", .min = 1, .max = DBL_MAX, .range = "1 or more and finite"},
                   {.name = "allowed_length", .max = UINT32_MAX, .whole = true,
                    .range = "a whole number, 0 or more"},
                   {.name = "last_n", .min = -1, .max = UINT32_MAX, .whole = true,
                    .range = "a whole number, 0 or more, or -1 for all"}},
        .help = "lower what would go on with a repetition: multiplier * base^(length - allowed_length)",
    },
    [STEP_TEMPERATURE] = {
        .name = "temperature", .shape = SHAPE_NUMBER, .n_fields = 1,
        .fields = {{.max = DBL_MAX, .above_min = true, .range = "above 0 and finite"}},
        .help = "divide all logits: lower is surer, higher is more varied; 1 is off",
    },
    [STEP_DYNATEMP] = {
        .name = "dynatemp", .shape = SHAPE_OBJECT, .n_fields = 3,
        .fields = {{.name = "low", .max = DBL_MAX, .above_min = true, .range = "above 0 and finite"},
                   {.name = "high", .max = DBL_MAX, .above_min = true, .range = "low or more and finite"},
                   {.name = "exponent", .max = DBL_MAX, .range = "0 or more and finite"}},
        .help = "a temperature from low to high, by how undecided the model is",
    },
    [STEP_TOP_N_SIGMA] = {
        .name = "top_n_sigma", .shape = SHAPE_NUMBER, .n_fields = 1,
        .fields = {{.max = DBL_MAX, .above_min = true, .range = "above 0 and finite"}},
        .help = "keep logits within n standard deviations of the largest",
    },
    [STEP_TOP_K] = {
        .name = "top_k", .shape = SHAPE_NUMBER, .n_fields = 1,
        .fields = {{.max = DBL_MAX, .whole = true, .range = "a whole number, 0 or more"}},
        .help = "keep the k largest logits, and what equals the last of them; 0 is off",
    },
    [STEP_TYPICAL_P] = {
        .name = "typical_p", .shape = SHAPE_NUMBER, .n_fields = 1,
        .fields = {{.max = 1, .above_min = true, .range = "above 0 and at most 1"}},
        .help = "keep what is about as surprising as expected, up to more than probability p; 1 is off",
    },
    [STEP_TOP_P] = {
        .name = "top_p", .shape = SHAPE_NUMBER, .n_fields = 1,
        .fields = {{.max = 1, .above_min = true, .range = "above 0 and at most 1"}},
        .help = "keep the likeliest tokens that together reach probability p; 1 is off",
    },
    [STEP_MIN_P] = {
        .name = "min_p", .shape = SHAPE_NUMBER, .n_fields = 1,
        .fields = {{.max = 1, .range = "from 0 to 1"}},
        .help = "keep tokens at least p times as likely as the likeliest; 0 is off",
    },
    [STEP_XTC] = {
        .name = "xtc", .shape = SHAPE_OBJECT, .n_fields = 2,
        .fields = {{.name = "probability", .max = 1, .range = "from 0 to 1"},
                   {.name = "threshold", .max = 1, .range = "from 0 to 1"}},
        .help = "by chance, drop all of the likely tokens but the least likely of them",
    },
    [STEP_GREEDY] = {
        .name = "greedy", .shape = SHAPE_TRUE,
        .help = "always take the largest logit",
    },
    [STEP_MIROSTAT] = {
        .name = "mirostat", .shape = SHAPE_OBJECT, .n_fields = 2, .draws = true,
        .fields = {{.name = "tau", .max = DBL_MAX, .above_min = true, .range = "above 0 and finite"},
                   {.name = "eta", .max = DBL_MAX, .above_min = true, .range = "above 0 and finite"}},
        .help = "version 2: keep the surprise of what is drawn near tau; the last step",
    },
    [STEP_ADAPTIVE_P] = {
        .name = "adaptive_p", .shape = SHAPE_OBJECT, .n_fields = 2, .draws = true,
        .fields = {{.name = "target", .max = 1, .range = "from 0 to 1"},
                   {.name = "decay", .max = 1, .range = "from 0 to 1"}},
        .help = "prefer tokens near a probability that keeps the average at target; the last step",
    },
};

typedef struct preset {
    const char *name;
    double repetition_penalty, temperature, top_p;
    uint32_t max_new_tokens;
} preset;

static const preset presets[] = {
    {"conservative", 1.1, 0.3, 0.85, 100},
    {"balanced", 1.2, 0.8, 0.9, 100},
    {"creative", 1.3, 1.2, 0.95, 100},
};

/* ---- one step ---- */

static void step_clear(step *one) {
    free(one->bias_ids);
    free(one->biases);
    free(one->lists);
    *one = (step){0};
}

/* A copy of n > 0 items, or NULL. */
static void *copy_of(const void *items, size_t n, size_t item_bytes) {
    void *copy = malloc(n * item_bytes);
    if (copy) memcpy(copy, items, n * item_bytes);
    return copy;
}

/* `to` is overwritten, not freed. */
static status step_copy(step *to, const step *from) {
    *to = *from;
    to->bias_ids = NULL;
    to->biases = NULL;
    to->lists = NULL;
    if (from->n_biases > 0) {
        to->bias_ids = copy_of(from->bias_ids, from->n_biases, sizeof *to->bias_ids);
        to->biases = copy_of(from->biases, from->n_biases, sizeof *to->biases);
    }
    if (from->n_list_ids > 0)
        to->lists = copy_of(from->lists, from->n_list_ids, sizeof *to->lists);
    bool all = (from->n_biases == 0 || (to->bias_ids && to->biases)) &&
               (from->n_list_ids == 0 || to->lists);
    if (!all) step_clear(to);
    return all ? STATUS_OK : STATUS_NO_MEMORY;
}

/* The shortest decimal that reads back as the same number, so that a message never says "not 1" of
 * something just above 1. */
static void number_text(char out[32], double number) {
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(out, 32, "%.*g", digits, number);
        if (strtod(out, NULL) == number) return;
    }
}

static bool field_holds(const step_field *field, double number) {
    if (!(number >= field->min && number <= field->max)) return false;
    if (field->above_min && number == field->min) return false;
    return !field->whole || floor(number) == number;
}

static status field_check(const step_row *row, const step_field *field, double number, failure *f) {
    if (field_holds(field, number)) return STATUS_OK;
    char text[32];
    number_text(text, number);
    return fail(f, STATUS_BAD_REQUEST, "%s%s%s must be %s, not %s", row->name,
                field->name ? "." : "", field->name ? field->name : "", field->range, text);
}

static status numbers_check(step_kind kind, const double *numbers, failure *f) {
    const step_row *row = &step_table[kind];
    for (size_t i = 0; i < row->n_fields; i++) {
        status st = field_check(row, &row->fields[i], numbers[i], f);
        if (st != STATUS_OK) return st;
    }
    if (kind == STEP_DYNATEMP && numbers[0] > numbers[1]) {
        return fail(f, STATUS_BAD_REQUEST, "dynatemp.high must be %s", row->fields[1].range);
    }
    return STATUS_OK;
}

/* Lists of ids, 0 or more, each ended by -1. */
static status lists_check(const step_row *row, const int32_t *lists, size_t n_list_ids, failure *f) {
    if (n_list_ids > LIST_IDS_MAX) {
        return fail(f, STATUS_BAD_REQUEST, "%s.%s has %zu ids, at most %d are allowed", row->name,
                    row->lists, n_list_ids, LIST_IDS_MAX);
    }
    for (size_t i = 0; i < n_list_ids; i++) {
        bool ends = lists[i] == -1, empty = ends && (i == 0 || lists[i - 1] == -1);
        if (lists[i] >= -1 && !empty && (ends || i + 1 < n_list_ids)) continue;
        return fail(f, STATUS_BAD_REQUEST, "%s.%s takes lists of at least one id each", row->name,
                    row->lists);
    }
    return STATUS_OK;
}

/* ---- biases: kept in ascending order of id, one entry an id ---- */

typedef struct bias_entry {
    int32_t id;
    size_t place;               /* as it was given: sums are made in that order */
    double bias;
} bias_entry;

static int bias_entry_compare(const void *a, const void *b) {
    const bias_entry *x = a, *y = b;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static status bias_entry_check(const bias_entry *entry, failure *f) {
    const step_row *row = &step_table[STEP_LOGIT_BIAS];
    if (entry->id < 0) {
        return fail(f, STATUS_BAD_ID, "%s names id %d, below 0", row->name, entry->id);
    }
    return field_check(row, &row->fields[0], entry->bias, f);
}

/* Sort and add what has the same id; *n shrinks to the number of ids. */
static status bias_entries_add_up(bias_entry *entries, size_t *n, failure *f) {
    size_t n_ids = 0;
    qsort(entries, *n, sizeof *entries, bias_entry_compare);
    for (size_t i = 0; i < *n; i++) {
        bool same = n_ids > 0 && entries[n_ids - 1].id == entries[i].id;
        if (same) entries[n_ids - 1].bias += entries[i].bias;
        else entries[n_ids++] = entries[i];
        status st = bias_entry_check(&entries[n_ids - 1], f);
        if (st != STATUS_OK) return st;
    }
    *n = n_ids;
    return STATUS_OK;
}

static status step_store_biases(step *one, const bias_entry *entries, size_t n, failure *f) {
    size_t n_allocated = n ? n : 1;
    int32_t *ids = malloc(n_allocated * sizeof *ids);
    double *biases = malloc(n_allocated * sizeof *biases);
    if (!ids || !biases) {
        free(ids);
        free(biases);
        return fail(f, STATUS_NO_MEMORY, "no memory for %zu biases", n);
    }
    for (size_t i = 0; i < n; i++) {
        ids[i] = entries[i].id;
        biases[i] = entries[i].bias;
    }
    free(one->bias_ids);
    free(one->biases);
    one->bias_ids = ids;
    one->biases = biases;
    one->n_biases = n;
    return STATUS_OK;
}

static status biases_count_check(size_t n, failure *f) {
    if (n <= BIASES_MAX) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST, "logit_bias has %zu entries, at most %d are allowed", n,
                BIASES_MAX);
}

/* Add entries to those that `one` has. On failure `one` is as it was. */
static status step_add_biases(step *one, const int32_t *ids, const double *biases, size_t n,
                              failure *f) {
    status st = biases_count_check(n, f);
    if (st != STATUS_OK) return st;
    size_t n_old = one->n_biases, n_entries = n_old + n;
    bias_entry *entries = malloc((n_entries ? n_entries : 1) * sizeof *entries);
    if (!entries) return fail(f, STATUS_NO_MEMORY, "no memory for %zu biases", n_entries);
    for (size_t i = 0; i < n_old; i++) {
        entries[i] = (bias_entry){one->bias_ids[i], i, one->biases[i]};
    }
    for (size_t i = 0; i < n; i++) {
        entries[n_old + i] = (bias_entry){ids[i], n_old + i, biases[i]};
    }
    st = bias_entries_add_up(entries, &n_entries, f);
    if (st == STATUS_OK) st = biases_count_check(n_entries, f);
    if (st == STATUS_OK) st = step_store_biases(one, entries, n_entries, f);
    free(entries);
    return st;
}

/* ---- a chain ---- */

void strategy_init(strategy *s) {
    s->n_steps = 0;
}

void strategy_clear(strategy *s) {
    for (size_t i = 0; i < s->n_steps; i++) step_clear(&s->steps[i]);
    s->n_steps = 0;
}

status strategy_copy(strategy *to, const strategy *from) {
    strategy copy;
    strategy_init(&copy);
    for (size_t i = 0; i < from->n_steps; i++) {
        status st = step_copy(&copy.steps[i], &from->steps[i]);
        if (st != STATUS_OK) {
            strategy_clear(&copy);
            return st;
        }
        copy.n_steps = i + 1;
    }
    strategy_clear(to);
    *to = copy;
    return STATUS_OK;
}

static void strategy_fill(strategy *s, const preset *from) {
    strategy_clear(s);
    s->steps[0] = (step){.kind = STEP_REPETITION_PENALTY, .numbers = {from->repetition_penalty}};
    s->steps[1] = (step){.kind = STEP_TEMPERATURE, .numbers = {from->temperature}};
    s->steps[2] = (step){.kind = STEP_TOP_P, .numbers = {from->top_p}};
    s->n_steps = 3;
}

void strategy_defaults(strategy *s) {
    strategy_fill(s, &(preset){.repetition_penalty = 1.1, .temperature = 0.8, .top_p = 0.9});
}

status strategy_preset(strategy *s, const char *name, uint32_t *max_new_tokens, failure *f) {
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
        if (strcmp(name, presets[i].name) != 0) continue;
        strategy_fill(s, &presets[i]);
        *max_new_tokens = presets[i].max_new_tokens;
        return STATUS_OK;
    }
    return fail(f, STATUS_NOT_FOUND, "there is no preset named %.40s: choose %s, %s or %s", name,
                presets[0].name, presets[1].name, presets[2].name);
}

static status strategy_room(const strategy *s, failure *f) {
    if (s->n_steps < STEPS_MAX) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST, "a chain has at most %d steps", STEPS_MAX);
}

/* With `kind` behind it, what a step remembers would not be what was drawn. */
static status strategy_goes_on(const strategy *s, step_kind kind, failure *f) {
    for (size_t i = 0; i < s->n_steps; i++) {
        const step_row *row = &step_table[s->steps[i].kind];
        if (!row->draws) continue;
        return fail(f, STATUS_BAD_REQUEST, "%s must be the last step, so %s cannot follow it",
                    row->name, step_table[kind].name);
    }
    return STATUS_OK;
}

status strategy_append(strategy *s, step_kind kind, const double *numbers, size_t n_numbers,
                       failure *f) {
    return strategy_append_lists(s, kind, numbers, n_numbers, NULL, 0, f);
}

status strategy_append_lists(strategy *s, step_kind kind, const double *numbers, size_t n_numbers,
                             const int32_t *lists, size_t n_list_ids, failure *f) {
    assert(kind < STEP_KINDS && step_table[kind].shape != SHAPE_BIASES);
    assert(n_numbers == step_table[kind].n_fields && (n_list_ids == 0 || step_table[kind].lists));
    status st = strategy_room(s, f);
    if (st == STATUS_OK) st = strategy_goes_on(s, kind, f);
    if (st == STATUS_OK) st = numbers_check(kind, numbers, f);
    if (st == STATUS_OK) st = lists_check(&step_table[kind], lists, n_list_ids, f);
    if (st != STATUS_OK) return st;
    step one = {.kind = kind, .n_list_ids = n_list_ids};
    for (size_t i = 0; i < n_numbers; i++) one.numbers[i] = numbers[i];
    if (n_list_ids > 0) one.lists = copy_of(lists, n_list_ids, sizeof *lists);
    if (n_list_ids > 0 && !one.lists) {
        return fail(f, STATUS_NO_MEMORY, "no memory for %zu ids", n_list_ids);
    }
    s->steps[s->n_steps++] = one;
    return STATUS_OK;
}

status strategy_append_biases(strategy *s, const int32_t *ids, const double *biases, size_t n,
                              failure *f) {
    step one = {.kind = STEP_LOGIT_BIAS};
    status st = strategy_room(s, f);
    if (st == STATUS_OK) st = strategy_goes_on(s, STEP_LOGIT_BIAS, f);
    if (st == STATUS_OK) st = step_add_biases(&one, ids, biases, n, f);
    if (st == STATUS_OK) s->steps[s->n_steps++] = one;
    return st;
}

/* Index of the first step of this kind; n_steps when there is none. */
static size_t strategy_find(const strategy *s, step_kind kind) {
    size_t i = 0;
    while (i < s->n_steps && s->steps[i].kind != kind) i++;
    return i;
}

/* A chain may have a kind twice; once it is set, its one value holds. */
static void strategy_drop_later(strategy *s, size_t first) {
    size_t n_kept = first + 1;
    for (size_t i = first + 1; i < s->n_steps; i++) {
        if (s->steps[i].kind == s->steps[first].kind) step_clear(&s->steps[i]);
        else s->steps[n_kept++] = s->steps[i];
    }
    s->n_steps = n_kept;
}

/* Take over `one`, before the first step that the default order has after it. */
static void strategy_insert(strategy *s, const step *one) {
    size_t at = 0;
    while (at < s->n_steps && s->steps[at].kind < one->kind) at++;
    memmove(&s->steps[at + 1], &s->steps[at], (s->n_steps - at) * sizeof *s->steps);
    s->steps[at] = *one;
    s->n_steps++;
}

/* `to` gets the value of `one`, or its biases on top of its own. On failure it is as it was. */
static status step_take(step *to, const step *one, failure *f) {
    const step_row *row = &step_table[one->kind];
    if (row->shape == SHAPE_BIASES) {
        return step_add_biases(to, one->bias_ids, one->biases, one->n_biases, f);
    }
    status st = numbers_check(one->kind, one->numbers, f);
    step copy;
    if (st != STATUS_OK) return st;
    if (step_copy(&copy, one) != STATUS_OK) return fail(f, STATUS_NO_MEMORY, "no memory for a step");
    step_clear(to);
    *to = copy;
    return STATUS_OK;
}

status strategy_set(strategy *s, const step *one, failure *f) {
    assert(one->kind < STEP_KINDS);
    step fresh = {.kind = one->kind};
    size_t at = strategy_find(s, one->kind);
    bool found = at < s->n_steps;
    status st = found ? STATUS_OK : strategy_room(s, f);
    if (!found && st == STATUS_OK && step_table[one->kind].draws) st = strategy_goes_on(s, one->kind, f);
    if (st == STATUS_OK) st = step_take(found ? &s->steps[at] : &fresh, one, f);
    if (st != STATUS_OK) return st;
    if (!found) strategy_insert(s, &fresh);
    else if (step_table[one->kind].shape != SHAPE_BIASES) strategy_drop_later(s, at);
    return STATUS_OK;
}

status strategy_merge(strategy *s, const strategy *changes, failure *f) {
    strategy merged;
    strategy_init(&merged);
    if (strategy_copy(&merged, s) != STATUS_OK) {
        return fail(f, STATUS_NO_MEMORY, "no memory for a strategy");
    }
    for (size_t i = 0; i < changes->n_steps; i++) {
        status st = strategy_set(&merged, &changes->steps[i], f);
        if (st != STATUS_OK) {
            strategy_clear(&merged);
            return st;
        }
    }
    strategy_clear(s);
    *s = merged;
    return STATUS_OK;
}

/* ---- names and questions ---- */

step_kind strategy_kind(const char *name) {
    for (int kind = 0; kind < STEP_KINDS; kind++) {
        const char *known = step_table[kind].name, *asked = name;
        while (*known && (*asked == *known || (*asked == '-' && *known == '_'))) known++, asked++;
        if (!*known && !*asked) return (step_kind)kind;
    }
    return STEP_KINDS;
}

status strategy_unknown_step(const char *name, status code, failure *f) {
    char shown[41], known[512];
    size_t n_shown = 0, n_known = 0;
    for (; name[n_shown] && n_shown < sizeof shown - 1; n_shown++) {
        char letter = name[n_shown];
        shown[n_shown] = letter > ' ' && letter <= '~' ? letter : '?';
    }
    shown[n_shown] = '\0';
    for (int kind = 0; kind < STEP_KINDS && n_known < sizeof known; kind++) {
        n_known += (size_t)snprintf(known + n_known, sizeof known - n_known, "%s%s",
                                    kind ? ", " : "", step_table[kind].name);
    }
    return fail(f, code, "there is no step named %s: the steps are %s", shown, known);
}

static status ids_check(const step *one, const int32_t *ids, size_t n, uint32_t n_vocab, failure *f) {
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || (uint32_t)ids[i] < n_vocab) continue;     /* -1 ends a list */
        return fail(f, STATUS_BAD_ID, "%s names id %d, but the vocabulary has %u ids",
                    step_table[one->kind].name, ids[i], n_vocab);
    }
    return STATUS_OK;
}

status strategy_check_ids(const strategy *s, uint32_t n_vocab, failure *f) {
    status st = STATUS_OK;
    for (size_t i = 0; i < s->n_steps && st == STATUS_OK; i++) {
        const step *one = &s->steps[i];
        st = ids_check(one, one->bias_ids, one->n_biases, n_vocab, f);
        if (st == STATUS_OK) st = ids_check(one, one->lists, one->n_list_ids, n_vocab, f);
    }
    return st;
}

static bool step_equal(const step *a, const step *b) {
    if (a->kind != b->kind || a->n_biases != b->n_biases || a->n_list_ids != b->n_list_ids) return false;
    for (size_t i = 0; i < a->n_list_ids; i++) {
        if (a->lists[i] != b->lists[i]) return false;
    }
    if (step_table[a->kind].shape == SHAPE_BIASES) {
        for (size_t i = 0; i < a->n_biases; i++) {
            if (a->bias_ids[i] != b->bias_ids[i] || a->biases[i] != b->biases[i]) return false;
        }
        return true;
    }
    for (size_t i = 0; i < step_table[a->kind].n_fields; i++) {
        if (a->numbers[i] != b->numbers[i]) return false;
    }
    return true;
}

bool strategy_equal(const strategy *a, const strategy *b) {
    if (a->n_steps != b->n_steps) return false;
    for (size_t i = 0; i < a->n_steps; i++) {
        if (!step_equal(&a->steps[i], &b->steps[i])) return false;
    }
    return true;
}
