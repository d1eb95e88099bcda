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

static bool biases_to_wire(Trivium__Step *m, const step *one) {
    m->lists = calloc(1, sizeof *m->lists);
    if (!m->lists) return false;
    Trivium__IdList *list = m->lists[0] = malloc(sizeof *list);
    if (!list) return false;
    m->n_lists = 1;
    trivium__id_list__init(list);
    list->ids = copy_of(one->bias_ids, one->n_biases * sizeof *list->ids);
    if (!list->ids) return false;
    list->n_ids = one->n_biases;
    return true;
}

static bool step_to_wire(Trivium__Step *m, const step *one) {
    const step_row *row = &step_table[one->kind];
    bool biases = row->shape == SHAPE_BIASES;
    size_t n_numbers = biases ? one->n_biases : row->n_fields;
    m->name = copy_of(row->name, strlen(row->name) + 1);
    if (!m->name) return false;
    m->numbers = copy_of(biases ? one->biases : one->numbers, n_numbers * sizeof *m->numbers);
    if (!m->numbers) return false;
    m->n_numbers = n_numbers;
    return !biases || biases_to_wire(m, one);
}

Trivium__Strategy *strategy_to_wire(const strategy *s) {
    Trivium__Strategy *m = malloc(sizeof *m);
    if (!m) return NULL;
    trivium__strategy__init(m);
    m->steps = calloc(s->n_steps ? s->n_steps : 1, sizeof *m->steps);
    if (!m->steps) goto failed;
    for (size_t i = 0; i < s->n_steps; i++) {
        m->steps[i] = malloc(sizeof *m->steps[i]);
        if (!m->steps[i]) goto failed;
        trivium__step__init(m->steps[i]);
        m->n_steps = i + 1;
        if (!step_to_wire(m->steps[i], &s->steps[i])) goto failed;
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

static status step_from_wire(strategy *out, const Trivium__Step *m, failure *f) {
    step_kind kind = strategy_kind(m->name);
    if (kind == STEP_KINDS) return strategy_unknown_step(m->name, STATUS_UNSUPPORTED, f);
    const step_row *row = &step_table[kind];
    if (row->shape == SHAPE_BIASES) return biases_from_wire(out, m, f);
    if (m->n_numbers != row->n_fields || m->n_lists != 0) {
        return fail(f, STATUS_BAD_MESSAGE, "%s takes %zu numbers and no lists, not %zu and %zu",
                    row->name, row->n_fields, m->n_numbers, m->n_lists);
    }
    return strategy_append(out, kind, m->numbers, m->n_numbers, f);
}

status strategy_from_wire(strategy *out, const Trivium__Strategy *m, failure *f) {
    strategy_clear(out);
    for (size_t i = 0; m && i < m->n_steps; i++) {
        status st = step_from_wire(out, m->steps[i], f);
        if (st != STATUS_OK) {
            strategy_clear(out);
            return st;
        }
    }
    return STATUS_OK;
}
