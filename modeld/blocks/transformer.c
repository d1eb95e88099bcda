#include "transformer.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct transformer {
    model_shape shape;
    transformer_weights w;
    attention *attention;
    feed_forward *feed_forward;
    atomic_bool stopped;
    pass pass;                  /* with buffers of n_rows_max rows; cache and rows are those of a call */
};

/* Made and freed ------------------------------------------------------------------------------- */

static uint32_t most(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

static float *new_rows(uint32_t n_rows, size_t n_items) {
    return malloc((n_rows * n_items + 1) * sizeof(float));     /* never of 0 bytes */
}

static bool make_buffers(pass *p, uint32_t n_rows) {
    const model_shape *s = p->shape;
    size_t n_blocks = most(most(s->dim, s->n_heads * s->head_dim), s->ffn_dim) / BLOCK;
    p->x = new_rows(n_rows, s->dim);
    p->h = new_rows(n_rows, s->dim);
    p->cosines = new_rows(n_rows, s->rotation.n_dims);
    p->sines = new_rows(n_rows, s->rotation.n_dims);
    p->blocks = malloc(n_rows * (n_blocks + 1) * sizeof *p->blocks);
    return p->x && p->h && p->cosines && p->sines && p->blocks;
}

transformer *transformer_new(const model_shape *shape, const backend *b, uint32_t n_rows_max) {
    transformer *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->shape = *shape;
    t->pass = (pass){.backend = b, .shape = &t->shape};
    t->w.layers = calloc(shape->n_layers, sizeof *t->w.layers);
    t->w.frequencies = calloc(shape->rotation.n_dims / 2 + 1, sizeof *t->w.frequencies);
    t->attention = attention_new(&t->shape, b, n_rows_max);
    t->feed_forward = feed_forward_new(&t->shape, n_rows_max);
    if (!t->w.layers || !t->w.frequencies || !t->attention || !t->feed_forward
        || !make_buffers(&t->pass, n_rows_max))
        transformer_close(&t);
    return t;
}

void transformer_close(transformer **t) {
    if (!*t) return;
    pass *p = &(*t)->pass;
    free(p->x);
    free(p->h);
    free(p->cosines);
    free(p->sines);
    free(p->blocks);
    attention_free(&(*t)->attention);
    feed_forward_free(&(*t)->feed_forward);
    free((*t)->w.frequencies);
    free((*t)->w.layers);
    free(*t);
    *t = NULL;
}

transformer_weights *transformer_weights_of(transformer *t) {
    return &t->w;
}

void transformer_ready(transformer *t) {
    bool quantized = type_is_quantized(t->w.output.type);
    for (uint32_t i = 0; i < t->shape.n_layers && !quantized; i++)
        quantized = attention_is_quantized(&t->w.layers[i].attention)
                    || feed_forward_is_quantized(&t->w.layers[i].feed_forward);
    t->pass.has_int8 = quantized;
}

/* The forward pass ----------------------------------------------------------------------------- */

typedef struct embed_step {
    const transformer *t;
    const pass *p;
} embed_step;

/* x = the embedding of each row's id; its position is added to it, or becomes cosines and sines. */
static void embed_rows(void *context, uint32_t first, uint32_t end, uint32_t thread) {
    (void)thread;
    const embed_step *step = context;
    const transformer *t = step->t;
    const pass *p = step->p;
    const rotation *turn = &t->shape.rotation;
    uint32_t dim = t->shape.dim;
    for (uint32_t r = first; r < end; r++) {
        float *x = p->x + (size_t)r * dim, *position = p->h + (size_t)r * dim;
        lookup_row(&t->w.embedding, (uint32_t)p->rows[r].id, x);
        rotation_at(turn, t->w.frequencies, p->rows[r].pos, p->cosines + (size_t)r * turn->n_dims,
                    p->sines + (size_t)r * turn->n_dims);
        if (turn->kind != ROTATION_NONE) continue;
        lookup_row(&t->w.positions, p->rows[r].pos, position);
        for (uint32_t i = 0; i < dim; i++) x[i] += position[i];
    }
}

/* Rows that want logits move to the front of x; the others are done. Returns how many there are. */
static uint32_t keep_wanted_rows(const pass *p) {
    size_t dim = p->shape->dim;
    uint32_t n_kept = 0;
    for (uint32_t r = 0; r < p->n_rows; r++)
        if (p->rows[r].wants_logits) memmove(p->x + n_kept++ * dim, p->x + r * dim, dim * sizeof *p->x);
    return n_kept;
}

void transformer_stop(transformer *t) {
    atomic_store_explicit(&t->stopped, true, memory_order_relaxed);
}

void transformer_forward(transformer *t, kv_cache *cache, const batch_row *rows, uint32_t n_rows,
                         float *const *logits) {
    pass *p = &t->pass;
    p->cache = cache;
    p->rows = rows;
    p->n_rows = n_rows;
    pass_for_rows(p, t->shape.dim, embed_rows, &(embed_step){t, p});
    attention_begin(t->attention, p);
    for (uint32_t i = 0; i < t->shape.n_layers; i++) {
        attention_run(t->attention, p, &t->w.layers[i].attention, i);
        feed_forward_run(t->feed_forward, p, &t->w.layers[i].feed_forward);
        if (atomic_load_explicit(&t->stopped, memory_order_relaxed)) return;
    }
    p->n_rows = keep_wanted_rows(p);
    if (p->n_rows == 0) return;
    pass_norm(p, &t->w.output_norm);
    products_run(p->backend, &(product){.w = &t->w.output, .rows = logits}, 1,
                 &(activations){p->h, t->shape.dim, p->blocks}, p->n_rows);
}
