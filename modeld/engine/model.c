#include "model.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modeld/arch/architecture.h"
#include "modeld/arch/block_tensors.h"
#include "modeld/arch/weights.h"
#include "modeld/blocks/transformer.h"
#include "modeld/formats/gguf_vocabulary.h"
#include "proto/base/limits.h"
#include "proto/numeric/fmath.h"

enum { HASH_BYTES = 33, DESCRIPTION_BYTES = 256 };
_Static_assert(FINGERPRINT_BYTES == HASH_BYTES + 8, "the hash, then the version in eight digits");

struct model {
    gguf *file;
    model_shape shape;
    gguf_vocabulary *vocabulary;
    backend backend;
    weights *weights;
    const architecture *architecture;
    transformer *network;
    uint32_t n_rows_max;
    uint64_t kv_bytes;
    char fingerprint[FINGERPRINT_BYTES];
    char description[DESCRIPTION_BYTES];
};

/* Widths of input of the float32 matrices: what OpenBLAS would be asked to multiply. */
static uint32_t float32_widths(const gguf *file, uint32_t widths[GEMM_LENGTHS_MAX]) {
    uint32_t n = 0;
    for (size_t i = 0; i < gguf_n_tensors(file) && n < GEMM_LENGTHS_MAX; i++) {
        const gguf_tensor *t = gguf_tensor_at(file, i);
        if (t->layout->type != TENSOR_F32 || t->n_dims != 2 || t->dims[0] > UINT32_MAX) continue;
        bool known = false;
        for (uint32_t k = 0; k < n; k++) known = known || widths[k] == t->dims[0];
        if (!known) widths[n++] = (uint32_t)t->dims[0];
    }
    return n;
}

static status start_backend(model *m, const model_options *o, failure *f) {
    uint32_t n_threads = o->n_threads > 0 ? o->n_threads : threads_default_count();
    status st = kernels_init(&m->backend.kernels, o->isa, f);
    if (st != STATUS_OK) return st;
    m->backend.pool = threads_new(n_threads, fmath_thread_start);
    if (!m->backend.pool)
        return fail(f, STATUS_NO_MEMORY, "%u threads could not be started", n_threads);
    uint32_t widths[GEMM_LENGTHS_MAX], n_widths = float32_widths(m->file, widths);
    if (!o->blas || n_widths == 0) return STATUS_OK;
    m->backend.gemm = gemm_new(&m->backend.kernels, widths, n_widths, n_threads);
    return m->backend.gemm ? STATUS_OK
                          : fail(f, STATUS_NO_MEMORY, "no memory for OpenBLAS's work space");
}

static status build_network(model *m, const model_options *o, failure *f) {
    const memory_limit anything = {.n_bytes = UINT64_MAX};
    status st = weights_new(&m->weights, m->file, f);
    m->kv_bytes = o->kv_bytes;
    if (st == STATUS_OK)
        st = memory_limit_share(o->memory ? o->memory : &anything, weights_bytes(m->weights), &m->kv_bytes, f);
    if (st != STATUS_OK) return st;
    m->network = transformer_new(&m->shape, &m->backend, m->n_rows_max);
    if (!m->network)
        return fail(f, STATUS_NO_MEMORY, "no memory for the work space of %u rows", m->n_rows_max);
    st = block_tensors_take(m->architecture, &m->shape, m->weights, transformer_weights_of(m->network), f);
    if (st == STATUS_OK) st = weights_finish(m->weights, f);
    if (st == STATUS_OK) transformer_ready(m->network);
    return st;
}

/* "Q4_1:210,F32:61": how many tensors of each type. */
static void describe_types(const gguf *file, char *out, size_t n_bytes) {
    uint32_t counts[TENSOR_BF16 + 1] = {0};
    for (size_t i = 0; i < gguf_n_tensors(file); i++)
        counts[gguf_tensor_at(file, i)->layout->type]++;
    *out = '\0';
    for (uint32_t type = 0; type <= TENSOR_BF16; type++) {
        if (counts[type] == 0) continue;
        size_t end = strlen(out);
        snprintf(out + end, n_bytes - end, "%s%s:%u", end ? "," : "", tensor_layout_of(type)->name,
                 counts[type]);
    }
}

/* Open a file as far as its sizes. */
static status open_file(model *m, const char *path, uint32_t n_ctx, failure *f) {
    status st = gguf_open(&m->file, path, f);
    if (st == STATUS_OK) st = architecture_find(&m->architecture, m->file, f);
    return st == STATUS_OK ? architecture_read_shape(m->architecture, m->file, n_ctx, &m->shape, f) : st;
}

static void fingerprint_of(const model *m, char out[FINGERPRINT_BYTES]) {
    char hash[HASH_BYTES];
    gguf_hash(m->file, hash);
    unsigned version = rotation_is_plain(&m->shape.rotation) ? ARITHMETIC_VERSION : ARITHMETIC_VERSION_SCALED;
    snprintf(out, FINGERPRINT_BYTES, "%s%08x", hash, version);
}

static void describe(model *m) {
    char types[96];
    const gemm *g = m->backend.gemm;
    describe_types(m->file, types, sizeof types);
    snprintf(m->description, sizeof m->description,
             "architecture=%s isa=%s threads=%u openblas=%u/%u tensors=%s", m->architecture->name,
             m->backend.kernels.name, threads_count(m->backend.pool), gemm_n_taken(g),
             g ? g->n_checks : 0, types);
}

static status open_model(model *m, const char *path, const model_options *o, failure *f) {
    status st = open_file(m, path, o->n_ctx, f);
    if (st == STATUS_OK) st = gguf_vocabulary_read(&m->vocabulary, m->file, m->shape.n_vocab, f);
    if (st == STATUS_OK) st = start_backend(m, o, f);
    if (st == STATUS_OK) st = build_network(m, o, f);
    if (st != STATUS_OK) return st;
    describe(m);
    fingerprint_of(m, m->fingerprint);
    gguf_forget_pages(m->file); /* packing and hashing have read all of it */
    return STATUS_OK;
}

status model_open(model **out, const char *path, const model_options *options, failure *f) {
    assert(options->n_rows_max >= 1 && options->n_rows_max <= BATCH_ROWS_MAX);
    assert(options->n_threads <= THREADS_MAX && options->n_ctx <= N_CTX_MAX);
    *out = NULL;
    model *m = calloc(1, sizeof *m);
    if (!m) return fail(f, STATUS_NO_MEMORY, "no memory");
    m->n_rows_max = options->n_rows_max;
    status st = open_model(m, path, options, f);
    if (st == STATUS_OK) *out = m;
    else model_close(&m);
    return st;
}

void model_close(model **m) {
    model *old = *m;
    if (!old) return;
    transformer_close(&old->network);
    weights_free(&old->weights);
    gemm_free(&old->backend.gemm);
    threads_free(&old->backend.pool);
    gguf_vocabulary_free(&old->vocabulary);
    gguf_close(&old->file);
    free(old);
    *m = NULL;
}

status model_file_fingerprint(const char *path, char out[FINGERPRINT_BYTES], failure *f) {
    model m = {0};
    status st = open_file(&m, path, 0, f);
    if (st == STATUS_OK) fingerprint_of(&m, out);
    gguf_close(&m.file);
    return st;
}

const model_shape *model_shape_of(const model *m) {
    return &m->shape;
}

kv_shape model_kv_shape(const model *m) {
    const model_shape *s = &m->shape;
    return (kv_shape){s->n_layers, s->n_kv_heads, s->head_dim};
}

uint64_t model_kv_bytes(const model *m) {
    return m->kv_bytes;
}

const model_vocabulary *model_vocabulary_of(const model *m) {
    return gguf_vocabulary_summary(m->vocabulary);
}

model_bytes model_token(const model *m, uint32_t id) {
    return gguf_vocabulary_token(m->vocabulary, id);
}

uint8_t model_token_type(const model *m, uint32_t id) {
    return gguf_vocabulary_token_type(m->vocabulary, id);
}

model_bytes model_merge(const model *m, uint32_t rank) {
    return gguf_vocabulary_merge(m->vocabulary, rank);
}

const char *model_fingerprint(const model *m) {
    return m->fingerprint;
}

const char *model_description(const model *m) {
    return m->description;
}

void model_forward(model *m, kv_cache *cache, const batch_row *rows, uint32_t n_rows,
                   float *const *logits) {
    assert(n_rows >= 1 && n_rows <= m->n_rows_max);
    transformer_forward(m->network, cache, rows, n_rows, logits);
}

void model_stop(model *m) {
    transformer_stop(m->network);
}
