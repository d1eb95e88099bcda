#include "stage.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"

void stage_clear(stage *one) {
    free(one->bias_ids);
    free(one->biases);
    free(one->lists);
    *one = (stage){0};
}

/* A copy of n > 0 items, or NULL. */
static void *copy_of(const void *items, size_t n, size_t item_bytes) {
    void *copy = malloc(n * item_bytes);
    if (copy) memcpy(copy, items, n * item_bytes);
    return copy;
}

/* `to` is overwritten, not freed. */
status stage_copy(stage *to, const stage *from) {
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
    if (!all) stage_clear(to);
    return all ? STATUS_OK : STATUS_NO_MEMORY;
}

static bool field_holds(const stage_field *field, double number) {
    if (!(number >= field->min && number <= field->max)) return false;
    if (field->above_min && number == field->min) return false;
    return !field->whole || floor(number) == number;
}

static status field_check(const stage_row *row, const stage_field *field, double number, failure *f) {
    if (field_holds(field, number)) return STATUS_OK;
    if (row == &stage_table[STAGE_TEMPERATURE] && number == 0)  /* elsewhere 0 is how one asks for it */
        return fail(f, STATUS_BAD_REQUEST, "%s must be above 0: to take the likeliest token at each "
                    "step, use greedy instead (--greedy)", row->name);
    char text[TEXT_NUMBER_BYTES];
    text_number(number, text);  /* never "not 1" about something just above 1 */
    return fail(f, STATUS_BAD_REQUEST, "%s%s%s must be %s, not %s", row->name,
                field->name ? "." : "", field->name ? field->name : "", field->range, text);
}

status stage_check_numbers(stage_kind kind, const double *numbers, failure *f) {
    const stage_row *row = &stage_table[kind];
    for (size_t i = 0; i < row->n_fields; i++) {
        status st = field_check(row, &row->fields[i], numbers[i], f);
        if (st != STATUS_OK) return st;
    }
    if (kind == STAGE_DYNATEMP && numbers[0] > numbers[1]) {
        return fail(f, STATUS_BAD_REQUEST, "dynatemp.high must be %s", row->fields[1].range);
    }
    return STATUS_OK;
}

/* Lists of ids, 0 or more, each ended by -1. */
status stage_check_lists(const stage_row *row, const int32_t *lists, size_t n_list_ids, failure *f) {
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
    const stage_row *row = &stage_table[STAGE_LOGIT_BIAS];
    if (entry->id < 0) {
        return fail(f, STATUS_BAD_ID, "%s names id %d, below 0", row->name, entry->id);
    }
    return field_check(row, &row->fields[0], entry->bias, f);
}

/* As all are that come from another daemon, with every step. */
static bool bias_entries_in_order(const bias_entry *entries, size_t n) {
    for (size_t i = 1; i < n; i++)
        if (entries[i - 1].id > entries[i].id) return false;
    return true;
}

/* Sort and add what has the same id; *n shrinks to the number of ids. */
static status bias_entries_add_up(bias_entry *entries, size_t *n, failure *f) {
    size_t n_ids = 0;
    if (!bias_entries_in_order(entries, *n)) qsort(entries, *n, sizeof *entries, bias_entry_compare);
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

static status stage_store_biases(stage *one, const bias_entry *entries, size_t n, failure *f) {
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
status stage_add_biases(stage *one, const int32_t *ids, const double *biases, size_t n,
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
    if (st == STATUS_OK) st = stage_store_biases(one, entries, n_entries, f);
    free(entries);
    return st;
}

/* ---- the whole stage ---- */

/* `to` gets the value of `one`, or its biases on top of its own. On failure it is as it was. */
status stage_take(stage *to, const stage *one, failure *f) {
    const stage_row *row = &stage_table[one->kind];
    if (row->shape == SHAPE_BIASES) {
        return stage_add_biases(to, one->bias_ids, one->biases, one->n_biases, f);
    }
    status st = stage_check_numbers(one->kind, one->numbers, f);
    stage copy;
    if (st != STATUS_OK) return st;
    if (stage_copy(&copy, one) != STATUS_OK) return fail(f, STATUS_NO_MEMORY, "no memory for a step");
    stage_clear(to);
    *to = copy;
    return STATUS_OK;
}

static status ids_check(const stage *one, const int32_t *ids, size_t n, uint32_t n_vocab, failure *f) {
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || (uint32_t)ids[i] < n_vocab) continue;     /* -1 ends a list */
        return fail(f, STATUS_BAD_ID, "%s names id %d, but the vocabulary has %u ids",
                    stage_table[one->kind].name, ids[i], n_vocab);
    }
    return STATUS_OK;
}

status stage_check_ids(const stage *one, uint32_t n_vocab, failure *f) {
    status st = ids_check(one, one->bias_ids, one->n_biases, n_vocab, f);
    return st == STATUS_OK ? ids_check(one, one->lists, one->n_list_ids, n_vocab, f) : st;
}

bool stage_equal(const stage *a, const stage *b) {
    if (a->kind != b->kind || a->n_biases != b->n_biases || a->n_list_ids != b->n_list_ids) return false;
    for (size_t i = 0; i < a->n_list_ids; i++) {
        if (a->lists[i] != b->lists[i]) return false;
    }
    if (stage_table[a->kind].shape == SHAPE_BIASES) {
        for (size_t i = 0; i < a->n_biases; i++) {
            if (a->bias_ids[i] != b->bias_ids[i] || a->biases[i] != b->biases[i]) return false;
        }
        return true;
    }
    for (size_t i = 0; i < stage_table[a->kind].n_fields; i++) {
        if (a->numbers[i] != b->numbers[i]) return false;
    }
    return true;
}
