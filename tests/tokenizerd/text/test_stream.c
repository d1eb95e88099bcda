/* What stream.h promises: what is shown, what is held back, where a stop string ends the text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/base/text.h"
#include "tests/support/tokenizer/small_tokenizer.h"
#include "tokenizerd/text/stream.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

#define REPLACEMENT "\xef\xbf\xbd"

static stream *stream_with(const vocab *v, const char *const *stops, size_t n_stops) {
    const uint8_t *texts[8];
    size_t sizes[8];
    for (size_t i = 0; i < n_stops; i++)
        texts[i] = (const uint8_t *)stops[i], sizes[i] = strlen(stops[i]);
    stream *s = stream_new(v, texts, sizes, n_stops);
    assert_non_null(s);
    return s;
}

/* The ids of tokens that are each followed by | (which those in <| |> may contain). */
static size_t ids_of(const vocab *v, const char *tokens, int32_t *ids) {
    size_t n = 0;
    while (*tokens) {
        size_t n_bytes = strncmp(tokens, "<|", 2) == 0 ? (size_t)(strstr(tokens, "|>") + 2 - tokens)
                                                       : strcspn(tokens, "|");
        ids[n] = vocab_find(v, (const uint8_t *)tokens, n_bytes);
        if (ids[n++] < 0) fail_msg("\"%s\" does not begin with a token", tokens);
        tokens += n_bytes + 1;
    }
    return n;
}

typedef struct stream_case {
    const char *tokens;   /* as ids_of takes them */
    const char *stops[3]; /* NULL-terminated */
    const char *shown;    /* text after each id and after the end: | after each, # at a stop */
} stream_case;

static void check_case(const vocab *v, const stream_case *c) {
    size_t n_stops = 0;
    while (n_stops < 3 && c->stops[n_stops]) n_stops++;
    stream *s = stream_with(v, c->stops, n_stops);
    int32_t ids[32];
    size_t n = ids_of(v, c->tokens, ids), used = 0;
    char shown[256] = "";
    for (size_t i = 0; i <= n; i++) {
        stream_text out;
        assert_int_equal(i < n ? stream_feed(s, ids[i], &out) : stream_end(s, &out), STATUS_OK);
        assert_true(text_is_utf8(out.bytes, out.n_bytes));
        used += (size_t)snprintf(shown + used, sizeof shown - used, "%.*s%s", (int)out.n_bytes,
                                 out.n_bytes > 0 ? (const char *)out.bytes : "",
                                 out.stopped ? "#" : "|");
        if (out.stopped) break;
    }
    if (strcmp(shown, c->shown) != 0) fail_msg("%s shows %s, not %s", c->tokens, shown, c->shown);
    stream_free(&s);
}

static void check_cases(const stream_case *cases, size_t n_cases) {
    tokenizer *t = small_tokenizer_default();
    const vocab *v = tokenizer_vocab(t);
    for (size_t i = 0; i < n_cases; i++) check_case(v, &cases[i]);
    tokenizer_free(&t);
}

static void test_kinds_of_tokens(void **state) {
    (void)state;
    static const stream_case cases[] = {
        {"the|ing|", {0}, "the|ing||"},
        {"a|<|end|>|b|", {0}, "a||b||"},      /* control tokens are silent */
        {"a|<?>|<pad>|b|", {0}, "a|||b||"},   /* and so are unknown and unused ones */
        {"a|<tool>|b|", {0}, "a|<tool>|b||"}, /* user-defined ones are text */
        {"", {0}, "|"},
    };
    check_cases(cases, sizeof cases / sizeof cases[0]);
}

static void test_characters_over_several_tokens(void **state) {
    (void)state;
    static const stream_case cases[] = {
        {"\xf0|\x9f|\x98|\x81|x|", {0}, "|||\xf0\x9f\x98\x81|x||"}, /* an emoji in four tokens */
        {"\xe2|<|end|>|\x82|\xac|", {0}, "|||\xe2\x82\xac||"}, /* silent ones do not break it */
        {"\xe2|\x82|x|", {0}, "||" REPLACEMENT "x||"},         /* ill-formed once x is there */
        {"\xff|\x80|", {0}, REPLACEMENT "|" REPLACEMENT "||"}, /* at once */
        {"\xf0|\x9f|\x98|", {0}, "|||" REPLACEMENT "|"},       /* cut: one mark, at the end */
        {"\xe2|\xe2|\x82|\xac|", {0}, "|" REPLACEMENT "||\xe2\x82\xac||"},
        {"\xc3|\xa9|", {"\xc3\xa9"}, "|#"}, /* a stop of two tokens' bytes */
        {"\xff|", {REPLACEMENT}, "#"},      /* stops are matched against what would be shown */
        {"\xf0|", {REPLACEMENT}, "|#"},
    };
    check_cases(cases, sizeof cases / sizeof cases[0]);
}

static void test_stops(void **state) {
    (void)state;
    static const stream_case cases[] = {
        {"a|b|c|d|", {"bc"}, "a||#"},
        {"a|b|x|", {"bc"}, "a||bx||"},          /* only its beginning: let go */
        {"x|the|in|g|y|", {"heing"}, "x|t||#"}, /* over three tokens, from within one */
        {"the|ing|", {"he"}, "t#"},             /* within one token */
        {"a|a|a|b|", {"aab"}, "||a|#"},         /* the beginning of a stop within another */
        {"aaaa|b|", {"aab"}, "aa|#"},
        {"a|b|", {"bc"}, "a||b|"}, /* held back until the end */
        {"t|h|e|", {"eq", "the"}, "||#"},
        {"the|", {"e", "he"}, "t#"}, /* the earliest occurrence wins */
        {"the|", {"the"}, "#"},
        {"a|<|end|>|b|", {"ab"}, "||#"},
    };
    check_cases(cases, sizeof cases / sizeof cases[0]);
}

static void test_nothing_is_shown_after_a_stop(void **state) {
    (void)state;
    tokenizer *t = small_tokenizer_default();
    const vocab *v = tokenizer_vocab(t);
    stream *s = stream_with(v, (const char *const[]){"b"}, 1);
    stream_text out;
    static const char letters[] = "abcb";
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(stream_feed(s, letters[i], &out), STATUS_OK);
        assert_int_equal(out.n_bytes, i == 0);
        assert_int_equal(out.stopped, i > 0);
    }
    assert_int_equal(stream_end(s, &out), STATUS_OK);
    assert_int_equal(out.n_bytes, 0);
    assert_true(out.stopped);
    stream_free(&s);
    tokenizer_free(&t);
}

/* ---- random ids against the definition, one go at a time ---- */

static uint32_t random_below(uint64_t *seed, uint32_t bound) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33) % bound;
}

/* The text of ids, cut at the first stop in it, if there is one. NUL-terminated, malloc'ed. */
static char *whole_text(const vocab *v, const int32_t *ids, size_t n_ids, bool at_end,
                        const char *const *stops, size_t n_stops, bool *stopped) {
    uint8_t raw[1024];
    size_t n = 0, n_text;
    for (size_t i = 0; i < n_ids; i++) {
        vocab_bytes token = vocab_token(v, ids[i]);
        if (vocab_type(v, ids[i]) != TOKEN_NORMAL && vocab_type(v, ids[i]) != TOKEN_USER_DEFINED)
            continue;
        memcpy(raw + n, token.bytes, token.n_bytes);
        n += token.n_bytes;
    }
    char *text = text_replace_ill_formed(raw, at_end ? n : text_whole_prefix(raw, n), &n_text);
    assert_non_null(text);
    char *first = text + n_text;
    for (size_t i = 0; i < n_stops; i++) {
        char *found = strstr(text, stops[i]);
        if (found && found < first) first = found;
    }
    *stopped = first < text + n_text;
    *first = '\0';
    return text;
}

static void check_random_stream(const vocab *v, uint64_t *seed) {
    static const int32_t pool[] = {'a',  'b',  't',  'h',  'e',  0xF0, 0x9F,
                                   0x98, 0x81, 0xE2, 0x82, 0xC3, 0xFF};
    static const char *const stops[] = {"the", "aab", "hea", "\xc3\x81", "b\xef\xbf\xbd"};
    size_t n_ids = random_below(seed, 40), n_stops = random_below(seed, 6), n_shown = 0;
    int32_t ids[40];
    for (size_t i = 0; i < n_ids; i++)
        ids[i] = random_below(seed, 3) ? pool[random_below(seed, sizeof pool / sizeof pool[0])]
                                       : (int32_t)(256 + random_below(seed, vocab_size(v) - 256));
    stream *s = stream_with(v, stops, n_stops);
    char shown[2048] = "";
    bool done = false;
    for (size_t i = 0; i <= n_ids && !done; i++) {
        stream_text out;
        bool at_end = i == n_ids;
        assert_int_equal(at_end ? stream_end(s, &out) : stream_feed(s, ids[i], &out), STATUS_OK);
        if (out.n_bytes > 0) memcpy(shown + n_shown, out.bytes, out.n_bytes);
        n_shown += out.n_bytes;
        shown[n_shown] = '\0';
        char *expected = whole_text(v, ids, at_end ? i : i + 1, at_end, stops, n_stops, &done);
        assert_int_equal(out.stopped, done);
        assert_true(text_is_utf8((const uint8_t *)shown, n_shown) || !at_end);
        if (done || at_end)
            assert_string_equal(shown, expected);
        else
            assert_memory_equal(shown, expected, n_shown); /* nothing that is taken back later */
        free(expected);
    }
    stream_free(&s);
}

static void test_random_ids(void **state) {
    (void)state;
    tokenizer *t = small_tokenizer_default();
    const vocab *v = tokenizer_vocab(t);
    uint64_t seed = 3;
    for (int i = 0; i < 20000; i++) check_random_stream(v, &seed);
    tokenizer_free(&t);
}

/* ---- long texts ---- */

/* A resumed text is fed at once: 64 stops of 1 KiB that nearly match everywhere must not make that slow. */
static void test_a_long_text_is_fed_at_once(void **state) {
    (void)state;
    enum { STOPS = 64, STOP_BYTES = 1024, IDS = 131072, CPU_S_MAX = 5 };
    static uint8_t stops[STOPS][STOP_BYTES];
    const uint8_t *texts[STOPS];
    size_t sizes[STOPS];
    for (size_t i = 0; i < STOPS; i++) {
        memset(stops[i], 'a', STOP_BYTES);
        stops[i][STOP_BYTES - 1 - i] = 'b';
        texts[i] = stops[i], sizes[i] = STOP_BYTES;
    }
    tokenizer *t = small_tokenizer_default();
    const vocab *v = tokenizer_vocab(t);
    stream *s = stream_new(v, texts, sizes, STOPS);
    assert_non_null(s);
    stream_text out;
    size_t n_shown = 0;
    clock_t begin = clock();
    for (size_t i = 0; i < IDS; i++) {
        assert_int_equal(stream_feed(s, 'a', &out), STATUS_OK);
        n_shown += out.n_bytes;
    }
    double cpu_s = (double)(clock() - begin) / CLOCKS_PER_SEC;
    assert_int_equal(n_shown, IDS - (STOP_BYTES - 1));
    if (cpu_s > CPU_S_MAX) fail_msg("%d ids took %g s", IDS, cpu_s);
    stream_free(&s);
    tokenizer_free(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds_of_tokens),
        cmocka_unit_test(test_characters_over_several_tokens),
        cmocka_unit_test(test_stops),
        cmocka_unit_test(test_nothing_is_shown_after_a_stop),
        cmocka_unit_test(test_random_ids),
        cmocka_unit_test(test_a_long_text_is_fed_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
