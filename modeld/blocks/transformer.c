#include "transformer.h"

#include <stdlib.h>
#include <string.h>

#include "attention.h"
#include "rotation.h"

/* Work space, [n_rows_max, …] each. */
typedef struct buffers {
    float *x;                   /* dim: the residual stream */
    float *h;                   /* dim: normed */
    float *query, *attended;    /* n_heads · head_dim */
    float *key, *value;         /* n_kv_heads · head_dim */
    float *gate, *up;           /* ffn_dim */
    float *cosines, *sines;     /* rope_dims: for kernels.rotate */
    int8_block *blocks;         /* the widest input of a product, as int8 */
} buffers;

struct transformer {
    model_shape shape;
    const engine *engine;
    transformer_weights w;
    double *frequencies;        /* [rope_dims / 2]: radians a position */
    attention *attention;
    bool has_int8;              /* some weights are quantized, so that rows are wanted as int8 */
    buffers b;
};

/* Buffers -------------------------------------------------------------------------------------- */

static uint32_t most(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

static float *new_rows(uint32_t n_rows, size_t n_items) {
    return malloc((n_rows * n_items + 1) * sizeof(float));     /* never of 0 bytes */
}

static bool make_buffers(transformer *t, uint32_t n_rows) {
    const model_shape *s = &t->shape;
    buffers *b = &t->b;
    uint32_t query_dim = s->n_heads * s->head_dim, kv_dim = s->n_kv_heads * s->head_dim;
    size_t n_blocks = most(most(s->dim, query_dim), s->ffn_dim) / BLOCK;
    b->x = new_rows(n_rows, s->dim);
    b->h = new_rows(n_rows, s->dim);
    b->query = new_rows(n_rows, query_dim);
    b->attended = new_rows(n_rows, query_dim);
    b->key = new_rows(n_rows, kv_dim);
    b->value = new_rows(n_rows, kv_dim);
    b->gate = new_rows(n_rows, s->ffn_dim);
    b->up = new_rows(n_rows, s->ffn_dim);
    b->cosines = new_rows(n_rows, s->rope_dims);
    b->sines = new_rows(n_rows, s->rope_dims);
    b->blocks = malloc(n_rows * (n_blocks + 1) * sizeof *b->blocks);
    return b->x && b->h && b->query && b->attended && b->key && b->value && b->gate && b->up
           && b->cosines && b->sines && b->blocks;
}

static void free_buffers(buffers *b) {
    free(b->x);
    free(b->h);
    free(b->query);
    free(b->attended);
    free(b->key);
    free(b->value);
    free(b->gate);
    free(b->up);
    free(b->cosines);
    free(b->sines);
    free(b->blocks);
}

transformer *transformer_new(const model_shape *shape, const engine *e, uint32_t n_rows_max) {
    transformer *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->shape = *shape;
    t->engine = e;
    t->w.layers = calloc(shape->n_layers, sizeof *t->w.layers);
    t->frequencies = calloc(shape->rope_dims / 2 + 1, sizeof *t->frequencies);
    t->attention = attention_new(&t->shape, e, n_rows_max);
    if (!t->w.layers || !t->frequencies || !t->attention || !make_buffers(t, n_rows_max)) {
        transformer_close(&t);
        return NULL;
    }
    return t;
}

static bool any_quantized(const transformer *t) {
    bool any = type_is_quantized(t->w.output.type);
    for (uint32_t i = 0; i < t->shape.n_layers && !any; i++) {
        const transformer_layer *l = &t->w.layers[i];
        const linear *all[] = {&l->query, &l->key, &l->value, &l->attention_output,
                               &l->up, &l->down, &l->gate};
        for (size_t k = 0; k < sizeof all / sizeof *all - !t->w.gated; k++)
            any = any || type_is_quantized(all[k]->w.type);
    }
    return any;
}

transformer_weights *transformer_weights_of(transformer *t) {
    return &t->w;
}

status transformer_ready(transformer *t, failure *f) {
    t->has_int8 = any_quantized(t);
    return rotation_frequencies(&t->shape, t->w.rope_factors, t->frequencies, f);
}

void transformer_close(transformer **t) {
    if (!*t) return;
    free_buffers(&(*t)->b);
    attention_free(&(*t)->attention);
    free((*t)->frequencies);
    free((*t)->w.layers);
    free(*t);
    *t = NULL;
}

/* The forward pass ----------------------------------------------------------------------------- */

/* A batch on its way through one layer; the steps between products work on ranges of rows. */
typedef struct pass {
    const transformer *t;
    const transformer_layer *layer;
    uint32_t number;            /* of the layer */
    kv_cache *cache;
    const batch_row *rows;
    uint32_t n_rows;
    const norm *norm;           /* of the step norm_rows */
} pass;

/* `width` items of each row are read or made, each at the price of some twenty multiply-adds. */
static void for_rows(pass *p, uint32_t width, threads_body *step) {
    threads_for(p->t->engine->pool, p->n_rows, 20ull * p->n_rows * width, step, p);
}

/* As int8, too, for products with quantized weights. */
static void quantize_row(const transformer *t, const float *x, uint32_t row, uint32_t width) {
    if (!t->has_int8 || width % BLOCK != 0) return;
    t->engine->kernels.quantize(t->b.blocks + (size_t)row * (width / BLOCK), x, width / BLOCK);
}

static void add_items(float *x, const float *y, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) x[i] += y[i];
}

/* x[r] += bias, where there is one. */
static void add_bias(const pass *p, float *x, const linear *l) {
    if (!l->bias) return;
    for (uint32_t r = 0; r < p->n_rows; r++)
        add_items(x + (size_t)r * l->w.n_outputs, l->bias, l->w.n_outputs);
}

static void embed_rows(void *context, uint32_t first, uint32_t end, uint32_t thread) {
    (void)thread;
    const pass *p = context;
    const transformer *t = p->t;
    uint32_t rope_dims = t->shape.rope_dims, dim = t->shape.dim;
    for (uint32_t r = first; r < end; r++) {
        float *x = t->b.x + (size_t)r * dim, *position = t->b.h + (size_t)r * dim;
        lookup_row(&t->w.embedding, (uint32_t)p->rows[r].id, x);
        rotation_at(&t->shape, t->frequencies, p->rows[r].pos, t->b.cosines + (size_t)r * rope_dims,
                    t->b.sines + (size_t)r * rope_dims);
        if (rope_dims > 0) continue;
        lookup_row(&t->w.positions, p->rows[r].pos, position);
        add_items(x, position, dim);
    }
}

static void norm_rows(void *context, uint32_t first, uint32_t end, uint32_t thread) {
    (void)thread;
    const pass *p = context;
    const transformer *t = p->t;
    const kernels *k = &t->engine->kernels;
    uint32_t dim = t->shape.dim;
    float epsilon = t->shape.norm_epsilon;
    for (uint32_t r = first; r < end; r++) {
        const float *x = t->b.x + (size_t)r * dim;
        float *h = t->b.h + (size_t)r * dim;
        if (t->w.centred) k->layer_norm(h, x, p->norm->weight, p->norm->bias, dim, epsilon);
        else k->rms_norm(h, x, p->norm->weight, dim, epsilon);
        quantize_row(t, h, r, dim);
    }
}

/* Turn queries and keys to their position; keys and values go to the cache. */
static void place_rows(void *context, uint32_t first, uint32_t end, uint32_t thread) {
    (void)thread;
    const pass *p = context;
    const model_shape *s = &p->t->shape;
    const buffers *b = &p->t->b;
    const kernels *k = &p->t->engine->kernels;
    for (uint32_t r = first; r < end; r++) {
        const float *cosines = b->cosines + (size_t)r * s->rope_dims;
        const float *sines = b->sines + (size_t)r * s->rope_dims;
        for (uint32_t h = 0; h < s->n_heads; h++)
            k->rotate(b->query + ((size_t)r * s->n_heads + h) * s->head_dim, cosines, sines,
                      s->rope_dims);
        for (uint32_t h = 0; h < s->n_kv_heads; h++) {
            size_t at = ((size_t)r * s->n_kv_heads + h) * s->head_dim;
            k->rotate(b->key + at, cosines, sines, s->rope_dims);
            kv_cache_write(p->cache, p->rows[r].sequence, p->number, h, p->rows[r].pos, b->key + at,
                           b->value + at);
        }
    }
}

static void attended_rows(void *context, uint32_t first, uint32_t end, uint32_t thread) {
    (void)thread;
    const pass *p = context;
    const transformer *t = p->t;
    uint32_t width = t->shape.n_heads * t->shape.head_dim;
    for (uint32_t r = first; r < end; r++)
        quantize_row(t, t->b.attended + (size_t)r * width, r, width);
}

static void activate_rows(void *context, uint32_t first, uint32_t end, uint32_t thread) {
    (void)thread;
    const pass *p = context;
    const transformer *t = p->t;
    uint32_t width = t->shape.ffn_dim;
    for (uint32_t r = first; r < end; r++) {
        float *gate = t->b.gate + (size_t)r * width, *up = t->b.up + (size_t)r * width;
        if (t->w.gated) t->engine->kernels.swiglu(gate, up, width);
        else t->engine->kernels.gelu(gate, up, width);
        quantize_row(t, gate, r, width);
    }
}

/* y = W x + bias; with `add`, y is added to. Items of y's rows stand side by side. */
static product product_of(const linear *l, float *y, bool add) {
    return (product){&l->w, y, l->w.n_outputs, add};
}

static void attention_block(pass *p) {
    const transformer *t = p->t;
    const transformer_layer *l = p->layer;
    const buffers *b = &t->b;
    size_t dim = t->shape.dim, query_dim = (size_t)t->shape.n_heads * t->shape.head_dim;

    /* h = norm(x) */
    p->norm = &l->attention_norm;
    for_rows(p, t->shape.dim, norm_rows);
    /* q, k, v = W h + bias */
    product inputs[] = {product_of(&l->query, b->query, false), product_of(&l->key, b->key, false),
                        product_of(&l->value, b->value, false)};
    products_run(t->engine, inputs, 3, &(activations){b->h, dim, b->blocks}, p->n_rows);
    add_bias(p, b->query, &l->query);
    add_bias(p, b->key, &l->key);
    add_bias(p, b->value, &l->value);
    /* rotate q and k, append k and v, attend */
    for_rows(p, t->shape.dim, place_rows);
    attention_run(t->attention, p->number, b->query, b->attended);
    for_rows(p, t->shape.dim, attended_rows);
    /* x += W a, + bias */
    product output = product_of(&l->attention_output, b->x, true);
    products_run(t->engine, &output, 1, &(activations){b->attended, query_dim, b->blocks},
                 p->n_rows);
    add_bias(p, b->x, &l->attention_output);
}

static void ffn_block(pass *p) {
    const transformer *t = p->t;
    const transformer_layer *l = p->layer;
    const buffers *b = &t->b;
    size_t dim = t->shape.dim, ffn_dim = t->shape.ffn_dim;

    /* h = norm(x) */
    p->norm = &l->ffn_norm;
    for_rows(p, t->shape.dim, norm_rows);
    /* u and, where it is gated, g = W h + bias */
    product inputs[] = {product_of(&l->up, b->up, false), product_of(&l->gate, b->gate, false)};
    products_run(t->engine, inputs, t->w.gated ? 2 : 1, &(activations){b->h, dim, b->blocks},
                 p->n_rows);
    add_bias(p, b->up, &l->up);
    if (t->w.gated) add_bias(p, b->gate, &l->gate);
    /* g = silu(g) · u, or gelu(u) */
    for_rows(p, t->shape.ffn_dim, activate_rows);
    /* x += W g, + bias */
    product output = product_of(&l->down, b->x, true);
    products_run(t->engine, &output, 1, &(activations){b->gate, ffn_dim, b->blocks}, p->n_rows);
    add_bias(p, b->x, &l->down);
}

/* Rows that want logits move to the front of x; the others are done. Returns how many there are. */
static uint32_t keep_wanted_rows(const pass *p) {
    size_t dim = p->t->shape.dim;
    float *x = p->t->b.x;
    uint32_t n_kept = 0;
    for (uint32_t r = 0; r < p->n_rows; r++)
        if (p->rows[r].wants_logits) memmove(x + n_kept++ * dim, x + r * dim, dim * sizeof *x);
    return n_kept;
}

void transformer_forward(transformer *t, kv_cache *cache, const batch_row *rows, uint32_t n_rows,
                         float *logits) {
    pass p = {.t = t, .cache = cache, .rows = rows, .n_rows = n_rows};
    for_rows(&p, t->shape.dim, embed_rows);
    attention_begin(t->attention, cache, rows, n_rows);
    for (uint32_t i = 0; i < t->shape.n_layers; i++) {
        p.number = i;
        p.layer = &t->w.layers[i];
        attention_block(&p);
        ffn_block(&p);
    }
    p.n_rows = keep_wanted_rows(&p);
    if (p.n_rows == 0) return;
    p.norm = &t->w.output_norm;
    for_rows(&p, t->shape.dim, norm_rows);
    products_run(t->engine, &(product){&t->w.output, logits, t->shape.n_vocab, false}, 1,
                 &(activations){t->b.h, t->shape.dim, t->b.blocks}, p.n_rows);
}
