#include "feed_forward.h"

#include <stdlib.h>

struct feed_forward {
    float *gate, *up;           /* [n_rows_max, ffn_dim]; gate: the activated rows, whatever the kind */
};

feed_forward *feed_forward_new(const model_shape *shape, uint32_t n_rows_max) {
    feed_forward *ff = calloc(1, sizeof *ff);
    if (!ff) return NULL;
    size_t n_items = (size_t)n_rows_max * shape->ffn_dim;
    ff->gate = malloc(n_items * sizeof *ff->gate);
    ff->up = malloc(n_items * sizeof *ff->up);
    if (!ff->gate || !ff->up) feed_forward_free(&ff);
    return ff;
}

void feed_forward_free(feed_forward **ff) {
    if (!*ff) return;
    free((*ff)->gate);
    free((*ff)->up);
    free(*ff);
    *ff = NULL;
}

bool feed_forward_is_quantized(const feed_forward_weights *w) {
    return type_is_quantized(w->up.w.type) || type_is_quantized(w->down.w.type)
           || (feed_forward_is_gated(w->kind) && type_is_quantized(w->gate.w.type));
}

typedef struct activate_step {
    const pass *p;
    const feed_forward *ff;
    feed_forward_kind kind;
} activate_step;

static void activate_rows(void *context, uint32_t first, uint32_t end, uint32_t thread) {
    (void)thread;
    const activate_step *s = context;
    const kernels *k = &s->p->backend->kernels;
    uint32_t width = s->p->shape->ffn_dim;
    for (uint32_t r = first; r < end; r++) {
        float *gate = s->ff->gate + (size_t)r * width, *up = s->ff->up + (size_t)r * width;
        switch (s->kind) {
        case FEED_FORWARD_GELU: k->gelu(gate, up, width); break;
        case FEED_FORWARD_SWIGLU: k->swiglu(gate, up, width); break;
        }
        pass_quantize(s->p, gate, r, width);
    }
}

void feed_forward_run(feed_forward *ff, const pass *p, const feed_forward_weights *w) {
    /* h = norm(x); u and, where it is gated, g = W h + bias */
    pass_norm(p, &w->norm);
    const linear_step inputs[] = {{&w->up, ff->up, false}, {&w->gate, ff->gate, false}};
    pass_multiply(p, inputs, feed_forward_is_gated(w->kind) ? 2 : 1, p->h);
    /* g = silu(g) · u, or gelu(u) */
    pass_for_rows(p, p->shape->ffn_dim, activate_rows, &(activate_step){p, ff, w->kind});
    /* x += W g, + bias */
    pass_multiply(p, &(linear_step){&w->down, p->x, true}, 1, ff->gate);
}
