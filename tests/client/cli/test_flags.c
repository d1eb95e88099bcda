/* How flags make a strategy: order, overriding, what excludes what, and which refusal it is. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/flags.h"
#include "proto/chain/strategy_json.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { WORDS_MAX = 8 };

static stage_flags flags;
static failure f;

/* Parse the words of `line`, separated by blanks. */
static status parse(const char *line) {
    char copy[256], *argv[WORDS_MAX + 2] = {(char *)"test"};
    int argc = 1;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) argv[argc++] = word;
    const options o = {.usage = "test", .summary = "A test.", .tables = {flags.rows}};
    size_t n_words;
    stage_flags_clear(&flags);
    stage_flags_init(&flags);
    status st = options_parse(&o, argc, argv, NULL, &n_words, &f);
    return st == STATUS_OK ? stage_flags_check(&flags, &f) : st;
}

static void assert_written(const strategy *chain, const char *expected) {
    json_t *array = strategy_to_json(chain);
    char *text = json_dumps(array, JSON_COMPACT | JSON_REAL_PRECISION(6));
    assert_string_equal(text, expected);
    free(text);
    json_decref(array);
}

/* The chain that a good line makes, as JSON. */
static void assert_chain(const char *line, stage_start start, const char *expected) {
    strategy chain;
    strategy_init(&chain);
    assert_int_equal(parse(line), STATUS_OK);
    assert_int_equal(stage_flags_strategy(&flags, start, &chain, &f), STATUS_OK);
    assert_written(&chain, expected);
    strategy_clear(&chain);
}

static void flags_build_the_default_order(void **state) {
    (void)state;
    assert_chain("", START_DEFAULTS,
                 "[{\"repetition_penalty\":1.1},{\"temperature\":0.8},{\"top_p\":0.9}]");
    assert_chain("--top-k 40 --temperature 0.5", START_DEFAULTS,
                 "[{\"repetition_penalty\":1.1},{\"temperature\":0.5},{\"top_k\":40},{\"top_p\":0.9}]");
    assert_chain("--top-p=0.5 --presence-penalty=-1", START_EMPTY,
                 "[{\"presence_penalty\":-1.0},{\"top_p\":0.5}]");
    assert_chain("", START_EMPTY, "[]");
}

static void greedy_and_chain_start_from_nothing(void **state) {
    (void)state;
    assert_chain("--greedy", START_DEFAULTS, "[{\"greedy\":true}]");
    assert_chain("--greedy --repetition-penalty 1.3", START_DEFAULTS,
                 "[{\"repetition_penalty\":1.3},{\"greedy\":true}]");
    assert_chain("--chain [{\"top_p\":0.9},{\"temperature\":2}]", START_DEFAULTS,
                 "[{\"top_p\":0.9},{\"temperature\":2.0}]");
    assert_chain("--chain []", START_DEFAULTS, "[]");
}

/* What stood in front of it would bias what it steers by: only what the line names does. */
static void mirostat_does_without_the_defaults(void **state) {
    (void)state;
    const char *flag = "--mirostat {\"tau\":3,\"eta\":0.1}";
    char line[256];
    assert_chain(flag, START_DEFAULTS,
                 "[{\"temperature\":0.8},{\"mirostat\":{\"tau\":3.0,\"eta\":0.1}}]");
    assert_chain(flag, START_EMPTY, "[{\"mirostat\":{\"tau\":3.0,\"eta\":0.1}}]");
    snprintf(line, sizeof line, "%s --top-p 0.9 --temperature 1 --logit-bias 7=1", flag);
    assert_chain(line, START_DEFAULTS,
                 "[{\"logit_bias\":[[7,1.0]]},{\"temperature\":1.0},{\"top_p\":0.9},"
                 "{\"mirostat\":{\"tau\":3.0,\"eta\":0.1}}]");
    snprintf(line, sizeof line, "--repetition-penalty 1.1 %s", flag);
    assert_chain(line, START_DEFAULTS,
                 "[{\"repetition_penalty\":1.1},{\"temperature\":0.8},"
                 "{\"mirostat\":{\"tau\":3.0,\"eta\":0.1}}]");
    snprintf(line, sizeof line, "%s --preset balanced", flag);
    assert_chain(line, START_DEFAULTS,
                 "[{\"repetition_penalty\":1.2},{\"temperature\":0.8},{\"top_p\":0.9},"
                 "{\"mirostat\":{\"tau\":3.0,\"eta\":0.1}}]");
    assert_chain("--adaptive-p {\"target\":0.3,\"decay\":0.9}", START_DEFAULTS,
                 "[{\"repetition_penalty\":1.1},{\"temperature\":0.8},{\"top_p\":0.9},"
                 "{\"adaptive_p\":{\"target\":0.3,\"decay\":0.9}}]");
}

static void steps_override_a_preset_in_any_order(void **state) {
    (void)state;
    const char *expected = "[{\"repetition_penalty\":1.3},{\"temperature\":0.5},{\"top_p\":0.95}]";
    assert_chain("--preset creative --temperature 0.5", START_DEFAULTS, expected);
    assert_chain("--temperature 0.5 --preset creative", START_EMPTY, expected);
    assert_int_equal(flags.preset_max_new_tokens, 100);
}

static void biases_add(void **state) {
    (void)state;
    assert_chain("--logit-bias 7=1 --logit-bias 9=-inf --logit-bias 7=0.5", START_EMPTY,
                 "[{\"logit_bias\":[[7,1.5],[9,\"-inf\"]]}]");
}

static void wrong_use_is_refused_with_a_sentence(void **state) {
    (void)state;
    static const char *const lines[] = {
        "--temperature 0", "--temperature nan", "--temperature x", "--top-p 1.1", "--top-k 1.5",
        "--min-p -0.1", "--repetition-penalty 0", "--logit-bias 5", "--logit-bias x=1",
        "--logit-bias 5=", "--logit-bias 5=inf", "--logit-bias +5=1", "--logit-bias =1",
        "--logit-bias 0x5=1", "--logit-bias 5=1e999", "--logit-bias 5=nan", "--logit-bias 5=0x1", "--preset nonsense", "--chain x", "--chain {}",
        "--chain [{\"nonsense\":1}]", "--chain [] --temperature 1", "--temperature 1 --chain []",
        "--chain [] --greedy", "--chain [] --preset creative", "--preset creative --chain []",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        f.message[0] = '\0';
        assert_int_equal(parse(lines[i]), STATUS_BAD_REQUEST);
        assert_true(strlen(f.message) > 10);
    }
}

static void temperature_zero_names_greedy(void **state) {
    (void)state;
    static const char *const lines[] = {"--temperature 0", "--temperature 0.0", "--temperature=-0"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_int_equal(parse(lines[i]), STATUS_BAD_REQUEST);
        assert_non_null(strstr(f.message, "use greedy instead (--greedy)"));
    }
    assert_int_equal(parse("--temperature -1"), STATUS_BAD_REQUEST);
    assert_null(strstr(f.message, "greedy"));
}

static void help_names_the_keys_of_json(void **state) {
    (void)state;
    stage_flags_clear(&flags);
    stage_flags_init(&flags);
    for (int kind = 0; kind < STAGE_KINDS; kind++) {
        const stage_row *row = &stage_table[kind];
        const char *help = flags.rows[kind].help;
        assert_int_equal(strncmp(help, row->help, strlen(row->help)), 0);
        if (row->shape != SHAPE_OBJECT) assert_string_equal(help, row->help);
        for (size_t i = 0; row->shape == SHAPE_OBJECT && i < row->n_fields; i++) {
            char key[128];
            snprintf(key, sizeof key, "%s (%s)", row->fields[i].name, row->fields[i].range);
            assert_non_null(strstr(help, key));
        }
        if (row->lists) assert_non_null(strstr(help, row->lists));
    }
}

/* A well-formed id that no vocabulary has is refused content, not wrong use. */
static void an_impossible_id_is_no_wrong_use(void **state) {
    (void)state;
    assert_int_equal(parse("--logit-bias 99999999999=1"), STATUS_BAD_ID);
    assert_int_equal(parse("--logit-bias=-1=1"), STATUS_BAD_ID);
}

static void what_tune_replaces(void **state) {
    (void)state;
    assert_int_equal(parse("--temperature 1"), STATUS_OK);
    assert_true(stage_flags_any(&flags) && !stage_flags_replace(&flags));
    static const char *const replacing[] = {"--greedy", "--preset balanced", "--chain []"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(parse(replacing[i]), STATUS_OK);
        assert_true(stage_flags_any(&flags) && stage_flags_replace(&flags));
    }
    assert_int_equal(parse(""), STATUS_OK);
    assert_false(stage_flags_any(&flags));
}

/* The same line, asked of a chain that runs: what tune and /set do with it. */
static void what_becomes_of_a_chain_that_runs(void **state) {
    (void)state;
    static const struct { const char *line, *chain; } cases[] = {
        {"--temperature 0.5", "[{\"top_p\":0.9},{\"temperature\":0.5}]"},
        {"--top-k 3", "[{\"top_k\":3},{\"top_p\":0.9},{\"temperature\":2.0}]"},
        {"--chain [{\"min_p\":0.1},{\"temperature\":1.5},{\"top_k\":3},{\"temperature\":0.5}]",
         "[{\"min_p\":0.1},{\"temperature\":1.5},{\"top_k\":3},{\"temperature\":0.5}]"},
        {"--chain []", "[]"},
        {"--greedy --top-k 3", "[{\"top_k\":3},{\"greedy\":true}]"},
        {"--preset balanced --min-p 0.1",
         "[{\"repetition_penalty\":1.2},{\"temperature\":0.8},{\"top_p\":0.9},{\"min_p\":0.1}]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        strategy running, asked;
        strategy_init(&running);
        strategy_init(&asked);
        strategy_append(&running, STAGE_TOP_P, &(double){0.9}, 1, &f);
        strategy_append(&running, STAGE_TEMPERATURE, &(double){2}, 1, &f);
        assert_int_equal(parse(cases[i].line), STATUS_OK);
        assert_int_equal(stage_flags_strategy(&flags, START_EMPTY, &asked, &f), STATUS_OK);
        assert_int_equal(strategy_change(&running, &asked, stage_flags_replace(&flags), &f), STATUS_OK);
        assert_written(&running, cases[i].chain);
        strategy_clear(&running);
        strategy_clear(&asked);
    }
}

/* Each row of the table of steps is a flag. */
static void every_step_has_its_flag(void **state) {
    (void)state;
    parse("");
    for (int kind = 0; kind < STAGE_KINDS; kind++) {
        assert_int_equal(strategy_kind(flags.rows[kind].name), kind);
        assert_null(strchr(flags.rows[kind].name, '_'));
    }
}

static status parse_common(common_flags *common, char *endpoint) {
    char *argv[] = {(char *)"test", (char *)"--endpoint", endpoint, (char *)"--wait", (char *)"0.25"};
    const options o = {.usage = "test", .summary = "A test.", .tables = {common->rows}};
    size_t n_words;
    common_flags_init(common);
    return options_parse(&o, 5, argv, NULL, &n_words, &f);
}

static void common_flags_become_client_options(void **state) {
    (void)state;
    common_flags common;
    assert_int_equal(parse_common(&common, (char *)"tcp://127.0.0.1:5555"), STATUS_OK);
    client_options how = common_flags_client(&common);
    assert_int_equal(how.wait_ms, 250);
    assert_true(how.has_own_wait);
    assert_int_equal(how.n_endpoints, 1);
    assert_string_equal(how.endpoints[0], "tcp://127.0.0.1:5555");
    assert_int_equal(parse_common(&common, (char *)"localhost"), STATUS_BAD_REQUEST);
}

static void the_environment_sets_defaults(void **state) {
    (void)state;
    common_flags common;
    setenv("TRIVIUM_ENDPOINT", "tcp://127.0.0.1:7777", 1);
    common_flags_init(&common);
    client_options how = common_flags_client(&common);
    assert_int_equal(how.wait_ms, WAIT_MS);
    assert_false(how.has_own_wait);
    assert_int_equal(how.n_endpoints, 1);
    assert_string_equal(how.endpoints[0], "tcp://127.0.0.1:7777");
    assert_int_equal(parse_common(&common, (char *)"tcp://127.0.0.1:5555"), STATUS_OK);
    how = common_flags_client(&common);     /* what is given wins, and is not tried beside the default */
    assert_int_equal(how.n_endpoints, 1);
    assert_string_equal(how.endpoints[0], "tcp://127.0.0.1:5555");
    setenv("TRIVIUM_ENDPOINT", "", 1);
    common_flags_init(&common);
    assert_int_equal(common_flags_client(&common).n_endpoints, 0);
    unsetenv("TRIVIUM_ENDPOINT");

    const char *model = NULL;
    setenv("TRIVIUM_MODEL", "/models/smol.gguf", 1);
    flags_model_row(&model);
    assert_null(model);
    setenv("TRIVIUM_MODEL", "smol", 1);
    flags_model_row(&model);
    assert_string_equal(model, "smol");
    unsetenv("TRIVIUM_MODEL");
}

static int clear(void **state) {
    (void)state;
    stage_flags_clear(&flags);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_build_the_default_order),
        cmocka_unit_test(greedy_and_chain_start_from_nothing),
        cmocka_unit_test(mirostat_does_without_the_defaults),
        cmocka_unit_test(steps_override_a_preset_in_any_order),
        cmocka_unit_test(biases_add),
        cmocka_unit_test(wrong_use_is_refused_with_a_sentence),
        cmocka_unit_test(temperature_zero_names_greedy),
        cmocka_unit_test(help_names_the_keys_of_json),
        cmocka_unit_test(an_impossible_id_is_no_wrong_use),
        cmocka_unit_test(what_tune_replaces),
        cmocka_unit_test(what_becomes_of_a_chain_that_runs),
        cmocka_unit_test(every_step_has_its_flag),
        cmocka_unit_test(common_flags_become_client_options),
        cmocka_unit_test(the_environment_sets_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, clear);
}
