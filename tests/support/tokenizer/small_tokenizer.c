#include "small_tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizerd/vocab/byte_letters.h"

static void must(status st, const failure *f) {
    if (st == STATUS_OK) return;
    fprintf(stderr, "small tokenizer: %s\n", f->message);
    abort();
}

/* Append a plain text in byte-level letters; returns the end. */
static uint8_t *spell(uint8_t *out, const char *text) {
    for (; *text; text++) {
        uint32_t letter = byte_letter((uint8_t)*text);
        if (letter >= 0x80) *out++ = (uint8_t)(0xC0 | letter >> 6);
        *out++ = (uint8_t)(letter >= 0x80 ? 0x80 | (letter & 0x3F) : letter);
    }
    return out;
}

static void add_bytes(vocab *v) {
    failure f;
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t letter = byte_letter((uint8_t)byte);
        uint8_t text[2] = {(uint8_t)letter};
        if (letter >= 0x80) {
            text[0] = (uint8_t)(0xC0 | letter >> 6);
            text[1] = (uint8_t)(0x80 | (letter & 0x3F));
        }
        must(vocab_add_token(v, text, letter < 0x80 ? 1 : 2, TOKEN_NORMAL, &f), &f);
    }
}

tokenizer *small_tokenizer(const small_tokenizer_parts *parts) {
    failure f;
    vocab *v;
    vocab_meta meta = {.kind = "gpt2", .split = parts->split, .bos = -1, .eot = -1, .eom = -1};
    meta.eos = parts->eos;
    meta.add_bos = parts->add_bos;
    size_t first_special = SMALL_FIRST_MERGE + parts->n_merges;
    if (parts->bos) meta.bos = (int32_t)(first_special + (size_t)(parts->bos - parts->specials));
    meta.chat_template = (const uint8_t *)parts->chat_template;
    meta.chat_template_bytes = parts->chat_template ? strlen(parts->chat_template) : 0;
    meta.n_tokens = (uint32_t)(SMALL_FIRST_MERGE + parts->n_merges + parts->n_specials);
    meta.n_merges = (uint32_t)parts->n_merges;
    must(vocab_new(&v, &meta, &f), &f);
    add_bytes(v);
    for (size_t i = 0; i < parts->n_merges; i++) {
        uint8_t text[256], *middle = spell(text, parts->merges[i].left);
        uint8_t *end = spell(middle, parts->merges[i].right);
        must(vocab_add_token(v, text, (size_t)(end - text), TOKEN_NORMAL, &f), &f);
        *middle = ' ';
        end = spell(middle + 1, parts->merges[i].right);
        must(vocab_add_merge(v, text, (size_t)(end - text), &f), &f);
    }
    for (size_t i = 0; i < parts->n_specials; i++) {
        const char *text = parts->specials[i].text;
        token_type type = parts->specials[i].type;
        must(vocab_add_token(v, (const uint8_t *)text, strlen(text), type, &f), &f);
    }
    must(vocab_finish(v, &f), &f);
    tokenizer *t;
    must(tokenizer_new(&t, &v, &f), &f);
    return t;
}

tokenizer *small_tokenizer_default(void) {
    static const small_merge merges[] = {{"t", "h"}, {"th", "e"}, {" ", "the"}, {"i", "n"},
                                         {"in", "g"}, {"a", "a"}, {"aa", "aa"}};
    static const small_special unmerged[] = {{"<|end|>", TOKEN_CONTROL},
                                             {"<|endless|>", TOKEN_CONTROL},
                                             {"<tool>", TOKEN_USER_DEFINED},
                                             {"<?>", TOKEN_UNKNOWN},
                                             {"<pad>", TOKEN_UNUSED}};
    small_tokenizer_parts parts = {.split = "gpt-2",
                               .merges = merges,
                               .n_merges = sizeof merges / sizeof merges[0],
                               .specials = unmerged,
                               .n_specials = sizeof unmerged / sizeof unmerged[0],
                               .eos = -1};
    return small_tokenizer(&parts);
}

int32_t small_token(const vocab *v, const char *text) {
    int32_t id = vocab_find(v, (const uint8_t *)text, strlen(text));
    if (id < 0) {
        fprintf(stderr, "small tokenizer: \"%s\" is no token\n", text);
        abort();
    }
    return id;
}
