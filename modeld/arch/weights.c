#include "weights.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_PAGE_BYTES = 2 * 1024 * 1024 };

struct weights {
    const gguf *file;
    bool *used;                 /* [gguf_n_tensors] */
    uint8_t *memory;            /* packed matrices and vectors, one after the other */
    size_t memory_bytes, used_bytes;
};

static size_t round_up(size_t n, size_t unit) {
    return (n + unit - 1) / unit * unit;
}

/* What a tensor takes at most: as a matrix, in parts of which each has a last panel that is not full; a
 * vector takes less. 0: more than fits in memory. */
static size_t packed_bytes(const gguf_tensor *t) {
    enum { FILLING = (WEIGHTS_PARTS_MAX - 1) * PANEL };
    if (t->dims[0] > UINT32_MAX || t->dims[1] > UINT32_MAX - FILLING) return 0;
    return matrix_bytes(t->layout->type, (uint32_t)t->dims[1] + FILLING, (uint32_t)t->dims[0]);
}

/* One mapping for all: address space until it is written, and in huge pages where there are any. */
static status reserve(weights *w, failure *f) {
    size_t bytes = 0;
    bool fits = true;
    for (size_t i = 0; i < gguf_n_tensors(w->file); i++) {
        size_t tensor_bytes = packed_bytes(gguf_tensor_at(w->file, i));
        if (tensor_bytes == 0 || __builtin_add_overflow(bytes, tensor_bytes, &bytes)) fits = false;
    }
    if (!fits || bytes > SIZE_MAX - HUGE_PAGE_BYTES)
        return gguf_refuse(w->file, f, STATUS_NO_MEMORY, "its tensors do not fit memory");
    w->memory_bytes = round_up(bytes + 1, HUGE_PAGE_BYTES);
    void *memory = mmap(NULL, w->memory_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return gguf_refuse(w->file, f, STATUS_NO_MEMORY, "no memory for %zu bytes of weights",
                           w->memory_bytes);
    w->memory = memory;
    madvise(w->memory, w->memory_bytes, MADV_HUGEPAGE);     /* a wish: slower without, not wrong */
    return STATUS_OK;
}

status weights_new(weights **out, const gguf *file, failure *f) {
    *out = NULL;
    weights *w = calloc(1, sizeof *w);
    if (w) w->used = calloc(gguf_n_tensors(file) + 1, sizeof *w->used);
    if (!w || !w->used) {
        weights_free(&w);
        return fail(f, STATUS_NO_MEMORY, "no memory");
    }
    w->file = file;
    status st = reserve(w, f);
    if (st != STATUS_OK) weights_free(&w);
    *out = w;
    return st;
}

void weights_free(weights **w) {
    if (!*w) return;
    if ((*w)->memory) munmap((*w)->memory, (*w)->memory_bytes);
    free((*w)->used);
    free(*w);
    *w = NULL;
}

const gguf *weights_file(const weights *w) {
    return w->file;
}

bool weights_has(const weights *w, const char *name) {
    return gguf_find_tensor(w->file, name) != NULL;
}

size_t weights_bytes(const weights *w) {
    return w->memory_bytes;
}

static void mark_used(weights *w, const gguf_tensor *t) {
    for (size_t i = 0; i < gguf_n_tensors(w->file); i++)
        if (gguf_tensor_at(w->file, i) == t) w->used[i] = true;
}

/* A tensor of these dimensions, n_outputs 1 for a vector. */
static status find(weights *w, const char *name, uint32_t n_outputs, uint32_t n_inputs,
                   const gguf_tensor **out, failure *f) {
    const gguf_tensor *t = gguf_find_tensor(w->file, name);
    if (!t)
        return gguf_refuse(w->file, f, STATUS_UNSUPPORTED,
                           "the tensor \"%s\" is missing", name);
    if (t->n_dims > 2)
        return gguf_refuse(w->file, f, STATUS_UNSUPPORTED,
                           "the tensor \"%s\" has %u dimensions, not "
                           "at most 2", name, t->n_dims);
    if (t->dims[0] != n_inputs || t->dims[1] != n_outputs)
        return gguf_refuse(w->file, f, STATUS_UNSUPPORTED,
                           "the tensor \"%s\" is %llu × %llu, but the "
                           "model's keys make it %u × %u", name, (unsigned long long)t->dims[0],
                           (unsigned long long)t->dims[1], n_inputs, n_outputs);
    if (n_inputs % t->layout->block_items != 0)
        return gguf_refuse(w->file, f, STATUS_UNSUPPORTED,
                           "the tensor \"%s\" has rows of %u items, not whole "
                           "blocks of %s", name, n_inputs, t->layout->name);
    mark_used(w, t);
    *out = t;
    return STATUS_OK;
}

static uint8_t *take(weights *w, size_t n_bytes) {
    uint8_t *bytes = w->memory + w->used_bytes;
    assert(n_bytes <= w->memory_bytes - w->used_bytes);     /* reserve() counted every tensor */
    w->used_bytes += n_bytes;
    return bytes;
}

status weights_matrix(weights *w, const char *name, uint32_t n_outputs, uint32_t n_inputs,
                      matrix *out, failure *f) {
    return weights_parts(w, name, n_outputs, n_inputs, out, 1, f);
}

status weights_parts(weights *w, const char *name, uint32_t n_outputs, uint32_t n_inputs,
                     matrix *out, uint32_t n_parts, failure *f) {
    const gguf_tensor *t = NULL;
    assert(n_parts <= WEIGHTS_PARTS_MAX);
    status st = find(w, name, n_parts * n_outputs, n_inputs, &t, f);
    if (st != STATUS_OK) return st;
    tensor_type type = t->layout->type;
    size_t row_bytes = n_inputs / t->layout->block_items * t->layout->block_bytes;
    for (uint32_t i = 0; i < n_parts; i++)
        out[i] = matrix_pack(type, n_outputs, n_inputs, t->bytes + i * n_outputs * row_bytes,
                             take(w, matrix_bytes(type, n_outputs, n_inputs)));
    return STATUS_OK;
}

status weights_vector(weights *w, const char *name, uint32_t n, const float **out, failure *f) {
    const gguf_tensor *t = NULL;
    status st = find(w, name, 1, n, &t, f);
    if (st != STATUS_OK) return st;
    if (type_is_quantized(t->layout->type) || t->n_dims != 1)
        return gguf_refuse(w->file, f, STATUS_UNSUPPORTED,
                           "the tensor \"%s\" is %s, but must be a vector of "
                           "F32, F16 or BF16", name, t->layout->name);
    float *items = (float *)(void *)take(w, round_up(n * sizeof *items, PANEL_ALIGNMENT));
    row_to_float(items, t->layout->type, t->bytes, n);
    *out = items;
    return STATUS_OK;
}

status weights_lookup(weights *w, const char *name, uint32_t n_rows, uint32_t n_items, lookup *out,
                      failure *f) {
    const gguf_tensor *t = NULL;
    status st = find(w, name, n_rows, n_items, &t, f);
    if (st == STATUS_OK)
        *out = (lookup){t->layout->type, n_rows, n_items, t->n_bytes / n_rows, t->bytes};
    return st;
}

status weights_finish(const weights *w, failure *f) {
    for (size_t i = 0; i < gguf_n_tensors(w->file); i++)
        if (!w->used[i])
            return gguf_refuse(w->file, f, STATUS_UNSUPPORTED,
                               "the tensor \"%s\" is no part of the "
                               "architecture as it is supported here",
                               gguf_tensor_at(w->file, i)->name);
    return STATUS_OK;
}
