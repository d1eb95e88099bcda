/* What pretokenize.h promises: the pieces of Hugging Face's pre-tokenizers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizerd/tokenizer/pretokenize.h"
#include "tokenizerd/tokenizer/split_patterns.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static pretokenizer *patterns_of(const char *name) {
    pretokenizer *p;
    failure f;
    if (pretokenizer_new(&p, name, &f) != STATUS_OK) fail_msg("%s", f.message);
    return p;
}

static splitter *splitter_of(const pretokenizer *p) {
    splitter *s = splitter_new(p);
    assert_non_null(s);
    return s;
}

static size_t n_pauses;

/* Split `text`, and check that the pieces are not empty and add up to it. Returns how many there
 * are; with `joined`, they are written there, each followed by |. */
static size_t split(splitter *s, const char *text, size_t n_bytes, char *joined) {
    const uint8_t *piece, *expected = (const uint8_t *)text;
    size_t piece_bytes, n = 0;
    failure f;
    splitter_start(s, expected, n_bytes);
    for (;;) {
        if (splitter_next(s, &piece, &piece_bytes, &f) != STATUS_OK) fail_msg("%s", f.message);
        n_pauses += splitter_paused(s);
        if (splitter_paused(s)) continue;
        if (piece_bytes == 0) break;
        n++;
        assert_ptr_equal(piece, expected);
        expected += piece_bytes;
        if (joined) joined += sprintf(joined, "%.*s|", (int)piece_bytes, (const char *)piece);
    }
    assert_ptr_equal(expected, text + n_bytes);
    return n;
}

typedef struct split_case {
    const char *name, *text, *pieces;
} split_case;

static void test_pieces(void **state) {
    (void)state;
    static const split_case cases[] = {
        {"gpt-2", "Hello, it's 1999!  ok", "Hello|,| it|'s| 1999|!| | ok|"},
        {"gpt-2", "a \n\n b\t", "a| \n\n| b|\t|"},
        {"gpt-2", "IT'S", "IT|'|S|"},
        {"gpt-2", "x\xc2\x85y", "x|\xc2\x85|y|"},           /* NEL is white space */
        {"gpt-2", "x \xe1\xa0\x8ey", "x| \xe1\xa0\x8e|y|"}, /* U+180E is not */
        {"gpt-2", "na\xc3\xafve \xd0\x9f \xc2\xb2", "na\xc3\xafve| \xd0\x9f| \xc2\xb2|"},
        {"smollm", "in 1999 it's 7%", "in| |1|9|9|9| it|'s| |7|%|"},
        {"smollm", "a  12",
         "a|  |1|2|"}, /* a stretch between digits ends there: no look-ahead past it */
        {"llama-bpe", "IT'S 12345 a.b\n\n (c)", "IT|'S| |123|45| a|.b|\n\n| (|c|)|"},
        {"llama-bpe", "end.\n\n\nNew   x", "end|.\n\n\n|New|  | x|"},
        {"qwen2", "12 'Ll", "1|2| '|Ll|"},
        {"gpt-4o", "HelloWorld's ABCd/\n1234", "Hello|World's| ABCd|/\n|123|4|"},
        {"tekken", "don't 12", "don|'t| |1|2|"},
        {"deepseek-llm", "Hi there\n 42 \xe4\xb8\xad!", "Hi| there|\n| |42| |\xe4\xb8\xad|!|"},
        {"deepseek-llm", "x  ", "x|  |"},
        {"deepseek-coder", "a. = 12\n", "a|.| = |1|2|\n|"},
        {"deepseek-v3", "abc1234 +x", "abc|123|4| +|x|"},
        {"default", "a.b 12345 \t`c` x+=1", "a|.|b| |123|45| |\t|`|c|`| x|+=|1|"},
        {"default", "x\xc2\xb2\xc2\xb3 3333 (\xe2\x80\xa6)", "x|\xc2\xb2\xc2\xb3| |333|3| |(\xe2\x80\xa6)|"},
        {"", "it's \n\n 42", "it|'|s| \n\n| |42|"},
        {"falcon", "a.b 12345", "a|.|b| |123|45|"},
        {"bloom", "Hello, world (x)", "Hello|,| world| (|x|)|"},
        {"exaone-moe", "a b c!d", "a b c|!d|"},
        {"laguna", "a\n\nb 1", "a|\n\n|b| |1|"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pretokenizer *p = patterns_of(cases[i].name);
        splitter *s = splitter_of(p);
        char joined[256] = "";
        split(s, cases[i].text, strlen(cases[i].text), joined);
        if (strcmp(joined, cases[i].pieces) != 0)
            fail_msg("%s: \"%s\" gives %s", cases[i].name, cases[i].text, joined);
        assert_int_equal(split(s, "", 0, NULL), 0);
        splitter_free(&s);
        pretokenizer_free(&p);
    }
}

enum { PAUSES_BYTES = 1 << 20 };

/* A part written so often that patterns pause gives as many pieces more, each time that it is written, as in a short
 * text. */
static void test_pauses_change_nothing(void **state) {
    (void)state;
    static const char *const parts[] = {"word ", "a1 ", "x\n", "! ", "\xed\x95\x9c", "it's\t", "a", "a, B. "};
    static char text[PAUSES_BYTES];
    const split_rule *rule;
    n_pauses = 0;
    for (size_t i = 0; (rule = split_rule_at(i)); i++) {
        pretokenizer *p = patterns_of(rule->names[0]);
        splitter *s = splitter_of(p);
        for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
            size_t part_bytes = strlen(parts[k]), n_parts = PAUSES_BYTES / part_bytes;
            for (size_t at = 0; at < n_parts; at++) memcpy(text + at * part_bytes, parts[k], part_bytes);
            size_t few = split(s, text, 10 * part_bytes, NULL), one_more = split(s, text, 11 * part_bytes, NULL) - few;
            assert_int_equal(split(s, text, n_parts * part_bytes, NULL), few + one_more * (n_parts - 10));
        }
        splitter_free(&s);
        pretokenizer_free(&p);
    }
    assert_true(n_pauses > 0);
}

static void test_unknown_name(void **state) {
    (void)state;
    pretokenizer *p;
    failure f;
    assert_int_equal(pretokenizer_new(&p, "no-such-model", &f), STATUS_UNSUPPORTED);
    assert_null(p);
    assert_non_null(strstr(f.message, "no-such-model"));
    assert_non_null(strstr(f.message, "smollm, gpt-2, llama-bpe"));
    assert_non_null(strstr(f.message, ", default,"));
    assert_non_null(strstr(f.message, "minicpm5")); /* the last one: the list is not cut */
}

static void test_names_are_found_once(void **state) {
    (void)state;
    const split_rule *rule;
    for (size_t i = 0; (rule = split_rule_at(i)); i++)
        for (const char *const *name = rule->names; *name; name++) {
            const split_rule *found;
            failure f;
            assert_int_equal(split_rule_find(&found, *name, &f), STATUS_OK);
            assert_ptr_equal(found, rule);
        }
}

/* Each rule on a long text of each of these: PCRE2 gives up on none. How much it does for them is counted in
 * test_split_work.c. */
static void test_long_runs_are_split(void **state) {
    (void)state;
    static const char *const parts[] = {
        "a",  "A",   " ",   "\n",           "1",       "!", "'", "Aa", "a ",
        " 1", "\n ", " \t", "\xe1\x80\x80", "\xcc\x81"};
    enum { N_BYTES = 400000 };
    char *text = malloc(N_BYTES);
    const split_rule *rule;
    for (size_t i = 0; (rule = split_rule_at(i)); i++) {
        pretokenizer *p = patterns_of(rule->names[0]);
        splitter *s = splitter_of(p);
        for (size_t j = 0; j < sizeof parts / sizeof parts[0]; j++) {
            size_t part_bytes = strlen(parts[j]), n_bytes = N_BYTES - N_BYTES % part_bytes;
            for (size_t at = 0; at < n_bytes; at++) text[at] = parts[j][at % part_bytes];
            if (part_bytes == 1)
                text[n_bytes - 1] = 'x'; /* an end that a run's pattern may not like */
            split(s, text, n_bytes, NULL);
        }
        splitter_free(&s);
        pretokenizer_free(&p);
    }
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_pauses_change_nothing),
        cmocka_unit_test(test_unknown_name),
        cmocka_unit_test(test_names_are_found_once),
        cmocka_unit_test(test_long_runs_are_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
