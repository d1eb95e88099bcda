#include "json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "outcome.h"
#include "proto/base/text.h"
#include "proto/chain/strategy_json.h"

enum { NUMBER_DIGITS = 17, SHOWN_DIGITS = 6 };

json_t *json_number(double number) {
    return isfinite(number) ? json_real(number) : json_null();
}

json_t *json_bytes(const void *bytes, size_t n_bytes) {
    if (n_bytes == 0) return json_string("");
    if (text_is_utf8(bytes, n_bytes)) return json_stringn_nocheck(bytes, n_bytes);
    size_t n_whole;
    char *whole = text_replace_ill_formed(bytes, n_bytes, &n_whole);
    json_t *string = whole ? json_stringn_nocheck(whole, n_whole) : NULL;
    free(whole);
    return string;
}

json_t *json_text(const char *text) {
    return json_bytes(text, strlen(text));
}

json_t *json_list(size_t n, json_t *(*make)(const void *from, size_t i), const void *from) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < n; i++) {
        if (json_array_append_new(array, make(from, i)) == 0) continue;
        json_decref(array);
        array = NULL;
    }
    return array;
}

static json_t *number_at(const void *from, size_t i) {
    return json_number(((const double *)from)[i]);
}

json_t *json_numbers(const double *numbers, size_t n) {
    return json_list(n, number_at, numbers);
}

char *json_strategy_line(const strategy *s) {
    json_t *chain = strategy_to_json(s);
    char *line = chain ? json_dumps(chain, JSON_COMPACT | JSON_REAL_PRECISION(SHOWN_DIGITS)) : NULL;
    json_decref(chain);
    return line;
}

json_t *json_failure(status code, const char *message) {
    return json_pack("{s: s, s: o}", "code", status_name(code), "message", json_text(message));
}

char *json_line(json_t *value) {
    size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(NUMBER_DIGITS);
    char *line = value ? json_dumps(value, flags) : NULL;
    json_decref(value);
    if (!line) return NULL;
    char *ended = NULL;
    if (asprintf(&ended, "%s\n", line) < 0) ended = NULL;
    free(line);
    return ended;
}

int json_print(json_t *value) {
    char *line = json_line(value);
    if (!line) {
        failure f;
        fail(&f, STATUS_NO_MEMORY, "no memory for the answer");
        return outcome_failed(&f);
    }
    fputs(line, stdout);
    fflush(stdout);             /* into a pipe too: the next may take minutes */
    free(line);
    return EXIT_FINE;
}

json_t *json_read_object(const char *line, size_t n_bytes, failure *f) {
    json_error_t error;
    json_t *object = json_loadb(line, n_bytes, JSON_ALLOW_NUL, &error);
    if (!object && json_error_code(&error) == json_error_numeric_overflow) {
        object = json_loadb(line, n_bytes, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
    }
    if (!object && json_error_code(&error) == json_error_invalid_utf8) {
        fail(f, STATUS_NOT_UTF8, "the line is not UTF-8");
        return NULL;
    }
    if (!object) {
        fail(f, STATUS_BAD_REQUEST, "the line is not a JSON object: %s", error.text);
        return NULL;
    }
    if (json_is_object(object)) return object;
    json_decref(object);
    fail(f, STATUS_BAD_REQUEST, "the line is JSON, but not an object");
    return NULL;
}
