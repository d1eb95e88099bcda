/* What pretokenize.h promises: linear time. What a splitter has PCRE2 do is counted, not timed, so that a busy
 * machine changes nothing: pcre2_compile and pcre2_match are wrapped here, and each pattern tells of every place
 * in the text that it comes to. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "tokenizerd/tokenizer/pretokenize.h"
#include "tokenizerd/tokenizer/split_patterns.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

/* What a rule may do for a byte, at most: several times what the busiest one needs, and far below the length of
 * the text, of which a rule that reads the rest again at every byte needs half. */
enum { N_BYTES = 20000, WORK_PER_BYTE_MAX = 100 };

typedef struct work {
    size_t n;       /* places that patterns came to, and the bytes from each of them to the next */
    size_t pos;     /* of the last one */
} work;

static work done;

static void move_to(size_t pos) {
    done.n += 1 + (pos > done.pos ? pos - done.pos : done.pos - pos);
    done.pos = pos;
}

static int on_callout(pcre2_callout_block *at, void *unused) {
    (void)unused;
    move_to(at->current_position);
    return 0;
}

/* ---- PCRE2, as the splitter calls it ---- */

static void find_real(void *function, const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    assert_non_null(found);
    memcpy(function, &found, sizeof found);
}

/* A pattern that tells of each of its items that it comes to. */
pcre2_code *pcre2_compile_8(PCRE2_SPTR8 pattern, PCRE2_SIZE n_bytes, uint32_t options, int *error,
                            PCRE2_SIZE *offset, pcre2_compile_context *context) {
    pcre2_code *(*real)(PCRE2_SPTR8, PCRE2_SIZE, uint32_t, int *, PCRE2_SIZE *,
                        pcre2_compile_context *);
    find_real(&real, "pcre2_compile_8");
    return real(pattern, n_bytes, options | PCRE2_AUTO_CALLOUT, error, offset, context);
}

/* A text that is checked to be UTF-8 is read as a whole, for each piece of it. */
int pcre2_match_8(const pcre2_code *code, PCRE2_SPTR8 text, PCRE2_SIZE n_bytes, PCRE2_SIZE begin,
                  uint32_t options, pcre2_match_data *match, pcre2_match_context *context) {
    int (*real)(const pcre2_code *, PCRE2_SPTR8, PCRE2_SIZE, PCRE2_SIZE, uint32_t,
                pcre2_match_data *, pcre2_match_context *);
    find_real(&real, "pcre2_match_8");
    pcre2_set_callout(context, on_callout, NULL);
    if (!(options & PCRE2_NO_UTF_CHECK)) done.n += n_bytes;
    done.pos = begin;
    return real(code, text, n_bytes, begin, options, match, context);
}

/* ---- the test ---- */

static size_t work_of(splitter *s, const char *text, size_t n_bytes) {
    const uint8_t *piece;
    size_t piece_bytes;
    failure f;
    done.n = 0;
    splitter_start(s, (const uint8_t *)text, n_bytes);
    do {
        if (splitter_next(s, &piece, &piece_bytes, &f) != STATUS_OK) fail_msg("%s", f.message);
    } while (piece_bytes > 0 || splitter_paused(s));
    return done.n;
}

/* A long text of one kind, with an end that a run's pattern may not like. Returns its bytes. */
static size_t long_text(char text[N_BYTES], const char *part, const char *end) {
    size_t part_bytes = strlen(part), end_bytes = strlen(end), n = 0;
    for (; n + part_bytes + end_bytes <= N_BYTES; n += part_bytes)
        memcpy(text + n, part, part_bytes);
    memcpy(text + n, end, end_bytes);
    return n + end_bytes;
}

static void check_rule(splitter *s, const char *name) {
    static const char *const parts[] = {
        "a",  "A",   " ",   "\n",           "1",       "!", "'", "Aa", "a ",
        " 1", "\n ", " \t", "\xe1\x80\x80", "\xcc\x81"};
    static const char *const ends[] = {"", "x", "X", "1", "!", "\xe4\xb8\xad"};
    static char text[N_BYTES];
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (size_t j = 0; j < sizeof ends / sizeof *ends; j++) {
            size_t n_bytes = long_text(text, parts[i], ends[j]);
            size_t n = work_of(s, text, n_bytes);
            if (n > WORK_PER_BYTE_MAX * n_bytes)
                fail_msg("%s: \"%s\" with \"%s\" after it takes %zu a byte", name, parts[i], ends[j],
                         n / n_bytes);
        }
}

/* No rule looks at the same text again and again. */
static void test_the_work_grows_as_the_text_does(void **state) {
    (void)state;
    const split_rule *rule;
    for (size_t i = 0; (rule = split_rule_at(i)); i++) {
        pretokenizer *p;
        failure f;
        assert_int_equal(pretokenizer_new(&p, rule->names[0], &f), STATUS_OK);
        splitter *s = splitter_new(p);
        assert_non_null(s);
        check_rule(s, rule->names[0]);
        splitter_free(&s);
        pretokenizer_free(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_work_grows_as_the_text_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
