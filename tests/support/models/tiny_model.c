#include "tiny_model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gguf_writer.h"
#include "proto/numeric/fmath.h"
#include "quantize.h"
#include "tiny_vocabulary.h"

/* How one tensor is filled: by `values`, or mean + spread × a bell curve of variance 1. */
typedef struct tensor_plan {
    char name[64];
    uint32_t type, n_dims;
    uint64_t dims[2];           /* columns, rows */
    float mean, spread;
    bool rows_are_tokens;
    float *values;              /* [dims[0]], owned; NULL: none */
} tensor_plan;

typedef struct plan_list {
    tensor_plan *items;
    size_t n_items;
} plan_list;

tiny_model_options tiny_model_defaults(void) {
    return (tiny_model_options){
        .type = TENSOR_F32,
        .embedding_type = TENSOR_F32,
        .seed = 1,
        .shape = {.n_vocab = 320, .n_ctx = 256, .n_layers = 2, .n_heads = 4, .n_kv_heads = 2,
                  .rotation.base = 10000.0, .norm_epsilon = 1e-5f},
        .tied = true,
        .tokenizer = "gpt2",
        .split = "smollm",
        .add_bos = "false",
        .bos = TINY_IM_START,
        .eos = TINY_IM_END,
        .chat_template = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + "
                         "message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
                         "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
        .name = "tiny",
    };
}

/* ---- random numbers: splitmix64 (Steele, Lea and Flood 2014) ---- */

static uint64_t random_next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* Nearly normal, mean 0, variance 1: the sum of four uniform numbers. */
static float random_bell(uint64_t *state) {
    uint64_t bits = random_next(state);
    int sum = 0;
    for (int i = 0; i < 4; i++, bits >>= 16) sum += (int)(bits & 0xffff);
    return (float)(sum - 2 * 0xffff) / 37837.2f;    /* 65536 / √3 */
}

/* ---- what is in the file ---- */

static float root(float x) {
    float guess = x;
    for (int i = 0; i < 40; i++) guess = 0.5f * (guess + x / guess);
    return guess;
}

static tensor_plan *add(plan_list *plans, uint32_t type, uint64_t n_columns, uint64_t n_rows, float gain) {
    tensor_plan *plan = &plans->items[plans->n_items++];
    *plan = (tensor_plan){.type = type, .n_dims = 2, .dims = {n_columns, n_rows},
                          .spread = gain / root((float)n_columns)};
    return plan;
}

static void add_vector(plan_list *plans, const char *name, const char *kind, uint32_t dim,
                       float mean) {
    tensor_plan *plan = add(plans, TENSOR_F32, dim, 1, 0.0f);
    plan->n_dims = 1;
    plan->mean = mean;
    plan->spread = 0.1f;
    snprintf(plan->name, sizeof plan->name, "%s.%s", name, kind);
}

static void add_norm(plan_list *plans, const tiny_model_options *o, const char *name) {
    add_vector(plans, name, "weight", o->shape.dim, 1.0f);
    if (o->family != TINY_LLAMA) add_vector(plans, name, "bias", o->shape.dim, 0.0f);
}

static void add_tokens(plan_list *plans, const tiny_model_options *o, const char *name) {
    tensor_plan *plan = add(plans, o->embedding_type, o->shape.dim, o->shape.n_vocab, 3.0f);
    plan->rows_are_tokens = true;
    snprintf(plan->name, sizeof plan->name, "%s", name);
}

typedef struct matrix_plan {
    const char *name;           /* NULL: no matrix */
    uint32_t n_columns, n_rows;
    float gain;
    bool biased;
} matrix_plan;

/* Queries and keys get a gain, so that attention is selective; what is added to the stream gets more, so
 * that it outweighs the embedding, which as its own output would have each token repeat itself. */
static void add_layer(plan_list *plans, const tiny_model_options *o, uint32_t layer) {
    const model_shape *s = &o->shape;
    uint32_t q_dim = s->n_heads * s->head_dim, kv_dim = s->n_kv_heads * s->head_dim;
    bool fused = o->family == TINY_GPT2, biased = fused, ffn_biased = o->family != TINY_LLAMA;
    const matrix_plan matrices[] = {
        {fused ? "attn_qkv" : NULL, s->dim, 3 * q_dim, 1.5f, true},
        {fused ? NULL : "attn_q", s->dim, q_dim, 1.5f, false},
        {fused ? NULL : "attn_k", s->dim, kv_dim, 1.5f, false},
        {fused ? NULL : "attn_v", s->dim, kv_dim, 1.0f, false},
        {"attn_output", q_dim, s->dim, 4.0f, biased},
        {ffn_biased ? NULL : "ffn_gate", s->dim, s->ffn_dim, 1.5f, false},
        {"ffn_up", s->dim, s->ffn_dim, 1.0f, ffn_biased},
        {"ffn_down", s->ffn_dim, s->dim, 4.0f, ffn_biased},
    };
    char name[48];
    snprintf(name, sizeof name, "blk.%u.attn_norm", layer);
    add_norm(plans, o, name);
    snprintf(name, sizeof name, "blk.%u.ffn_norm", layer);
    add_norm(plans, o, name);
    for (size_t i = 0; i < sizeof matrices / sizeof matrices[0]; i++) {
        const matrix_plan *m = &matrices[i];
        if (!m->name) continue;
        tensor_plan *plan = add(plans, o->type, m->n_columns, m->n_rows, m->gain);
        snprintf(name, sizeof name, "blk.%u.%s", layer, m->name);
        snprintf(plan->name, sizeof plan->name, "%s.weight", name);
        if (m->biased) add_vector(plans, name, "bias", m->n_rows, 0.0f);
    }
}

static void add_positions(plan_list *plans, const tiny_model_options *o) {
    tensor_plan *plan = add(plans, o->embedding_type, o->shape.dim, o->shape.n_ctx, 2.0f);
    snprintf(plan->name, sizeof plan->name, "position_embd.weight");
}

/* Pairs that turn more than four times within the earlier context stay, those that do not turn once there
 * turn an eighth as fast, and in between it is a mixture: factors of 1 to 8. */
static void add_llama3_factors(plan_list *plans, const tiny_model_options *o) {
    uint32_t n_pairs = o->shape.rotation.n_dims / 2;
    tensor_plan *plan = add(plans, TENSOR_F32, n_pairs, 1, 0.0f);
    snprintf(plan->name, sizeof plan->name, "rope_freqs.weight");
    plan->n_dims = 1;
    plan->values = calloc(n_pairs, sizeof *plan->values);
    if (!plan->values) abort();
    for (uint32_t i = 0; i < n_pairs; i++) {
        double turns = o->rope.llama3_context / 6.283185307179586
                       * fmath_pow(o->shape.rotation.base, -2.0 * i / o->shape.rotation.n_dims);
        double kept = (turns - 1) / (4 - 1);
        kept = kept < 0 ? 0 : kept > 1 ? 1 : kept;
        plan->values[i] = (float)(1 / ((1 - kept) / 8 + kept));
    }
}

static plan_list make_plans(const tiny_model_options *o) {
    plan_list plans = {calloc(12 * (size_t)o->shape.n_layers + 6, sizeof *plans.items), 0};
    if (!plans.items) abort();
    add_tokens(&plans, o, "token_embd.weight");
    for (uint32_t i = 0; i < o->shape.n_layers; i++) add_layer(&plans, o, i);
    if (o->family != TINY_LLAMA) add_positions(&plans, o);
    else if (o->rope.llama3_context > 0) add_llama3_factors(&plans, o);
    add_norm(&plans, o, "output_norm");
    if (!o->tied) add_tokens(&plans, o, "output.weight");
    return plans;
}

static const char *architecture(const tiny_model_options *o) {
    return o->architecture ? o->architecture : o->family == TINY_LLAMA ? "llama" : "gpt2";
}

/* "llama.context_length" and the like. */
static const char *key(const tiny_model_options *o, const char *name) {
    static char full[96];
    snprintf(full, sizeof full, "%s.%s", architecture(o), name);
    return full;
}

const tiny_rope_real TINY_ROPE_REALS[N_TINY_ROPE_REALS] = {
    {"factor", "rope-factor", "by how much it is scaled", offsetof(tiny_rope, factor)},
    {"attn_factor", "rope-attention-factor", "of queries and keys", offsetof(tiny_rope, attention_factor)},
    {"yarn_ext_factor", "yarn-ext-factor", "YaRN: how much of fast pairs is kept", offsetof(tiny_rope, yarn_mix)},
    {"yarn_beta_fast", "yarn-beta-fast", "YaRN: turns of a fast pair", offsetof(tiny_rope, yarn_fast)},
    {"yarn_beta_slow", "yarn-beta-slow", "YaRN: turns of a slow pair", offsetof(tiny_rope, yarn_slow)},
    {"yarn_log_multiplier", "yarn-log-multiplier", "YaRN: attention that is sharp already",
     offsetof(tiny_rope, yarn_log)},
};

static void add_rope_keys(gguf_writer *w, const tiny_model_options *o) {
    const tiny_rope *r = &o->rope;
    char part[64];
    if (r->type) gguf_writer_text(w, key(o, "rope.scaling.type"), r->type);
    if (r->scale_linear != 0) gguf_writer_real(w, key(o, "rope.scale_linear"), (float)r->scale_linear);
    if (r->original_context > 0)
        gguf_writer_uint(w, key(o, "rope.scaling.original_context_length"), r->original_context);
    for (size_t i = 0; i < N_TINY_ROPE_REALS; i++) {
        double value;
        memcpy(&value, (const char *)r + TINY_ROPE_REALS[i].offset, sizeof value);
        snprintf(part, sizeof part, "rope.scaling.%s", TINY_ROPE_REALS[i].key);
        if (value != 0) gguf_writer_real(w, key(o, part), (float)value);
    }
}

static void add_llama_keys(gguf_writer *w, const tiny_model_options *o) {
    const model_shape *s = &o->shape;
    gguf_writer_uint(w, key(o, "attention.head_count_kv"), s->n_kv_heads);
    if (s->n_heads * s->head_dim != s->dim) {
        gguf_writer_uint(w, key(o, "attention.key_length"), s->head_dim);
        gguf_writer_uint(w, key(o, "attention.value_length"), s->head_dim);
    }
    gguf_writer_uint(w, key(o, "rope.dimension_count"), s->rotation.n_dims);
    gguf_writer_real(w, key(o, "rope.freq_base"), (float)s->rotation.base);
    gguf_writer_real(w, key(o, "attention.layer_norm_rms_epsilon"), s->norm_epsilon);
    if (o->n_experts > 0) gguf_writer_uint(w, key(o, "expert_count"), o->n_experts);
    add_rope_keys(w, o);
}

static void add_shape_keys(gguf_writer *w, const tiny_model_options *o) {
    const model_shape *s = &o->shape;
    gguf_writer_text(w, "general.architecture", architecture(o));
    gguf_writer_text(w, "general.name", o->name);
    gguf_writer_uint(w, key(o, "vocab_size"), s->n_vocab);
    gguf_writer_uint(w, key(o, "context_length"), s->n_ctx);
    gguf_writer_uint(w, key(o, "block_count"), s->n_layers);
    gguf_writer_uint(w, key(o, "embedding_length"), s->dim);
    gguf_writer_uint(w, key(o, "feed_forward_length"), s->ffn_dim);
    gguf_writer_uint(w, key(o, "attention.head_count"), s->n_heads);
    if (o->family == TINY_LLAMA) add_llama_keys(w, o);
    else gguf_writer_real(w, key(o, "attention.layer_norm_epsilon"), s->norm_epsilon);
}

static void add_vocabulary_keys(gguf_writer *w, const tiny_model_options *o) {
    tiny_vocabulary v;
    tiny_vocabulary_make(&v, o->shape.n_vocab, o->tokens, o->n_tokens);
    gguf_writer_text(w, "tokenizer.ggml.model", o->tokenizer);
    if (o->split) gguf_writer_text(w, "tokenizer.ggml.pre", o->split);
    gguf_writer_texts(w, "tokenizer.ggml.tokens", (const char *const *)v.tokens, v.n_tokens);
    gguf_writer_ints(w, "tokenizer.ggml.token_type", v.types, v.n_tokens);
    gguf_writer_texts(w, "tokenizer.ggml.merges", (const char *const *)v.merges, v.n_merges);
    gguf_writer_uint(w, "tokenizer.ggml.bos_token_id", o->bos);
    gguf_writer_uint(w, "tokenizer.ggml.eos_token_id", o->eos);
    if (o->add_bos)
        gguf_writer_bool(w, "tokenizer.ggml.add_bos_token", strcmp(o->add_bos, "true") == 0);
    if (o->chat_template) gguf_writer_text(w, "tokenizer.chat_template", o->chat_template);
    tiny_vocabulary_free(&v);
}

/* ---- writing ---- */

/* Control tokens and bytes that are no visible ASCII are written small, so that they seldom win. */
static float token_scale(uint64_t token) {
    uint64_t byte = token - TINY_FIRST_BYTE;
    if (token >= TINY_FIRST_MERGE) return 1.0f;
    return token >= TINY_FIRST_BYTE && byte >= ' ' && byte <= '~' ? 1.0f : 0.5f;
}

static bool write_tensor(gguf_writer *w, const tensor_plan *plan, uint64_t seed) {
    const tensor_layout *layout = tensor_layout_of(plan->type);
    size_t n = plan->dims[0], row_bytes = n / layout->block_items * layout->block_bytes;
    float *row = malloc(n * sizeof *row);
    uint8_t *bytes = malloc(row_bytes);
    if (!row || !bytes) abort();
    bool ok = true;
    for (uint64_t r = 0; ok && r < plan->dims[1]; r++) {
        float spread = plan->spread * (plan->rows_are_tokens ? token_scale(r) : 1.0f);
        for (size_t i = 0; i < n; i++)
            row[i] = plan->values ? plan->values[i] : plan->mean + spread * random_bell(&seed);
        quantize_row(layout, row, n, bytes);
        ok = gguf_writer_data(w, bytes, row_bytes);
    }
    free(row);
    free(bytes);
    return ok && gguf_writer_end_tensor(w);
}

static bool write_file(const char *path, const tiny_model_options *o) {
    gguf_writer w;
    gguf_writer_init(&w);
    add_shape_keys(&w, o);
    add_vocabulary_keys(&w, o);
    plan_list plans = make_plans(o);
    for (size_t i = 0; i < plans.n_items; i++)
        gguf_writer_tensor(&w, plans.items[i].name, plans.items[i].type, plans.items[i].n_dims,
                           plans.items[i].dims);
    bool ok = gguf_writer_open(&w, path);
    for (size_t i = 0; ok && i < plans.n_items; i++) {
        uint64_t seed = o->seed ^ i << 32;
        ok = write_tensor(&w, &plans.items[i], random_next(&seed));
    }
    for (size_t i = 0; i < plans.n_items; i++) free(plans.items[i].values);
    free(plans.items);
    if (ok) return gguf_writer_close(&w);
    gguf_writer_clear(&w);
    return false;
}

static status check(const tiny_model_options *o, failure *f) {
    const model_shape *s = &o->shape;
    const tensor_layout *matrix = tensor_layout_of(o->type), *token = tensor_layout_of(o->embedding_type);
    if (!matrix || !token)
        return fail(f, STATUS_BAD_REQUEST, "no such type; there are %s", TENSOR_TYPES_SUPPORTED);
    if (s->n_vocab < TINY_FIRST_MERGE + o->n_tokens)
        return fail(f, STATUS_BAD_REQUEST, "a vocabulary has %zu tokens or more",
                    TINY_FIRST_MERGE + o->n_tokens);
    if (!s->n_layers || !s->dim || !s->ffn_dim || !s->head_dim || !s->n_kv_heads)
        return fail(f, STATUS_BAD_REQUEST, "layers, heads and widths are at least 1");
    if (s->n_heads % s->n_kv_heads != 0)
        return fail(f, STATUS_BAD_REQUEST, "%u kv heads do not divide %u heads", s->n_kv_heads, s->n_heads);
    if (o->family != TINY_LLAMA && s->n_heads * s->head_dim != s->dim)
        return fail(f, STATUS_BAD_REQUEST, "gpt2's %u heads of %u make up its width, not %u",
                    s->n_heads, s->head_dim, s->dim);
    if (s->rotation.n_dims > s->head_dim || s->rotation.n_dims % 2 != 0)
        return fail(f, STATUS_BAD_REQUEST, "%u rotated dimensions of a head of %u", s->rotation.n_dims, s->head_dim);
    if (s->dim % token->block_items || s->dim % matrix->block_items || s->ffn_dim % matrix->block_items
        || s->n_heads * s->head_dim % matrix->block_items)
        return fail(f, STATUS_BAD_REQUEST, "dim %u, ffn %u and %u heads of %u are no whole blocks of %s",
                    s->dim, s->ffn_dim, s->n_heads, s->head_dim, matrix->name);
    return STATUS_OK;
}

/* `n`, or as many as make whole blocks of both types. */
static uint32_t whole_blocks(const tiny_model_options *o, uint32_t n) {
    const tensor_layout *layouts[] = {tensor_layout_of(o->type), tensor_layout_of(o->embedding_type)};
    for (size_t i = 0; i < 2; i++)
        if (layouts[i] && n % layouts[i]->block_items != 0) n = layouts[i]->block_items;
    return n;
}

status tiny_model_write(const char *path, const tiny_model_options *options, failure *f) {
    tiny_model_options o = *options;
    if (o.family != TINY_LLAMA) o.shape.n_kv_heads = o.shape.n_heads;
    if (o.shape.dim == 0) o.shape.dim = whole_blocks(&o, 64);
    if (o.shape.ffn_dim == 0) o.shape.ffn_dim = whole_blocks(&o, 96);
    if (o.shape.head_dim == 0 && o.shape.n_heads) o.shape.head_dim = o.shape.dim / o.shape.n_heads;
    if (o.shape.rotation.n_dims == 0) o.shape.rotation.n_dims = o.shape.head_dim / 2 * 2;
    status st = check(&o, f);
    if (st == STATUS_OK && !write_file(path, &o))
        st = fail(f, STATUS_IO, "%s: %s", path, strerror(errno));
    return st;
}
