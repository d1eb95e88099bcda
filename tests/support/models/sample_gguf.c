#include "sample_gguf.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/scratch.h"

const uint32_t sample_types[SAMPLE_TENSORS] = {TENSOR_F32,  TENSOR_F16,  TENSOR_Q4_0,
                                               TENSOR_Q4_1, TENSOR_Q8_0, TENSOR_BF16,
                                               TENSOR_Q5_0, TENSOR_Q5_1, TENSOR_Q4_K,
                                               TENSOR_Q5_K, TENSOR_Q6_K};

static void must(bool ok) {
    if (ok) return;
    perror(scratch_path());
    exit(1);
}

void sample_add_number(gguf_writer *w, const char *key, uint32_t type, const void *value, size_t n_bytes) {
    gguf_writer_key(w, key, type);
    gguf_append(&w->keys, value, n_bytes);
}

void sample_add_keys(gguf_writer *w) {
    gguf_writer_text(w, "general.architecture", "llama");
    gguf_writer_uint(w, "n", 7);
    gguf_writer_real(w, "x", 0.5f);
    gguf_writer_bool(w, "yes", true);
    sample_add_number(w, "u8", GGUF_U8, (uint8_t[]){200}, 1);
    sample_add_number(w, "i8", GGUF_I8, (int8_t[]){-3}, 1);
    sample_add_number(w, "u16", GGUF_U16, (uint16_t[]){60000}, 2);
    sample_add_number(w, "i16", GGUF_I16, (int16_t[]){30000}, 2);
    sample_add_number(w, "i32", GGUF_I32, (int32_t[]){2000000000}, 4);
    sample_add_number(w, "u64", GGUF_U64, (uint64_t[]){UINT64_MAX}, 8);
    sample_add_number(w, "i64", GGUF_I64, (int64_t[]){-1}, 8);
    sample_add_number(w, "f64", GGUF_F64, (double[]){0.1}, 8);
    gguf_writer_texts(w, "tokenizer.ggml.tokens", (const char *const[]){"a", "", "abc"}, 3);
    gguf_writer_ints(w, "tokenizer.ggml.token_type", (const int32_t[]){1, -2, 3}, 3);
    gguf_writer_key(w, "floats", GGUF_ARRAY);
    gguf_append(&w->keys, (uint32_t[]){GGUF_F32, 2, 0}, 12);
    gguf_append(&w->keys, (float[]){1.0f, 2.0f}, 8);
}

void sample_add_tensors(gguf_writer *w) {
    for (size_t i = 0; i < SAMPLE_TENSORS; i++) {
        char name[32];
        snprintf(name, sizeof name, "blk.0.%s", tensor_layout_of(sample_types[i])->name);
        gguf_writer_tensor(w, name, sample_types[i], 2, (uint64_t[]){SAMPLE_COLUMNS, 3});
    }
}

void sample_write_data(gguf_writer *w) {
    must(gguf_writer_open(w, scratch_path()));
    for (size_t i = 0; i < SAMPLE_TENSORS; i++) {
        const tensor_layout *layout = tensor_layout_of(sample_types[i]);
        uint32_t n_bytes = SAMPLE_COLUMNS / layout->block_items * layout->block_bytes * 3;
        for (uint32_t j = 0; j < n_bytes; j++) {
            uint8_t byte = (uint8_t)j;
            must(gguf_writer_data(w, &byte, 1));
        }
        must(gguf_writer_end_tensor(w));
    }
    must(gguf_writer_close(w));
}

void sample_write(void) {
    gguf_writer w;
    gguf_writer_init(&w);
    sample_add_keys(&w);
    sample_add_tensors(&w);
    sample_write_data(&w);
}

gguf *sample_open(void) {
    gguf *g = NULL;
    failure f = {0};
    if (gguf_open(&g, scratch_path(), &f) == STATUS_OK) return g;
    fprintf(stderr, "%s\n", f.message);
    exit(1);
}
