/* The folder of keys that may join a link, as it is written and spoilt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/limits.h"
#include "proto/net/keys/authorised.h"
#include "tests/support/link/key_folder.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

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
    key_folder_authorise(&folder, LINK_TEXT, "more", &bob, "");
    assert_false(authorised_refresh(table));
    assert_false(authorised_admits(table, ann.public_key));
    assert_true(knows(&ann));
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
    key_folder_authorise(&folder, LINK_TEXT, name, &bob, "");
    assert_int_equal(open_table(), STATUS_TOO_LONG);
}

static void a_folder_that_others_may_write_is_not_read(void **state) {
    (void)state;
    char path[96];
    snprintf(path, sizeof path, "%s/authorised/text", folder.path);
    assert_int_equal(open_table(), STATUS_OK);
    assert_int_equal(chmod(path, 0730), 0);
    assert_false(authorised_refresh(table));
    assert_false(authorised_admits(table, ann.public_key));
    assert_int_equal(chmod(path, 0755), 0);
    assert_false(authorised_refresh(table));
    assert_true(authorised_admits(table, ann.public_key));
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
