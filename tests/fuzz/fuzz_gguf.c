/* libFuzzer: any bytes as a GGUF file. They open or are refused with a sentence; what opens is read
 * from end to end, vocabulary included. A good seed is a file of make_model --layers 1. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "modeld/formats/gguf.h"
#include "modeld/formats/gguf_vocabulary.h"
#include "proto/base/limits.h"
#include "tests/fuzz/input/target.h"

static void must(int ok) {
    if (!ok) abort();
}

static unsigned sum_of(const void *bytes, size_t n_bytes) {
    const uint8_t *at = bytes;
    unsigned sum = 0;
    for (size_t i = 0; i < n_bytes; i++) sum += at[i];
    return sum;
}

static void use(unsigned sum) {
    static volatile unsigned sink;
    sink = sum;
    (void)sink;
}

static unsigned read_vocabulary(const gguf *g) {
    const gguf_view *tokens;
    size_t n = 0;
    failure f = {0};
    gguf_vocabulary *v = NULL;
    unsigned sum = 0;
    if (gguf_texts(g, "tokenizer.ggml.tokens", &tokens, &n, &f) != STATUS_OK)
        return 0;
    if (n == 0 || n > N_VOCAB_MAX) return 0;
    if (gguf_vocabulary_read(&v, g, (uint32_t)n, &f) != STATUS_OK) {
        must(f.message[0] != '\0');
        return 0;
    }
    const model_vocabulary *summary = gguf_vocabulary_summary(v);
    for (uint32_t i = 0; i < summary->n_tokens; i++) {
        model_bytes token = gguf_vocabulary_token(v, i);
        sum += sum_of(token.bytes, token.n_bytes) + gguf_vocabulary_token_type(v, i);
    }
    for (uint32_t i = 0; i < summary->n_merges; i++) {
        model_bytes merge = gguf_vocabulary_merge(v, i);
        sum += sum_of(merge.bytes, merge.n_bytes);
    }
    sum += sum_of(summary->chat_template.bytes, summary->chat_template.n_bytes);
    gguf_vocabulary_free(&v);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes) {
    char path[32], hash[33];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    must(fd >= 0 && write(fd, bytes, n_bytes) == (ssize_t)n_bytes);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    gguf *g = NULL;
    failure f = {0};
    if (gguf_open(&g, path, &f) == STATUS_OK) {
        for (size_t i = 0; i < gguf_n_tensors(g); i++) {
            const gguf_tensor *t = gguf_tensor_at(g, i);
            must(gguf_find_tensor(g, t->name) == t);
            use(sum_of(t->bytes, t->n_bytes));
        }
        gguf_hash(g, hash);
        gguf_tokenizer_hash(g, hash);
        use(read_vocabulary(g));
    } else {
        must(g == NULL && strlen(f.message) > strlen(path) + 2);
    }
    gguf_close(&g);
    close(fd);
    return 0;
}
