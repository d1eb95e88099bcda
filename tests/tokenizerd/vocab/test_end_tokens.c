/* What ends a text: by the keys of the file, by the names of tokens, and where such a name does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/base/limits.h"
#include "tests/support/tokenizer/small_tokenizer.h"
#include "tokenizerd/text/stream.h"
#include "tokenizerd/vocab/end_tokens.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { TEXTS_MAX = 6 };

typedef struct end_case {
    const char *texts[TEXTS_MAX];   /* tokens, NULL after the last */
    const char *ending;             /* those that end a text, each followed by a blank */
} end_case;

static tokenizer *tokenizer_with(const small_special *tokens, size_t n_tokens) {
    return small_tokenizer(&(small_tokenizer_parts){
        .split = "gpt-2", .specials = tokens, .n_specials = n_tokens, .eos = -1});
}

static void check_ends(const end_case *c, token_type type) {
    small_special tokens[TEXTS_MAX];
    size_t n = 0;
    for (; n < TEXTS_MAX && c->texts[n]; n++) tokens[n] = (small_special){c->texts[n], type};
    tokenizer *t = tokenizer_with(tokens, n);
    const vocab *v = tokenizer_vocab(t);
    char ending[256] = "";
    for (size_t i = 0; i < n; i++) {
        int32_t id = (int32_t)(SMALL_FIRST_MERGE + i);
        if (vocab_is_end(v, id)) strcat(strcat(ending, c->texts[i]), " ");
        assert_int_equal(vocab_type(v, id), vocab_is_end(v, id) ? TOKEN_CONTROL : type);
    }
    if (strcmp(ending, c->ending) != 0) fail_msg("type %d: %snot %s", type, ending, c->ending);
    tokenizer_free(&t);
}

static void test_names_end_whatever_their_type(void **state) {
    (void)state;
    static const end_case cases[] = {
        {{"<|end_of_text|>", "<|eom_id|>", "<|endoftext|>", "<|im_end|>", "<|eot_id|>"},
         "<|end_of_text|> <|eom_id|> <|endoftext|> <|im_end|> <|eot_id|> "},
        {{"<end_of_turn>", "<turn|>", "</s>", "<EOT>", "_<EOT>", "[EOT]"},
         "<end_of_turn> <turn|> </s> <EOT> _<EOT> [EOT] "},
        {{"<end_of_utterance>", "<eos>", "[EOS]", "[e~["}, "<end_of_utterance> <eos> [EOS] [e~[ "},
        {{"<|fim_pad|>", "<|fim_repo|>", "<|repo_name|>", "<reponame>", "<|file_sep|>", "<PAD>"},
         "<|fim_pad|> <|fim_repo|> <|repo_name|> <reponame> <|file_sep|> <PAD> "},
        {{"<|im_start|>", "<s>", "<|END|>", "<|end|", "<|end|>>", "<start_of_turn>"}, ""},
        {{"<|end|>"}, "<|end|> "},
        /* a part of a reply ends there, not the reply */
        {{"<|end|>", "<|return|>", "<|call|>"}, "<|return|> <|call|> "},
        {{"<|calls|>", "<|end|>", "<|flush|>"}, "<|calls|> <|flush|> "},
        {{"<|calls|>", "<|return|>", "<|end|>"}, "<|calls|> <|return|> "},
        {{"<|end|>", "<|return|>"}, "<|end|> <|return|> "},
        {{"<|end|>", "<|call|>"}, "<|end|> <|call|> "},
        /* HTML's */
        {{"</s>", "<|tool_response>"}, "<|tool_response> "},
        {{"</s>", "<|plamo:eos|>"}, ""},
    };
    static const token_type types[] = {TOKEN_CONTROL, TOKEN_USER_DEFINED, TOKEN_UNUSED};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t j = 0; j < sizeof types / sizeof types[0]; j++) check_ends(&cases[i], types[j]);
    check_ends(&(end_case){{"<|return|>"}, "<|return|> "}, TOKEN_NORMAL);
    check_ends(&(end_case){{"<｜end▁of▁sentence｜>", "<|return|>"},
                           "<｜end▁of▁sentence｜> <|return|> "},
               TOKEN_CONTROL);
}

static void test_every_name_is_one(void **state) {
    (void)state;
    size_t n = 0;
    for (; end_token_text(n); n++) {
        assert_true(n < END_TOKENS_MAX);
        bool is_end = strcmp(end_token_text(n), "<|plamo:eos|>") != 0;
        assert_int_equal(end_tokens_ending(UINT64_C(1) << n), is_end ? UINT64_C(1) << n : 0);
        for (size_t i = 0; i < n; i++) assert_string_not_equal(end_token_text(i), end_token_text(n));
    }
    assert_true(n > 30);
    assert_null(end_token_text(n));
    assert_int_equal(end_tokens_ending(0), 0);
}

static void test_what_merges_make_is_text(void **state) {
    (void)state;
    static const small_merge merges[] = {{"<", "/"}, {"</", "s"}, {"</s", ">"}};
    tokenizer *t = small_tokenizer(
        &(small_tokenizer_parts){.split = "gpt-2", .merges = merges, .n_merges = 3, .eos = -1});
    const vocab *v = tokenizer_vocab(t);
    int32_t id = small_token(v, "</s>");
    assert_int_equal(vocab_type(v, id), TOKEN_NORMAL);
    assert_false(vocab_is_end(v, id));
    tokenizer_free(&t);
}

/* NULL: the vocabulary is refused. */
static tokenizer *tokenizer_with_ends(const int32_t *ends, size_t n_ends, int32_t eos, failure *f) {
    tokenizer *t;
    vocab *v;
    vocab_meta meta = {.kind = "gpt2", .split = "gpt-2", .n_tokens = 4, .bos = -1, .eos = eos,
                       .eot = -1, .eom = -1, .ends = ends, .n_ends = n_ends};
    if (vocab_new(&v, &meta, f) != STATUS_OK) return NULL;
    static const char *const texts[] = {"a", "<|end|>", "<x>", "<|call|>"};
    for (size_t i = 0; i < 4; i++) {
        token_type type = i == 0 ? TOKEN_NORMAL : TOKEN_CONTROL;
        assert_int_equal(
            vocab_add_token(v, (const uint8_t *)texts[i], strlen(texts[i]), type, f), STATUS_OK);
    }
    assert_int_equal(vocab_finish(v, f), STATUS_OK);
    assert_int_equal(tokenizer_new(&t, &v, f), STATUS_OK);
    return t;
}

static void test_keys_of_the_file_end_it(void **state) {
    (void)state;
    failure f;
    const int32_t ends[] = {2, 0, 2, 1};
    tokenizer *t = tokenizer_with_ends(ends, 4, 2, &f);
    const vocab *v = tokenizer_vocab(t);
    size_t n;
    vocab_end_ids(v, &n);
    assert_int_equal(n, 4);     /* 3 by its name, the others once each */
    for (int32_t id = 0; id < 4; id++) assert_true(vocab_is_end(v, id));
    assert_int_equal(vocab_type(v, 0), TOKEN_NORMAL);   /* its text is shown where ends are ignored */
    assert_null(vocab_meta_of(v)->ends);
    tokenizer_free(&t);

    t = tokenizer_with_ends(NULL, 0, -1, &f);
    assert_false(vocab_is_end(tokenizer_vocab(t), 2));
    tokenizer_free(&t);

    assert_null(tokenizer_with_ends((const int32_t[]){4}, 1, -1, &f));
    assert_non_null(strstr(f.message, "end id 4 is not in 0 … 3"));
    int32_t many[KEYED_ENDS_MAX + 1] = {0};
    assert_null(tokenizer_with_ends(many, KEYED_ENDS_MAX + 1, -1, &f));
    assert_int_equal(f.code, STATUS_BAD_REQUEST);
}

/* An exception of a name is none of the file's own word. */
static void test_a_key_outweighs_an_exception(void **state) {
    (void)state;
    static const small_special tokens[] = {
        {"<|end|>", TOKEN_CONTROL}, {"<|return|>", TOKEN_CONTROL}, {"<|call|>", TOKEN_CONTROL}};
    tokenizer *t = small_tokenizer(&(small_tokenizer_parts){
        .split = "gpt-2", .specials = tokens, .n_specials = 3, .eos = SMALL_FIRST_MERGE});
    const vocab *v = tokenizer_vocab(t);
    assert_true(vocab_is_end(v, SMALL_FIRST_MERGE));
    tokenizer_free(&t);
}

/* With ends ignored they are drawn and stay in the ids, and nothing of them is shown. */
static void test_ends_are_silent(void **state) {
    (void)state;
    static const small_special tokens[] = {{"<|im_end|>", TOKEN_USER_DEFINED},
                                             {"<tool>", TOKEN_USER_DEFINED}};
    tokenizer *t = tokenizer_with(tokens, 2);
    const vocab *v = tokenizer_vocab(t);
    stream *s = stream_new(v, NULL, NULL, 0);
    assert_non_null(s);
    stream_text out;
    assert_int_equal(stream_feed(s, small_token(v, "<|im_end|>"), &out), STATUS_OK);
    assert_int_equal(out.n_bytes, 0);
    assert_int_equal(stream_feed(s, small_token(v, "<tool>"), &out), STATUS_OK);
    assert_int_equal(out.n_bytes, strlen("<tool>"));
    stream_free(&s);
    tokenizer_free(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_end_whatever_their_type),
        cmocka_unit_test(test_every_name_is_one),
        cmocka_unit_test(test_what_merges_make_is_text),
        cmocka_unit_test(test_keys_of_the_file_end_it),
        cmocka_unit_test(test_a_key_outweighs_an_exception),
        cmocka_unit_test(test_ends_are_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
