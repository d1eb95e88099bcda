#include "fake_serving.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/tokenizer/small_tokenizer.h"

struct served_model {
    tokenizer *tokenizer;
    int n_holders;
};

struct modeld {
    int load;
};

static void *must(void *memory) {
    if (memory) return memory;
    fprintf(stderr, "fake serving: no memory\n");
    abort();
}

static void count(int *n, int step, const char *what) {
    *n += step;
    if (*n >= 0) return;
    fprintf(stderr, "fake serving: one %s too many given back\n", what);
    abort();
}

static void none_left(int n, const char *what) {
    if (n == 0) return;
    fprintf(stderr, "fake serving: %d %s never given back\n", n, what);
    abort();
}

served_model *fake_model_new(void) {
    static const small_special end = {"<|end|>", TOKEN_CONTROL};
    served_model *m = must(calloc(1, sizeof *m));
    m->tokenizer = small_tokenizer(&(small_tokenizer_parts){
        .split = "gpt-2", .specials = &end, .n_specials = 1, .eos = FAKE_END_ID});
    return m;
}

void fake_model_free(served_model **m) {
    none_left((*m)->n_holders, "hold");
    tokenizer_free(&(*m)->tokenizer);
    free(*m);
    *m = NULL;
}

modeld *fake_modeld_new(void) {
    return must(calloc(1, sizeof(modeld)));
}

void fake_modeld_free(modeld **d) {
    none_left((*d)->load, "place");
    free(*d);
    *d = NULL;
}

model_facts fake_model_facts(const served_model *m) {
    return (model_facts){.name = "a",
                         .fingerprint = "f1",
                         .vocab = tokenizer_vocab(m->tokenizer),
                         .n_vocab = FAKE_N_VOCAB,
                         .n_ctx = FAKE_N_CTX};
}

int fake_model_holders(const served_model *m) {
    return m->n_holders;
}

int fake_modeld_load(const modeld *d) {
    return d->load;
}

static void hold(served_model *m) {
    count(&m->n_holders, 1, "hold");
}

static void release(served_model *m) {
    count(&m->n_holders, -1, "hold");
}

static void take(modeld *d) {
    count(&d->load, 1, "place");
}

static void give(modeld *d) {
    count(&d->load, -1, "place");
}

const serving_events fake_serving = {
    .hold = hold, .release = release, .take = take, .give = give};
