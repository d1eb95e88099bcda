/* What reply_limit.h promises: which of the bounds of a reply counts, and how that is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "client/chat/reply_limit.h"
#include "proto/base/limits.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static void test_the_smallest_bound_counts(void **state) {
    (void)state;
    static const struct {
        uint32_t n_prompt, n_ctx;
        uint64_t kv_tokens;
        uint32_t max_new_tokens;
        const char *name;
        uint32_t n_tokens;
        const char *sentence;
    } cases[] = {
        {100, 8192, 20000, 200, "max_new_tokens", 200, "cut at 200 tokens: --max-new-tokens"},
        {100, 8192, 20000, 0, "kv_quarter", 5000,
         "cut at 5000 tokens: a quarter of the KV-cache (--kv-memory of modeld)"},
        {100, 8192, 20000, 6000, "kv_quarter", 5000, NULL},
        {7000, 8192, 20000, 0, "n_ctx", 1192, "cut at 1192 tokens: the context of 8192 tokens is full"},
        {900, 8192, 1024, 0, "kv_cache", 124, "cut at 124 tokens: the KV-cache of 1024 tokens is full (--kv-memory of modeld)"},
        {255, 256, UINT64_MAX, 0, "n_ctx", 1, "cut at 1 token: the context of 256 tokens is full"},
        {7992, 8192, 20000, 200, "max_new_tokens", 200, NULL},     /* of equal ones, what was asked for */
        {300, 256, 2, 0, "n_ctx", 1, NULL},     /* what a peer says may make no sense */
        {300, 0, 0, 50, "max_new_tokens", 50, NULL},
        {300, 0, 0, 0, "max_new_tokens", MAX_NEW_TOKENS_MAX, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char sentence[REPLY_LIMIT_BYTES];
        reply_limit l = reply_limit_of(cases[i].n_prompt, cases[i].n_ctx, cases[i].kv_tokens,
                                       cases[i].max_new_tokens);
        assert_string_equal(reply_limit_name(&l), cases[i].name);
        assert_int_equal(l.n_tokens, cases[i].n_tokens);
        reply_limit_sentence(&l, sentence);
        if (cases[i].sentence) assert_string_equal(sentence, cases[i].sentence);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_smallest_bound_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
