#include "json.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "outcome.h"
#include "proto/base/text.h"
#include "proto/chain/strategy_json.h"

enum { NUMBER_DIGITS = 17 };    /* with so many, every number reads back the same */

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

/* As jansson writes a real: "0.5", "1.0", "1e-9"; returns its length. */
static size_t real_shortest(char out[TEXT_NUMBER_BYTES], double number) {
    text_number(number, out);
    char *exponent = strchr(out, 'e');
    if (!exponent) return strlen(strchr(out, '.') ? out : strcat(out, ".0"));
    int power = atoi(exponent + 1);
    return (size_t)(exponent - out) + (size_t)sprintf(exponent, "e%d", power);
}

/* Where the string that begins at `from` ends, in JSON that is well-formed. */
static const char *string_end(const char *from) {
    const char *at = from + 1;
    while (*at != '"') at += *at == '\\' ? 2 : 1;
    return at + 1;
}

/* The length of the number that begins at `from`, 0 where none does. */
static size_t number_length(const char *from, bool *is_real) {
    bool begins = *from == '-' || isdigit((unsigned char)*from);
    size_t n_whole = begins ? 1 + strspn(from + 1, "0123456789") : 0;
    size_t n = begins ? n_whole + strspn(from + n_whole, "-.0123456789e") : 0;
    *is_real = n > n_whole;
    return n;
}

/* In place, each real in the least digits that read back the same: jansson has one number of digits for
 * all of them. One that would become longer stays: 12345678901234570.0 is not 1.234567890123457e16. */
static void reals_shorten(char *line) {
    const char *from = line;
    char *to = line;
    while (*from) {
        char shortest[TEXT_NUMBER_BYTES];
        bool is_real = false;
        size_t n = *from == '"' ? (size_t)(string_end(from) - from) : number_length(from, &is_real);
        if (n == 0) n = 1;
        size_t n_shortest = is_real ? real_shortest(shortest, strtod(from, NULL)) : n;
        bool is_shorter = n_shortest < n;
        memmove(to, is_shorter ? shortest : from, is_shorter ? n_shortest : n);
        to += is_shorter ? n_shortest : n;
        from += n;
    }
    *to = '\0';
}

/* Malloc'ed. Takes over `value`. NULL: no memory, or value is NULL. */
static char *json_written(json_t *value) {
    size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(NUMBER_DIGITS);
    char *line = value ? json_dumps(value, flags) : NULL;
    json_decref(value);
    if (line) reals_shorten(line);
    return line;
}

char *json_strategy_line(const strategy *s) {
    return json_written(strategy_to_json(s));
}

json_t *json_failure(status code, const char *message) {
    return json_pack("{s: s, s: o}", "code", status_name(code), "message", json_text(message));
}

char *json_line(json_t *value) {
    char *line = json_written(value);
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
