/* The forms that numbers, lines and errors have in the client's JSON. */
#ifndef TRIVIUM_CLIENT_JSON_H
#define TRIVIUM_CLIENT_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "proto/base/status.h"
#include "proto/chain/strategy.h"

/* A number; an infinite one or NaN is null. NULL: no memory. */
json_t *json_number(double number);

/* Bytes as a string; what is no character becomes U+FFFD. NULL: no memory. */
json_t *json_bytes(const void *bytes, size_t n_bytes);
json_t *json_text(const char *text);

/* An array of n values, each made by `make` (NULL: no memory) from what `from` points to. */
json_t *json_list(size_t n, json_t *(*make)(const void *from, size_t i), const void *from);

json_t *json_numbers(const double *numbers, size_t n);      /* each as json_number */

/* A strategy on one line, numbers as in json_line; malloc'ed, the caller frees it. NULL: no memory. */
char *json_strategy_line(const strategy *s);

/* {"code": "too_long", "message": "…"} */
json_t *json_failure(status code, const char *message);

/* One line and its newline, each number in the least digits that read back the same; malloc'ed, the
 * caller frees it. Takes over `value`. NULL: no memory, or value is NULL. */
char *json_line(json_t *value);

/* The same to stdout, through stdio. Returns an exit code. */
int json_print(json_t *value);

/* One line of input: an object. An integer that no integer type holds counts as a real. New
 * reference, or NULL with STATUS_NOT_UTF8 or STATUS_BAD_REQUEST in `f`. */
json_t *json_read_object(const char *line, size_t n_bytes, failure *f);

#endif
