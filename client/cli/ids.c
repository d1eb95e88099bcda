#include "ids.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "proto/base/grow.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

void ids_clear(id_list *list) {
    free(list->ids);
    *list = (id_list){0};
}

status ids_add(id_list *list, long long id, failure *f) {
    if (id < INT32_MIN || id > INT32_MAX) {
        return fail(f, STATUS_BAD_ID, "id %lld is outside every vocabulary", id);
    }
    if (list->n_ids == TOKENIZE_IDS_MAX) {
        return fail(f, STATUS_TOO_LONG, "more than %d ids", TOKENIZE_IDS_MAX);
    }
    int32_t *grown = grow(list->ids, &list->capacity, list->n_ids + 1, sizeof *grown);
    if (!grown) return fail(f, STATUS_NO_MEMORY, "no memory for %zu ids", list->n_ids + 1);
    list->ids = grown;
    list->ids[list->n_ids++] = (int32_t)id;
    return STATUS_OK;
}

status ids_add_all(id_list *list, const int32_t *ids, size_t n_ids, failure *f) {
    status st = STATUS_OK;
    for (size_t i = 0; i < n_ids && st == STATUS_OK; i++) st = ids_add(list, ids[i], f);
    return st;
}

status ids_number(const char *text, long long *id, const char **end, failure *f) {
    bool has_digits = isdigit((unsigned char)text[text[0] == '-']);
    char *after = (char *)text;
    errno = 0;
    *id = has_digits ? strtoll(text, &after, 10) : 0;
    *end = after;
    if (!has_digits) return fail(f, STATUS_BAD_REQUEST, "an id is a whole number, not %.20s", text);
    if (errno != ERANGE && *id >= INT32_MIN && *id <= INT32_MAX) return STATUS_OK;
    return fail(f, STATUS_BAD_ID, "id %.*s is outside every vocabulary",
                (int)(after - text < 40 ? after - text : 40), text);
}

static const char *blanks_skip(const char *text) {
    while (text_is_blank((uint8_t)*text)) text++;
    return text;
}

static status refuse_list(const char *from, failure *f) {
    return fail(f, STATUS_BAD_REQUEST, "ids are whole numbers between commas, as 1,2,3; not \"%.20s\"",
                from);
}

status ids_from_text(id_list *list, const char *text, failure *f) {
    const char *at = blanks_skip(text), *last = at, *end;
    bool is_array = *at == '[', is_due = false; /* after a comma, a number is */
    char close = is_array ? ']' : '\0';
    if (is_array) at = blanks_skip(at + 1);
    while (*at != close || is_due) {
        long long id;
        status st = ids_number(at, &id, &end, f);
        if (st == STATUS_BAD_REQUEST) return refuse_list(last, f);
        if (st == STATUS_OK) st = ids_add(list, id, f);
        if (st != STATUS_OK) return st;
        last = at;
        at = blanks_skip(end);
        is_due = *at == ',';
        if (is_due) at = blanks_skip(at + 1);
        else if (at == end && *at != close) return refuse_list(last, f);
    }
    return is_array && *blanks_skip(at + 1) ? refuse_list(last, f) : STATUS_OK;
}

status ids_from_json(id_list *list, const char *key, const json_t *array, failure *f) {
    if (!json_is_array(array)) {
        return fail(f, STATUS_BAD_REQUEST, "\"%s\" must be an array of ids, as [1,2,3]", key);
    }
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        if (!json_is_integer(item)) {
            return fail(f, STATUS_BAD_REQUEST, "\"%s\" must hold whole numbers only", key);
        }
        status st = ids_add(list, json_integer_value(item), f);
        if (st != STATUS_OK) return st;
    }
    return STATUS_OK;
}

static json_t *id_at(const void *from, size_t i) {
    return json_integer(((const int32_t *)from)[i]);
}

json_t *ids_to_json(const int32_t *ids, size_t n_ids) {
    return json_list(n_ids, id_at, ids);
}
