/* Command lines: a table of options, one row each, drives parsing, range checks and --help. */
#ifndef TRIVIUM_OPTIONS_H
#define TRIVIUM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

#define TRIVIUM_VERSION "0.1.0"

typedef enum option_kind {
    OPTION_FLAG,        /* bool *out = true; takes no value */
    OPTION_TEXT,        /* const char **out, borrowed from argv */
    OPTION_TEXTS,       /* option_texts *out, repeatable */
    OPTION_UINT,        /* uint64_t *out, min … max */
    OPTION_REAL,        /* double *out, min … max, finite, C locale */
    OPTION_CALL,        /* take(out, name, value, failure): anything else */
    OPTION_CALLS,       /* the same, repeatable: each value adds to those before, and JSON may have a list of them */
} option_kind;

enum { OPTION_TEXTS_MAX = 64 };
typedef struct option_texts {
    const char *items[OPTION_TEXTS_MAX];
    size_t n_items;
} option_texts;

typedef status option_take(void *out, const char *name, const char *value, failure *f);

typedef struct option_row {
    const char *name;           /* without the hyphens in front; NULL ends a table */
    option_kind kind;
    const char *value_name;     /* "N", "PATH"; NULL for a flag */
    const char *help;           /* one sentence, folded where it is shown */
    void *out;
    double min, max;            /* inclusive; OPTION_UINT and OPTION_REAL */
    option_take *take;          /* OPTION_CALL and OPTION_CALLS; value is NULL when value_name is */
    char letter;                /* its short form, 'n' for -n; 0: none */
    size_t out_bytes;           /* of *out, for OPTION_CALL of a daemon, whose rows may stand in a settings file; else 0 */
} option_row;

typedef struct options {
    const char *usage;          /* "trivium generate [PROMPT|-] [flags]" */
    const char *summary;        /* what it does, and an example: shown by --help, paragraphs filled */
    const option_row *tables[4];  /* each ended by a NULL name; unused ones NULL */
    size_t n_words_max;         /* words that are not flags */
} options;

/* Reads argv[1..]. `--f=v` equals `--f v`; `--` ends the flags; "-" is a word, and so is what starts
 * with a digit after a hyphen where a value is expected. Names are never abbreviated; `-n 5` equals `-n5`.
 * A value that is not repeatable may be given once.
 * `words` takes up to n_words_max pointers into argv. STATUS_OK, STATUS_NOT_FOUND when --help or --version
 * was printed to stdout, or STATUS_BAD_REQUEST with a sentence that names the flag and what is allowed. */
status options_parse(const options *o, int argc, char **argv, const char **words, size_t *n_words,
                     failure *f);

/* One row's value, as if it came from a command line; NULL for a row without value_name. STATUS_BAD_REQUEST, or what
 * the row's `take` says. */
status options_take(const option_row *row, const char *value, failure *f);

/* "trivium 0.1.0 (protocol 2)" on stdout: the program is the first word of `usage`. */
void options_print_version(const char *usage);

/* A number as JSON or C writes it, whole text, no locale; false for anything else, inf and nan included. */
bool options_real(const char *text, double *out);
bool options_uint(const char *text, unsigned long long *out);

#endif
