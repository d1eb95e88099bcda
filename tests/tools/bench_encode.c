/* bench_encode MODEL.gguf TEXT: how fast the model's tokenizer encodes the file, in slices as
 * tokenizerd does, over and over for about two seconds. Prints the median of rounds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "tests/support/tokenizer/encode_text.h"
#include "tests/support/tokenizer/load_tokenizer.h"
#include "tests/support/percentile.h"

enum { ROUNDS_MAX = 1000, SLICE_BYTES = 64 * 1024, ROUND_BYTES_MIN = 1 << 20 };

/* The file's text, repeated until it is long enough to measure. */
static uint8_t *read_text(const char *path, size_t *n_bytes) {
    FILE *file = fopen(path, "r");
    uint8_t *text = malloc(TEXT_BYTES_MAX);
    if (!file || !text) die("bench_encode", "%s cannot be read", path);
    size_t n = fread(text, 1, TEXT_BYTES_MAX / 2, file), n_file = n;
    fclose(file);
    if (n == 0) die("bench_encode", "%s is empty", path);
    for (; n < ROUND_BYTES_MIN && n + n_file <= TEXT_BYTES_MAX; n += n_file)
        memcpy(text + n, text, n_file);
    *n_bytes = n;
    return text;
}

static size_t encode(const tokenizer *t, const uint8_t *text, size_t n_bytes) {
    size_t n_ids;
    encoding *e = encode_text(t, text, n_bytes, true, SLICE_BYTES);
    encoding_ids(e, &n_ids);
    encoding_free(&e);
    return n_ids;
}

int main(int argc, char **argv) {
    if (argc != 3) die("bench_encode", "usage: bench_encode MODEL.gguf TEXT");
    failure f;
    tokenizer *t;
    uint64_t begin_us = clock_us();
    if (load_tokenizer(&t, argv[1], &f) != STATUS_OK) die("bench_encode", "%s", f.message);
    uint64_t loaded_us = clock_us();
    double rates[ROUNDS_MAX];
    size_t n_bytes, n_ids = 0, n_rounds = 0;
    uint8_t *text = read_text(argv[2], &n_bytes);
    for (uint64_t end_us = clock_us() + 2000000; n_rounds < ROUNDS_MAX && clock_us() < end_us; n_rounds++) {
        uint64_t start_us = clock_us();
        n_ids = encode(t, text, n_bytes);
        rates[n_rounds] = (double)n_bytes / (double)(clock_us() - start_us);     /* a byte a microsecond: 1 MB/s */
    }
    printf("vocabulary %.0f ms, %zu bytes, %zu ids, %.1f MB/s\n", (double)(loaded_us - begin_us) * 1e-3, n_bytes,
           n_ids, percentile_of(rates, n_rounds, 50));
    free(text);
    tokenizer_free(&t);
    return 0;
}
