#include "product.h"

#include <string.h>

enum {
    PANEL_GROUP_BYTES = 128 * 1024,     /* panels that stay in the second-level cache while all rows pass over them */
    SUMS_PANELS = 16,                   /* of them, those whose sums go by way of the stack, at most */
};

typedef struct product_run {
    const backend *backend;
    const product *products;
    uint32_t n_products;
    const activations *x;
    uint32_t n_rows;
} product_run;

static uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

static size_t item_bytes(tensor_type type) {
    return type == TENSOR_F32 ? 4 : 2;
}

void slices_run(const kernels *k, float_tile t, uint32_t n_k) {
    for (uint32_t r = 0; r < t.n_rows; r++)
        memset(t.y + r * t.y_stride, 0, t.n_panels * PANEL * sizeof *t.y);
    for (uint32_t done = 0; done < n_k; done += SLICE) {
        t.n_k = least(SLICE, n_k - done);
        k->float_tile(&t);
        t.w = (const uint8_t *)t.w + SLICE * t.k_stride * item_bytes(t.type);
        t.x += SLICE;
    }
}

static float *row_of(const product *p, uint32_t row) {
    return p->rows ? p->rows[row] : p->y + row * p->y_stride;
}

/* A tile's rows lie at equal distances: they are where the kernel can write them itself. */
static bool in_line(const product *p, uint32_t n_rows) {
    return !p->rows || n_rows == 1;
}

/* Whole panels in loops of fixed length, which compilers vectorize. */
static void add_outputs(float *y, const float *sum, uint32_t n) {
    uint32_t o = 0;
    for (; o + PANEL <= n; o += PANEL)
        for (uint32_t i = 0; i < PANEL; i++) y[o + i] += sum[o + i];
    for (; o < n; o++) y[o] += sum[o];
}

/* sums: [n_rows, stride] → rows row … of y from output `output` on, as far as there are outputs. */
static void deliver(const product *p, uint32_t row, uint32_t n_rows, uint32_t output,
                    uint32_t n_outputs, const float *sums, size_t stride) {
    uint32_t n = least(n_outputs, p->w->n_outputs - output);
    for (uint32_t r = 0; r < n_rows; r++) {
        float *y = row_of(p, row + r) + output;
        const float *sum = sums + r * stride;
        if (!p->add) memcpy(y, sum, n * sizeof *y);
        else add_outputs(y, sum, n);
    }
}

/* The outputs of its panels from `first` on. */
static matrix matrix_from(const matrix *w, uint32_t first) {
    matrix rest = *w;
    rest.n_outputs -= first * PANEL;
    rest.panels += first * w->panel_bytes;
    return rest;
}

static void int8_part(const product_run *run, const product *p, uint32_t first, uint32_t end) {
    enum { COLUMNS = SUMS_PANELS * PANEL };
    const matrix *w = p->w;
    uint32_t row_blocks = w->n_inputs / BLOCK;
    uint32_t group = (uint32_t)(PANEL_GROUP_BYTES / w->panel_bytes) + 1;
    bool direct = in_line(p, run->n_rows);
    if (!direct) group = least(group, SUMS_PANELS);
    for (uint32_t panel = first; panel < end; panel += group)
        for (uint32_t r = 0; r < run->n_rows; r += TILE_ROWS) {
            float sums[TILE_ROWS * COLUMNS];
            uint32_t n_rows = least(TILE_ROWS, run->n_rows - r), n_panels = least(group, end - panel);
            const int8_block *x = run->x->blocks + (size_t)r * row_blocks;
            if (direct) {
                run->backend->kernels.int8_tile(row_of(p, r), p->y_stride, w, panel, n_panels, x, n_rows, p->add);
                continue;
            }
            const matrix rest = matrix_from(w, panel);
            run->backend->kernels.int8_tile(sums, COLUMNS, &rest, 0, n_panels, x, n_rows, false);
            deliver(p, r, n_rows, panel * PANEL, n_panels * PANEL, sums, COLUMNS);
        }
}

/* One row is bound by memory, which is fastest read from front to back. */
static uint32_t panels_a_tile(uint32_t n_rows) {
    return n_rows == 1 ? 1 : TILE_PANELS;
}

static void tiles_part(const product_run *run, const product *p, uint32_t first, uint32_t end,
                       uint32_t first_row) {
    enum { COLUMNS = TILE_PANELS * PANEL };
    const matrix *w = p->w;
    uint32_t n_panels = panels_a_tile(run->n_rows);
    for (uint32_t panel = first; panel < end; panel += n_panels) {
        n_panels = least(n_panels, end - panel);
        bool in_place = !p->add && in_line(p, run->n_rows) && (panel + n_panels) * PANEL <= w->n_outputs;
        for (uint32_t r = first_row; r < run->n_rows; r += TILE_ROWS) {
            float sums[TILE_ROWS * COLUMNS];
            float_tile t = {.type = w->type,
                            .w = w->panels + panel * w->panel_bytes,
                            .k_stride = PANEL,
                            .panel_stride = w->panel_bytes / item_bytes(w->type),
                            .n_panels = n_panels,
                            .x = run->x->values + r * run->x->stride,
                            .x_stride = run->x->stride,
                            .n_rows = least(TILE_ROWS, run->n_rows - r),
                            .y = in_place ? row_of(p, r) + panel * PANEL : sums,
                            .y_stride = in_place ? p->y_stride : COLUMNS};
            slices_run(&run->backend->kernels, t, w->n_inputs);
            if (!in_place)
                deliver(p, r, t.n_rows, panel * PANEL, n_panels * PANEL, sums, COLUMNS);
        }
    }
}

/* Whole blocks by OpenBLAS where it may, what remains of rows and panels by the tile. */
static void float_part(const product_run *run, const product *p, uint32_t first, uint32_t end,
                       uint32_t thread) {
    uint32_t n_whole = p->w->n_outputs / PANEL, n_rows = run->n_rows - run->n_rows % GEMM_ROWS;
    if (!gemm_takes(run->backend->gemm, p->w)) n_rows = 0;
    while (n_rows > 0 && first + GEMM_PANELS <= least(end, n_whole)) {
        for (uint32_t r = 0; r < n_rows; r += GEMM_ROWS) {
            const float *sums = gemm_block(run->backend->gemm, thread, p->w, first,
                                           run->x->values + r * run->x->stride, run->x->stride);
            deliver(p, r, GEMM_ROWS, first * PANEL, GEMM_PANELS * PANEL, sums, GEMM_PANELS * PANEL);
        }
        tiles_part(run, p, first, first + GEMM_PANELS, n_rows);
        first += GEMM_PANELS;
    }
    tiles_part(run, p, first, end, 0);
}

/* Panels first … end − 1 in the row of all products' panels. */
static void run_range(void *context, uint32_t first, uint32_t end, uint32_t thread) {
    const product_run *run = context;
    uint32_t base = 0;
    for (uint32_t i = 0; i < run->n_products; i++) {
        const product *p = &run->products[i];
        uint32_t n_panels = matrix_n_panels(p->w);
        uint32_t from = first > base ? first - base : 0;
        uint32_t to = end > base ? least(end - base, n_panels) : 0;
        base += n_panels;
        if (from >= to) continue;
        if (type_is_quantized(p->w->type)) int8_part(run, p, from, to);
        else float_part(run, p, from, to, thread);
    }
}

void products_run(const backend *b, const product *products, uint32_t n_products,
                  const activations *x, uint32_t n_rows) {
    product_run run = {b, products, n_products, x, n_rows};
    uint32_t n_panels = 0;
    uint64_t work = 0;
    for (uint32_t i = 0; i < n_products; i++) {
        const matrix *w = products[i].w;
        n_panels += matrix_n_panels(w);
        work += (uint64_t)w->n_outputs * w->n_inputs * n_rows;
    }
    threads_for(b->pool, n_panels, work, run_range, &run);
}
