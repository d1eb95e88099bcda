/* Any text, in any slices, with special tokens or without: the encoder gives ids whose bytes are
 * the text, and the same ids in one go; the stream takes them. (libFuzzer; the first two bytes of
 * the input choose the way, the rest is the text.) */
#include <stdlib.h>
#include <string.h>

#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "tests/fuzz/input/target.h"
#include "tests/support/tokenizer/encode_text.h"
#include "tests/support/tokenizer/small_tokenizer.h"
#include "tokenizerd/text/stream.h"

static void must(bool holds) {
    if (!holds) abort();
}

static tokenizer *tokenizer_of(const char *split) {
    static const small_merge merges[] = {
        {"a", "a"}, {"aa", "aa"}, {" ", " "}, {"\xc3", "\xa9"}, {"1", "2"}};
    static const small_special unmerged[] = {{"<|end|>", TOKEN_CONTROL},
                                             {"<|e", TOKEN_CONTROL},
                                             {"<|endless|>", TOKEN_USER_DEFINED},
                                             {"  ", TOKEN_USER_DEFINED},
                                             {"\x80", TOKEN_USER_DEFINED}};
    small_tokenizer_parts parts = {.split = split,
                               .merges = merges,
                               .n_merges = 5,
                               .specials = unmerged,
                               .n_specials = 5,
                               .eos = -1};
    return small_tokenizer(&parts);
}

static void check_stream(const vocab *v, const int32_t *ids, size_t n_ids) {
    stream *s = stream_new(v, NULL, NULL, 0);
    must(s != NULL);
    for (size_t i = 0; i <= n_ids; i++) {
        stream_text out;
        must((i < n_ids ? stream_feed(s, ids[i], &out) : stream_end(s, &out)) == STATUS_OK);
        must(!out.stopped && text_is_utf8(out.bytes, out.n_bytes));
    }
    stream_free(&s);
}

static void check_text(const tokenizer *t, const uint8_t *text, size_t n_bytes, bool special,
                       size_t slice_bytes) {
    encoding *whole = encode_text(t, text, n_bytes, special, SIZE_MAX);
    encoding *slices = encode_text(t, text, n_bytes, special, slice_bytes);
    size_t n_ids, n_slices, n_back;
    const int32_t *ids = encoding_ids(whole, &n_ids), *same = encoding_ids(slices, &n_slices);
    must(n_ids == n_slices && (n_ids == 0 || memcmp(ids, same, n_ids * sizeof *ids) == 0));
    const vocab *v = tokenizer_vocab(t);
    uint8_t *back = text_of_ids(v, ids, n_ids, slice_bytes, &n_back);
    must(n_back == n_bytes && (n_bytes == 0 || memcmp(back, text, n_bytes) == 0));
    check_stream(v, ids, n_ids);
    free(back);
    encoding_free(&whole);
    encoding_free(&slices);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const splits[] = {"smollm", "gpt-2",        "llama-bpe",
                                         "gpt-4o", "deepseek-llm", "exaone-moe"};
    enum { N_SPLITS = sizeof splits / sizeof splits[0] };
    static tokenizer *tokenizers[N_SPLITS];
    if (size < 2 || size > 4096) return 0;
    size_t way = data[0] % N_SPLITS, n_text;
    if (!tokenizers[way]) tokenizers[way] = tokenizer_of(splits[way]);
    char *text = text_replace_ill_formed(data + 2, size - 2, &n_text);
    must(text != NULL);
    bool special = data[0] & 0x80;
    if (n_text <= TOKENIZE_IDS_MAX) /* else it may be too long */
        check_text(tokenizers[way], (const uint8_t *)text, n_text, special, 1 + (size_t)data[1]);
    free(text);
    return 0;
}
