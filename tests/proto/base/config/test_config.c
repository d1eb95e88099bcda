/* Command line and settings file together, and what becomes of a file that is read again. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/config/config.h"
#include "proto/base/log.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static char path[] = "/tmp/trivium-test-XXXXXX";

static struct {
    bool quick;
    const char *name;
    option_texts joins;
    uint64_t n;
    double heat;
    log_level level;
} got;

static config *c;
static failure f;

static const option_row rows[] = {
    {.name = "quick", .kind = OPTION_FLAG, .help = "q", .out = &got.quick},
    {.name = "name", .kind = OPTION_TEXT, .value_name = "NAME", .help = "n", .out = &got.name},
    {.name = "join", .kind = OPTION_TEXTS, .value_name = "PLACE", .help = "j", .out = &got.joins},
    {.name = "number", .letter = 'n', .kind = OPTION_UINT, .value_name = "N", .help = "n", .out = &got.n,
     .min = 1, .max = 9},
    {.name = "heat", .kind = OPTION_REAL, .value_name = "X", .help = "h", .out = &got.heat, .max = 2},
    {.name = "log", .kind = OPTION_CALL, .value_name = "LEVEL", .help = "l", .out = &got.level, .take = log_take_level,
     .out_bytes = sizeof got.level},
    {0},
};

static const options table = {.usage = "test [flags]", .summary = "A test.", .tables = {rows}};

static int make_file(void **state) {
    (void)state;
    strcpy(path, "/tmp/trivium-test-XXXXXX");
    int fd = mkstemp(path);
    memset(&got, 0, sizeof got);
    got.name = "as ever";
    got.level = LOG_INFO;
    log_open("test", LOG_QUIET);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state) {
    (void)state;
    config_close(&c);
    unlink(path);
    rmdir(path);
    return 0;
}

static void write_bytes(const char *bytes, size_t n_bytes) {
    FILE *to = fopen(path, "w");
    assert_non_null(to);
    assert_int_equal(fwrite(bytes, 1, n_bytes, to), n_bytes);
    assert_int_equal(fclose(to), 0);
}

static void write_file(const char *text) {
    write_bytes(text, strlen(text));
}

/* With the file, and one flag or two more (NULL: none). */
static status begin(const char *flag, const char *other) {
    char *argv[] = {"test", "--config", path, (char *)flag, (char *)other, NULL};
    return config_open(&c, &table, 3 + (flag != NULL) + (other != NULL), argv, &f);
}

static void settings_come_from_the_file(void **state) {
    (void)state;
    write_file("# all of them\n\n  quick\nname = a name = of blanks \r\njoin=one\n\tjoin = two\nnumber = 3\n"
               "heat = 0.5\nlog = debug");
    assert_int_equal(begin(NULL, NULL), STATUS_OK);
    assert_true(got.quick);
    assert_string_equal(got.name, "a name = of blanks");
    assert_int_equal(got.joins.n_items, 2);
    assert_string_equal(got.joins.items[0], "one");
    assert_string_equal(got.joins.items[1], "two");
    assert_int_equal(got.n, 3);
    assert_true(got.heat == 0.5);
    assert_int_equal(got.level, LOG_DEBUG);
}

static void flags_win(void **state) {
    (void)state;
    write_file("name = file\njoin = one\njoin = two\nnumber = 3\nquick = false\n");
    assert_int_equal(begin("--join=three", "-n4"), STATUS_OK);
    assert_string_equal(got.name, "file");
    assert_int_equal(got.joins.n_items, 1);
    assert_string_equal(got.joins.items[0], "three");
    assert_int_equal(got.n, 4);
    assert_false(got.quick);
    config_close(&c);
    assert_int_equal(begin("--quick", NULL), STATUS_OK);
    assert_true(got.quick);
}

static void a_flag_is_taken_once(void **state) {
    (void)state;
    write_file("number = 3\n");
    assert_int_equal(begin("--number=4", "-n5"), STATUS_BAD_REQUEST);
    assert_string_equal(f.message, "--number is given twice; it is taken once");
    assert_int_equal(begin("--config=other", NULL), STATUS_BAD_REQUEST);
    assert_string_equal(f.message, "--config is given twice; it is taken once");
    assert_int_equal(begin("--join=one", "--join=two"), STATUS_OK);
    assert_int_equal(got.joins.n_items, 2);
}

/* Of name and quick, as if they were such. */
static void a_flag_wins_over_what_it_excludes(void **state) {
    (void)state;
    write_file("name = file\nnumber = 3\n");
    assert_int_equal(begin("--quick", NULL), STATUS_OK);
    config_exclude(c, "name", "quick");
    assert_true(got.quick);
    assert_string_equal(got.name, "as ever");
    assert_int_equal(got.n, 3);
    config_close(&c);
    got.quick = false;
    write_file("name = file\nquick\n");
    assert_int_equal(begin("--name=flag", NULL), STATUS_OK);
    config_exclude(c, "name", "quick");
    assert_false(got.quick);
    assert_string_equal(got.name, "flag");
    config_close(&c);
    assert_int_equal(begin(NULL, NULL), STATUS_OK);
    config_exclude(c, "name", "quick");         /* both are the file's: whoever asks may refuse them */
    assert_true(got.quick);
    assert_string_equal(got.name, "file");
}

static void without_a_file_all_is_as_ever(void **state) {
    (void)state;
    char *argv[] = {"test", "--number", "4", NULL};
    assert_int_equal(config_open(&c, &table, 3, argv, &f), STATUS_OK);
    assert_int_equal(got.n, 4);
    assert_string_equal(got.name, "as ever");
    assert_int_equal(config_hangup_fd(c), -1);
    config_close(&c);
    argv[1] = "--bogus";
    assert_int_equal(config_open(&c, &table, 2, argv, &f), STATUS_BAD_REQUEST);
    assert_non_null(strstr(f.message, "unknown flag --bogus"));
}

/* Nothing of a refused file is taken as far as a program could see: it ends. */
static void refused(const char *text, const char *word) {
    char where[64];
    write_file(text);
    assert_int_equal(begin(NULL, NULL), STATUS_BAD_REQUEST);
    assert_null(c);
    snprintf(where, sizeof where, "%s%s", path, word);
    if (strncmp(f.message, where, strlen(where)) != 0) fail_msg("%s is not about %s", f.message, where);
}

static void a_wrong_line_is_named(void **state) {
    (void)state;
    refused("\n\nnumbr = 3\n", ":3: there is no setting numbr: did you mean number?");
    refused("--number = 3\n", ":1: there is no setting --number: did you mean number?");
    refused("colour = red\n", ":1: there is no setting colour: they are the flags of --help");
    refused("config = other\n", ":1: a settings file names no other one");
    refused("number = 10\n", ":1: --number needs a whole number");
    refused("number =\n", ":1: --number needs a whole number");
    refused("number\n", ":1: number wants a value");
    refused("quick = yes\n", ":1: quick is true or false, not yes");
    refused("log = loud\n", ":1: --log must be quiet, error, info or debug, not loud");
    assert_null(strstr(f.message, "quotes"));
    refused("log = \"info\"\n", ":1: --log must be quiet, error, info or debug, not \"info\"; values take no quotes");
    refused("= 3\n", ":1: a setting is written key = value");
    refused("number = 3\nname = x\nnumber = 4\n", ":3: number stands in line 1 already");
    refused("# \xff\n", " is not UTF-8");
}

static void a_flag_that_wins_does_not_hide_a_wrong_line(void **state) {
    (void)state;
    write_file("number = 10\n");
    assert_int_equal(begin("-n4", NULL), STATUS_BAD_REQUEST);
}

static void what_is_no_file_of_settings(void **state) {
    (void)state;
    write_bytes("name = a\0b\n", 11);
    assert_int_equal(begin(NULL, NULL), STATUS_BAD_REQUEST);
    assert_non_null(strstr(f.message, "NUL byte"));
    assert_int_equal(truncate(path, (off_t)1 << 30), 0);
    assert_int_equal(begin(NULL, NULL), STATUS_IO);
    assert_non_null(strstr(f.message, "larger than"));
    unlink(path);
    assert_int_equal(begin(NULL, NULL), STATUS_IO);
    assert_non_null(strstr(f.message, "No such file"));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(begin(NULL, NULL), STATUS_IO);
    assert_non_null(strstr(f.message, "is none"));
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(begin(NULL, NULL), STATUS_IO);
    assert_non_null(strstr(f.message, "is a folder"));
}

static void as_many_as_the_command_line_takes(void **state) {
    (void)state;
    char text[1024] = "";
    for (int i = 0; i < OPTION_TEXTS_MAX; i++) strcat(text, "join = x\n");
    write_file(text);
    assert_int_equal(begin(NULL, NULL), STATUS_OK);
    assert_int_equal(got.joins.n_items, OPTION_TEXTS_MAX);
    config_close(&c);
    got.joins.n_items = 0;
    refused(strcat(text, "join = x\n"), ":65: join may stand there at most 64 times");
}

static void a_later_check_names_the_line(void **state) {
    (void)state;
    write_file("\nname = x\nnumber = 3\n");
    assert_int_equal(begin("-n4", NULL), STATUS_OK);
    (void)(fail)(&f, STATUS_BAD_REQUEST, "bad");
    config_blame(c, "number", &f);
    config_blame(c, "heat", &f);
    assert_string_equal(f.message, "bad");
    config_blame(c, "name", &f);
    assert_int_equal(strncmp(f.message, path, strlen(path)), 0);
    assert_non_null(strstr(f.message, ":2: bad"));
}

/* ---- read again ---- */

static int n_changes;
static char name_then[64];

static void count(void *context) {
    n_changes += *(int *)context;
    snprintf(name_then, sizeof name_then, "%s", got.name);
}

static int one = 1, hundred = 100;
static const config_change changes[] = {{"number", count, &one}, {"name", count, &hundred}, {0}};

static void reload(const char *text) {
    write_file(text);
    n_changes = 0;
    assert_int_equal(raise(SIGHUP), 0);
    uint64_t n;
    assert_int_equal(read(config_hangup_fd(c), &n, sizeof n), sizeof n);
    config_reload(c);
}

static void what_can_change_does(void **state) {
    (void)state;
    write_file("number = 3\n");
    assert_int_equal(begin(NULL, NULL), STATUS_OK);
    config_on_change(c, changes, NULL);
    reload("number = 3\n");
    assert_int_equal(n_changes, 0);
    reload("number = 4\nname = first\nheat = 1\n");
    assert_int_equal(n_changes, 101);
    assert_int_equal(got.n, 4);
    assert_string_equal(name_then, "first");
    assert_true(got.heat == 0);         /* at the next start */
    reload("name = second\n");
    assert_int_equal(n_changes, 101);   /* the number is what it was without a file */
    assert_int_equal(got.n, 0);
    assert_string_equal(name_then, "second");
    reload("");
    assert_int_equal(n_changes, 100);
    assert_string_equal(got.name, "as ever");
}

static void a_wrong_file_changes_nothing(void **state) {
    (void)state;
    write_file("number = 3\n");
    assert_int_equal(begin(NULL, NULL), STATUS_OK);
    config_on_change(c, changes, NULL);
    reload("number = 4\nname = first\nlog = loud\n");
    assert_int_equal(n_changes, 0);
    assert_int_equal(got.n, 3);
    assert_string_equal(got.name, "as ever");
    unlink(path);
    config_reload(c);
    assert_int_equal(got.n, 3);
    reload("number = 5\n");
    assert_int_equal(got.n, 5);
}

static status check_together(config *tried, failure *why) {
    assert_ptr_not_equal(tried, c);
    if (strcmp(got.name, "hot") != 0 || got.joins.n_items != 1 || got.heat > 1) return STATUS_OK;
    (fail)(why, STATUS_BAD_REQUEST, "too cold to be hot at %s", got.joins.items[0]);
    config_blame(tried, "name", why);
    return why->code;
}

static void what_is_wrong_together_changes_nothing(void **state) {
    (void)state;
    write_file("number = 3\njoin = here\n");
    assert_int_equal(begin(NULL, NULL), STATUS_OK);
    config_on_change(c, changes, check_together);
    const char *place = got.joins.items[0];
    reload("number = 4\nname = hot\njoin = there\nquick\n");
    assert_int_equal(n_changes, 0);
    assert_int_equal(got.n, 3);
    assert_string_equal(got.name, "as ever");
    assert_false(got.quick);
    assert_ptr_equal(got.joins.items[0], place);
    assert_int_equal(got.joins.n_items, 1);
    reload("number = 4\nname = hot\njoin = there\nheat = 2\n");
    assert_int_equal(n_changes, 101);
    assert_string_equal(got.name, "hot");
    assert_ptr_equal(got.joins.items[0], place);        /* at the next start */
    assert_true(got.heat == 0);
}

static void a_flag_wins_for_good(void **state) {
    (void)state;
    write_file("name = file\n");
    assert_int_equal(begin("-n4", NULL), STATUS_OK);
    config_on_change(c, changes, NULL);
    reload("name = file\nnumber = 5\n");
    assert_int_equal(n_changes, 0);
    assert_int_equal(got.n, 4);
}

int main(void) {
#define WITH_A_FILE(test) cmocka_unit_test_setup_teardown(test, make_file, remove_file)
    const struct CMUnitTest tests[] = {
        WITH_A_FILE(settings_come_from_the_file),
        WITH_A_FILE(flags_win),
        WITH_A_FILE(a_flag_is_taken_once),
        WITH_A_FILE(a_flag_is_taken_once),
        WITH_A_FILE(a_flag_wins_over_what_it_excludes),
        WITH_A_FILE(without_a_file_all_is_as_ever),
        WITH_A_FILE(a_wrong_line_is_named),
        WITH_A_FILE(a_flag_that_wins_does_not_hide_a_wrong_line),
        WITH_A_FILE(what_is_no_file_of_settings),
        WITH_A_FILE(as_many_as_the_command_line_takes),
        WITH_A_FILE(a_later_check_names_the_line),
        WITH_A_FILE(what_can_change_does),
        WITH_A_FILE(a_wrong_file_changes_nothing),
        WITH_A_FILE(what_is_wrong_together_changes_nothing),
        WITH_A_FILE(a_flag_wins_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
