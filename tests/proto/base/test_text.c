/* UTF-8: what is well-formed, what may be shown now, what is replaced; numbers, hexadecimal. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static void well_formed(void **state) {
    (void)state;
    assert_true(text_is_utf8(BYTES("")));
    assert_true(text_is_utf8(BYTES("plain")));
    assert_true(text_is_utf8(BYTES("nul \0 inside")));
    assert_true(text_is_utf8(BYTES("\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xef\xbf\xbf")));
    assert_true(text_is_utf8(BYTES("\xed\x9f\xbf \xee\x80\x80 \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf")));
}

static void ill_formed(void **state) {
    (void)state;
    static const char *const cases[] = {
        "\x80",             /* a continuation alone */
        "\xc0\xaf",         /* overlong */
        "\xe0\x9f\xbf",     /* overlong */
        "\xf0\x8f\xbf\xbf", /* overlong */
        "\xed\xa0\x80",     /* a surrogate */
        "\xf4\x90\x80\x80", /* above U+10FFFF */
        "\xf5\x80\x80\x80", "\xff", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xc3\x28", "\xe2\x28\xa1",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_false(text_is_utf8((const uint8_t *)cases[i], strlen(cases[i])));
}

/* All texts of one to three bytes: "is UTF-8" and "nothing had to be replaced" must agree. */
static void replacing_agrees_with_checking(void **state) {
    (void)state;
    for (uint32_t word = 0; word < 1u << 24; word += word < 1u << 16 ? 1 : 251) {
        uint8_t bytes[3] = {(uint8_t)word, (uint8_t)(word >> 8), (uint8_t)(word >> 16)};
        size_t n_bytes = word < 1u << 8 ? 1 : word < 1u << 16 ? 2 : 3, n_out;
        char *out = text_replace_ill_formed(bytes, n_bytes, &n_out);
        assert_non_null(out);
        assert_true(text_is_utf8((const uint8_t *)out, n_out));
        bool same = n_out == n_bytes && memcmp(out, bytes, n_bytes) == 0;
        assert_int_equal(same, text_is_utf8(bytes, n_bytes));
        free(out);
    }
}

static void assert_replaced(const char *in, size_t n_in, const char *expected) {
    size_t n_out;
    char *out = text_replace_ill_formed((const uint8_t *)in, n_in, &n_out);
    assert_non_null(out);
    assert_int_equal(n_out, strlen(expected));
    assert_string_equal(out, expected);
    free(out);
}

#define U "\xef\xbf\xbd"

/* One mark for each maximal part: the examples of the Unicode standard, chapter 3.9. */
static void replaced_parts(void **state) {
    (void)state;
    assert_replaced("", 0, "");
    assert_replaced("a\xf1\x80\x80\xe1\x80\xc2"
                    "b\x80"
                    "c\x80\xbf"
                    "d",
                    13, "a" U U U "b" U "c" U U "d");
    assert_replaced("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41", 9, U U U U U U U U "A");
    assert_replaced("\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41", 9, U U U U U U U U "A");
    assert_replaced("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", 9, U U U U "A");
}

static void whole_prefixes(void **state) {
    (void)state;
    assert_int_equal(text_whole_prefix(BYTES("")), 0);
    assert_int_equal(text_whole_prefix(BYTES("abc")), 3);
    assert_int_equal(text_whole_prefix(BYTES("ab\xc3")), 2);
    assert_int_equal(text_whole_prefix(BYTES("ab\xc3\xa9")), 4);
    assert_int_equal(text_whole_prefix(BYTES("\xf0")), 0);
    assert_int_equal(text_whole_prefix(BYTES("a\xf0\x9f\x98")), 1);
    assert_int_equal(text_whole_prefix(BYTES("a\xf0\x9f\x98\x80")), 5);
    /* These can never become a character: holding them back would be for ever. */
    assert_int_equal(text_whole_prefix(BYTES("a\x80")), 2);
    assert_int_equal(text_whole_prefix(BYTES("a\xe0\x80")), 3);
    assert_int_equal(text_whole_prefix(BYTES("a\xff")), 2);
    assert_int_equal(text_whole_prefix(BYTES("\x80\x80\x80\x80")), 4);
}

static void printable(void **state) {
    (void)state;
    assert_true(text_is_printable("", 0));
    assert_true(text_is_printable("smollm2 \xc3\xa9\xf0\x9f\x98\x80", 64));
    assert_true(text_is_printable("1234", 4));
    assert_false(text_is_printable("12345", 4));
    assert_false(text_is_printable("a\nb", 64));
    assert_false(text_is_printable("\x1b[31m", 64));
    assert_false(text_is_printable("\x7f", 64));
    assert_false(text_is_printable("\xc2\x9b", 64)); /* CSI: steers a terminal like ESC [ */
    assert_true(text_is_printable("\xc2\xa0", 64));
    assert_false(text_is_printable("\xff", 64));
}

static void assert_sentence(const char *in, size_t out_bytes, const char *expected) {
    char out[64];
    memset(out, 'x', sizeof out);
    assert_int_equal(text_sentence(in, out, out_bytes), strlen(expected));
    assert_string_equal(out, expected);
    for (size_t i = out_bytes; i < sizeof out; i++) assert_int_equal(out[i], 'x');
}

static void sentences(void **state) {
    (void)state;
    assert_sentence("no room for caf\xc3\xa9", 64, "no room for caf\xc3\xa9");
    assert_sentence("", 64, "");
    assert_sentence("\n\r\n", 64, "");
    assert_sentence("a\nb\x1b[31m\x7f\xc2\x9b!\n", 64, "a b [31m  !");
    assert_sentence("bad\xff byte", 64, "bad" U " byte");
    assert_sentence("cut caf\xc3", 64, "cut caf");
    assert_sentence("\u202eabc\u2066\u2069\u202f", 64, U "abc" U U "\u202f");
    assert_sentence("1234", 5, "1234");
    assert_sentence("12345", 5, "1234");
    assert_sentence("123\xc3\xa9", 5, "123");
    assert_sentence("123\xff", 6, "123");
    assert_sentence("x", 1, "");
}

static void the_least_digits(void **state) {
    (void)state;
    static const struct {
        double number;
        const char *text;
    } cases[] = {
        {0.8, "0.8"},     {0.1 + 0.2, "0.30000000000000004"}, {-0.0, "-0"},          {100000, "100000"},
        {1e-9, "1e-09"},  {1.0 / 3, "0.3333333333333333"},    {DBL_TRUE_MIN, "5e-324"}, {NAN, "nan"},
        {-INFINITY, "-inf"}, {9007199254740991, "9007199254740991"}, {-DBL_MAX, "-1.7976931348623157e+308"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[TEXT_NUMBER_BYTES];
        text_number(cases[i].number, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void hexadecimal(void **state) {
    (void)state;
    const uint8_t bytes[] = {0x00, 0x7f, 0x80, 0xff};
    char digits[9];
    text_hex(bytes, sizeof bytes, digits);
    assert_string_equal(digits, "007f80ff");

    uint8_t back[4];
    assert_int_equal(text_unhex("007F80ff", back, 4), 4);
    assert_memory_equal(back, bytes, 4);
    assert_int_equal(text_unhex("", back, 4), 0);
    assert_int_equal(text_unhex("0", back, 4), -1);
    assert_int_equal(text_unhex("0g", back, 4), -1);
    assert_int_equal(text_unhex("0011223344", back, 4), -1);
}

static void test_blanks_are_those_of_ascii(void **state) {
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++)
        assert_int_equal(text_is_blank((uint8_t)byte), byte > 0 && byte < 128 && strchr(" \t\n\v\f\r", (int)byte));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blanks_are_those_of_ascii),
        cmocka_unit_test(well_formed),    cmocka_unit_test(ill_formed),
        cmocka_unit_test(replacing_agrees_with_checking),
        cmocka_unit_test(replaced_parts), cmocka_unit_test(whole_prefixes),
        cmocka_unit_test(printable),      cmocka_unit_test(sentences),
        cmocka_unit_test(the_least_digits), cmocka_unit_test(hexadecimal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
