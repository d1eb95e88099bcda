/* libFuzzer: any pieces as a vocabulary on its way to a tokenizerd; what arrives whole becomes a tokenizer, which takes a
 * text. (An input is seven bytes: number of tokens and merges, split, BOS, EOS, flags, bytes of the chat template; then
 * the template; then pieces: numbers of tokens and of merges, each with a byte for its length before it, a token also one
 * for its type.) */
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"
#include "tests/fuzz/input/target.h"
#include "tests/support/tokenizer/encode_text.h"
#include "tokenizerd/tokenizer/tokenizer.h"
#include "tokenizerd/vocab/vocab_arrival.h"

enum { HEAD_BYTES = 7, ITEMS_MAX = 16, WRONG_SIZE = 1, WRONG_PLACE = 2, ADD_BOS = 4, ADD_BOS_TOLD = 8 };

typedef struct cursor {
    const uint8_t *at, *end;
} cursor;

static void must(bool holds) {
    if (!holds) abort();
}

static uint8_t take_byte(cursor *c) {
    return c->at < c->end ? *c->at++ : 0;
}

static vocab_bytes take_bytes(cursor *c, size_t n_bytes) {
    if (n_bytes > (size_t)(c->end - c->at)) n_bytes = (size_t)(c->end - c->at);
    const uint8_t *bytes = c->at;
    c->at += n_bytes;
    return (vocab_bytes){bytes, n_bytes};
}

static vocab_meta take_meta(cursor *c, uint8_t *flags) {
    static const char *const splits[] = {"gpt-2", "smollm", "llama-bpe", "gpt-4o", "deepseek-llm", "default", "", "none"};
    vocab_meta meta = {.kind = "gpt2", .eot = -1, .eom = -1};
    meta.n_tokens = take_byte(c);
    meta.n_merges = take_byte(c);
    meta.split = splits[take_byte(c) % (sizeof splits / sizeof *splits)];
    meta.bos = (int8_t)take_byte(c);
    meta.eos = (int8_t)take_byte(c);
    *flags = take_byte(c);
    meta.add_bos = *flags & ADD_BOS;
    meta.add_bos_told = *flags & ADD_BOS_TOLD;
    vocab_bytes template = take_bytes(c, take_byte(c));
    meta.chat_template = template.bytes;
    meta.chat_template_bytes = template.n_bytes;
    return meta;
}

/* The next piece; its first token and merge are filled in. */
static void take_piece(cursor *c, vocab_piece *piece) {
    static vocab_bytes tokens[ITEMS_MAX], merges[ITEMS_MAX];
    static uint8_t types[ITEMS_MAX];
    piece->n_tokens = take_byte(c) % (ITEMS_MAX + 1);
    piece->n_merges = take_byte(c) % (ITEMS_MAX + 1);
    for (size_t i = 0; i < piece->n_tokens; i++) {
        types[i] = take_byte(c);
        tokens[i] = take_bytes(c, take_byte(c));
    }
    for (size_t i = 0; i < piece->n_merges; i++) merges[i] = take_bytes(c, take_byte(c));
    piece->tokens = tokens;
    piece->types = types;
    piece->merges = merges;
}

static void use(vocab *v) {
    static const char text[] = "ab <x>  abc\n\xc3\xa9 12";
    failure f;
    tokenizer *t;
    if (tokenizer_new(&t, &v, &f) != STATUS_OK) {
        must(!v && f.message[0] != '\0');
        return;
    }
    encoding *e = encoding_new(t, (const uint8_t *)text);
    must(e && encoding_add(e, sizeof text - 1, true) == STATUS_OK);
    if (encode_rest(e, sizeof text, &f) == STATUS_OK) {
        size_t n_ids, n_bytes;
        const int32_t *ids = encoding_ids(e, &n_ids);
        uint8_t *back = text_of_ids(tokenizer_vocab(t), ids, n_ids, 1, &n_bytes);
        must(text_is_utf8(back, n_bytes));
        free(back);
    }
    encoding_free(&e);
    tokenizer_free(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < HEAD_BYTES) return 0;
    cursor c = {data, data + size};
    uint8_t flags;
    failure f;
    vocab_meta meta = take_meta(&c, &flags);
    vocab_piece piece = {.hash = "v", .n_tokens_all = meta.n_tokens, .n_merges_all = meta.n_merges, .meta = &meta};
    vocab_arrival *a;
    vocab *v;
    bool complete = false;
    take_piece(&c, &piece);
    status st = vocab_arrival_new(&a, &piece, meta.n_tokens + (flags & WRONG_SIZE), &f);
    must((st == STATUS_OK) == (a != NULL));
    while (st == STATUS_OK && (st = vocab_arrival_add(a, &piece, &complete, &f)) == STATUS_OK && !complete && c.at < c.end) {
        piece.first_token += (uint32_t)piece.n_tokens;
        piece.first_merge += (uint32_t)piece.n_merges + (flags & WRONG_PLACE);
        piece.meta = NULL;
        take_piece(&c, &piece);
    }
    must(st == STATUS_OK || f.message[0] != '\0');
    if (st == STATUS_OK && complete && vocab_arrival_finish(&a, &v, &f) == STATUS_OK) use(v);
    if (a) vocab_arrival_free(&a);
    return 0;
}
