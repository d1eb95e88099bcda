/* What tokenizer.h and byte_bpe.h promise: which vocabularies have a tokenizer, BOS by default, whole pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/tokenizer/small_tokenizer.h"
#include "tokenizerd/tokenizer/byte_bpe.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static const uint8_t *bytes_of(const char *text) {
    return (const uint8_t *)text;
}

static vocab_meta meta_of(uint32_t n_tokens, uint32_t n_merges) {
    return (vocab_meta){.kind = "gpt2", .split = "gpt-2", .n_tokens = n_tokens, .n_merges = n_merges,
                        .bos = -1, .eos = -1, .eot = -1, .eom = -1};
}

/* Normal tokens and merges, each list with NULL after the last. */
static status build(tokenizer **out, const char *const *texts, const char *const *merges, failure *f) {
    uint32_t n_tokens = 0, n_merges = 0;
    while (texts[n_tokens]) n_tokens++;
    while (merges[n_merges]) n_merges++;
    vocab_meta meta = meta_of(n_tokens, n_merges);
    vocab *v;
    assert_int_equal(vocab_new(&v, &meta, f), STATUS_OK);
    for (; *texts; texts++)
        assert_int_equal(vocab_add_token(v, bytes_of(*texts), strlen(*texts), TOKEN_NORMAL, f), STATUS_OK);
    for (; *merges; merges++)
        assert_int_equal(vocab_add_merge(v, bytes_of(*merges), strlen(*merges), f), STATUS_OK);
    assert_int_equal(vocab_finish(v, f), STATUS_OK);
    status st = tokenizer_new(out, &v, f);
    assert_null(v);             /* it has it, or it is gone */
    return st;
}

static int32_t whole(const tokenizer *t, const char *piece) {
    return byte_bpe_whole(tokenizer_byte_bpe(t), bytes_of(piece), strlen(piece));
}

/* ---- which there are ---- */

static void test_a_kind_and_a_split_must_be_known(void **state) {
    (void)state;
    failure f;
    vocab_meta meta = meta_of(1, 0);
    assert_int_equal(tokenizer_check(&meta, &f), STATUS_OK);
    meta.split = "no-such-model";
    assert_int_equal(tokenizer_check(&meta, &f), STATUS_UNSUPPORTED);
    assert_non_null(strstr(f.message, "smollm"));
    meta.kind = "llama";
    assert_int_equal(tokenizer_check(&meta, &f), STATUS_UNSUPPORTED);
    assert_non_null(strstr(f.message, "\"llama\""));
    vocab *v;
    tokenizer *t = (tokenizer *)&t;
    meta.n_tokens = 1;
    assert_int_equal(vocab_new(&v, &meta, &f), STATUS_OK);
    assert_int_equal(vocab_add_token(v, bytes_of("a"), 1, TOKEN_NORMAL, &f), STATUS_OK);
    assert_int_equal(vocab_finish(v, &f), STATUS_OK);
    assert_int_equal(tokenizer_new(&t, &v, &f), STATUS_UNSUPPORTED);
    assert_null(t);
    assert_null(v);
}

static void test_merges_of_texts_that_are_no_tokens(void **state) {
    (void)state;
    static const char *const texts[] = {"a", "b", "ac", "ca", NULL};
    static const char *const useless[] = {"a c", "c a", "b a"}; /* "c" and "ba" are no tokens */
    for (size_t i = 0; i < sizeof useless / sizeof useless[0]; i++) {
        failure f;
        tokenizer *t = (tokenizer *)&t;
        const char *const merges[] = {useless[i], NULL};
        assert_int_equal(build(&t, texts, merges, &f), STATUS_BAD_MESSAGE);
        assert_non_null(strstr(f.message, "merge 0 of the vocabulary"));
        assert_null(t);
    }
}

/* ---- BOS ---- */

static int32_t bos(const char *split, bool told, bool add_bos) {
    vocab_meta meta = meta_of(2, 0);
    meta.split = split, meta.add_bos = add_bos, meta.add_bos_told = told, meta.bos = 1;
    vocab *v;
    tokenizer *t;
    failure f;
    assert_int_equal(vocab_new(&v, &meta, &f), STATUS_OK);
    assert_int_equal(vocab_add_token(v, bytes_of("a"), 1, TOKEN_NORMAL, &f), STATUS_OK);
    assert_int_equal(vocab_add_token(v, bytes_of("<s>"), 3, TOKEN_CONTROL, &f), STATUS_OK);
    assert_int_equal(vocab_finish(v, &f), STATUS_OK);
    assert_int_equal(tokenizer_new(&t, &v, &f), STATUS_OK);
    int32_t id = tokenizer_bos(t);
    tokenizer_free(&t);
    return id;
}

/* Where a file does not say whether a text begins with BOS, the kind of its split does. */
static void test_bos_by_split(void **state) {
    (void)state;
    static const char *const adders[] = {"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1",
                                         "pixtral", "midm-2.0", "lfm2", "tekken"};
    static const char *const others[] = {"gpt-2", "smollm", "qwen2", "glm4", "falcon", "gpt-4o",
                                         "deepseek-v3", "minicpm5", "default", ""};
    for (size_t i = 0; i < sizeof adders / sizeof *adders; i++) {
        assert_int_equal(bos(adders[i], false, false), 1);
        assert_int_equal(bos(adders[i], true, false), -1);
        assert_int_equal(bos(adders[i], true, true), 1);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(bos(others[i], false, false), -1);
        assert_int_equal(bos(others[i], true, true), 1);
    }
}

static void test_no_bos_without_an_id(void **state) {
    (void)state;
    small_tokenizer_parts parts = {.split = "gpt-2", .eos = -1, .add_bos = true};
    tokenizer *t = small_tokenizer(&parts);
    assert_int_equal(tokenizer_bos(t), -1);
    tokenizer_free(&t);
}

/* ---- whole pieces ---- */

static void test_whole_pieces(void **state) {
    (void)state;
    static const small_merge merges[] = {
        {"a", "b"}, {"b", "c"}, {"a", "bc"}}; /* "abc": "ab" goes first */
    small_tokenizer_parts parts = {.split = "gpt-2", .merges = merges, .n_merges = 3, .eos = -1};
    tokenizer *t = small_tokenizer(&parts);
    int32_t abc = small_token(tokenizer_vocab(t), "abc");
    assert_int_equal(whole(t, "ab"), small_token(tokenizer_vocab(t), "ab"));
    assert_int_equal(whole(t, "abc"), -1);      /* merges make "ab", "c" */
    assert_int_equal(whole(t, "abcd"), -1);
    assert_false(byte_bpe_makes(tokenizer_byte_bpe(t), abc));
    tokenizer_free(&t);
    parts.split = "llama-bpe";
    t = small_tokenizer(&parts);
    assert_int_equal(whole(t, "abc"), abc);     /* merges are ignored */
    assert_false(byte_bpe_makes(tokenizer_byte_bpe(t), abc));
    tokenizer_free(&t);
}

/* An end that is known by its text is no piece of a text, whatever its type, also where merges are ignored. */
static void test_an_end_is_no_piece(void **state) {
    (void)state;
    static const small_special end = {"<|im_end|>", TOKEN_NORMAL};
    static const char *const splits[] = {"gpt-2", "llama-bpe"};
    for (size_t i = 0; i < 2; i++) {
        tokenizer *t = small_tokenizer(&(small_tokenizer_parts){
            .split = splits[i], .specials = &end, .n_specials = 1, .eos = -1});
        assert_true(vocab_is_end(tokenizer_vocab(t), small_token(tokenizer_vocab(t), end.text)));
        assert_int_equal(whole(t, end.text), -1);
        tokenizer_free(&t);
    }
}

/* Tokens and merges in letters that stand for no bytes: no text becomes them. */
static void test_foreign_tokens(void **state) {
    (void)state;
    static const char user[] = "<\xef\xbd\x9cUser\xef\xbd\x9c>"; /* <｜User｜> */
    static const char end[] = "<\xef\xbd\x9c\x65nd\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\x9c>";
    static const char *const texts[] = {"a", user, "aa", end, NULL};
    static const char *const merges[] = {"a \xef\xbd\x9c", "\xef\xbd\x9c a", "a a", NULL};
    failure f;
    tokenizer *t;
    assert_int_equal(build(&t, texts, merges, &f), STATUS_OK);
    const vocab *v = tokenizer_vocab(t);
    assert_int_equal(whole(t, user), -1);
    assert_int_equal(whole(t, "aa"), 2);
    size_t begins, ends;
    assert_int_equal(specials_find(vocab_specials(v, true), bytes_of(user), strlen(user), 0, strlen(user), &begins, &ends), -1);
    assert_true(vocab_is_end(v, 3));    /* it is foreign, too, but known by its text */
    tokenizer_free(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_kind_and_a_split_must_be_known),
        cmocka_unit_test(test_merges_of_texts_that_are_no_tokens),
        cmocka_unit_test(test_bos_by_split),
        cmocka_unit_test(test_no_bos_without_an_id),
        cmocka_unit_test(test_whole_pieces),
        cmocka_unit_test(test_an_end_is_no_piece),
        cmocka_unit_test(test_foreign_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
