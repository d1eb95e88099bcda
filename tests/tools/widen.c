/* widen IN.gguf OUT.gguf: the same model with every tensor as float32, exactly; all keys as they are.
 * What float32 arithmetic makes of quantized weights is the measure for the quantized kernels. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modeld/formats/gguf.h"
#include "tests/support/models/gguf_writer.h"
#include "tests/support/models/quantize.h"

static bool write_tensor(gguf_writer *w, const gguf_tensor *t) {
    const tensor_layout *layout = t->layout;
    uint64_t n_rows = t->dims[1] * t->dims[2] * t->dims[3];
    size_t row_bytes = t->dims[0] / layout->block_items * layout->block_bytes;
    float *row = malloc(t->dims[0] * sizeof *row);
    bool ok = row != NULL;
    for (uint64_t i = 0; ok && i < n_rows; i++) {
        dequantize_row(layout, t->bytes + i * row_bytes, t->dims[0], row);
        ok = gguf_writer_data(w, row, t->dims[0] * sizeof *row);
    }
    free(row);
    return ok && gguf_writer_end_tensor(w);
}

static bool write_file(const gguf *g, const char *path, uint64_t alignment) {
    gguf_writer w;
    size_t n_bytes, n_keys;
    const uint8_t *keys = gguf_metadata(g, &n_bytes, &n_keys);
    gguf_writer_init(&w);
    w.alignment = alignment;
    w.n_keys = n_keys;
    gguf_append(&w.keys, keys, n_bytes);
    for (size_t i = 0; i < gguf_n_tensors(g); i++) {
        const gguf_tensor *t = gguf_tensor_at(g, i);
        gguf_writer_tensor(&w, t->name, TENSOR_F32, t->n_dims, t->dims);
    }
    bool ok = gguf_writer_open(&w, path);
    for (size_t i = 0; ok && i < gguf_n_tensors(g); i++) ok = write_tensor(&w, gguf_tensor_at(g, i));
    if (ok) return gguf_writer_close(&w);
    gguf_writer_clear(&w);
    return false;
}

int main(int argc, char **argv) {
    failure f;
    gguf *g = NULL;
    uint64_t alignment = 0;
    if (argc != 3) {
        fprintf(stderr, "usage: widen IN.gguf OUT.gguf\n");
        return 2;
    }
    status st = gguf_open(&g, argv[1], &f);
    if (st == STATUS_OK)
        st = gguf_uint_or(g, "general.alignment", GGUF_ALIGNMENT_MIN, GGUF_ALIGNMENT_MAX, 32, &alignment, &f);
    if (st == STATUS_OK && !write_file(g, argv[2], alignment))
        st = fail(&f, STATUS_IO, "%s: %s", argv[2], strerror(errno));
    gguf_close(&g);
    if (st != STATUS_OK) fprintf(stderr, "widen: %s\n", f.message);
    return st != STATUS_OK;
}
