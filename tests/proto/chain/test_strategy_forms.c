/* strategy_json.h and strategy_wire.h: what is written reads back, what is wrong is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/chain/strategy_json.h"
#include "proto/chain/strategy_wire.h"

#include <cmocka.h>     /* last: its macro fail() would hide our function */

static const char EVERY_STEP[] =
    "[{\"greedy\": true}, {\"min_p\": 0.05}, {\"top_p\": 0.9}, {\"top_k\": 40},"
    " {\"temperature\": 1}, {\"frequency_penalty\": -0.5}, {\"presence_penalty\": 2}, {\"repetition_penalty\": 1.1},"
    " {\"logit_bias\": [[7, -1.5], [9, \"-inf\"], [3, 2]]}, {\"temperature\": 0.7}]";

static strategy parsed;         /* what the last call read */
static failure f;

static status parse(const char *text) {
    json_t *array = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(array);
    f = (failure){STATUS_OK, ""};
    status st = strategy_from_json(&parsed, array, &f);
    json_decref(array);
    return st;
}

static void refuse(const char *text, status st, const char *part) {
    assert_int_equal(parse(text), st);
    assert_int_equal(parsed.n_stages, 0);
    if (!strstr(f.message, part)) fail_msg("%s: \"%s\" lacks \"%s\"", text, f.message, part);
}

/* ---- JSON ---- */

static void json_is_read_in_its_order(void **state) {
    (void)state;
    assert_int_equal(parse(EVERY_STEP), STATUS_OK);
    assert_int_equal(parsed.n_stages, 10);
    assert_int_equal(parsed.stages[0].kind, STAGE_GREEDY);
    assert_int_equal(parsed.stages[3].kind, STAGE_TOP_K);
    assert_true(parsed.stages[3].numbers[0] == 40);
    assert_int_equal(parsed.stages[8].n_biases, 3);
    assert_true(parsed.stages[8].biases[2] == -INFINITY && parsed.stages[8].bias_ids[2] == 9);
    assert_true(parsed.stages[9].numbers[0] == 0.7);
    assert_int_equal(parse("[]"), STATUS_OK);
    assert_int_equal(parsed.n_stages, 0);
}

static void json_that_is_written_reads_back_the_same(void **state) {
    (void)state;
    strategy before;
    strategy_init(&before);
    parse(EVERY_STEP);
    strategy_copy(&before, &parsed);
    json_t *array = strategy_to_json(&before);
    assert_int_equal(strategy_from_json(&parsed, array, &f), STATUS_OK);
    assert_true(strategy_equal(&before, &parsed));
    char *text = json_dumps(array, JSON_COMPACT);
    assert_non_null(strstr(text, "{\"greedy\":true}"));
    assert_non_null(strstr(text, "{\"top_k\":40}"));
    assert_non_null(strstr(text, "[9,\"-inf\"]"));
    free(text);
    json_decref(array);
    strategy_clear(&before);
}

static void json_of_another_form_is_refused_with_a_sentence(void **state) {
    (void)state;
    refuse("{\"top_k\": 4}", STATUS_BAD_REQUEST, "a chain is an array");
    refuse("7", STATUS_BAD_REQUEST, "a chain is an array");
    refuse("[[\"top_k\", 4]]", STATUS_BAD_REQUEST, "one key");
    refuse("[{}]", STATUS_BAD_REQUEST, "one key");
    refuse("[{\"top_k\": 4, \"top_p\": 0.5}]", STATUS_BAD_REQUEST, "one key");
    refuse("[{\"top_k\": 4}, {\"topk\": 4}]", STATUS_BAD_REQUEST, "no step named topk: did you mean top_k?");
    refuse("[{\"warmth\": 1}]", STATUS_BAD_REQUEST, "no step named warmth: the steps are logit_bias, ");
    refuse("[{\"top_k\": \"4\"}]", STATUS_BAD_REQUEST, "top_k must be a number");
    refuse("[{\"top_p\": true}]", STATUS_BAD_REQUEST, "top_p must be a number");
    refuse("[{\"greedy\": false}]", STATUS_BAD_REQUEST, "greedy takes true");
    refuse("[{\"greedy\": 1}]", STATUS_BAD_REQUEST, "greedy takes true");
}

static void json_out_of_range_is_refused(void **state) {
    (void)state;
    refuse("[{\"top_p\": 2}]", STATUS_BAD_REQUEST, "top_p must be above 0 and at most 1, not 2");
    refuse("[{\"temperature\": 0}]", STATUS_BAD_REQUEST, "temperature must be above 0: to take the likeliest token at "
           "each step, use greedy instead (--greedy)");
    refuse("[{\"temperature\": -1}]", STATUS_BAD_REQUEST, "temperature must be above 0 and finite, not -1");
    refuse("[{\"mirostat\": {\"tau\": 5, \"etta\": 0.1}}]", STATUS_BAD_REQUEST,
           "mirostat has no key etta: did you mean eta?");
    refuse("[{\"dry\": {\"window\": 5}}]", STATUS_BAD_REQUEST,
           "dry has no key window: its keys are multiplier, base, allowed_length, last_n, breakers");
    refuse("[{\"mirostat\": {\"tau\": 5}}]", STATUS_BAD_REQUEST, "mirostat needs a number eta");
    refuse("[{\"top_k\": 1.5}]", STATUS_BAD_REQUEST, "not 1.5");
    refuse("[{\"logit_bias\": {\"7\": 1}}]", STATUS_BAD_REQUEST, "logit_bias takes an array");
    refuse("[{\"logit_bias\": [7, 1]}]", STATUS_BAD_REQUEST, "pairs of an id and a bias");
    refuse("[{\"logit_bias\": [[7, \"inf\"]]}]", STATUS_BAD_REQUEST, "pairs of an id and a bias");
    refuse("[{\"logit_bias\": [[7.5, 1]]}]", STATUS_BAD_REQUEST, "pairs of an id and a bias");
    refuse("[{\"logit_bias\": [[7, 1, 1]]}]", STATUS_BAD_REQUEST, "pairs of an id and a bias");
    refuse("[{\"logit_bias\": [[-1, 1]]}]", STATUS_BAD_ID, "-1");
    refuse("[{\"logit_bias\": [[99999999999, 1]]}]", STATUS_BAD_ID, "99999999999");
}

/* ---- the wire ---- */

static void the_wire_carries_every_step(void **state) {
    (void)state;
    strategy before;
    strategy_init(&before);
    parse(EVERY_STEP);
    strategy_copy(&before, &parsed);
    Trivium__Strategy *m = strategy_to_wire(&before);
    assert_non_null(m);
    size_t n_bytes = trivium__strategy__get_packed_size(m);
    uint8_t *bytes = malloc(n_bytes);
    trivium__strategy__pack(m, bytes);
    trivium__strategy__free_unpacked(m, NULL);

    m = trivium__strategy__unpack(NULL, n_bytes, bytes);
    assert_int_equal(strategy_from_wire(&parsed, m, &f), STATUS_OK);
    assert_true(strategy_equal(&before, &parsed));
    assert_int_equal(strategy_from_wire(&parsed, NULL, &f), STATUS_OK);
    assert_int_equal(parsed.n_stages, 0);
    trivium__strategy__free_unpacked(m, NULL);
    free(bytes);
    strategy_clear(&before);
}

/* One step as a peer might send it. */
static status receive(const char *name, double *numbers, size_t n_numbers, int32_t *ids,
                      size_t n_lists) {
    Trivium__IdList list = TRIVIUM__ID_LIST__INIT, *lists[] = {&list, &list};
    Trivium__Step one = TRIVIUM__STEP__INIT, *steps[] = {&one};
    Trivium__Strategy m = TRIVIUM__STRATEGY__INIT;
    list.ids = ids;
    list.n_ids = ids ? 2 : 0;
    one.name = (char *)name;
    one.numbers = numbers;
    one.n_numbers = n_numbers;
    one.lists = lists;
    one.n_lists = n_lists;
    m.steps = steps;
    m.n_steps = 1;
    return strategy_from_wire(&parsed, &m, &f);
}

static void the_wire_is_checked(void **state) {
    (void)state;
    double two[] = {0.5, 0.5}, banned[] = {-INFINITY, 1}, wrong[] = {NAN, 1};
    int32_t ids[] = {4, 5}, negative[] = {4, -5};
    assert_int_equal(receive("top_p", two, 1, NULL, 0), STATUS_OK);
    assert_int_equal(receive("logit_bias", banned, 2, ids, 1), STATUS_OK);
    assert_int_equal(receive("greedy", NULL, 0, NULL, 0), STATUS_OK);

    assert_int_equal(receive("warmth", two, 1, NULL, 0), STATUS_UNSUPPORTED);
    assert_non_null(strstr(f.message, "no step named warmth: the steps are "));
    assert_int_equal(receive("", two, 1, NULL, 0), STATUS_UNSUPPORTED);
    assert_int_equal(receive("top_p", two, 2, NULL, 0), STATUS_BAD_MESSAGE);
    assert_int_equal(receive("top_p", NULL, 0, NULL, 0), STATUS_BAD_MESSAGE);
    assert_int_equal(receive("top_p", two, 1, ids, 1), STATUS_BAD_MESSAGE);
    assert_int_equal(receive("greedy", two, 1, NULL, 0), STATUS_BAD_MESSAGE);
    assert_int_equal(receive("top_p", wrong, 1, NULL, 0), STATUS_BAD_REQUEST);
    assert_int_equal(receive("logit_bias", two, 2, NULL, 0), STATUS_BAD_MESSAGE);
    assert_int_equal(receive("logit_bias", two, 2, ids, 2), STATUS_BAD_MESSAGE);
    assert_int_equal(receive("logit_bias", two, 1, ids, 1), STATUS_BAD_MESSAGE);
    assert_int_equal(receive("logit_bias", wrong, 2, ids, 1), STATUS_BAD_REQUEST);
    assert_int_equal(receive("logit_bias", two, 2, negative, 1), STATUS_BAD_ID);
    assert_int_equal(parsed.n_stages, 0);
}

static int clear_parsed(void **state) {
    (void)state;
    strategy_clear(&parsed);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_read_in_its_order),
        cmocka_unit_test(json_that_is_written_reads_back_the_same),
        cmocka_unit_test(json_of_another_form_is_refused_with_a_sentence),
        cmocka_unit_test(json_out_of_range_is_refused),
        cmocka_unit_test(the_wire_carries_every_step),
        cmocka_unit_test(the_wire_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, clear_parsed);
}
