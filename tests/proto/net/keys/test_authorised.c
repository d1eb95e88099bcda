/* The folder of keys that may join a link, as it is written and spoilt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/limits.h"
#include "proto/net/keys/authorised.h"
#include "tests/support/keys/key_folder.h"
#include "tests/support/log_catch.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

enum { ALARM_S = 20 };          /* a look that waits for something ends the program */

static key_folder folder;
static authorised *table;
static key_pair ann, bob;
static key_rights rights;
static failure f;

static int begin(void **state) {
    (void)state;
    key_folder_make(&folder);
    ann = key_pair_new();
    bob = key_pair_new();
    key_folder_authorise(&folder, LINK_TEXT, "ann", &ann, "");
    return 0;
}

static int end(void **state) {
    (void)state;
    log_catch_end();
    authorised_free(&table);
    key_folder_remove(&folder);
    return 0;
}
#define KEYS_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static status open_table(void) {
    return authorised_new(&table, folder.path, LINK_TEXT, &f);
}

static bool knows(const key_pair *pair) {
    return authorised_find(table, pair->public_key, &rights);
}

static void write_text(const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "authorised/text/%s", name);
    key_folder_write(&folder, path, text, 0644);
}

/* Valid for seven calls more. */
static const char *at(const char *name) {
    static char paths[8][128];
    static size_t next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder.path, name);
    return path;
}

/* In two looks into the folder it is told so many times. */
static void two_looks_tell(const char *words, size_t n_times) {
    log_catch("test", LOG_INFO);
    authorised_refresh(table);
    authorised_refresh(table);
    log_catch_end();
    assert_int_equal(log_caught_times(words), n_times);
}

static void keys_come_and_go(void **state) {
    (void)state;
    assert_int_equal(open_table(), STATUS_OK);
    assert_true(knows(&ann));
    assert_false(knows(&bob));
    assert_false(authorised_find(table, "", &rights));
    assert_false(authorised_refresh(table));
    key_folder_authorise(&folder, LINK_TEXT, "bob", &bob, "operator");
    key_folder_authorise(&folder, LINK_TOKENS, "ann", &ann, "operator");        /* another link */
    assert_true(authorised_refresh(table));
    assert_true(knows(&bob) && rights.is_operator);
    assert_true(knows(&ann) && !rights.is_operator);
    key_folder_revoke(&folder, LINK_TEXT, "ann");
    assert_true(authorised_refresh(table));
    assert_false(knows(&ann));
    assert_false(authorised_refresh(table));
}

static void other_files_are_left_alone(void **state) {
    (void)state;
    write_text("ann.key_secret", "nothing");
    write_text(".hidden.key", "nothing");
    write_text("README", "nothing");
    write_text(".key", "nothing");
    assert_int_equal(open_table(), STATUS_OK);
    assert_true(knows(&ann));
}

static void one_bad_key_is_told_at_the_start(void **state) {
    (void)state;
    write_text("bob.key", "half of it");
    assert_int_equal(open_table(), STATUS_IO);
    assert_non_null(strstr(f.message, "bob.key"));
    assert_null(table);
}

static void a_key_that_is_being_written_is_read_when_it_is_whole(void **state) {
    (void)state;
    assert_int_equal(open_table(), STATUS_OK);
    write_text("bob.key", "half of it");
    write_text("ann.key", "half of it");
    authorised_refresh(table);
    assert_true(knows(&ann));           /* as before */
    assert_false(authorised_admits(table, ann.public_key));     /* but nobody new is let in */
    authorised_refresh(table);
    assert_false(authorised_admits(table, ann.public_key));
    key_folder_authorise(&folder, LINK_TEXT, "bob", &bob, "");
    key_folder_authorise(&folder, LINK_TEXT, "ann", &ann, "gateway");
    assert_true(authorised_refresh(table));
    assert_true(knows(&bob));
    assert_true(knows(&ann) && rights.is_gateway);
    assert_true(authorised_admits(table, ann.public_key));
}

static void there_are_so_many_at_most(void **state) {
    (void)state;
    char name[16];
    for (int i = 1; i < AUTHORISED_MAX; i++) {
        snprintf(name, sizeof name, "k%d", i);
        key_folder_authorise(&folder, LINK_TEXT, name, &bob, "");
    }
    assert_int_equal(open_table(), STATUS_OK);
    key_pair more = key_pair_new();
    key_folder_authorise(&folder, LINK_TEXT, "a", &more, "");       /* before all others in order */
    key_folder_authorise(&folder, LINK_TEXT, "more", &more, "");
    two_looks_tell(" keys_left_out link=text ", 1);
    assert_true(authorised_admits(table, ann.public_key));          /* whoever was there */
    assert_true(authorised_admits(table, bob.public_key));
    assert_false(knows(&more));
    key_folder_revoke(&folder, LINK_TEXT, "k1");
    key_folder_revoke(&folder, LINK_TEXT, "a");
    assert_true(authorised_refresh(table));
    assert_true(authorised_admits(table, more.public_key));
    key_folder_authorise(&folder, LINK_TEXT, "k1", &bob, "");
    authorised_free(&table);
    assert_int_equal(open_table(), STATUS_BUSY);
}

static void a_name_is_not_too_long(void **state) {
    (void)state;
    char name[KEY_NAME_BYTES_MAX + 2];
    memset(name, 'a', sizeof name);
    name[KEY_NAME_BYTES_MAX] = 0;
    key_folder_authorise(&folder, LINK_TEXT, name, &bob, "");
    assert_int_equal(open_table(), STATUS_OK);
    assert_true(knows(&bob));
    authorised_free(&table);
    name[KEY_NAME_BYTES_MAX] = 'a';
    name[KEY_NAME_BYTES_MAX + 1] = 0;
    key_pair longer = key_pair_new();
    assert_int_equal(open_table(), STATUS_OK);
    key_folder_authorise(&folder, LINK_TEXT, name, &longer, "");
    two_looks_tell(" keys_left_out link=text ", 1);
    assert_false(knows(&longer));
    assert_true(authorised_admits(table, ann.public_key));
    authorised_free(&table);
    assert_int_equal(open_table(), STATUS_TOO_LONG);
}

/* Nor one in a folder in which others could put another in its place. */
static void a_folder_that_others_may_write_is_not_read(void **state) {
    (void)state;
    static const char *const below[] = {"", "authorised", "authorised/text"};
    assert_int_equal(open_table(), STATUS_OK);
    for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
        assert_int_equal(chmod(at(below[i]), 0730), 0);
        assert_false(authorised_refresh(table));
        assert_false(authorised_admits(table, ann.public_key));
        assert_int_equal(chmod(at(below[i]), 0755), 0);
        assert_false(authorised_refresh(table));
        assert_true(authorised_admits(table, ann.public_key));
    }
}

/* ---- what is no file, and no folder ---- */

/* Whatever it is, it holds nobody up, and a key is let in beside it. */
static void what_is_no_file_is_no_key(void **state) {
    (void)state;
    assert_int_equal(open_table(), STATUS_OK);
    assert_int_equal(mkfifo(at("authorised/text/pipe.key"), 0600), 0);
    assert_int_equal(mkdir(at("authorised/text/folder.key"), 0700), 0);
    assert_int_equal(symlink("/dev/zero", at("authorised/text/device.key")), 0);
    assert_int_equal(symlink("loop.key", at("authorised/text/loop.key")), 0);
    assert_int_equal(symlink("nowhere", at("authorised/text/broken.key")), 0);
    write_text("huge.key", "");
    assert_int_equal(truncate(at("authorised/text/huge.key"), (off_t)1 << 40), 0);
    const size_t n = 6;
    alarm(ALARM_S);
    two_looks_tell(" key_unreadable ", n <= FAULTS_NAMED_MAX ? n : FAULTS_NAMED_MAX + 1);
    key_folder_authorise(&folder, LINK_TEXT, "bob", &bob, "");
    assert_true(authorised_refresh(table));
    alarm(0);
    assert_true(authorised_admits(table, bob.public_key) && authorised_admits(table, ann.public_key));
}

static void a_key_that_becomes_no_file_lets_nobody_new_in(void **state) {
    (void)state;
    assert_int_equal(open_table(), STATUS_OK);
    key_folder_revoke(&folder, LINK_TEXT, "ann");
    assert_int_equal(mkfifo(at("authorised/text/ann.key"), 0600), 0);
    alarm(ALARM_S);
    assert_false(authorised_refresh(table));
    alarm(0);
    assert_true(knows(&ann));
    assert_false(authorised_admits(table, ann.public_key));
    key_folder_authorise(&folder, LINK_TEXT, "ann", &ann, "");
    assert_false(authorised_refresh(table));
    assert_true(authorised_admits(table, ann.public_key));
}

/* Another thing is where the folder was. */
static void what_is_no_folder_lets_nobody_new_in(void **state) {
    (void)state;
    enum { GONE, FILE_THERE, PIPE_THERE, BROKEN_LINK_THERE, THINGS };
    const char *there = at("authorised/text"), *away = at("away");
    assert_int_equal(open_table(), STATUS_OK);
    for (int thing = 0; thing < THINGS; thing++) {
        assert_int_equal(rename(there, away), 0);
        if (thing == FILE_THERE) key_folder_write(&folder, "authorised/text", "", 0600);
        if (thing == PIPE_THERE) assert_int_equal(mkfifo(there, 0600), 0);
        if (thing == BROKEN_LINK_THERE) assert_int_equal(symlink("nowhere", there), 0);
        alarm(ALARM_S);
        two_looks_tell("keys_unreadable link=text", 1);
        alarm(0);
        assert_true(knows(&ann));
        assert_false(authorised_admits(table, ann.public_key));
        if (thing != GONE) assert_int_equal(unlink(there), 0);
        assert_int_equal(rename(away, there), 0);
        assert_false(authorised_refresh(table));
        assert_true(authorised_admits(table, ann.public_key));
    }
}

static void another_folder_in_its_place_counts_at_once(void **state) {
    (void)state;
    const char *there = at("authorised/text"), *other = at("other"), *away = at("away");
    assert_int_equal(open_table(), STATUS_OK);
    assert_int_equal(mkdir(other, 0700), 0);
    key_folder_authorise(&folder, LINK_TOKENS, "ann", &bob, "");
    assert_int_equal(rename(at("authorised/tokens/ann.key"), at("other/ann.key")), 0);
    assert_int_equal(rename(there, away), 0);
    assert_int_equal(symlink("../other", there), 0);
    assert_true(authorised_refresh(table));
    assert_true(authorised_admits(table, bob.public_key));
    assert_false(knows(&ann));
    assert_int_equal(unlink(there), 0);
    assert_int_equal(rename(away, there), 0);
    assert_true(authorised_refresh(table));
    assert_true(authorised_admits(table, ann.public_key));
    assert_false(knows(&bob));
}

/* ---- much of it ---- */

static void the_log_names_some_files_and_counts_the_others(void **state) {
    (void)state;
    enum { OTHERS = 5 };
    char name[24];
    assert_int_equal(open_table(), STATUS_OK);
    log_catch("test", LOG_INFO);
    for (int turn = 0; turn < 3; turn++) {
        for (int i = 0; i < FAULTS_NAMED_MAX + OTHERS; i++) {
            snprintf(name, sizeof name, "k%d.key", i);
            write_text(name, "nothing");
        }
        authorised_refresh(table);
    }
    assert_int_equal(log_caught_times(" key_unreadable why="), FAULTS_NAMED_MAX);
    assert_int_equal(log_caught_times(" key_unreadable "), FAULTS_NAMED_MAX + 1);
    assert_int_equal(log_caught_times(" key_unreadable others=5 folder=\"/tmp/"), 1);
}

static void so_many_other_files_are_passed_over_at_most(void **state) {
    (void)state;
    char name[16];
    assert_int_equal(open_table(), STATUS_OK);
    for (int i = 0; i < 4 * AUTHORISED_MAX; i++) {
        snprintf(name, sizeof name, "%d", i);
        write_text(name, "");
    }
    authorised_refresh(table);
    assert_true(authorised_admits(table, ann.public_key));
    write_text("more", "");
    two_looks_tell("keys_unreadable link=text", 1);
    assert_false(authorised_admits(table, ann.public_key));
}

/* With one descriptor left the folder can be read, and no file in it. */
static void what_could_not_be_read_for_want_of_descriptors_is_read_later(void **state) {
    (void)state;
    struct rlimit limit;
    assert_int_equal(open_table(), STATUS_OK);
    key_folder_authorise(&folder, LINK_TEXT, "bob", &bob, "");
    log_catch("test", LOG_INFO);
    int next = dup(0);
    assert_true(next >= 0 && close(next) == 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit little = {.rlim_cur = (rlim_t)next + 1, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &little), 0);
    bool changed = authorised_refresh(table), changed_again = authorised_refresh(table), known = knows(&bob);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(changed && !changed_again); /* there is a file more */
    assert_false(known);
    assert_int_equal(log_caught_times("key_unreadable"), 1);
    assert_true(authorised_refresh(table));
    assert_true(authorised_admits(table, bob.public_key));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KEYS_TEST(keys_come_and_go),
        KEYS_TEST(other_files_are_left_alone),
        KEYS_TEST(one_bad_key_is_told_at_the_start),
        KEYS_TEST(a_key_that_is_being_written_is_read_when_it_is_whole),
        KEYS_TEST(there_are_so_many_at_most),
        KEYS_TEST(a_name_is_not_too_long),
        KEYS_TEST(a_folder_that_others_may_write_is_not_read),
        KEYS_TEST(what_is_no_file_is_no_key),
        KEYS_TEST(a_key_that_becomes_no_file_lets_nobody_new_in),
        KEYS_TEST(what_is_no_folder_lets_nobody_new_in),
        KEYS_TEST(another_folder_in_its_place_counts_at_once),
        KEYS_TEST(the_log_names_some_files_and_counts_the_others),
        KEYS_TEST(so_many_other_files_are_passed_over_at_most),
        KEYS_TEST(what_could_not_be_read_for_want_of_descriptors_is_read_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
