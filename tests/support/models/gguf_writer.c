#include "gguf_writer.h"

#include <stdlib.h>
#include <string.h>

#include "modeld/formats/gguf.h"

void gguf_writer_init(gguf_writer *w) {
    *w = (gguf_writer){.magic = {'G', 'G', 'U', 'F'}, .version = 3, .alignment = 32};
}

void gguf_writer_clear(gguf_writer *w) {
    if (w->file) fclose(w->file);
    free(w->keys.bytes);
    free(w->tensors.bytes);
    gguf_writer_init(w);
}

/* ---- bytes ---- */

void gguf_append(gguf_buffer *b, const void *bytes, size_t n_bytes) {
    if (n_bytes == 0) return;
    if (b->n_bytes + n_bytes > b->n_bytes_max) {
        b->n_bytes_max = 2 * (b->n_bytes + n_bytes);
        b->bytes = realloc(b->bytes, b->n_bytes_max);
        if (!b->bytes) abort();
    }
    memcpy(b->bytes + b->n_bytes, bytes, n_bytes);
    b->n_bytes += n_bytes;
}

static void append_u32(gguf_buffer *b, uint32_t value) {
    gguf_append(b, &value, sizeof value);
}

static void append_u64(gguf_buffer *b, uint64_t value) {
    gguf_append(b, &value, sizeof value);
}

static void append_text(gguf_buffer *b, const char *text) {
    append_u64(b, strlen(text));
    gguf_append(b, text, strlen(text));
}

/* ---- keys ---- */

void gguf_writer_key(gguf_writer *w, const char *key, uint32_t type) {
    append_text(&w->keys, key);
    append_u32(&w->keys, type);
    w->n_keys++;
}

void gguf_writer_uint(gguf_writer *w, const char *key, uint32_t value) {
    gguf_writer_key(w, key, GGUF_U32);
    append_u32(&w->keys, value);
}

void gguf_writer_real(gguf_writer *w, const char *key, float value) {
    gguf_writer_key(w, key, GGUF_F32);
    gguf_append(&w->keys, &value, sizeof value);
}

void gguf_writer_bool(gguf_writer *w, const char *key, bool value) {
    uint8_t byte = value;
    gguf_writer_key(w, key, GGUF_BOOL);
    gguf_append(&w->keys, &byte, sizeof byte);
}

void gguf_writer_text(gguf_writer *w, const char *key, const char *value) {
    gguf_writer_key(w, key, GGUF_TEXT);
    append_text(&w->keys, value);
}

void gguf_writer_texts(gguf_writer *w, const char *key, const char *const *values, size_t n) {
    gguf_writer_key(w, key, GGUF_ARRAY);
    append_u32(&w->keys, GGUF_TEXT);
    append_u64(&w->keys, n);
    for (size_t i = 0; i < n; i++) append_text(&w->keys, values[i]);
}

void gguf_writer_ints(gguf_writer *w, const char *key, const int32_t *values, size_t n) {
    gguf_writer_key(w, key, GGUF_ARRAY);
    append_u32(&w->keys, GGUF_I32);
    append_u64(&w->keys, n);
    gguf_append(&w->keys, values, n * sizeof *values);
}

/* ---- tensors ---- */

static uint64_t padding(const gguf_writer *w, uint64_t n_bytes) {
    return (w->alignment - n_bytes % w->alignment) % w->alignment;
}

void gguf_writer_tensor_at(gguf_writer *w, const char *name, uint32_t type, uint32_t n_dims,
                           const uint64_t *dims, uint64_t offset) {
    append_text(&w->tensors, name);
    append_u32(&w->tensors, n_dims);
    for (uint32_t i = 0; i < n_dims; i++) append_u64(&w->tensors, dims[i]);
    append_u32(&w->tensors, type);
    append_u64(&w->tensors, offset);
    w->n_tensors++;
}

void gguf_writer_tensor(gguf_writer *w, const char *name, uint32_t type, uint32_t n_dims,
                        const uint64_t *dims) {
    const tensor_layout *layout = tensor_layout_of(type);
    if (!layout) abort();
    uint64_t n_bytes = dims[0] / layout->block_items * layout->block_bytes;
    for (uint32_t i = 1; i < n_dims; i++) n_bytes *= dims[i];
    gguf_writer_tensor_at(w, name, type, n_dims, dims, w->data_bytes);
    w->data_bytes += n_bytes + padding(w, n_bytes);
}

/* ---- the file ---- */

static bool pad(gguf_writer *w) {
    static const uint8_t zero[1] = {0};
    for (uint64_t n = padding(w, w->written_bytes); n > 0; n--)
        if (!gguf_writer_data(w, zero, 1)) return false;
    return true;
}

bool gguf_writer_open(gguf_writer *w, const char *path) {
    w->file = fopen(path, "wb");
    return w->file && gguf_writer_data(w, w->magic, sizeof w->magic)
           && gguf_writer_data(w, &w->version, sizeof w->version)
           && gguf_writer_data(w, &w->n_tensors, sizeof w->n_tensors)
           && gguf_writer_data(w, &w->n_keys, sizeof w->n_keys)
           && gguf_writer_data(w, w->keys.bytes, w->keys.n_bytes)
           && gguf_writer_data(w, w->tensors.bytes, w->tensors.n_bytes) && pad(w);
}

bool gguf_writer_data(gguf_writer *w, const void *bytes, size_t n_bytes) {
    w->written_bytes += n_bytes;
    return n_bytes == 0 || fwrite(bytes, 1, n_bytes, w->file) == n_bytes;
}

bool gguf_writer_end_tensor(gguf_writer *w) {
    return pad(w);
}

bool gguf_writer_close(gguf_writer *w) {
    bool ok = fclose(w->file) == 0;
    w->file = NULL;
    gguf_writer_clear(w);
    return ok;
}
