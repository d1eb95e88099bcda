/* What vocab.h promises: bytes of tokens, look-ups, which are special, and which vocabularies are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/limits.h"
#include "tokenizerd/vocab/byte_letters.h"
#include "tokenizerd/vocab/vocab.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static const uint8_t *bytes_of(const char *text) {
    return (const uint8_t *)text;
}

static vocab_meta meta_of(uint32_t n_tokens, uint32_t n_merges) {
    return (vocab_meta){.kind = "gpt2",
                        .split = "gpt-2",
                        .n_tokens = n_tokens,
                        .n_merges = n_merges,
                        .bos = -1,
                        .eos = -1,
                        .eot = -1,
                        .eom = -1};
}

static vocab *begin(uint32_t n_tokens, uint32_t n_merges) {
    vocab *v;
    failure f;
    vocab_meta meta = meta_of(n_tokens, n_merges);
    assert_int_equal(vocab_new(&v, &meta, &f), STATUS_OK);
    return v;
}

static status add(vocab *v, const char *text, token_type type) {
    failure f;
    return vocab_add_token(v, bytes_of(text), strlen(text), type, &f);
}

static status merge(vocab *v, const char *text) {
    failure f;
    return vocab_add_merge(v, bytes_of(text), strlen(text), &f);
}

static void check_bytes(const vocab *v, int32_t id, const char *expected, size_t n_bytes) {
    vocab_bytes token = vocab_token(v, id);
    assert_int_equal(token.n_bytes, n_bytes);
    assert_memory_equal(token.bytes, expected, n_bytes);
}

/* ---- the byte-level spelling ---- */

static void test_letters_and_bytes(void **state) {
    (void)state;
    assert_int_equal(byte_letter('A'), 'A');
    assert_int_equal(byte_letter(' '), 0x120);  /* Ġ */
    assert_int_equal(byte_letter('\n'), 0x10A); /* Ċ */
    assert_int_equal(byte_letter(0x7F), 0x121);
    assert_int_equal(byte_letter(0xAD), 0x143);
    assert_int_equal(byte_letter(0xFF), 0xFF);
    for (uint32_t letter = 0; letter < 0x800; letter++) {
        uint8_t text[2] = {(uint8_t)letter}, raw[2];
        size_t n_bytes = letter < 0x80 ? 1 : 2, n, n_bytes_with_it = 0;
        if (n_bytes == 2)
            text[0] = (uint8_t)(0xC0 | letter >> 6), text[1] = (uint8_t)(0x80 | (letter & 0x3F));
        for (unsigned byte = 0; byte < 256; byte++)
            if (byte_letter((uint8_t)byte) == letter) {
                n_bytes_with_it++;
                assert_true(byte_letters_undo(text, n_bytes, raw, &n));
                assert_int_equal(n, 1);
                assert_int_equal(raw[0], byte);
            }
        assert_true(n_bytes_with_it <= 1);
        if (n_bytes_with_it == 0) assert_false(byte_letters_undo(text, n_bytes, raw, &n));
    }
    uint8_t raw[4];
    size_t n;
    assert_false(byte_letters_undo(bytes_of("\xc4"), 1, raw, &n));         /* cut */
    assert_false(byte_letters_undo(bytes_of("\xc1\x81"), 2, raw, &n));     /* overlong "A" */
    assert_false(byte_letters_undo(bytes_of("\xe2\x82\xac"), 3, raw, &n)); /* € */
}

/* ---- what a finished one answers ---- */

static void test_tokens_and_types(void **state) {
    (void)state;
    vocab *v = begin(6, 0);
    assert_int_equal(add(v, "\xc4\xa0Hi", TOKEN_NORMAL), STATUS_OK); /* ĠHi */
    assert_int_equal(add(v, "\xc3\xa2\xc4\xa4\xc2\xac", TOKEN_NORMAL),
                     STATUS_OK); /* âĤ¬: E2 82 AC */
    assert_int_equal(add(v, "<|a b|>", TOKEN_CONTROL), STATUS_OK);
    assert_int_equal(add(v, "\xe2\x82\xac", TOKEN_USER_DEFINED), STATUS_OK); /* as it stands */
    assert_int_equal(add(v, "\xc4\xa0Hi", TOKEN_NORMAL), STATUS_OK);
    assert_int_equal(add(v, "", TOKEN_UNUSED), STATUS_OK);
    failure f;
    assert_int_equal(vocab_finish(v, &f), STATUS_OK);
    assert_int_equal(vocab_size(v), 6);
    check_bytes(v, 0, " Hi", 3);
    check_bytes(v, 1, "\xe2\x82\xac", 3);
    check_bytes(v, 2, "<|a b|>", 7);
    check_bytes(v, 5, "", 0);
    assert_int_equal(vocab_type(v, 2), TOKEN_CONTROL);
    assert_int_equal(vocab_find(v, bytes_of(" Hi"), 3), 0);          /* the lowest of equals */
    assert_int_equal(vocab_find(v, bytes_of("\xe2\x82\xac"), 3), 1); /* normal before others */
    assert_int_equal(vocab_find(v, bytes_of("<|a b|>"), 7), 2);
    assert_int_equal(vocab_find(v, bytes_of("Hi"), 2), -1);
    vocab_free(&v);
    assert_null(v);
}

static void test_meta_is_copied(void **state) {
    (void)state;
    char template[] = "{{ x }}", kind[] = "gpt2", split[] = "smollm";
    vocab_meta meta = meta_of(1, 0);
    meta.kind = kind, meta.split = split, meta.add_bos = true, meta.bos = 0;
    meta.chat_template = bytes_of(template), meta.chat_template_bytes = strlen(template);
    vocab *v;
    failure f;
    assert_int_equal(vocab_new(&v, &meta, &f), STATUS_OK);
    memset(template, 0, sizeof template), memset(kind, 0, sizeof kind),
        memset(split, 0, sizeof split);
    const vocab_meta *kept = vocab_meta_of(v);
    assert_string_equal(kept->kind, "gpt2");
    assert_string_equal(kept->split, "smollm");
    assert_int_equal(kept->chat_template_bytes, 7);
    assert_memory_equal(kept->chat_template, "{{ x }}", 7);
    assert_true(kept->add_bos);
    assert_int_equal(kept->bos, 0);
    vocab_free(&v);
}

/* Spelled in letters that stand for no bytes: it is read as it is spelled. */
static void test_foreign_tokens(void **state) {
    (void)state;
    static const char spelled[] = "<\xef\xbd\x9cUser\xef\xbd\x9c>"; /* <｜User｜> */
    vocab *v = begin(3, 0);
    failure f;
    assert_int_equal(add(v, spelled, TOKEN_NORMAL), STATUS_OK);
    assert_int_equal(add(v, "a b", TOKEN_NORMAL), STATUS_OK);
    assert_int_equal(add(v, "aa", TOKEN_NORMAL), STATUS_OK);
    assert_int_equal(vocab_finish(v, &f), STATUS_OK);
    check_bytes(v, 0, spelled, strlen(spelled));
    check_bytes(v, 1, "a b", 3);
    assert_int_equal(vocab_type(v, 0), TOKEN_FOREIGN);
    assert_int_equal(vocab_type(v, 2), TOKEN_NORMAL);
    vocab_free(&v);
}

static void check_string(const byte_strings *list, size_t index, const char *expected) {
    size_t n;
    const uint8_t *bytes = byte_strings_at(list, index, &n);
    assert_int_equal(n, strlen(expected));
    assert_memory_equal(bytes, expected, n);
}

/* Raw, left and right by turns; one that no text meets keeps its rank. */
static void test_merges_are_taken(void **state) {
    (void)state;
    static const char *const expected[] = {"a", " b", "", "", "a b", "c"};
    vocab *v = begin(1, 3);
    failure f;
    assert_int_equal(add(v, "a", TOKEN_NORMAL), STATUS_OK);
    assert_int_equal(merge(v, "a \xc4\xa0\x62"), STATUS_OK);             /* a Ġb */
    assert_int_equal(merge(v, "a \xef\xbd\x9c"), STATUS_OK);             /* a ｜ */
    assert_int_equal(merge(v, "a\xc4\xa0\x62 c"), STATUS_OK);            /* aĠb c */
    assert_int_equal(vocab_finish(v, &f), STATUS_OK);
    byte_strings *merges = vocab_take_merges(v);
    assert_int_equal(byte_strings_count(merges), 6);
    for (size_t i = 0; i < 6; i++) check_string(merges, i, expected[i]);
    byte_strings_free(&merges);
    vocab_free(&v);
}

static bool makes_one(const void *one, int32_t id) {
    return id == *(const int32_t *)one;
}

/* Whoever makes ids of texts says which tokens it makes: those are text, whatever they look like. */
static void test_what_is_made_is_no_end(void **state) {
    (void)state;
    static const char *const texts[] = {"</s>", "<|im_end|>", "a"};
    for (int32_t made = 0; made < 3; made++) {
        vocab *v = begin(3, 0);
        failure f;
        for (size_t i = 0; i < 3; i++) assert_int_equal(add(v, texts[i], TOKEN_NORMAL), STATUS_OK);
        assert_int_equal(vocab_finish(v, &f), STATUS_OK);
        assert_int_equal(vocab_find_specials(v, makes_one, &made, &f), STATUS_OK);
        for (int32_t id = 0; id < 3; id++) {
            bool is_end = id < 2 && id != made;
            size_t n_bytes = strlen(texts[id]), from, to;
            assert_int_equal(vocab_is_end(v, id), is_end);
            assert_int_equal(vocab_type(v, id), is_end ? TOKEN_CONTROL : TOKEN_NORMAL);
            assert_int_equal(specials_find(vocab_specials(v, true), bytes_of(texts[id]), n_bytes, 0, n_bytes, &from, &to),
                             is_end ? id : -1);
            assert_int_equal(specials_find(vocab_specials(v, false), bytes_of(texts[id]), n_bytes, 0, n_bytes, &from, &to),
                             -1);
        }
        vocab_free(&v);
    }
}

/* ---- what is refused ---- */

static void refuse_meta(const vocab_meta *meta, status expected, const char *words) {
    vocab *v;
    failure f;
    assert_int_equal(vocab_new(&v, meta, &f), expected);
    assert_null(v);
    assert_int_equal(f.code, expected);
    if (!strstr(f.message, words)) fail_msg("\"%s\" does not say \"%s\"", f.message, words);
}

static void test_refused_metas(void **state) {
    (void)state;
    vocab_meta meta = meta_of(10, 0);
    meta.eos = 10;
    refuse_meta(&meta, STATUS_BAD_REQUEST, "eos id 10");
    meta = meta_of(10, 0), meta.bos = -2;
    refuse_meta(&meta, STATUS_BAD_REQUEST, "bos id -2");
    meta = meta_of(0, 0);
    refuse_meta(&meta, STATUS_BAD_REQUEST, "0 tokens");
    meta = meta_of(N_VOCAB_MAX + 1, 0);
    refuse_meta(&meta, STATUS_BAD_REQUEST, "tokens");
    meta = meta_of(10, N_MERGES_MAX + 1);
    refuse_meta(&meta, STATUS_BAD_REQUEST, "merges");
    meta = meta_of(10, 0), meta.chat_template_bytes = CHAT_TEMPLATE_BYTES_MAX + 1;
    refuse_meta(&meta, STATUS_BAD_REQUEST, "chat template");
}

static void test_refused_tokens(void **state) {
    (void)state;
    vocab *v = begin(1, 0);
    failure f;
    assert_int_equal(add(v, "a", (token_type)0), STATUS_BAD_MESSAGE);
    assert_int_equal(add(v, "a", (token_type)7), STATUS_BAD_MESSAGE);
    char *text = calloc(1, TOKEN_BYTES_MAX + 2);
    memset(text, 'a', TOKEN_BYTES_MAX + 1);
    assert_int_equal(add(v, text, TOKEN_NORMAL), STATUS_BAD_MESSAGE);
    assert_int_equal(add(v, text + 1, TOKEN_NORMAL), STATUS_OK);
    assert_int_equal(add(v, "a", TOKEN_NORMAL), STATUS_BAD_MESSAGE); /* one too many */
    assert_int_equal(vocab_finish(v, &f), STATUS_OK);
    free(text);
    vocab_free(&v);
}

static void test_refused_merges(void **state) {
    (void)state;
    static const char *const malformed[] = {"", "a", "ab", " a", "a ", " ", "a  b", "a b c"};
    vocab *v = begin(1, 1);
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++)
        assert_int_equal(merge(v, malformed[i]), STATUS_BAD_MESSAGE);
    vocab_free(&v);
}

static void test_missing_pieces(void **state) {
    (void)state;
    failure f;
    vocab *v = begin(2, 1);
    assert_int_equal(add(v, "a", TOKEN_NORMAL), STATUS_OK);
    assert_int_equal(vocab_finish(v, &f), STATUS_BAD_MESSAGE);
    assert_int_equal(add(v, "aa", TOKEN_NORMAL), STATUS_OK);
    assert_int_equal(vocab_finish(v, &f), STATUS_BAD_MESSAGE);
    assert_non_null(strstr(f.message, "2 of 2 tokens, 0 of 1 merges"));
    assert_int_equal(merge(v, "a a"), STATUS_OK);
    assert_int_equal(vocab_finish(v, &f), STATUS_OK);
    vocab_free(&v);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letters_and_bytes),
        cmocka_unit_test(test_tokens_and_types),
        cmocka_unit_test(test_meta_is_copied),
        cmocka_unit_test(test_foreign_tokens),
        cmocka_unit_test(test_merges_are_taken),
        cmocka_unit_test(test_what_is_made_is_no_end),
        cmocka_unit_test(test_refused_metas),
        cmocka_unit_test(test_refused_tokens),
        cmocka_unit_test(test_refused_merges),
        cmocka_unit_test(test_missing_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
