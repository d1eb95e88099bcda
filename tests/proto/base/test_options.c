/* Command lines: every form of a flag, every kind of value, and the sentences of refusal. */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/base/options.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { WORDS_MAX = 2 };

static struct {
    bool json;
    const char *model;
    option_texts stops;
    uint64_t seed;
    double temperature;
    char calls[64];
    const char *words[WORDS_MAX];
    size_t n_words;
    failure f;
} got;

static status take_call(void *out, const char *name, const char *value, failure *f) {
    if (value && strcmp(value, "bad") == 0) return (fail)(f, STATUS_BAD_REQUEST, "--%s: bad", name);
    strcat(out, name);
    strcat(out, value ? value : "!");
    return STATUS_OK;
}

static const option_row common[] = {
    {.name = "json", .kind = OPTION_FLAG, .help = "as JSON", .out = &got.json},
    {.name = "model",
     .letter = 'm',
     .kind = OPTION_TEXT,
     .value_name = "NAME",
     .help = "which",
     .out = &got.model},
    {0},
};

static const option_row rows[] = {
    {.name = "stop", .kind = OPTION_TEXTS, .value_name = "TEXT", .help = "end", .out = &got.stops},
    {.name = "seed", .letter = 'n', .kind = OPTION_UINT, .value_name = "N", .help = "seed", .out = &got.seed,
     .min = 1, .max = 9007199254740991.0},
    {.name = "temperature", .kind = OPTION_REAL, .value_name = "T", .help = "heat",
     .out = &got.temperature, .min = -2, .max = INFINITY},
    {.name = "bias", .kind = OPTION_CALL, .value_name = "ID=X", .help = "bias", .out = got.calls,
     .take = take_call},
    {.name = "add", .kind = OPTION_CALLS, .value_name = "N", .help = "add", .out = got.calls, .take = take_call},
    {.name = "greedy", .kind = OPTION_CALL, .help = "greedy", .out = got.calls, .take = take_call},
    {0},
};

static const options table = {.usage = "test [WORD]",
                              .summary = "A test.",
                              .tables = {common, rows},
                              .n_words_max = WORDS_MAX};

/* Parse a NULL-ended list of words. */
static status parse(const char *const *argv) {
    memset(&got, 0, sizeof got);
    int argc = 1;
    char *copy[100] = {(char *)"test"};
    for (; argv[argc - 1]; argc++) copy[argc] = (char *)argv[argc - 1];
    return options_parse(&table, argc, copy, got.words, &got.n_words, &got.f);
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void every_kind(void **state) {
    (void)state;
    assert_int_equal(PARSE("--json", "--model", "m", "--stop", "a", "--stop=b", "--seed", "7",
                           "--temperature=0.5", "--bias", "3=-1.5", "--greedy"),
                     STATUS_OK);
    assert_true(got.json);
    assert_string_equal(got.model, "m");
    assert_int_equal(got.stops.n_items, 2);
    assert_string_equal(got.stops.items[1], "b");
    assert_int_equal(got.seed, 7);
    assert_true(got.temperature == 0.5);
    assert_string_equal(got.calls, "bias3=-1.5greedy!");
}

static void words_and_where_flags_end(void **state) {
    (void)state;
    assert_int_equal(PARSE("-", "--json", "a"), STATUS_OK);
    assert_int_equal(got.n_words, 2);
    assert_string_equal(got.words[0], "-");
    assert_int_equal(PARSE("--", "--json", "--"), STATUS_OK);
    assert_false(got.json);
    assert_string_equal(got.words[0], "--json");
    assert_string_equal(got.words[1], "--");
    assert_int_equal(PARSE(""), STATUS_OK);
    assert_string_equal(got.words[0], "");
    assert_int_equal(PARSE("a", "b", "c"), STATUS_BAD_REQUEST);
    assert_non_null(strstr(got.f.message, "\"c\""));
    char long_word[1000] = "";
    memset(long_word, 'x', sizeof long_word - 1);
    assert_int_equal(PARSE("a", "b", long_word), STATUS_BAD_REQUEST);
    assert_non_null(strstr(got.f.message, "x\"; usage: "));
}

static void values_with_hyphens_and_equal_signs(void **state) {
    (void)state;
    assert_int_equal(PARSE("--temperature", "-1.5"), STATUS_OK);
    assert_true(got.temperature == -1.5);
    assert_int_equal(PARSE("--temperature", "-.5"), STATUS_OK);
    assert_int_equal(PARSE("--stop", "-"), STATUS_OK);
    assert_string_equal(got.stops.items[0], "-");
    assert_int_equal(PARSE("--stop=--x=y"), STATUS_OK);
    assert_string_equal(got.stops.items[0], "--x=y");
    assert_int_equal(PARSE("--stop="), STATUS_OK);
    assert_string_equal(got.stops.items[0], "");
    assert_int_equal(PARSE("--stop", ""), STATUS_OK);
    assert_int_equal(PARSE("--stop", "--json"), STATUS_BAD_REQUEST);
    assert_non_null(strstr(got.f.message, "--stop=--json"));
}

static void wrong_use_is_named(void **state) {
    (void)state;
    static const struct {
        const char *word, *value, *says;
    } cases[] = {
        {"--bogus", NULL, "--bogus"},         {"--mod", "m", "--mod"},
        {"-j", NULL, "-j"},                   {"--json=1", NULL, "--json takes no value"},
        {"--greedy=1", NULL, "--greedy"},     {"--stop", NULL, "--stop TEXT"},
        {"--seed", "0", "from 1 to"},         {"--seed", "9007199254740993", "--seed"},
        {"--seed", "1.5", "whole number"},    {"--seed", "-1", "\"-1\""},
        {"--temperature", "-3", "at least"},  {"--temperature", "inf", "\"inf\""},
        {"--temperature", "1x", "--temper"},  {"--bias", "bad", "--bias: bad"},
        {"--=x", NULL, "unknown flag"},       {"-n", NULL, "--seed needs a value"},
        {"-n", "x", "--seed needs a whole"},  {"-n0", NULL, "from 1 to"},
        {"-m=", "-x", "unknown flag -x"},      {"--help=x", NULL, "--help takes no value"},
        {"--version=", NULL, "--version takes no value"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(PARSE(cases[i].word, cases[i].value), STATUS_BAD_REQUEST);
        assert_int_equal(got.f.code, STATUS_BAD_REQUEST);
        assert_non_null(strstr(got.f.message, cases[i].says));
    }
}

static void short_forms(void **state) {
    (void)state;
    assert_int_equal(PARSE("-n", "7", "-m", "a"), STATUS_OK);
    assert_int_equal(got.seed, 7);
    assert_string_equal(got.model, "a");
    assert_int_equal(PARSE("-n8", "-m=b"), STATUS_OK);
    assert_int_equal(got.seed, 8);
    assert_string_equal(got.model, "b");
    assert_int_equal(PARSE("--", "-n"), STATUS_OK);
    assert_string_equal(got.words[0], "-n");
}

static void a_mistyped_flag_is_told_the_nearest(void **state) {
    (void)state;
    static const struct {
        const char *word, *says;
    } cases[] = {
        {"--temprature=1", "unknown flag --temprature: did you mean --temperature?"},
        {"-model", "unknown flag -model: did you mean --model?"},
        {"--hlep", "did you mean --help?"},
        {"--verison", "did you mean --version?"},
        {"--bais", "did you mean --bias?"},
        {"--temp", "did you mean --temperature?"},
        {"-help", "did you mean --help?"},
        {"---help", "did you mean --help?"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(PARSE(cases[i].word), STATUS_BAD_REQUEST);
        assert_non_null(strstr(got.f.message, cases[i].says));
    }
    assert_int_equal(PARSE("--bogus"), STATUS_BAD_REQUEST);
    assert_null(strstr(got.f.message, "did you mean"));
}

static void a_text_that_begins_with_a_hyphen_is_explained(void **state) {
    (void)state;
    static const char *const texts[] = {"-5 degrees", "- one\n- two", "--- a title ---", "-5"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(PARSE(texts[i]), STATUS_BAD_REQUEST);
        assert_non_null(strstr(got.f.message, "begins with a hyphen write --"));
        assert_int_equal(PARSE("--", texts[i]), STATUS_OK);
        assert_string_equal(got.words[0], texts[i]);
    }
    assert_int_equal(PARSE("- one\n- two"), STATUS_BAD_REQUEST);
    assert_null(strchr(got.f.message, '\n'));
    /* 62 bytes, then the character that would be cut after 64. */
    char wide[] = "-                                                             €€€";
    assert_int_equal(PARSE(wide), STATUS_BAD_REQUEST);
    assert_null(strstr(got.f.message, "\xE2"));
    char *argv[] = {(char *)"test", (char *)"-5", NULL};
    const options wordless = {.usage = "test", .summary = "A test.", .tables = {common}};
    size_t n_words;
    assert_int_equal(options_parse(&wordless, 2, argv, NULL, &n_words, &got.f), STATUS_BAD_REQUEST);
    assert_null(strstr(got.f.message, "hyphen"));
}

static void a_repeated_text_has_a_bound(void **state) {
    (void)state;
    const char *argv[OPTION_TEXTS_MAX + 2] = {NULL};
    for (size_t i = 0; i < OPTION_TEXTS_MAX; i++) argv[i] = "--stop=x";
    assert_int_equal(parse(argv), STATUS_OK);
    argv[OPTION_TEXTS_MAX] = "--stop=y";
    assert_int_equal(parse(argv), STATUS_BAD_REQUEST);
    assert_int_equal(got.stops.n_items, OPTION_TEXTS_MAX);
}

/* A flag without a value says the same twice, and what is repeatable adds. */
static void a_value_is_taken_once(void **state) {
    (void)state;
    assert_int_equal(PARSE("--seed", "7", "--seed=8"), STATUS_BAD_REQUEST);
    assert_string_equal(got.f.message, "--seed is given twice; it is taken once");
    assert_int_equal(PARSE("-m", "a", "--model", "a"), STATUS_BAD_REQUEST);
    assert_string_equal(got.f.message, "--model is given twice; it is taken once");
    assert_int_equal(PARSE("--bias", "1=1", "--bias", "2=1"), STATUS_BAD_REQUEST);
    assert_int_equal(PARSE("--add", "1", "--add", "2", "--json", "--json", "--greedy", "--greedy"), STATUS_OK);
    assert_string_equal(got.calls, "add1add2greedy!greedy!");
    assert_int_equal(PARSE("--seed", "7", "--", "--seed"), STATUS_OK);
}

static void help_is_not_an_error(void **state) {
    (void)state;
    assert_int_equal(PARSE("--json", "--help"), STATUS_NOT_FOUND);
    assert_int_equal(PARSE("-h"), STATUS_NOT_FOUND);
    assert_int_equal(PARSE("a", "--version"), STATUS_NOT_FOUND);
    assert_int_equal(PARSE("--", "--help"), STATUS_OK);
}

static void reals(void **state) {
    (void)state;
    static const char *const good[] = {"0",  "-0", "1.5", ".5",    "5.",     "1e3",
                                       "+2", "1E-3", "007", "1e-400", "-1.5e+10"};
    static const char *const bad[] = {"",    " 1",  "1 ",   "-",   ".",    "e5", "1e",   "1e+",
                                      "0x1", "inf", "-inf", "nan", "1e999", "1,5", "--1", "1.2.3"};
    double x;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_true(options_real(good[i], &x));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(options_real(bad[i], &x));
    assert_true(options_real("0.1", &x) && x == 0.1);

    /* In a locale with a decimal comma, too (where the machine has none, this repeats the above).
     */
    setlocale(LC_ALL, "de_DE.UTF-8");
    assert_true(options_real("0.1", &x) && x == 0.1);
    setlocale(LC_ALL, "C");
}

static void whole_numbers(void **state) {
    (void)state;
    unsigned long long n;
    assert_true(options_uint("18446744073709551615", &n) && n == UINT64_MAX);
    assert_true(options_uint("0", &n) && n == 0);
    static const char *const bad[] = {"",   "-1",  "+1",  " 1",
                                      "1 ", "1e3", "0x1", "18446744073709551616"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(options_uint(bad[i], &n));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind),
        cmocka_unit_test(words_and_where_flags_end),
        cmocka_unit_test(values_with_hyphens_and_equal_signs),
        cmocka_unit_test(wrong_use_is_named),
        cmocka_unit_test(short_forms),
        cmocka_unit_test(a_mistyped_flag_is_told_the_nearest),
        cmocka_unit_test(a_text_that_begins_with_a_hyphen_is_explained),
        cmocka_unit_test(a_repeated_text_has_a_bound),
        cmocka_unit_test(a_value_is_taken_once),
        cmocka_unit_test(help_is_not_an_error),
        cmocka_unit_test(reals),
        cmocka_unit_test(whole_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
