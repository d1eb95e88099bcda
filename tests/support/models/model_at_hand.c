#include "model_at_hand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tiny_vocabulary.h"

model_offer served_offer(const char *name, const char *fingerprint, const char *hash) {
    return (model_offer){.name = name, .fingerprint = fingerprint, .vocabulary = hash,
                         .n_vocab = SERVED_N_VOCAB, .n_ctx = SERVED_N_CTX};
}

static size_t spell(vocab_bytes *to, char **from, size_t first, size_t n_all, size_t n_items) {
    size_t n = 0;
    for (; n < n_items && first + n < n_all; n++)
        to[n] = (vocab_bytes){(const uint8_t *)from[first + n], strlen(from[first + n])};
    return n;
}

status served_bring(modeld *d, const char *hash, size_t n_items, failure *f) {
    tiny_vocabulary v;
    tiny_vocabulary_make(&v, SERVED_N_VOCAB, NULL, 0);
    vocab_bytes *tokens = calloc(n_items, sizeof *tokens),
                *merges = calloc(n_items, sizeof *merges);
    uint8_t types[SERVED_N_VOCAB];
    for (size_t i = 0; i < v.n_tokens; i++) types[i] = (uint8_t)v.types[i];
    vocab_meta meta = {.kind = "gpt2",
                       .split = "gpt-2",
                       .bos = TINY_IM_START,
                       .eos = TINY_IM_END,
                       .eot = -1,
                       .eom = -1};
    size_t first_token = 0, first_merge = 0;
    status st = STATUS_OK;
    for (bool complete = false; st == STATUS_OK && !complete;) {
        size_t n_tokens = spell(tokens, v.tokens, first_token, v.n_tokens, n_items);
        size_t n_merges = spell(merges, v.merges, first_merge, v.n_merges, n_items);
        vocab_piece piece = {
            .hash = hash,
            .n_tokens_all = (uint32_t)v.n_tokens,
            .n_merges_all = (uint32_t)v.n_merges,
            .first_token = (uint32_t)first_token,
            .first_merge = (uint32_t)first_merge,
            .tokens = tokens,
            .types = types + first_token,
            .n_tokens = n_tokens,
            .merges = merges,
            .n_merges = n_merges,
            .meta = first_token == 0 ? &meta : NULL,
        };
        st = models_piece(d, &piece, &complete, f);
        first_token += n_tokens;
        first_merge += n_merges;
    }
    free(tokens);
    free(merges);
    tiny_vocabulary_free(&v);
    return st;
}

static void must(status st, const failure *f) {
    if (st == STATUS_OK) return;
    fprintf(stderr, "served model: %s\n", f->message);
    abort();
}

modeld *served_join(models *ms, const char *name, const char *fingerprint, const char *hash) {
    modeld *d = NULL;
    failure f;
    model_offer offer = served_offer(name, fingerprint, hash);
    must(models_join(ms, &offer, 1, NULL, &d, &f), &f);
    return d;
}

modeld *model_at_hand(models *ms, const char *name, const char *fingerprint) {
    failure f;
    modeld *d = served_join(ms, name, fingerprint, "tiny");
    if (models_query(ms) == d) must(served_bring(d, "tiny", SERVED_N_VOCAB, &f), &f);
    return d;
}

int32_t served_id(uint8_t byte) {
    return TINY_FIRST_BYTE + byte;
}
