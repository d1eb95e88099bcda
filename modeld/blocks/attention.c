#include "attention.h"

#include <stdlib.h>

#include "attention_tiles.h"

struct attention {
    attention_tiles *tiles;
    float *query, *attended;    /* [n_rows_max, n_heads · head_dim] */
    float *key, *value;         /* [n_rows_max, n_kv_heads · head_dim] */
};

attention *attention_new(const model_shape *shape, const backend *b, uint32_t n_rows_max) {
    attention *a = calloc(1, sizeof *a);
    if (!a) return NULL;
    size_t query_items = (size_t)n_rows_max * shape->n_heads * shape->head_dim;
    size_t kv_items = (size_t)n_rows_max * shape->n_kv_heads * shape->head_dim;
    a->tiles = attention_tiles_new(shape, b, n_rows_max);
    a->query = malloc(query_items * sizeof *a->query);
    a->attended = malloc(query_items * sizeof *a->attended);
    a->key = malloc(kv_items * sizeof *a->key);
    a->value = malloc(kv_items * sizeof *a->value);
    if (!a->tiles || !a->query || !a->attended || !a->key || !a->value) attention_free(&a);
    return a;
}

void attention_free(attention **a) {
    if (!*a) return;
    attention_tiles_free(&(*a)->tiles);
    free((*a)->query);
    free((*a)->attended);
    free((*a)->key);
    free((*a)->value);
    free(*a);
    *a = NULL;
}

bool attention_is_quantized(const attention_weights *w) {
    return type_is_quantized(w->query.w.type) || type_is_quantized(w->key.w.type)
           || type_is_quantized(w->value.w.type) || type_is_quantized(w->output.w.type);
}

void attention_begin(attention *a, const pass *p) {
    attention_tiles_begin(a->tiles, p->cache, p->rows, p->n_rows);
}

typedef struct attention_step {
    const pass *p;
    const attention *a;
    uint32_t layer;
} attention_step;

/* Queries and keys turn to their position; keys and values go into the cache. */
static void place_rows(void *context, uint32_t first, uint32_t end, uint32_t thread) {
    (void)thread;
    const attention_step *step = context;
    const pass *p = step->p;
    const model_shape *s = p->shape;
    const kernels *k = &p->backend->kernels;
    for (uint32_t r = first; r < end; r++) {
        const float *cosines = p->cosines + (size_t)r * s->rotation.n_dims;
        const float *sines = p->sines + (size_t)r * s->rotation.n_dims;
        float *queries = step->a->query + (size_t)r * s->n_heads * s->head_dim;
        float *keys = step->a->key + (size_t)r * s->n_kv_heads * s->head_dim;
        const float *values = step->a->value + (size_t)r * s->n_kv_heads * s->head_dim;
        rotation_turn(&s->rotation, k, cosines, sines, queries, s->n_heads, s->head_dim);
        rotation_turn(&s->rotation, k, cosines, sines, keys, s->n_kv_heads, s->head_dim);
        for (uint32_t h = 0; h < s->n_kv_heads; h++)
            kv_cache_write(p->cache, p->rows[r].sequence, step->layer, h, p->rows[r].pos,
                           keys + (size_t)h * s->head_dim, values + (size_t)h * s->head_dim);
    }
}

static void quantize_rows(void *context, uint32_t first, uint32_t end, uint32_t thread) {
    (void)thread;
    const attention_step *step = context;
    uint32_t width = step->p->shape->n_heads * step->p->shape->head_dim;
    for (uint32_t r = first; r < end; r++)
        pass_quantize(step->p, step->a->attended + (size_t)r * width, r, width);
}

void attention_run(attention *a, const pass *p, const attention_weights *w, uint32_t layer) {
    attention_step step = {p, a, layer};
    /* h = norm(x); q, k, v = W h + bias */
    pass_norm(p, &w->norm);
    const linear_step inputs[] = {
        {&w->query, a->query, false}, {&w->key, a->key, false}, {&w->value, a->value, false}};
    pass_multiply(p, inputs, 3, p->h);
    /* turn q and k, append k and v, attend */
    pass_for_rows(p, p->shape->dim, place_rows, &step);
    attention_tiles_run(a->tiles, layer, a->query, a->attended);
    /* x += W a, + bias */
    pass_for_rows(p, p->shape->dim, quantize_rows, &step);
    pass_multiply(p, &(linear_step){&w->output, p->x, true}, 1, a->attended);
}
