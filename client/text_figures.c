#include "text_figures.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

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

static size_t count_distinct(const int32_t **places, size_t n) {
    qsort(places, n, sizeof *places, by_id);
    size_t n_distinct = 0;
    for (size_t i = 0; i < n; i++) n_distinct += i == 0 || by_id(&places[i - 1], &places[i]) != 0;
    return n_distinct;
}

/* Marks the tokens of every run that has an equal one: after sorting, beside it. */
static size_t count_repeated(const int32_t **places, const int32_t *ids, size_t n,
                             bool *is_repeated) {
    size_t n_runs = n < FIGURES_RUN ? 0 : n - FIGURES_RUN + 1, n_repeated = 0;
    for (size_t i = 0; i < n_runs; i++) places[i] = ids + i;
    qsort(places, n_runs, sizeof *places, by_run);
    for (size_t i = 1; i < n_runs; i++) {
        if (by_run(&places[i - 1], &places[i]) != 0) continue;
        memset(is_repeated + (places[i - 1] - ids), true, FIGURES_RUN);
        memset(is_repeated + (places[i] - ids), true, FIGURES_RUN);
    }
    for (size_t i = 0; i < n; i++) n_repeated += is_repeated[i];
    return n_repeated;
}

status text_figures_of(const int32_t *ids, size_t n, text_figures *out) {
    const int32_t **places = calloc(n + 1, sizeof *places);
    bool *is_repeated = calloc(n + 1, sizeof *is_repeated);
    status st = places && is_repeated ? STATUS_OK : STATUS_NO_MEMORY;
    if (st == STATUS_OK) {
        for (size_t i = 0; i < n; i++) places[i] = ids + i;
        out->n_tokens = n;
        out->n_distinct = count_distinct(places, n);
        out->n_repeated = count_repeated(places, ids, n, is_repeated);
    }
    free(places);
    free(is_repeated);
    return st;
}

void text_figures_add(text_figures *sum, const text_figures *one) {
    sum->n_tokens += one->n_tokens;
    sum->n_distinct += one->n_distinct;
    sum->n_repeated += one->n_repeated;
}
