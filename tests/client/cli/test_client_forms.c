/* Ids and numbers as text and as JSON, the way the client reads and prints them. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/commands/request.h"
#include "client/cli/generate/generation_json.h"
#include "client/cli/ids.h"
#include "client/cli/items.h"
#include "client/cli/json.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static failure f;

static void assert_ids(const char *text, const int32_t *expected, size_t n) {
    id_list list = {0};
    assert_int_equal(ids_from_text(&list, text, &f), STATUS_OK);
    assert_int_equal(list.n_ids, n);
    if (n > 0) assert_memory_equal(list.ids, expected, n * sizeof *expected);
    ids_clear(&list);
    assert_null(list.ids);
}

static void ids_as_text(void **state) {
    (void)state;
    static const int32_t ids[] = {1, 2, 30};
    assert_ids("1,2,30", ids, 3);
    assert_ids(" 1 2\t30\n", ids, 3);
    assert_ids("[1, 2, 30]", ids, 3);
    assert_ids("1 ,2 , 30", ids, 3);
    assert_ids(" [ 1 2\n30 ] \n", ids, 3);
    assert_ids("001,02,30", ids, 3);
    assert_ids("", ids, 0);
    assert_ids("\n", ids, 0);
    assert_ids("[]", ids, 0);
    assert_ids("-1", (const int32_t[]){-1}, 1);     /* for tokenizerd to refuse: it knows the range */
}

/* A time is a sum of whole microseconds, and is shown as one. */
static void timings_have_no_digits_of_nobody(void **state) {
    (void)state;
    const generation_done done = {.n_tokens = 4, .n_tokens_timed = 4,
                                  .timings = {.queue_ms = 0.1 + 0.2, .prefill_ms = 0.149 + 1e-17, .decode_ms = 7,
                                              .forward_ms = 17.424999999999997, .n_cached = 1}};
    char *line = json_line(generation_timings_json(&done, 3));
    assert_non_null(line);
    assert_string_equal(line, "{\"queue_ms\":0.3,\"prefill_ms\":0.149,\"decode_ms\":7.0,\"forward_ms\":17.425,"
                              "\"sample_ms\":0.0,\"n_cached\":1,\"prefill_tok_s\":13422.819,\"decode_tok_s\":428.571}\n");
    free(line);
}

static void no_ids(void **state) {
    (void)state;
    static const struct {
        const char *text;
        status code;
    } cases[] = {
        {"1,x", STATUS_BAD_REQUEST}, {"1.5", STATUS_BAD_REQUEST}, {"2147483648", STATUS_BAD_ID},
        {"99999999999999999999", STATUS_BAD_ID}, {"--1", STATUS_BAD_REQUEST},
        {"1,,2", STATUS_BAD_REQUEST}, {",1", STATUS_BAD_REQUEST}, {"1,", STATUS_BAD_REQUEST},
        {",", STATUS_BAD_REQUEST}, {"1 , , 2", STATUS_BAD_REQUEST}, {"+1", STATUS_BAD_REQUEST},
        {"0x10", STATUS_BAD_REQUEST}, {"1e3", STATUS_BAD_REQUEST}, {"-", STATUS_BAD_REQUEST},
        {"- 1", STATUS_BAD_REQUEST}, {"[1", STATUS_BAD_REQUEST}, {"1]", STATUS_BAD_REQUEST},
        {"1]2", STATUS_BAD_REQUEST}, {"[1]2", STATUS_BAD_REQUEST}, {"[[1]]", STATUS_BAD_REQUEST},
        {"[1,]", STATUS_BAD_REQUEST}, {"[", STATUS_BAD_REQUEST}, {"nan", STATUS_BAD_REQUEST},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        id_list list = {0};
        assert_int_equal(ids_from_text(&list, cases[i].text, &f), cases[i].code);
        ids_clear(&list);
    }
}

static void assert_line(json_t *value, const char *expected) {
    char *line = json_line(value);
    assert_non_null(line);
    assert_string_equal(line, expected);
    free(line);
}

static void numbers_are_as_short_as_they_can_be(void **state) {
    (void)state;
    assert_line(json_numbers((const double[]){0.1, 0.8, 1e300, -INFINITY, NAN, 0, -0.0, 0.1 + 0.2}, 8),
                "[0.1,0.8,1e300,null,null,0.0,-0.0,0.30000000000000004]\n");
    assert_line(json_numbers((const double[]){5, -7.25e-9, 5e-324, DBL_MIN, DBL_MAX, 123456789, 1e16,
                                               12345678901234570.0}, 8),
                "[5.0,-7.25e-9,5e-324,2.2250738585072014e-308,1.7976931348623157e308,123456789.0,1e16,"
                "12345678901234570.0]\n");
    assert_line(ids_to_json((const int32_t[]){0, 49151}, 2), "[0,49151]\n");
    assert_line(ids_to_json(NULL, 0), "[]\n");
    assert_null(json_line(NULL));
}

static void only_numbers_are_made_shorter(void **state) {
    (void)state;
    assert_line(json_pack("{s: s, s: b, s: b, s: f, s: I}", "0.80000000000000004",
                          "\"0.10000000000000001\\", "true", 1, "false", 0, "e", 0.8, "n",
                          (json_int_t)9007199254740993),
                "{\"0.80000000000000004\":\"\\\"0.10000000000000001\\\\\",\"true\":true,"
                "\"false\":false,\"e\":0.8,\"n\":9007199254740993}\n");
}

/* Bits of all kinds: the number read is the number written, to the bit. */
static void numbers_read_back_the_same(void **state) {
    (void)state;
    uint64_t bits = 1;
    for (int i = 0; i < 20000; i++) {
        double number;
        bits = bits * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        memcpy(&number, &bits, sizeof number);
        if (!isfinite(number)) continue;
        char *line = json_line(json_numbers(&number, 1));
        assert_non_null(line);
        double read = strtod(line + 1, NULL);
        if (memcmp(&read, &number, sizeof read) != 0) fail_msg("%.17g became %s", number, line);
        free(line);
    }
}

static void a_strategy_is_shown_in_full(void **state) {
    (void)state;
    strategy chain;
    strategy_init(&chain);
    assert_int_equal(strategy_append(&chain, STAGE_TEMPERATURE, (const double[]){0.8}, 1, &f), STATUS_OK);
    assert_int_equal(strategy_append(&chain, STAGE_TOP_P, (const double[]){0.123456789}, 1, &f), STATUS_OK);
    char *line = json_strategy_line(&chain);
    assert_string_equal(line, "[{\"temperature\":0.8},{\"top_p\":0.123456789}]");
    free(line);
    strategy_clear(&chain);
}

static void texts_are_always_utf8(void **state) {
    (void)state;
    json_t *text = json_bytes("a\0\xff", 3);
    assert_int_equal(json_string_length(text), 5);
    assert_memory_equal(json_string_value(text), "a\0\xef\xbf\xbd", 5);
    json_decref(text);
    assert_line(json_failure(STATUS_TOO_LONG, "a \"b\""),
                "{\"code\":\"too_long\",\"message\":\"a \\\"b\\\"\"}\n");
}

static void lines_of_input(void **state) {
    (void)state;
    static const struct {
        const char *line;
        status code;
    } bad[] = {
        {"", STATUS_BAD_REQUEST}, {"x", STATUS_BAD_REQUEST}, {"[1]", STATUS_BAD_REQUEST},
        {"{\"a\":1", STATUS_BAD_REQUEST}, {"{\"a\":\"\xff\"}", STATUS_NOT_UTF8},
        {"{\"a\":\"\\ud800\"}", STATUS_BAD_REQUEST},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_null(json_read_object(bad[i].line, strlen(bad[i].line), &f));
        assert_int_equal(f.code, bad[i].code);
    }
    assert_null(json_read_object("{}\0{}", 5, &f));
}

/* An integer beyond 64 bits is still a number. */
static void large_integers_count_as_reals(void **state) {
    (void)state;
    const char *line = "{\"a\": 100000000000000000000, \"b\": \"x\\u0000y\"}";
    json_t *object = json_read_object(line, strlen(line), &f);
    assert_non_null(object);
    assert_true(json_number_value(json_object_get(object, "a")) == 1e20);
    assert_int_equal(json_string_length(json_object_get(object, "b")), 3);
    json_decref(object);
}

static void items_between_commas(void **state) {
    (void)state;
    char item[ITEM_BYTES], line[2 * ITEM_BYTES];
    const char *list = " 5 ,,-inf", *expected[] = {"5", "", "-inf"};
    assert_int_equal(items_count(list), 3);
    assert_int_equal(items_count(""), 0);
    assert_int_equal(items_count(","), 2);
    for (size_t i = 0; i < 3; i++) {
        items_take(&list, item);
        assert_string_equal(item, expected[i]);
    }
    assert_string_equal(list, "");
    memset(line, '1', sizeof line);             /* cut, it would be another number */
    line[ITEM_BYTES] = ',';
    line[ITEM_BYTES + 2] = '\0';
    list = line;
    items_take(&list, item);
    assert_string_equal(item, "");
    items_take(&list, item);
    assert_string_equal(item, "1");
}

static void names_of_requests(void **state) {
    (void)state;
    assert_int_equal(request_check("0", &f), STATUS_OK);
    assert_int_equal(request_check("0123456789abcdefABCDEF0123456789", &f), STATUS_OK);
    assert_int_equal(request_check("0123456789abcdefABCDEF01234567890", &f), STATUS_BAD_REQUEST);
    assert_int_equal(request_check("", &f), STATUS_BAD_REQUEST);
    assert_int_equal(request_check("xyz", &f), STATUS_BAD_REQUEST);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_as_text),
        cmocka_unit_test(no_ids),
        cmocka_unit_test(timings_have_no_digits_of_nobody),
        cmocka_unit_test(numbers_are_as_short_as_they_can_be),
        cmocka_unit_test(only_numbers_are_made_shorter),
        cmocka_unit_test(numbers_read_back_the_same),
        cmocka_unit_test(a_strategy_is_shown_in_full),
        cmocka_unit_test(texts_are_always_utf8),
        cmocka_unit_test(lines_of_input),
        cmocka_unit_test(large_integers_count_as_reals),
        cmocka_unit_test(items_between_commas),
        cmocka_unit_test(names_of_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
