#include "line_keys.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/json.h"
#include "proto/base/nearest.h"

enum { KEY_BYTES_MAX = 64, NUMBER_BYTES = 24 };

#define INTEGERS_END 0x1p63    /* from here on a whole number has been read as a real */

/* Those that are no flag. */
static const char *const own_keys[] = {"prompt", "messages", "ids", "id"};
enum { N_OWN_KEYS = sizeof own_keys / sizeof *own_keys };

static bool is_own(const char *key) {
    for (size_t i = 0; i < N_OWN_KEYS; i++) {
        if (strcmp(own_keys[i], key) == 0) return true;
    }
    return false;
}

/* A flag's name as a key: with underscores. */
static void key_of(char key[KEY_BYTES_MAX], const char *name) {
    snprintf(key, KEY_BYTES_MAX, "%s", name);
    for (char *c = key; *c; c++) {
        if (*c == '-') *c = '_';
    }
}

static const option_row *row_find(const option_row *rows, const char *key) {
    char wanted[KEY_BYTES_MAX], there[KEY_BYTES_MAX];
    key_of(wanted, key);
    for (const option_row *row = rows; row->name; row++) {
        key_of(there, row->name);
        if (strcmp(wanted, there) == 0 && strlen(key) < KEY_BYTES_MAX) return row;
    }
    return NULL;
}

static status refuse_key(const generate_flags *flags, const char *key, failure *f) {
    const option_row *const tables[] = {flags->rows, flags->stages.rows};
    char wanted[KEY_BYTES_MAX], near[KEY_BYTES_MAX];
    key_of(wanted, key);
    for (char *c = wanted; *c; c++) {
        if (*c == '_') *c = '-';
    }
    nearest meant = nearest_begin(wanted, strlen(wanted));
    for (size_t i = 0; i < N_OWN_KEYS; i++) nearest_try(&meant, own_keys[i]);
    for (size_t t = 0; t < 2; t++) {
        for (const option_row *row = tables[t]; row->name; row++) nearest_try(&meant, row->name);
    }
    if (!meant.name)
        return fail(f, STATUS_BAD_REQUEST, "there is no key \"%.60s\": see trivium generate --help; "
                    "what is to stand in the answer again goes under \"id\"", key);
    key_of(near, meant.name);
    return fail(f, STATUS_BAD_REQUEST, "there is no key \"%.60s\": did you mean \"%s\"?", key, near);
}

static status refuse_value(const option_row *row, const char *what, failure *f) {
    char key[KEY_BYTES_MAX];
    key_of(key, row->name);
    return fail(f, STATUS_BAD_REQUEST, "\"%s\" must be %s%s", key, what,
                row->kind == OPTION_CALLS ? ", or a list of them" : "");
}

/* One value, by what --help says that it is: "N" is a number, a flag without a value true or false, all else a text. */
static status value_take(const option_row *row, const json_t *value, failure *f) {
    char digits[NUMBER_BYTES];
    if (!row->value_name) {
        if (!json_is_boolean(value)) return refuse_value(row, "true or false", f);
        *(bool *)row->out = json_is_true(value);
        return STATUS_OK;
    }
    if (strcmp(row->value_name, "N") == 0) {
        if (!json_is_integer(value)) return refuse_value(row, "a whole number", f);
        snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return options_take(row, digits, f);
    }
    const char *text = json_string_value(value);
    if (!text) return refuse_value(row, "a string", f);
    if (strlen(text) != json_string_length(value)) return refuse_value(row, "a string without a zero byte", f);
    return options_take(row, text, f);
}

static status row_take(const option_row *row, const json_t *value, failure *f) {
    if (row->kind != OPTION_CALLS || !json_is_array(value)) return value_take(row, value, f);
    status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < json_array_size(value); i++) {
        st = value_take(row, json_array_get(value, i), f);
    }
    return st;
}

static status key_take(generate_flags *flags, const char *key, const json_t *value, failure *f) {
    const option_row *row = row_find(flags->rows, key);
    if (row) return row_take(row, value, f);
    row = row_find(flags->stages.rows, key);
    if (!row) return refuse_key(flags, key, f);
    stage_kind kind = strategy_kind(row->name);
    return kind < STAGE_KINDS ? stage_flags_take_json(&flags->stages, kind, value, f)
                              : row_take(row, value, f);
}

/* It stands in the answer again, so it must not have lost digits. */
static status id_check(const json_t *id, failure *f) {
    if (!json_is_real(id) || fabs(json_real_value(id)) < INTEGERS_END) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST, "an \"id\" that is a number must lie within 64 bits, with a sign: write it as a string");
}

status line_keys_take(generate_flags *flags, const json_t *line, failure *f) {
    const json_t *chain = json_object_get(line, "chain");
    status st = id_check(json_object_get(line, "id"), f);
    if (st == STATUS_OK && chain) st = stage_flags_take_chain(&flags->stages, chain, f);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)line, key, value) {
        if (st != STATUS_OK) break;
        if (value != chain && !is_own(key)) st = key_take(flags, key, value, f);
    }
    return st;
}
