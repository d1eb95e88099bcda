/* The keys of a line of --input: what they make of the command line's flags, and which are refused in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/generate/line_keys.h"
#include "client/cli/json.h"
#include "proto/chain/strategy_json.h"
#include "tests/support/traceparents.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { WORDS_MAX = 12 };

static generate_flags command, flags;
static json_t *line;
static strategy chain;
static failure f;

static int begin(void **state) {
    (void)state;
    unsetenv("TRIVIUM_MODEL");
    unsetenv("TRACEPARENT");
    generate_flags_init(&command);
    generate_flags_init(&flags);
    strategy_init(&chain);
    return 0;
}

static int end(void **state) {
    (void)state;
    generate_flags_clear(&command);
    generate_flags_clear(&flags);
    strategy_clear(&chain);
    json_decref(line);
    line = NULL;
    return 0;
}

/* The flags of a command line, and a line's keys over them. */
static status take(const char *words, const char *keys) {
    char copy[256], *argv[WORDS_MAX + 2] = {(char *)"test"};
    int argc = 1;
    snprintf(copy, sizeof copy, "%s", words);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) argv[argc++] = word;
    const options o = {.usage = "test", .summary = "A test.",
                       .tables = {command.rows, command.stages.rows}};
    size_t n_words;
    end(NULL);
    begin(NULL);
    assert_int_equal(options_parse(&o, argc, argv, NULL, &n_words, &f), STATUS_OK);
    generate_flags_clear(&flags);
    assert_int_equal(generate_flags_copy(&flags, &command), STATUS_OK);
    line = json_read_object(keys, strlen(keys), &f);
    assert_non_null(line);
    status st = line_keys_take(&flags, line, &f);
    return st == STATUS_OK ? generate_flags_chain(&flags, &chain, &f) : st;
}

static void assert_chain(const char *words, const char *keys, const char *expected) {
    assert_int_equal(take(words, keys), STATUS_OK);
    json_t *array = strategy_to_json(&chain);
    char *text = json_dumps(array, JSON_COMPACT | JSON_REAL_PRECISION(6));
    assert_string_equal(text, expected);
    free(text);
    json_decref(array);
}

static void assert_refused(const char *words, const char *keys, const char *sentence) {
    assert_int_equal(take(words, keys), STATUS_BAD_REQUEST);
    if (!strstr(f.message, sentence)) fail_msg("not \"%s\" but \"%s\"", sentence, f.message);
}

static void every_kind_of_value(void **state) {
    (void)state;
    assert_int_equal(take("", "{\"max_new_tokens\": 7, \"seed\": 9007199254740991, \"stop\": [\"a\", \"b\"], \"stop_id\": 5,"
                              " \"ignore_eos\": true, \"no_special\": false, \"show_probs\": 3, \"session\": \"s\","
                              " \"model\": \"m\", \"sampler\": \"p\", \"chat_template\": \"plain\", \"priority\": -10,"
                              " \"traceparent\": \"" SOME_TRACEPARENT "\"}"), STATUS_OK);
    generation_request request = generate_flags_request(&flags, &chain);
    assert_int_equal(request.max_new_tokens, 7);
    assert_true(flags.seed.given && flags.seed.seed == SEED_MAX - 1);
    assert_int_equal(request.n_stops, 2);
    assert_string_equal(request.stops[1], "b");
    assert_int_equal(request.n_stop_ids, 1);
    assert_int_equal(request.stop_ids[0], 5);
    assert_true(request.ignore_eos);
    assert_false(flags.no_special);
    assert_int_equal(request.n_candidates, 3);
    assert_string_equal(request.session, "s");
    assert_string_equal(request.model, "m");
    assert_string_equal(request.pool, "p");
    assert_int_equal(request.priority, -10);
    assert_string_equal(request.traceparent, SOME_TRACEPARENT);
    assert_string_equal(flags.form, "plain");
}

/* A key counts more than the flag, that more than the environment; which is not asked what is malformed there. */
static void a_place_in_a_trace_comes_from_three_places(void **state) {
    (void)state;
    setenv("TRACEPARENT", SOME_TRACEPARENT, 1);
    generate_flags_init(&flags);
    assert_string_equal(flags.traceparent, SOME_TRACEPARENT);
    setenv("TRACEPARENT", NO_TRACEPARENT, 1);
    generate_flags_init(&flags);
    assert_null(flags.traceparent);
    assert_int_equal(take("--traceparent " SOME_TRACEPARENT " --priority -3", "{}"), STATUS_OK);
    assert_string_equal(flags.traceparent, SOME_TRACEPARENT);
    assert_int_equal(flags.priority, -3);
    assert_int_equal(take("--traceparent " SOME_TRACEPARENT " --priority 3",
                          "{\"traceparent\": \"" LATER_TRACEPARENT "\", \"priority\": 10}"), STATUS_OK);
    assert_string_equal(flags.traceparent, LATER_TRACEPARENT);
    assert_int_equal(flags.priority, 10);
    assert_int_equal(take("--traceparent " SOME_TRACEPARENT, "{\"traceparent\": \"\"}"), STATUS_OK);
    assert_string_equal(flags.traceparent, "");
    assert_refused("", "{\"traceparent\": \"" NO_TRACEPARENT "\"}", "traceparent");
    assert_refused("", "{\"traceparent\": 1}", "\"traceparent\" must be a string");
    assert_refused("", "{\"priority\": 11}", "-10 to 10, not 11");
    assert_refused("", "{\"priority\": -11}", "-10 to 10, not -11");
    assert_refused("", "{\"priority\": \"1\"}", "whole number");
}

static void hyphens_are_underscores(void **state) {
    (void)state;
    assert_int_equal(take("", "{\"max-new-tokens\": 7, \"no-kv_cache\": true}"), STATUS_OK);
    assert_int_equal(flags.max_new_tokens, 7);
    assert_true(flags.no_cache);
    assert_chain("", "{\"top-k\": 4}",
                 "[{\"repetition_penalty\":1.1},{\"temperature\":0.8},{\"top_k\":4},{\"top_p\":0.9}]");
}

static void a_key_goes_over_the_command_line(void **state) {
    (void)state;
    assert_chain("--temperature 0.7", "{\"top_k\": 40}",
                 "[{\"repetition_penalty\":1.1},{\"temperature\":0.7},{\"top_k\":40},{\"top_p\":0.9}]");
    assert_chain("--temperature 0.7", "{\"temperature\": 1}",
                 "[{\"repetition_penalty\":1.1},{\"temperature\":1.0},{\"top_p\":0.9}]");
    assert_int_equal(take("--stop a --stop-id 4 --ignore-eos --seed 3", "{\"stop\": \"b\", \"ignore_eos\": false}"),
                     STATUS_OK);
    assert_int_equal(flags.n_stops, 2);
    assert_int_equal(flags.stop_ids.n_ids, 1);
    assert_false(flags.ignore_eos);
    assert_true(flags.seed.given && flags.seed.seed == 3);
    assert_int_equal(command.n_stops, 1);       /* the command line's own stay as they are */
    assert_true(command.ignore_eos);
}

static void steps_are_as_in_a_chain(void **state) {
    (void)state;
    assert_chain("--logit-bias 7=1", "{\"logit_bias\": [[28, \"-inf\"], [9, 2]], \"greedy\": true}",
                 "[{\"logit_bias\":[[7,1.0],[9,2.0],[28,\"-inf\"]]},{\"greedy\":true}]");
    assert_chain("", "{\"xtc\": {\"probability\": 0.5, \"threshold\": 0.1}, \"preset\": \"conservative\","
                     " \"temperature\": 0.25}",
                 "[{\"repetition_penalty\":1.1},{\"temperature\":0.25},{\"top_p\":0.85},"
                 "{\"xtc\":{\"probability\":0.5,\"threshold\":0.1}}]");
    assert_chain("", "{\"mirostat\": {\"tau\": 5, \"eta\": 0.1}}",
                 "[{\"temperature\":0.8},{\"mirostat\":{\"tau\":5.0,\"eta\":0.1}}]");
    assert_chain("--greedy --top-k 3", "{\"greedy\": false}",
                 "[{\"repetition_penalty\":1.1},{\"temperature\":0.8},{\"top_k\":3},{\"top_p\":0.9}]");
}

static void a_chain_takes_the_place_of_all(void **state) {
    (void)state;
    static const char *const words[] = {"", "--temperature 0.7 --top-k 3", "--preset creative", "--greedy",
                                        "--chain [{\"top_k\":4}]"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        assert_chain(words[i], "{\"chain\": [{\"top_p\": 0.5}, {\"temperature\": 2}]}",
                     "[{\"top_p\":0.5},{\"temperature\":2.0}]");
    assert_refused("", "{\"temperature\": 1, \"chain\": [{\"top_p\": 0.5}]}", "--chain is the whole chain");
    assert_refused("", "{\"chain\": [{\"top_p\": 0.5}], \"preset\": \"creative\"}", "--chain is the whole chain");
    assert_refused("--chain [{\"top_k\":4}]", "{\"temperature\": 1}", "--chain is the whole chain");
}

static void unknown_keys(void **state) {
    (void)state;
    assert_refused("", "{\"temprature\": 1}", "no key \"temprature\": did you mean \"temperature\"?");
    assert_refused("", "{\"max_new_token\": 1}", "did you mean \"max_new_tokens\"?");
    assert_refused("", "{\"prompts\": 1}", "did you mean \"prompt\"?");
    assert_refused("", "{\"custom_id\": 1}", "goes under \"id\"");
    assert_refused("", "{\"\": 1}", "no key \"\"");
    static const char *const once[] = {"endpoint", "wait", "json", "input", "timings", "parallel", "verbose", "help",
                                       "keep_newline", "as_completed"};
    for (size_t i = 0; i < sizeof once / sizeof *once; i++) {
        char keys[64];
        snprintf(keys, sizeof keys, "{\"%s\": true}", once[i]);
        assert_refused("", keys, "there is no key");
    }
    char longest[400];
    snprintf(longest, sizeof longest, "{\"max_new_tokens%0300d\": 1}", 0);
    assert_refused("", longest, "no key \"max_new_tokens0");
}

static void wrong_values(void **state) {
    (void)state;
    assert_refused("", "{\"max_new_tokens\": \"7\"}", "\"max_new_tokens\" must be a whole number");
    assert_refused("", "{\"max_new_tokens\": 7.5}", "\"max_new_tokens\" must be a whole number");
    assert_refused("", "{\"max_new_tokens\": 0}", "from 1 to");
    assert_refused("", "{\"max_new_tokens\": [7]}", "must be a whole number");
    assert_refused("", "{\"max_new_tokens\": null}", "must be a whole number");
    assert_refused("", "{\"seed\": -1}", "below 2^53");
    assert_refused("", "{\"stop\": [\"a\", 5]}", "\"stop\" must be a string, or a list of them");
    assert_refused("", "{\"stop\": \"\"}", "1 to");
    assert_refused("", "{\"stop_id\": [[5]]}", "\"stop_id\" must be a whole number, or a list of them");
    assert_refused("", "{\"stop\": \"a\\u0000b\"}", "without a zero byte");
    assert_refused("", "{\"ignore_eos\": 1}", "\"ignore_eos\" must be true or false");
    assert_refused("", "{\"model\": 5}", "\"model\" must be a string");
    assert_refused("", "{\"session\": [\"a\"]}", "\"session\" must be a string");
    assert_refused("", "{\"temperature\": \"hot\"}", "temperature must be a number");
    assert_refused("", "{\"temperature\": 0}", "--greedy");
    assert_refused("", "{\"greedy\": 1}", "greedy");
    assert_refused("", "{\"logit_bias\": {\"7\": 1}}", "logit_bias takes an array");
    assert_refused("", "{\"chain\": {\"top_k\": 4}}", "");
    assert_refused("", "{\"preset\": \"wild\"}", "no preset named wild");
}

static void an_id_keeps_its_digits(void **state) {
    (void)state;
    assert_int_equal(take("", "{\"id\": 9223372036854775807, \"max_new_tokens\": 7}"), STATUS_OK);
    assert_int_equal(take("", "{\"id\": 0.1}"), STATUS_OK);
    assert_refused("", "{\"id\": 9223372036854775808, \"max_new_tokens\": 7}", "write it as a string");
    assert_refused("", "{\"id\": -9223372036854775809}", "write it as a string");
}

static void what_is_no_flag_is_left_alone(void **state) {
    (void)state;
    assert_int_equal(take("", "{\"prompt\": 5, \"messages\": 5, \"ids\": 5, \"id\": {\"any\": [\"thing\"]}}"), STATUS_OK);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(every_kind_of_value),
        TEST(a_place_in_a_trace_comes_from_three_places),
        TEST(hyphens_are_underscores),
        TEST(a_key_goes_over_the_command_line),
        TEST(steps_are_as_in_a_chain),
        TEST(a_chain_takes_the_place_of_all),
        TEST(unknown_keys),
        TEST(wrong_values),
        TEST(an_id_keeps_its_digits),
        TEST(what_is_no_flag_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
