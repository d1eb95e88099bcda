#include "strategy.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "stage.h"

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

void strategy_init(strategy *s) {
    s->n_stages = 0;
}

void strategy_clear(strategy *s) {
    for (size_t i = 0; i < s->n_stages; i++) stage_clear(&s->stages[i]);
    s->n_stages = 0;
}

size_t strategy_bytes(const strategy *s) {
    size_t n_bytes = 0;
    for (size_t i = 0; i < s->n_stages; i++) {
        const stage *one = &s->stages[i];
        n_bytes += one->n_biases * (sizeof *one->bias_ids + sizeof *one->biases) + one->n_list_ids * sizeof *one->lists;
    }
    return n_bytes;
}

status strategy_copy(strategy *to, const strategy *from) {
    strategy copy;
    strategy_init(&copy);
    for (size_t i = 0; i < from->n_stages; i++) {
        status st = stage_copy(&copy.stages[i], &from->stages[i]);
        if (st != STATUS_OK) {
            strategy_clear(&copy);
            return st;
        }
        copy.n_stages = i + 1;
    }
    strategy_clear(to);
    *to = copy;
    return STATUS_OK;
}

static void strategy_fill(strategy *s, const preset *from) {
    strategy_clear(s);
    s->stages[0] = (stage){.kind = STAGE_REPETITION_PENALTY, .numbers = {from->repetition_penalty}};
    s->stages[1] = (stage){.kind = STAGE_TEMPERATURE, .numbers = {from->temperature}};
    s->stages[2] = (stage){.kind = STAGE_TOP_P, .numbers = {from->top_p}};
    s->n_stages = 3;
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
    if (s->n_stages < STAGES_MAX) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST, "a chain has at most %d steps", STAGES_MAX);
}

/* With `kind` after it, what a stage remembers would not be what was drawn. */
static status strategy_goes_on(const strategy *s, stage_kind kind, failure *f) {
    for (size_t i = 0; i < s->n_stages; i++) {
        const stage_row *row = &stage_table[s->stages[i].kind];
        if (!row->draws) continue;
        return fail(f, STATUS_BAD_REQUEST, "%s must be the last step, so %s cannot follow it",
                    row->name, stage_table[kind].name);
    }
    return STATUS_OK;
}

status strategy_append(strategy *s, stage_kind kind, const double *numbers, size_t n_numbers,
                       failure *f) {
    return strategy_append_lists(s, kind, numbers, n_numbers, NULL, 0, f);
}

status strategy_append_lists(strategy *s, stage_kind kind, const double *numbers, size_t n_numbers,
                             const int32_t *lists, size_t n_list_ids, failure *f) {
    assert(kind < STAGE_KINDS && stage_table[kind].shape != SHAPE_BIASES);
    assert(n_numbers == stage_table[kind].n_fields && (n_list_ids == 0 || stage_table[kind].lists));
    status st = strategy_room(s, f);
    if (st == STATUS_OK) st = strategy_goes_on(s, kind, f);
    if (st == STATUS_OK) st = stage_check_numbers(kind, numbers, f);
    if (st == STATUS_OK) st = stage_check_lists(&stage_table[kind], lists, n_list_ids, f);
    if (st != STATUS_OK) return st;
    stage one = {.kind = kind, .lists = (int32_t *)(uintptr_t)lists, .n_list_ids = n_list_ids};
    for (size_t i = 0; i < n_numbers; i++) one.numbers[i] = numbers[i];
    if (stage_copy(&s->stages[s->n_stages], &one) != STATUS_OK) {
        return fail(f, STATUS_NO_MEMORY, "no memory for %zu ids", n_list_ids);
    }
    s->n_stages++;
    return STATUS_OK;
}

status strategy_append_biases(strategy *s, const int32_t *ids, const double *biases, size_t n,
                              failure *f) {
    stage one = {.kind = STAGE_LOGIT_BIAS};
    status st = strategy_room(s, f);
    if (st == STATUS_OK) st = strategy_goes_on(s, STAGE_LOGIT_BIAS, f);
    if (st == STATUS_OK) st = stage_add_biases(&one, ids, biases, n, f);
    if (st == STATUS_OK) s->stages[s->n_stages++] = one;
    return st;
}

/* Index of the first stage of this kind; n_stages when there is none. */
static size_t strategy_find(const strategy *s, stage_kind kind) {
    size_t i = 0;
    while (i < s->n_stages && s->stages[i].kind != kind) i++;
    return i;
}

/* A chain may have a kind twice; once it is set, its one value holds. */
static void strategy_drop_later(strategy *s, size_t first) {
    size_t n_kept = first + 1;
    for (size_t i = first + 1; i < s->n_stages; i++) {
        if (s->stages[i].kind == s->stages[first].kind) stage_clear(&s->stages[i]);
        else s->stages[n_kept++] = s->stages[i];
    }
    s->n_stages = n_kept;
}

/* Take over `one`, before the first stage that the default order has after it. */
static void strategy_insert(strategy *s, const stage *one) {
    size_t at = 0;
    while (at < s->n_stages && s->stages[at].kind < one->kind) at++;
    memmove(&s->stages[at + 1], &s->stages[at], (s->n_stages - at) * sizeof *s->stages);
    s->stages[at] = *one;
    s->n_stages++;
}

status strategy_set(strategy *s, const stage *one, failure *f) {
    assert(one->kind < STAGE_KINDS);
    stage fresh = {.kind = one->kind};
    size_t at = strategy_find(s, one->kind);
    bool found = at < s->n_stages;
    status st = found ? STATUS_OK : strategy_room(s, f);
    if (!found && st == STATUS_OK && stage_table[one->kind].draws) st = strategy_goes_on(s, one->kind, f);
    if (st == STATUS_OK) st = stage_take(found ? &s->stages[at] : &fresh, one, f);
    if (st != STATUS_OK) return st;
    if (!found) strategy_insert(s, &fresh);
    else if (stage_table[one->kind].shape != SHAPE_BIASES) strategy_drop_later(s, at);
    return STATUS_OK;
}

status strategy_merge(strategy *s, const strategy *changes, failure *f) {
    strategy merged;
    strategy_init(&merged);
    if (strategy_copy(&merged, s) != STATUS_OK) {
        return fail(f, STATUS_NO_MEMORY, "no memory for a strategy");
    }
    for (size_t i = 0; i < changes->n_stages; i++) {
        status st = strategy_set(&merged, &changes->stages[i], f);
        if (st != STATUS_OK) {
            strategy_clear(&merged);
            return st;
        }
    }
    strategy_clear(s);
    *s = merged;
    return STATUS_OK;
}

status strategy_change(strategy *s, const strategy *asked, bool replace, failure *f) {
    if (!replace) return strategy_merge(s, asked, f);
    status st = strategy_copy(s, asked);
    return st == STATUS_OK ? st : fail(f, st, "no memory for a strategy");
}

status strategy_changed(strategy *out, const strategy *from, const strategy *asked, bool replace,
                        uint32_t n_vocab, failure *f) {
    strategy changed;
    strategy_init(&changed);
    if (strategy_copy(&changed, from) != STATUS_OK)
        return fail(f, STATUS_NO_MEMORY, "no memory for a strategy");
    status st = strategy_change(&changed, asked, replace, f);
    if (st == STATUS_OK && n_vocab > 0) st = strategy_check_ids(&changed, n_vocab, f);
    if (st != STATUS_OK) {
        strategy_clear(&changed);
        return st;
    }
    strategy_clear(out);
    *out = changed;             /* takes it over */
    return STATUS_OK;
}

void strategy_remove(strategy *s, stage_kind kind) {
    size_t n_kept = 0;
    for (size_t i = 0; i < s->n_stages; i++) {
        if (s->stages[i].kind == kind) stage_clear(&s->stages[i]);
        else s->stages[n_kept++] = s->stages[i];
    }
    s->n_stages = n_kept;
}

/* ---- questions ---- */

status strategy_check_ids(const strategy *s, uint32_t n_vocab, failure *f) {
    status st = STATUS_OK;
    for (size_t i = 0; i < s->n_stages && st == STATUS_OK; i++) {
        st = stage_check_ids(&s->stages[i], n_vocab, f);
    }
    return st;
}

bool strategy_has(const strategy *s, stage_kind kind) {
    return strategy_find(s, kind) < s->n_stages;
}

bool strategy_equal(const strategy *a, const strategy *b) {
    if (a->n_stages != b->n_stages) return false;
    for (size_t i = 0; i < a->n_stages; i++) {
        if (!stage_equal(&a->stages[i], &b->stages[i])) return false;
    }
    return true;
}
