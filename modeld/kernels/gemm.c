#include "gemm.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"

enum { COLUMNS = GEMM_PANELS * PANEL };
enum { WEIGHT_ITEMS = SLICE * COLUMNS, SUM_ITEMS = GEMM_ROWS * COLUMNS };

static size_t scratch_items(void) {
    return WEIGHT_ITEMS + SUM_ITEMS;
}

/* Panels side by side, as OpenBLAS wants them: [n_k][COLUMNS]. */
static void spread_panels(float *spread, const float *panels, size_t panel_items, uint32_t n_k) {
    for (uint32_t p = 0; p < GEMM_PANELS; p++)
        for (uint32_t k = 0; k < n_k; k++)
            memcpy(spread + (size_t)k * COLUMNS + p * PANEL, panels + p * panel_items + k * PANEL,
                   PANEL * sizeof *spread);
}

/* sums += x · panels over one slice. */
static void blas_slice(openblas_sgemm *sgemm, float *sums, float *spread, const float *panels, size_t panel_items,
                       uint32_t n_k, const float *x, size_t x_stride) {
    spread_panels(spread, panels, panel_items, n_k);
    sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, GEMM_ROWS, COLUMNS, (blasint)n_k, 1.0f, x,
          (blasint)x_stride, spread, COLUMNS, 1.0f, sums, COLUMNS);
}

static void own_slice(const kernels *k, float *sums, const float *panels, size_t panel_items,
                      uint32_t n_k, const float *x, size_t x_stride) {
    for (uint32_t p = 0; p < GEMM_PANELS; p += TILE_PANELS)
        for (uint32_t r = 0; r < GEMM_ROWS; r += TILE_ROWS)
            k->float_tile(&(float_tile){
                .type = TENSOR_F32, .w = panels + p * panel_items, .k_stride = PANEL,
                .panel_stride = panel_items, .n_panels = TILE_PANELS, .n_k = n_k,
                .x = x + r * x_stride, .x_stride = x_stride, .n_rows = TILE_ROWS,
                .y = sums + r * COLUMNS + p * PANEL, .y_stride = COLUMNS});
}
_Static_assert(GEMM_PANELS % TILE_PANELS == 0 && GEMM_ROWS % TILE_ROWS == 0, "whole tiles only");

/* Numbers whose rounding differs with any other order of operations. */
static void fill(float *x, size_t n) {
    uint32_t bits = 1;
    for (size_t i = 0; i < n; i++) {
        bits = bits * 1664525u + 1013904223u;
        x[i] = (float)(int32_t)bits * 0x1p-31f;
    }
}

typedef struct trial {
    float *panels, *x, *own, *blas, *spread;
} trial;

static gemm_check run_trial(openblas_sgemm *sgemm, const kernels *k, const trial *t, uint32_t n_k) {
    enum { ROUNDS = 5 };
    size_t panel_items = (size_t)n_k * PANEL;
    uint64_t own_us = UINT64_MAX, blas_us = UINT64_MAX;
    fill(t->own, SUM_ITEMS);            /* both add to the same sums */
    memcpy(t->blas, t->own, SUM_ITEMS * sizeof *t->own);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t start = clock_us();
        own_slice(k, t->own, t->panels, panel_items, n_k, t->x, n_k);
        uint64_t between = clock_us();
        blas_slice(sgemm, t->blas, t->spread, t->panels, panel_items, n_k, t->x, n_k);
        uint64_t end = clock_us();
        if (between - start < own_us) own_us = between - start;
        if (end - between < blas_us) blas_us = end - between;
    }
    bool same_bits = memcmp(t->own, t->blas, SUM_ITEMS * sizeof *t->own) == 0;
    return (gemm_check){n_k, same_bits, blas_us < own_us};
}

static void check_length(gemm *g, const kernels *k, uint32_t n_k) {
    for (uint32_t i = 0; i < g->n_checks; i++)
        if (g->checks[i].n_k == n_k) return;
    size_t x_items = GEMM_ROWS * (size_t)n_k;
    float *items = malloc((2 * WEIGHT_ITEMS + x_items + 2 * SUM_ITEMS) * sizeof *items);
    if (!items || g->n_checks == GEMM_LENGTHS_MAX) {    /* what was not checked is not used */
        free(items);
        return;
    }
    trial t = {.panels = items, .spread = items + WEIGHT_ITEMS, .x = items + 2 * WEIGHT_ITEMS};
    t.own = t.x + x_items;
    t.blas = t.own + SUM_ITEMS;
    fill(t.panels, WEIGHT_ITEMS);
    fill(t.x, x_items);
    g->checks[g->n_checks++] = run_trial(g->sgemm, k, &t, n_k);
    free(items);
}

static bool takes_length(const gemm *g, uint32_t n_k) {
    for (uint32_t i = 0; i < g->n_checks; i++)
        if (g->checks[i].n_k == n_k) return g->checks[i].same_bits && g->checks[i].faster;
    return false;
}

uint32_t gemm_n_taken(const gemm *g) {
    uint32_t n = 0;
    for (uint32_t i = 0; g && i < g->n_checks; i++) n += takes_length(g, g->checks[i].n_k);
    return n;
}

gemm *gemm_new(const kernels *k, const uint32_t *n_inputs, uint32_t n_widths, uint32_t n_threads) {
    gemm *g = calloc(1, sizeof *g);
    if (!g) return NULL;
    g->sgemm = openblas_load();
    if (!g->sgemm) return g;            /* nothing is checked, so nothing is taken */
    g->scratch = malloc(n_threads * scratch_items() * sizeof *g->scratch);
    if (!g->scratch) gemm_free(&g);
    for (uint32_t i = 0; g && i < n_widths; i++) {
        if (n_inputs[i] >= SLICE) check_length(g, k, SLICE);
        if (n_inputs[i] % SLICE > 0) check_length(g, k, n_inputs[i] % SLICE);
    }
    return g;
}

void gemm_free(gemm **g) {
    if (!*g) return;
    free((*g)->scratch);
    free(*g);
    *g = NULL;
}

bool gemm_takes(const gemm *g, const matrix *w) {
    if (!g || w->type != TENSOR_F32) return false;
    uint32_t rest = w->n_inputs % SLICE;
    return (w->n_inputs < SLICE || takes_length(g, SLICE)) && (rest == 0 || takes_length(g, rest));
}

const float *gemm_block(const gemm *g, uint32_t thread, const matrix *w, uint32_t first,
                        const float *x, size_t x_stride) {
    float *spread = g->scratch + thread * scratch_items(), *sums = spread + WEIGHT_ITEMS;
    size_t panel_items = w->panel_bytes / sizeof(float);
    memset(sums, 0, SUM_ITEMS * sizeof *sums);
    for (uint32_t k = 0; k < w->n_inputs; k += SLICE) {
        uint32_t n_k = w->n_inputs - k < SLICE ? w->n_inputs - k : SLICE;
        size_t item = first * panel_items + k * PANEL;
        const float *panels = (const float *)(const void *)w->panels + item;
        blas_slice(g->sgemm, sums, spread, panels, panel_items, n_k, x + k, x_stride);
    }
    return sums;
}
