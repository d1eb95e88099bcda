#include "strategy_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char BANNED[] = "-inf";

/* ---- to JSON: each function returns a new reference, NULL when there is no memory ---- */

static json_t *number_to_json(const stage_field *field, double number) {
    bool fits = fabs(number) < 0x1p53;
    if (number == -INFINITY) return json_string(BANNED);
    return field->whole && fits ? json_integer((json_int_t)number) : json_real(number);
}

static json_t *biases_to_json(const stage *one) {
    const stage_field *field = &stage_table[one->kind].fields[0];
    json_t *pairs = json_array();
    for (size_t i = 0; pairs && i < one->n_biases; i++) {
        json_t *bias = number_to_json(field, one->biases[i]);
        json_t *pair = bias ? json_pack("[i, o]", (int)one->bias_ids[i], bias) : NULL;
        if (json_array_append_new(pairs, pair) == 0) continue;
        json_decref(pairs);
        pairs = NULL;
    }
    return pairs;
}

static json_t *lists_to_json(const stage *one) {
    json_t *lists = json_array(), *list = NULL;
    for (size_t i = 0; lists && i < one->n_list_ids; i++) {
        int failed = 0;
        if (!list) failed = json_array_append_new(lists, list = json_array());
        if (one->lists[i] == -1) list = NULL;
        else if (!failed) failed = json_array_append_new(list, json_integer(one->lists[i]));
        if (!failed) continue;
        json_decref(lists);
        lists = NULL;
    }
    return lists;
}

static json_t *object_to_json(const stage *one) {
    const stage_row *row = &stage_table[one->kind];
    json_t *object = json_object();
    for (size_t i = 0; object && i < row->n_fields; i++) {
        json_t *number = number_to_json(&row->fields[i], one->numbers[i]);
        if (json_object_set_new(object, row->fields[i].name, number) == 0) continue;
        json_decref(object);
        object = NULL;
    }
    if (object && row->lists && json_object_set_new(object, row->lists, lists_to_json(one)) != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *value_to_json(const stage *one) {
    const stage_row *row = &stage_table[one->kind];
    switch (row->shape) {
    case SHAPE_NUMBER: return number_to_json(&row->fields[0], one->numbers[0]);
    case SHAPE_TRUE: return json_true();
    case SHAPE_BIASES: return biases_to_json(one);
    case SHAPE_OBJECT: return object_to_json(one);
    }
    return NULL;
}

json_t *strategy_to_json(const strategy *s) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < s->n_stages; i++) {
        const stage *one = &s->stages[i];
        json_t *value = value_to_json(one);
        json_t *object = value ? json_pack("{s: o}", stage_table[one->kind].name, value) : NULL;
        if (json_array_append_new(array, object) == 0) continue;
        json_decref(array);
        array = NULL;
    }
    return array;
}

/* ---- from JSON ---- */

static status bias_from_json(const json_t *pair, int32_t *id, double *bias, failure *f) {
    const json_t *name = json_array_get(pair, 0), *value = json_array_get(pair, 1);
    bool banned = json_is_string(value) && strcmp(json_string_value(value), BANNED) == 0;
    bool bias_fits = banned || json_is_number(value);
    if (json_array_size(pair) != 2 || !json_is_integer(name) || !bias_fits) {
        return fail(f, STATUS_BAD_REQUEST,
                    "logit_bias takes pairs of an id and a bias, as [[7, -1.5], [9, \"-inf\"]]");
    }
    json_int_t number = json_integer_value(name);
    if (number < 0 || number > INT32_MAX) {
        return fail(f, STATUS_BAD_ID, "logit_bias names id %" JSON_INTEGER_FORMAT
                    ", outside every vocabulary", number);
    }
    *id = (int32_t)number;
    *bias = banned ? -INFINITY : json_number_value(value);
    return STATUS_OK;
}

static status biases_from_json(strategy *out, const json_t *pairs, failure *f) {
    size_t n = json_array_size(pairs);
    if (!json_is_array(pairs) || n > BIASES_MAX) {
        return fail(f, STATUS_BAD_REQUEST, "logit_bias takes an array of at most %d pairs of an id "
                    "and a bias, as [[7, -1.5], [9, \"-inf\"]]", BIASES_MAX);
    }
    int32_t *ids = malloc((n ? n : 1) * sizeof *ids);
    double *biases = malloc((n ? n : 1) * sizeof *biases);
    status st = STATUS_OK;
    if (!ids || !biases) st = fail(f, STATUS_NO_MEMORY, "no memory for %zu biases", n);
    for (size_t i = 0; st == STATUS_OK && i < n; i++) {
        st = bias_from_json(json_array_get(pairs, i), &ids[i], &biases[i], f);
    }
    if (st == STATUS_OK) st = strategy_append_biases(out, ids, biases, n, f);
    free(ids);
    free(biases);
    return st;
}

static status number_from_json(strategy *out, stage_kind kind, const json_t *value, failure *f) {
    const stage_row *row = &stage_table[kind];
    if (!json_is_number(value)) {
        return fail(f, STATUS_BAD_REQUEST, "%s must be a number, %s", row->name,
                    row->fields[0].range);
    }
    return strategy_append(out, kind, &(double){json_number_value(value)}, 1, f);
}

static status true_from_json(strategy *out, stage_kind kind, const json_t *value, failure *f) {
    if (!json_is_true(value)) {
        return fail(f, STATUS_BAD_REQUEST, "%s takes true and nothing else", stage_table[kind].name);
    }
    return strategy_append(out, kind, NULL, 0, f);
}

static status fail_lists(const stage_row *row, failure *f) {
    return fail(f, STATUS_BAD_REQUEST, "%s.%s takes an array of lists of ids, as [[198], [28, 7]]",
                row->name, row->lists);
}

/* Into the form in which a stage has them; at most LIST_IDS_MAX. */
static status lists_from_json(const stage_row *row, const json_t *lists, int32_t *ids, size_t *n,
                              failure *f) {
    size_t i, k;
    json_t *list, *id;
    *n = 0;
    if (lists && !json_is_array(lists)) return fail_lists(row, f);
    json_array_foreach((json_t *)lists, i, list) {
        if (json_array_size(list) == 0) return fail_lists(row, f);
        if (*n + json_array_size(list) + 1 > LIST_IDS_MAX) {
            return fail(f, STATUS_BAD_REQUEST, "%s.%s has more than %d ids", row->name, row->lists,
                        LIST_IDS_MAX);
        }
        json_array_foreach(list, k, id) {
            json_int_t number = json_integer_value(id);
            if (!json_is_integer(id) || number < 0 || number > INT32_MAX) return fail_lists(row, f);
            ids[(*n)++] = (int32_t)number;
        }
        ids[(*n)++] = -1;
    }
    return STATUS_OK;
}

static bool has_key(const stage_row *row, const char *key) {
    for (size_t i = 0; i < row->n_fields; i++) {
        if (strcmp(key, row->fields[i].name) == 0) return true;
    }
    return row->lists && strcmp(key, row->lists) == 0;
}

static status object_from_json(strategy *out, stage_kind kind, const json_t *value, failure *f) {
    const stage_row *row = &stage_table[kind];
    double numbers[STAGE_NUMBERS_MAX];
    int32_t ids[LIST_IDS_MAX];
    size_t n_found = 0, n_ids = 0;
    const char *key;
    json_t *one;
    json_object_foreach((json_t *)value, key, one) {
        if (!has_key(row, key)) return stage_unknown_key(row, key, f);
    }
    for (size_t i = 0; i < row->n_fields; i++) {
        const json_t *number = json_object_get(value, row->fields[i].name);
        if (!json_is_number(number)) {
            return fail(f, STATUS_BAD_REQUEST, "%s needs a number %s, %s", row->name,
                        row->fields[i].name, row->fields[i].range);
        }
        numbers[n_found++] = json_number_value(number);
    }
    const json_t *lists = row->lists ? json_object_get(value, row->lists) : NULL;
    status st = lists_from_json(row, lists, ids, &n_ids, f);
    return st == STATUS_OK ? strategy_append_lists(out, kind, numbers, n_found, ids, n_ids, f) : st;
}

static status stage_from_json(strategy *out, const json_t *object, failure *f) {
    if (json_object_size(object) != 1) {
        return fail(f, STATUS_BAD_REQUEST, "a step is an object with one key, its name, "
                    "as {\"temperature\": 0.8}");
    }
    const char *name = json_object_iter_key(json_object_iter((json_t *)object));
    const json_t *value = json_object_get(object, name);
    stage_kind kind = strategy_kind(name);
    if (kind == STAGE_KINDS) return strategy_unknown_stage(name, STATUS_BAD_REQUEST, f);
    switch (stage_table[kind].shape) {
    case SHAPE_NUMBER: return number_from_json(out, kind, value, f);
    case SHAPE_TRUE: return true_from_json(out, kind, value, f);
    case SHAPE_BIASES: return biases_from_json(out, value, f);
    case SHAPE_OBJECT: return object_from_json(out, kind, value, f);
    }
    return STATUS_UNSUPPORTED;
}

status strategy_from_json(strategy *out, const json_t *array, failure *f) {
    strategy_clear(out);
    if (!json_is_array(array)) {
        return fail(f, STATUS_BAD_REQUEST, "a chain is an array of steps, "
                    "as [{\"temperature\": 0.8}, {\"top_p\": 0.9}]");
    }
    for (size_t i = 0; i < json_array_size(array); i++) {
        status st = stage_from_json(out, json_array_get(array, i), f);
        if (st != STATUS_OK) {
            strategy_clear(out);
            return st;
        }
    }
    return STATUS_OK;
}
