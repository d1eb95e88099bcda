#include "strategy_wire.h"

#include <stdlib.h>
#include <string.h>

/* protobuf-c frees a tree piece by piece with free(), so each piece is allocated by itself, and a
 * tree that is only half built can be freed as well. */

static void *copy_of(const void *items, size_t n_bytes) {
    void *copy = malloc(n_bytes ? n_bytes : 1);
    if (copy && n_bytes) memcpy(copy, items, n_bytes);
    return copy;
}

/* One more list; there is room for it. */
static bool add_list(Trivium__Step *m, const int32_t *ids, size_t n_ids) {
    Trivium__IdList *list = malloc(sizeof *list);
    if (!list) return false;
    trivium__id_list__init(list);
    m->lists[m->n_lists++] = list;
    list->ids = copy_of(ids, n_ids * sizeof *list->ids);
    if (!list->ids) return false;
    list->n_ids = n_ids;
    return true;
}

static bool lists_to_wire(Trivium__Step *m, const stage *one) {
    bool biases = stage_table[one->kind].shape == SHAPE_BIASES;
    size_t n_lists = biases, begin = 0;
    for (size_t i = 0; i < one->n_list_ids; i++) n_lists += one->lists[i] == -1;
    if (n_lists == 0) return true;
    m->lists = calloc(n_lists, sizeof *m->lists);
    if (!m->lists) return false;
    if (biases) return add_list(m, one->bias_ids, one->n_biases);
    for (size_t i = 0; i < one->n_list_ids; i++) {
        if (one->lists[i] != -1) continue;
        if (!add_list(m, one->lists + begin, i - begin)) return false;
        begin = i + 1;
    }
    return true;
}

static bool stage_to_wire(Trivium__Step *m, const stage *one) {
    const stage_row *row = &stage_table[one->kind];
    bool biases = row->shape == SHAPE_BIASES;
    size_t n_numbers = biases ? one->n_biases : row->n_fields;
    m->name = copy_of(row->name, strlen(row->name) + 1);
    if (!m->name) return false;
    m->numbers = copy_of(biases ? one->biases : one->numbers, n_numbers * sizeof *m->numbers);
    if (!m->numbers) return false;
    m->n_numbers = n_numbers;
    return lists_to_wire(m, one);
}

Trivium__Strategy *strategy_to_wire(const strategy *s) {
    Trivium__Strategy *m = malloc(sizeof *m);
    if (!m) return NULL;
    trivium__strategy__init(m);
    m->steps = calloc(s->n_stages ? s->n_stages : 1, sizeof *m->steps);
    if (!m->steps) goto failed;
    for (size_t i = 0; i < s->n_stages; i++) {
        m->steps[i] = malloc(sizeof *m->steps[i]);
        if (!m->steps[i]) goto failed;
        trivium__step__init(m->steps[i]);
        m->n_steps = i + 1;
        if (!stage_to_wire(m->steps[i], &s->stages[i])) goto failed;
    }
    return m;
failed:
    trivium__strategy__free_unpacked(m, NULL);
    return NULL;
}

static status biases_from_wire(strategy *out, const Trivium__Step *m, failure *f) {
    if (m->n_lists != 1 || m->lists[0]->n_ids != m->n_numbers) {
        return fail(f, STATUS_BAD_MESSAGE, "%s takes one list of ids, and as many biases", m->name);
    }
    return strategy_append_biases(out, m->lists[0]->ids, m->numbers, m->n_numbers, f);
}

static status lists_from_wire(strategy *out, stage_kind kind, const Trivium__Step *m, failure *f) {
    int32_t ids[LIST_IDS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < m->n_lists; i++) {
        const Trivium__IdList *list = m->lists[i];
        if (n + list->n_ids + 1 > LIST_IDS_MAX) {
            return fail(f, STATUS_BAD_REQUEST, "%s has more than %d ids", m->name, LIST_IDS_MAX);
        }
        for (size_t k = 0; k < list->n_ids; k++) {
            if (list->ids[k] < 0) return fail(f, STATUS_BAD_ID, "%s names id %d, below 0", m->name, list->ids[k]);
            ids[n++] = list->ids[k];
        }
        ids[n++] = -1;
    }
    return strategy_append_lists(out, kind, m->numbers, m->n_numbers, ids, n, f);
}

static status stage_from_wire(strategy *out, const Trivium__Step *m, failure *f) {
    stage_kind kind = strategy_kind(m->name);
    if (kind == STAGE_KINDS) return strategy_unknown_stage(m->name, STATUS_UNSUPPORTED, f);
    const stage_row *row = &stage_table[kind];
    if (row->shape == SHAPE_BIASES) return biases_from_wire(out, m, f);
    if (m->n_numbers != row->n_fields || (m->n_lists != 0 && !row->lists)) {
        return fail(f, STATUS_BAD_MESSAGE, "%s takes %zu numbers and %s lists, not %zu and %zu",
                    row->name, row->n_fields, row->lists ? "id" : "no", m->n_numbers, m->n_lists);
    }
    return lists_from_wire(out, kind, m, f);
}

status strategy_from_wire(strategy *out, const Trivium__Strategy *m, failure *f) {
    strategy_clear(out);
    for (size_t i = 0; m && i < m->n_steps; i++) {
        status st = stage_from_wire(out, m->steps[i], f);
        if (st != STATUS_OK) {
            strategy_clear(out);
            return st;
        }
    }
    return STATUS_OK;
}
