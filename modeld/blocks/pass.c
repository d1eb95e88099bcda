#include "pass.h"

#include <assert.h>

enum { PRODUCTS_MAX = 3 };        /* query, key and value */

/* An item costs some twenty multiply-adds. */
void pass_for_rows(const pass *p, uint32_t width, threads_body *step, void *context) {
    threads_for(p->backend->pool, p->n_rows, 20ull * p->n_rows * width, step, context);
}

void pass_quantize(const pass *p, const float *x, uint32_t row, uint32_t width) {
    if (!p->has_int8 || width % BLOCK != 0) return;
    p->backend->kernels.quantize(p->blocks + (size_t)row * (width / BLOCK), x, width / BLOCK);
}

typedef struct norm_step {
    const pass *p;
    const norm *norm;
} norm_step;

static void norm_rows(void *context, uint32_t first, uint32_t end, uint32_t thread) {
    (void)thread;
    const norm_step *s = context;
    uint32_t dim = s->p->shape->dim;
    for (uint32_t r = first; r < end; r++) {
        float *h = s->p->h + (size_t)r * dim;
        norm_row(s->norm, &s->p->backend->kernels, h, s->p->x + (size_t)r * dim, dim);
        pass_quantize(s->p, h, r, dim);
    }
}

void pass_norm(const pass *p, const norm *m) {
    pass_for_rows(p, p->shape->dim, norm_rows, &(norm_step){p, m});
}

static void add_bias(const linear *l, float *y, uint32_t n_rows) {
    for (uint32_t r = 0; r < n_rows; r++)
        for (uint32_t o = 0; o < l->w.n_outputs; o++) y[(size_t)r * l->w.n_outputs + o] += l->bias[o];
}

void pass_multiply(const pass *p, const linear_step *steps, uint32_t n_steps, const float *in) {
    product products[PRODUCTS_MAX];
    assert(n_steps >= 1 && n_steps <= PRODUCTS_MAX);
    for (uint32_t i = 0; i < n_steps; i++) {
        const matrix *w = &steps[i].linear->w;
        products[i] = (product){.w = w, .y = steps[i].y, .y_stride = w->n_outputs, .add = steps[i].add};
    }
    activations x = {in, products[0].w->n_inputs, p->blocks};
    products_run(p->backend, products, n_steps, &x, p->n_rows);
    for (uint32_t i = 0; i < n_steps; i++)
        if (steps[i].linear->bias) add_bias(steps[i].linear, steps[i].y, p->n_rows);
}
