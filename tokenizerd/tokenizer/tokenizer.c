#include "tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "byte_bpe.h"
#include "split_patterns.h"

struct tokenizer {
    vocab *v;
    byte_bpe *rules;
    int32_t bos;
};

status tokenizer_check(const vocab_meta *meta, failure *f) {
    if (strcmp(meta->kind, "gpt2") != 0)
        return fail(f, STATUS_UNSUPPORTED,
                    "the tokenizer kind \"%.64s\" is not supported; \"gpt2\" (byte-level BPE) is",
                    meta->kind);
    const split_rule *rule;
    return split_rule_find(&rule, meta->split, f);
}

static int32_t bos_of(const vocab_meta *meta) {
    bool adds_bos = meta->add_bos || (!meta->add_bos_told && split_adds_bos(meta->split));
    return adds_bos ? meta->bos : -1;
}

static bool makes(const void *rules, int32_t id) {
    return byte_bpe_makes(rules, id);
}

status tokenizer_new(tokenizer **out, vocab **v, failure *f) {
    *out = NULL;
    tokenizer *t = calloc(1, sizeof *t);
    if (!t) {
        vocab_free(v);
        return fail(f, STATUS_NO_MEMORY, "no memory for a tokenizer");
    }
    t->v = *v;
    *v = NULL;
    t->bos = bos_of(vocab_meta_of(t->v));
    byte_strings *merges = vocab_take_merges(t->v);
    status st = tokenizer_check(vocab_meta_of(t->v), f);
    if (st == STATUS_OK) st = byte_bpe_new(&t->rules, t->v, merges, f);
    byte_strings_free(&merges);
    if (st == STATUS_OK) st = vocab_find_specials(t->v, makes, t->rules, f);
    if (st != STATUS_OK) tokenizer_free(&t);
    *out = t;
    return st;
}

void tokenizer_free(tokenizer **t) {
    if (!*t) return;
    byte_bpe_free(&(*t)->rules);
    vocab_free(&(*t)->v);
    free(*t);
    *t = NULL;
}

const vocab *tokenizer_vocab(const tokenizer *t) {
    return t->v;
}

int32_t tokenizer_bos(const tokenizer *t) {
    return t->bos;
}

const byte_bpe *tokenizer_byte_bpe(const tokenizer *t) {
    return t->rules;
}
