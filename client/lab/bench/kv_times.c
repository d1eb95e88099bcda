#include "kv_times.h"

#include <math.h>
#include <stdlib.h>

#include "median.h"

static status seconds_take(kv_seconds *out, const double *run_ms, uint64_t n_runs, uint64_t n_tokens) {
    buffer numbers = {0};
    status st = STATUS_OK;
    *out = (kv_seconds){.least = INFINITY};
    for (uint64_t run = 0; run < n_runs && st == STATUS_OK; run++) {
        double seconds = 0;
        for (uint64_t i = 0; i < n_tokens; i++) seconds += run_ms[run * n_tokens + i] / 1000;
        out->least = fmin(out->least, seconds);
        out->most = fmax(out->most, seconds);
        st = median_add(&numbers, seconds);
    }
    out->median = median_of(&numbers);
    buffer_clear(&numbers);
    return st;
}

static status step_take(double *out, const double *run_ms, uint64_t n_runs, uint64_t n_tokens) {
    buffer numbers = {0};
    status st = STATUS_OK;
    for (uint64_t run = 0; run < n_runs && st == STATUS_OK; run++)
        st = median_add(&numbers, run_ms[run * n_tokens]);
    *out = median_of(&numbers);
    buffer_clear(&numbers);
    return st;
}

status kv_times_take(kv_times *t, kv_path path, const double *run_ms) {
    status st = seconds_take(&t->seconds[path], run_ms, t->n_runs, t->n_tokens);
    t->step_ms[path] = calloc(t->n_tokens, sizeof *t->step_ms[path]);
    if (!t->step_ms[path]) return STATUS_NO_MEMORY;
    for (uint64_t i = 0; i < t->n_tokens && st == STATUS_OK; i++)
        st = step_take(&t->step_ms[path][i], run_ms + i, t->n_runs, t->n_tokens);
    return st;
}

void kv_times_clear(kv_times *t) {
    for (kv_path path = 0; path < KV_PATHS; path++) {
        free(t->step_ms[path]);
        t->step_ms[path] = NULL;
    }
}

double kv_times_speedup(const kv_times *t) {
    double with = t->seconds[WITH_CACHE].median;
    return with > 0 ? t->seconds[WITHOUT_CACHE].median / with : 0;
}

double kv_times_spread(const kv_times *t) {
    double spread = 0;
    for (kv_path path = 0; path < KV_PATHS; path++) {
        const kv_seconds *s = &t->seconds[path];
        if (s->median > 0) spread = fmax(spread, (s->most - s->least) / s->median);
    }
    return spread;
}
