#include "ids.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../proto/limits.h"
#include "json.h"

enum { CAPACITY_FIRST = 16 };

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
    if (list->n_ids == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : CAPACITY_FIRST;
        int32_t *grown = realloc(list->ids, capacity * sizeof *grown);
        if (!grown) return fail(f, STATUS_NO_MEMORY, "no memory for %zu ids", capacity);
        list->ids = grown;
        list->capacity = capacity;
    }
    list->ids[list->n_ids++] = (int32_t)id;
    return STATUS_OK;
}

static bool is_separator(char c) {
    return c == ',' || c == '[' || c == ']' || isspace((unsigned char)c);
}

status ids_from_text(id_list *list, const char *text, failure *f) {
    while (is_separator(*text)) text++;
    while (*text) {
        char *end;
        errno = 0;
        long long id = strtoll(text, &end, 10);
        if (end == text || (*end && !is_separator(*end))) {
            return fail(f, STATUS_BAD_REQUEST, "ids are whole numbers between commas, as 1,2,3; "
                        "not %.20s", text);
        }
        if (errno == ERANGE) return fail(f, STATUS_BAD_ID, "id %.*s is outside every vocabulary",
                                         (int)(end - text < 40 ? end - text : 40), text);
        status st = ids_add(list, id, f);
        if (st != STATUS_OK) return st;
        text = end;
        while (is_separator(*text)) text++;
    }
    return STATUS_OK;
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
