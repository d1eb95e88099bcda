#include "llama.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../proto/limits.h"
#include "../proto/rt/fmath.h"
#include "attention.h"

/* Sizes beyond any model of this kind; within them no product of two sizes below overflows. */
enum {
    LAYERS_MAX = 1024,
    HEADS_MAX = 1024,
    HEAD_DIM_MAX = 1024,
    DIM_MAX = 1 << 16,
    FFN_DIM_MAX = 1 << 18,
};

typedef struct layer {
    const float *attention_norm, *ffn_norm;     /* [dim] */
    matrix query, key, value, attention_output;
    matrix gate, up, down;
} layer;

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

typedef struct llama {
    model_shape shape;
    const engine *engine;
    lookup embedding;
    layer *layers;              /* [n_layers] */
    const float *output_norm;   /* [dim] */
    matrix output;              /* [n_vocab, dim] */
    double *frequencies;        /* [rope_dims / 2]: radians a position */
    attention *attention;
    buffers b;
} llama;

/* Sizes ---------------------------------------------------------------------------------------- */

static status read_uint(const gguf *g, const char *key, uint64_t min, uint64_t max, uint32_t *out,
                        failure *f) {
    uint64_t value = 0;
    status st = gguf_uint(g, key, min, max, &value, f);
    *out = (uint32_t)value;
    return st;
}

static status read_uint_or(const gguf *g, const char *key, uint64_t min, uint64_t max,
                           uint32_t fallback, uint32_t *out, failure *f) {
    uint64_t value = 0;
    status st = gguf_uint_or(g, key, min, max, fallback, &value, f);
    *out = (uint32_t)value;
    return st;
}

static status read_heads(const gguf *g, model_shape *s, failure *f) {
    status st = read_uint(g, "llama.attention.head_count", 1, HEADS_MAX, &s->n_heads, f);
    if (st != STATUS_OK) return st;
    st = read_uint_or(g, "llama.attention.head_count_kv", 1, s->n_heads, s->n_heads, &s->n_kv_heads,
                      f);
    if (st != STATUS_OK) return st;
    if (s->n_heads % s->n_kv_heads != 0)
        return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                           "%u heads cannot share %u key and value heads evenly",
                           s->n_heads, s->n_kv_heads);
    uint32_t value_dim, width = s->dim / s->n_heads;
    if (!gguf_has(g, "llama.attention.key_length") && (s->dim % s->n_heads != 0 || width == 0))
        return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                           "an embedding of %u does not divide into %u heads",
                           s->dim, s->n_heads);
    st = read_uint_or(g, "llama.attention.key_length", 1, HEAD_DIM_MAX, width, &s->head_dim, f);
    if (st != STATUS_OK) return st;
    st = read_uint_or(g, "llama.attention.value_length", 1, HEAD_DIM_MAX, s->head_dim, &value_dim,
                      f);
    if (st != STATUS_OK) return st;
    if (value_dim != s->head_dim)
        return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                           "values of %u beside keys of %u are not supported",
                           value_dim, s->head_dim);
    return STATUS_OK;
}

static status read_rope(const gguf *g, model_shape *s, failure *f) {
    status st = read_uint_or(g, "llama.rope.dimension_count", 2, s->head_dim, s->head_dim,
                             &s->rope_dims, f);
    if (st != STATUS_OK) return st;
    if (s->rope_dims % 2 != 0 || s->rope_dims == 0)
        return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                           "rotary positions need pairs, not %u dimensions",
                           s->rope_dims);
    st = gguf_real_or(g, "llama.rope.freq_base", 10000.0, &s->rope_base, f);
    if (st != STATUS_OK) return st;
    if (!(s->rope_base >= 1.0))
        return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                           "llama.rope.freq_base is %g, must be at least 1",
                           s->rope_base);
    return STATUS_OK;
}

/* Features that change the numbers and are not computed here. */
static status refuse_extras(const gguf *g, failure *f) {
    static const char *const counts[] = {"llama.expert_count", "llama.attention.sliding_window"};
    static const char *const factors[] = {"llama.rope.scaling.factor", "llama.rope.scale_linear"};
    const char *kind;
    size_t n_bytes;
    for (int i = 0; i < 2; i++) {
        uint64_t count;
        status st = gguf_uint_or(g, counts[i], 0, UINT64_MAX, 0, &count, f);
        if (st != STATUS_OK) return st;
        if (count > 0)
            return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                               "%s is %llu; only 0 is supported", counts[i],
                               (unsigned long long)count);
        double factor;
        st = gguf_real_or(g, factors[i], 1.0, &factor, f);
        if (st != STATUS_OK) return st;
        if (factor != 1.0 && factor != 0.0)     /* converters write 0 for none */
            return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                               "%s is %g; only 1 is supported", factors[i], factor);
    }
    if (!gguf_has(g, "llama.rope.scaling.type")) return STATUS_OK;
    status st = gguf_text(g, "llama.rope.scaling.type", &kind, &n_bytes, f);
    if (st != STATUS_OK) return st;
    bool plain = (n_bytes == 4 && memcmp(kind, "none", 4) == 0)
                 || (n_bytes == 6 && memcmp(kind, "linear", 6) == 0);
    if (!plain)
        return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                           "llama.rope.scaling.type is \"%.*s\"; only \"none\" and "
                           "\"linear\" are supported", (int)(n_bytes < 64 ? n_bytes : 64), kind);
    return STATUS_OK;
}

static status read_epsilon(const gguf *g, model_shape *s, failure *f) {
    const char *key = "llama.attention.layer_norm_rms_epsilon";
    double epsilon = 0.0;
    status st = gguf_real_or(g, key, -1.0, &epsilon, f);
    if (st != STATUS_OK) return st;
    if (!(epsilon >= 0.0 && epsilon < 1.0))
        return gguf_refuse(g, f, STATUS_UNSUPPORTED, "%s is missing or not within 0 … 1", key);
    s->norm_epsilon = (float)epsilon;
    return STATUS_OK;
}

/* The vocabulary's size is the embedding's: some files have no key for it. */
static status read_vocabulary_size(const gguf *g, model_shape *s, failure *f) {
    const gguf_tensor *t = gguf_find_tensor(g, "token_embd.weight");
    if (!t)
        return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                           "the tensor \"token_embd.weight\" is missing");
    if (t->dims[1] > N_VOCAB_MAX)
        return gguf_refuse(g, f, STATUS_UNSUPPORTED, "a vocabulary of %llu is more than %d",
                           (unsigned long long)t->dims[1], N_VOCAB_MAX);
    s->n_vocab = (uint32_t)t->dims[1];
    return STATUS_OK;
}

static status read_shape(const gguf *g, model_shape *s, failure *f) {
    *s = (model_shape){0};
    status st = refuse_extras(g, f);
    if (st == STATUS_OK) st = read_uint(g, "llama.context_length", 1, N_CTX_MAX, &s->n_ctx, f);
    if (st == STATUS_OK) st = read_uint(g, "llama.block_count", 1, LAYERS_MAX, &s->n_layers, f);
    if (st == STATUS_OK) st = read_uint(g, "llama.embedding_length", 1, DIM_MAX, &s->dim, f);
    if (st == STATUS_OK)
        st = read_uint(g, "llama.feed_forward_length", 1, FFN_DIM_MAX, &s->ffn_dim, f);
    if (st == STATUS_OK) st = read_heads(g, s, f);
    if (st == STATUS_OK) st = read_rope(g, s, f);
    if (st == STATUS_OK) st = read_epsilon(g, s, f);
    if (st == STATUS_OK) st = read_vocabulary_size(g, s, f);
    return st;
}

/* Tensors -------------------------------------------------------------------------------------- */

enum { TENSOR_NAME_BYTES = 64 };

static status layer_matrix(weights *w, uint32_t number, const char *name, uint32_t n_outputs,
                           uint32_t n_inputs, matrix *out, failure *f) {
    char full[TENSOR_NAME_BYTES];
    snprintf(full, sizeof full, "blk.%u.%s.weight", number, name);
    return weights_matrix(w, full, n_outputs, n_inputs, out, f);
}

static status layer_vector(weights *w, uint32_t number, const char *name, uint32_t n,
                           const float **out, failure *f) {
    char full[TENSOR_NAME_BYTES];
    snprintf(full, sizeof full, "blk.%u.%s.weight", number, name);
    return weights_vector(w, full, n, out, f);
}

static status take_layer(layer *l, weights *w, uint32_t i, const model_shape *s, failure *f) {
    uint32_t query_dim = s->n_heads * s->head_dim, kv_dim = s->n_kv_heads * s->head_dim;
    status st = layer_vector(w, i, "attn_norm", s->dim, &l->attention_norm, f);
    if (st == STATUS_OK) st = layer_matrix(w, i, "attn_q", query_dim, s->dim, &l->query, f);
    if (st == STATUS_OK) st = layer_matrix(w, i, "attn_k", kv_dim, s->dim, &l->key, f);
    if (st == STATUS_OK) st = layer_matrix(w, i, "attn_v", kv_dim, s->dim, &l->value, f);
    if (st == STATUS_OK)
        st = layer_matrix(w, i, "attn_output", s->dim, query_dim, &l->attention_output, f);
    if (st == STATUS_OK) st = layer_vector(w, i, "ffn_norm", s->dim, &l->ffn_norm, f);
    if (st == STATUS_OK) st = layer_matrix(w, i, "ffn_gate", s->ffn_dim, s->dim, &l->gate, f);
    if (st == STATUS_OK) st = layer_matrix(w, i, "ffn_up", s->ffn_dim, s->dim, &l->up, f);
    if (st == STATUS_OK) st = layer_matrix(w, i, "ffn_down", s->dim, s->ffn_dim, &l->down, f);
    return st;
}

static status take_tensors(llama *n, weights *w, failure *f) {
    const model_shape *s = &n->shape;
    const char *head = weights_has(w, "output.weight") ? "output.weight" : "token_embd.weight";
    status st = weights_lookup(w, "token_embd.weight", s->n_vocab, s->dim, &n->embedding, f);
    for (uint32_t i = 0; st == STATUS_OK && i < s->n_layers; i++)
        st = take_layer(&n->layers[i], w, i, s, f);
    if (st == STATUS_OK) st = weights_vector(w, "output_norm.weight", s->dim, &n->output_norm, f);
    if (st == STATUS_OK) st = weights_matrix(w, head, s->n_vocab, s->dim, &n->output, f);
    return st;
}

/* Buffers -------------------------------------------------------------------------------------- */

static uint32_t most(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

static float *new_rows(uint32_t n_rows, size_t n_items) {
    return malloc(n_rows * n_items * sizeof(float));
}

static bool make_buffers(llama *n, uint32_t n_rows) {
    const model_shape *s = &n->shape;
    buffers *b = &n->b;
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

static void close_network(void **network) {
    llama *n = *network;
    if (!n) return;
    free_buffers(&n->b);
    attention_free(&n->attention);
    free(n->frequencies);
    free(n->layers);
    free(n);
    *network = NULL;
}

/* Pair i turns by base^(−2i / rope_dims) a position. */
static void fill_frequencies(llama *n) {
    for (uint32_t i = 0; i < n->shape.rope_dims / 2; i++)
        n->frequencies[i] = fmath_pow(n->shape.rope_base, -2.0 * i / n->shape.rope_dims);
}

static status open_network(void **network, const network_parts *parts, failure *f) {
    llama *n = calloc(1, sizeof *n);
    void *owned = n;
    *network = NULL;
    if (!n) goto no_memory;
    n->shape = *parts->shape;
    n->engine = parts->engine;
    n->layers = calloc(n->shape.n_layers, sizeof *n->layers);
    n->frequencies = calloc(n->shape.rope_dims / 2, sizeof *n->frequencies);
    if (!n->layers || !n->frequencies) goto no_memory;
    fill_frequencies(n);
    status st = take_tensors(n, parts->weights, f);
    if (st != STATUS_OK) {
        close_network(&owned);
        return st;
    }
    n->attention = attention_new(&n->shape, n->engine, parts->n_rows_max);
    if (!n->attention || !make_buffers(n, parts->n_rows_max)) goto no_memory;
    *network = n;
    return STATUS_OK;
no_memory:
    close_network(&owned);
    return fail(f, STATUS_NO_MEMORY, "no memory for the work space of %u rows", parts->n_rows_max);
}

/* The forward pass ----------------------------------------------------------------------------- */

/* A batch on its way through one layer; the steps between products work on ranges of rows. */
typedef struct pass {
    const llama *net;
    const layer *layer;
    uint32_t number;            /* of the layer */
    kv_cache *cache;
    const batch_row *rows;
    uint32_t n_rows;
    const float *norm;          /* of the step norm_rows */
} pass;

/* `width` items of each row are read or made, each at the price of some twenty multiply-adds. */
static void for_rows(pass *p, uint32_t width, threads_body *step) {
    threads_for(p->net->engine->pool, p->n_rows, 20ull * p->n_rows * width, step, p);
}

/* As int8, too, where the products that follow have quantized weights. */
static void quantize_row(const llama *n, const float *x, uint32_t row, uint32_t width) {
    if (width % BLOCK != 0) return;
    n->engine->kernels.quantize(n->b.blocks + (size_t)row * (width / BLOCK), x, width / BLOCK);
}

static void embed_rows(void *context, uint32_t first, uint32_t end, uint32_t thread) {
    (void)thread;
    const pass *p = context;
    const llama *n = p->net;
    uint32_t n_pairs = n->shape.rope_dims / 2;
    for (uint32_t r = first; r < end; r++) {
        lookup_row(&n->embedding, (uint32_t)p->rows[r].id, n->b.x + (size_t)r * n->shape.dim);
        float *cosines = n->b.cosines + (size_t)r * 2 * n_pairs;
        float *sines = n->b.sines + (size_t)r * 2 * n_pairs;
        for (uint32_t i = 0; i < n_pairs; i++) {
            double angle = p->rows[r].pos * n->frequencies[i];
            cosines[2 * i] = cosines[2 * i + 1] = (float)fmath_cos(angle);
            sines[2 * i + 1] = (float)fmath_sin(angle);
            sines[2 * i] = -sines[2 * i + 1];
        }
    }
}

static void norm_rows(void *context, uint32_t first, uint32_t end, uint32_t thread) {
    (void)thread;
    const pass *p = context;
    const llama *n = p->net;
    uint32_t dim = n->shape.dim;
    for (uint32_t r = first; r < end; r++) {
        float *h = n->b.h + (size_t)r * dim;
        n->engine->kernels.rms_norm(h, n->b.x + (size_t)r * dim, p->norm, dim,
                                    n->shape.norm_epsilon);
        quantize_row(n, h, r, dim);
    }
}

/* Turn queries and keys to their position; keys and values go to the cache. */
static void place_rows(void *context, uint32_t first, uint32_t end, uint32_t thread) {
    (void)thread;
    const pass *p = context;
    const model_shape *s = &p->net->shape;
    const buffers *b = &p->net->b;
    const kernels *k = &p->net->engine->kernels;
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
    const llama *n = p->net;
    uint32_t width = n->shape.n_heads * n->shape.head_dim;
    for (uint32_t r = first; r < end; r++)
        quantize_row(n, n->b.attended + (size_t)r * width, r, width);
}

static void swiglu_rows(void *context, uint32_t first, uint32_t end, uint32_t thread) {
    (void)thread;
    const pass *p = context;
    const llama *n = p->net;
    uint32_t width = n->shape.ffn_dim;
    for (uint32_t r = first; r < end; r++) {
        float *gate = n->b.gate + (size_t)r * width;
        n->engine->kernels.swiglu(gate, n->b.up + (size_t)r * width, width);
        quantize_row(n, gate, r, width);
    }
}

static void attention_block(pass *p) {
    const llama *n = p->net;
    const layer *l = p->layer;
    const buffers *b = &n->b;
    size_t dim = n->shape.dim, query_dim = (size_t)n->shape.n_heads * n->shape.head_dim;
    size_t kv_dim = (size_t)n->shape.n_kv_heads * n->shape.head_dim;

    /* h = norm(x) */
    p->norm = l->attention_norm;
    for_rows(p, n->shape.dim, norm_rows);
    /* q, k, v = W h */
    product inputs[] = {{&l->query, b->query, query_dim, false},
                        {&l->key, b->key, kv_dim, false},
                        {&l->value, b->value, kv_dim, false}};
    products_run(n->engine, inputs, 3, &(activations){b->h, dim, b->blocks}, p->n_rows);
    /* rotate q and k, append k and v, attend */
    for_rows(p, n->shape.dim, place_rows);
    attention_run(n->attention, p->number, b->query, b->attended);
    for_rows(p, n->shape.dim, attended_rows);
    /* x += W a */
    product output = {&l->attention_output, b->x, dim, true};
    products_run(n->engine, &output, 1, &(activations){b->attended, query_dim, b->blocks},
                 p->n_rows);
}

static void ffn_block(pass *p) {
    const llama *n = p->net;
    const layer *l = p->layer;
    const buffers *b = &n->b;
    size_t dim = n->shape.dim, ffn_dim = n->shape.ffn_dim;

    /* h = norm(x) */
    p->norm = l->ffn_norm;
    for_rows(p, n->shape.dim, norm_rows);
    /* g, u = W h */
    product inputs[] = {{&l->gate, b->gate, ffn_dim, false}, {&l->up, b->up, ffn_dim, false}};
    products_run(n->engine, inputs, 2, &(activations){b->h, dim, b->blocks}, p->n_rows);
    /* g = silu(g) · u */
    for_rows(p, n->shape.ffn_dim, swiglu_rows);
    /* x += W g */
    product output = {&l->down, b->x, dim, true};
    products_run(n->engine, &output, 1, &(activations){b->gate, ffn_dim, b->blocks}, p->n_rows);
}

/* Rows that want logits move to the front of x; the others are done. Returns how many there are. */
static uint32_t keep_wanted_rows(const pass *p) {
    size_t dim = p->net->shape.dim;
    float *x = p->net->b.x;
    uint32_t n_kept = 0;
    for (uint32_t r = 0; r < p->n_rows; r++)
        if (p->rows[r].wants_logits) memmove(x + n_kept++ * dim, x + r * dim, dim * sizeof *x);
    return n_kept;
}

static void forward(void *network, kv_cache *cache, const batch_row *rows, uint32_t n_rows,
                    float *logits) {
    llama *n = network;
    pass p = {.net = n, .cache = cache, .rows = rows, .n_rows = n_rows};
    for_rows(&p, n->shape.dim, embed_rows);
    attention_begin(n->attention, cache, rows, n_rows);
    for (uint32_t i = 0; i < n->shape.n_layers; i++) {
        p.number = i;
        p.layer = &n->layers[i];
        attention_block(&p);
        ffn_block(&p);
    }
    p.n_rows = keep_wanted_rows(&p);
    if (p.n_rows == 0) return;
    p.norm = n->output_norm;
    for_rows(&p, n->shape.dim, norm_rows);
    products_run(n->engine, &(product){&n->output, logits, n->shape.n_vocab, false}, 1,
                 &(activations){n->b.h, n->shape.dim, n->b.blocks}, p.n_rows);
}

const architecture llama_architecture = {
    .name = "llama",
    .read_shape = read_shape,
    .open = open_network,
    .close = close_network,
    .forward = forward,
};
