#include "text_figures.h"

#include <stdlib.h>

/* Which of two places in the ids begins the lesser run of `length`. */
static int compare_runs(const int32_t *a, const int32_t *b, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    }
    return 0;
}

static int by_id(const void *a, const void *b) {
    return compare_runs(*(const int32_t *const *)a, *(const int32_t *const *)b, 1);
}

static int by_run(const void *a, const void *b) {
    return compare_runs(*(const int32_t *const *)a, *(const int32_t *const *)b, FIGURES_RUN);
}

/* The places of all texts from which `length` ids can be read. */
static size_t places_list(const token_text *texts, size_t n_texts, size_t length,
                          const int32_t **places) {
    size_t n = 0;
    for (size_t i = 0; i < n_texts; i++) {
        for (size_t at = 0; at + length <= texts[i].n; at++) places[n++] = texts[i].ids + at;
    }
    return n;
}

/* Equal ones stand beside each other after sorting. */
static size_t count_different(const int32_t **places, size_t n,
                              int (*compare)(const void *a, const void *b)) {
    size_t n_different = 0;
    qsort(places, n, sizeof *places, compare);
    for (size_t i = 0; i < n; i++)
        n_different += i == 0 || compare(&places[i - 1], &places[i]) != 0;
    return n_different;
}

status text_figures_of(const token_text *texts, size_t n_texts, text_figures *out) {
    size_t n_tokens = 0;
    for (size_t i = 0; i < n_texts; i++) n_tokens += texts[i].n;
    const int32_t **places = calloc(n_tokens + 1, sizeof *places);
    if (!places) return STATUS_NO_MEMORY;
    out->n_tokens = places_list(texts, n_texts, 1, places);
    out->n_distinct = count_different(places, n_tokens, by_id);
    out->n_runs = places_list(texts, n_texts, FIGURES_RUN, places);
    out->n_repeated = out->n_runs - count_different(places, out->n_runs, by_run);
    free(places);
    return STATUS_OK;
}

double text_figures_repeated(const text_figures *f) {
    return f->n_runs > 0 ? (double)f->n_repeated / (double)f->n_runs : 0;
}
