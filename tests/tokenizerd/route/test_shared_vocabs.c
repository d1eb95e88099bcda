/* shared_vocabs.h: what is made of a vocabulary is made once for all who use it, and goes when nobody needs it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/limits.h"
#include "tests/support/chat_templates.h"
#include "tokenizerd/route/shared_vocabs.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { N_TOKENS = 3 };

static const int one, other;    /* who sends */

/* All in one piece: <|im_start|>, <|im_end|>, "a", of a model that has this template. */
static status bring(shared_vocab *y, const void *sender, const char *split, const char *template_text,
                    bool *complete, failure *f) {
    static const vocab_bytes tokens[N_TOKENS] = {
        {(const uint8_t *)"<|im_start|>", 12}, {(const uint8_t *)"<|im_end|>", 10}, {(const uint8_t *)"a", 1}};
    const uint8_t types[N_TOKENS] = {TOKEN_CONTROL, TOKEN_CONTROL, TOKEN_NORMAL};
    const vocab_meta meta = {.kind = "gpt2", .split = split, .bos = -1, .eos = 1, .eot = -1, .eom = -1,
                             .chat_template = (const uint8_t *)template_text,
                             .chat_template_bytes = strlen(template_text)};
    const vocab_piece piece = {.hash = shared_vocab_hash(y), .n_tokens_all = N_TOKENS, .tokens = tokens,
                                    .types = types, .n_tokens = N_TOKENS, .meta = &meta};
    return shared_vocab_take(y, sender, &piece, complete, f);
}

static void test_what_is_made_of_it_is_shared(void **state) {
    (void)state;
    failure f;
    bool complete;
    shared_vocabs *ys = shared_vocabs_new();
    assert_non_null(ys);
    shared_vocab *y = shared_vocabs_use(ys, "v", N_TOKENS);
    assert_ptr_equal(shared_vocabs_use(ys, "v", N_TOKENS), y);  /* another model with the same one */
    assert_true(shared_vocab_wanted(y));
    assert_null(shared_vocab_tokenizer(y));
    shared_vocab_ask(y, &one);
    assert_false(shared_vocab_wanted(y));
    assert_int_equal(bring(y, &other, "gpt-2", template_smollm2, &complete, &f), STATUS_OK);  /* not asked */
    assert_false(complete);
    assert_int_equal(bring(y, &one, "gpt-2", template_smollm2, &complete, &f), STATUS_OK);
    assert_true(complete);
    const tokenizer *t = shared_vocab_tokenizer(y);
    assert_int_equal(vocab_size(tokenizer_vocab(t)), N_TOKENS);
    assert_int_equal(shared_vocab_template(y)->form, CHAT_CHATML);
    assert_non_null(shared_vocab_template(y)->system.bytes);
    const uint8_t *system = shared_vocab_template(y)->system.bytes;

    shared_vocab_forget(y, &one);               /* whoever sent it may go */
    shared_vocabs_leave(ys, y);
    shared_vocabs_leave(ys, y);                 /* nobody uses it, and it is kept */
    assert_ptr_equal(shared_vocabs_use(ys, "v", N_TOKENS), y);
    assert_false(shared_vocab_wanted(y));
    assert_ptr_equal(shared_vocab_tokenizer(y), t);
    assert_ptr_equal(shared_vocab_template(y)->system.bytes, system);
    shared_vocabs_free(&ys);
    assert_null(ys);
}

static void test_an_incomplete_one_is_not_kept(void **state) {
    (void)state;
    shared_vocabs *ys = shared_vocabs_new();
    assert_non_null(ys);
    shared_vocab *y = shared_vocabs_use(ys, "v", N_TOKENS);
    shared_vocab_ask(y, &one);
    shared_vocab_forget(y, &one);
    assert_true(shared_vocab_wanted(y));
    shared_vocabs_leave(ys, y);
    assert_null(shared_vocabs_find(ys, "v"));
    shared_vocabs_free(&ys);
}

static void test_one_that_cannot_be_used_is_asked_of_the_next(void **state) {
    (void)state;
    failure f;
    bool complete;
    shared_vocabs *ys = shared_vocabs_new();
    assert_non_null(ys);
    shared_vocab *y = shared_vocabs_use(ys, "v", N_TOKENS);
    shared_vocab_ask(y, &one);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(bring(y, &one, "nonsense", "", &complete, &f), STATUS_UNSUPPORTED);
        assert_non_null(strstr(f.message, "nonsense"));
        assert_false(complete);
        assert_false(shared_vocab_wanted(y));   /* until its sender is gone */
    }
    shared_vocab_forget(y, &one);
    assert_true(shared_vocab_wanted(y));
    shared_vocab_ask(y, &other);
    assert_int_equal(bring(y, &other, "smollm", "", &complete, &f), STATUS_OK);
    assert_true(complete);
    assert_int_equal(shared_vocab_template(y)->form, CHAT_NO_FORM);
    shared_vocabs_free(&ys);
}

static void test_the_latest_unused_ones_are_kept(void **state) {
    (void)state;
    failure f;
    shared_vocabs *ys = shared_vocabs_new();
    assert_non_null(ys);
    for (int i = 0; i <= VOCABULARIES_KEPT_MAX; i++) {
        char hash[16];
        bool complete;
        snprintf(hash, sizeof hash, "v%d", i);
        shared_vocab *y = shared_vocabs_use(ys, hash, N_TOKENS);
        shared_vocab_ask(y, &one);
        assert_int_equal(bring(y, &one, "gpt-2", "", &complete, &f), STATUS_OK);
        shared_vocabs_leave(ys, y);
    }
    assert_null(shared_vocabs_find(ys, "v0"));
    assert_non_null(shared_vocabs_find(ys, "v1"));
    shared_vocabs_free(&ys);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_made_of_it_is_shared),
        cmocka_unit_test(test_an_incomplete_one_is_not_kept),
        cmocka_unit_test(test_one_that_cannot_be_used_is_asked_of_the_next),
        cmocka_unit_test(test_the_latest_unused_ones_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
