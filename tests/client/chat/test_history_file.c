/* What history_file.h promises: entries come back, the last of them, from a file that is the user's alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include "client/chat/input/history_file.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static char folder[] = "/tmp/trv-history-XXXXXX", path[256];

/* A state folder that is not there yet. */
static int set_up(void **state) {
    (void)state;
    strcpy(folder, "/tmp/trv-history-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    char below[128];
    snprintf(below, sizeof below, "%s/some/state", folder);
    snprintf(path, sizeof path, "%s/trivium/chat_history", below);
    unsetenv("TRIVIUM_HISTORY");
    return setenv("XDG_STATE_HOME", below, 1);
}

static int tear_down(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

typedef struct seen {
    size_t n;
    char first[64], last[64];
} seen;

static void see(void *context, const char *text) {
    seen *s = context;
    snprintf(s->n++ == 0 ? s->first : s->last, sizeof s->last, "%s", text);
}

static history_file *open_file(void) {
    history_file *h;
    failure f;
    assert_int_equal(history_file_open(&h, &f), STATUS_OK);
    assert_non_null(h);
    return h;
}

static seen read_all(history_file *h) {
    seen s = {0};
    failure f;
    assert_int_equal(history_file_read(h, see, &s, &f), STATUS_OK);
    return s;
}

static void add(history_file *h, const char *text) {
    failure f;
    assert_int_equal(history_file_add(h, text, &f), STATUS_OK);
}

static unsigned mode_of(const char *of) {
    struct stat is;
    assert_int_equal(lstat(of, &is), 0);
    return is.st_mode & 07777;
}

static void test_entries_of_two_chats_come_back(void **state) {
    (void)state;
    umask(0);
    history_file *one = open_file(), *two = open_file();
    assert_int_equal(read_all(one).n, 0);
    add(one, "def f():\n\treturn \"\xc3\xa4\"");
    add(two, "two");
    add(one, "three");
    seen s = read_all(two);
    assert_int_equal(s.n, 3);
    assert_string_equal(s.first, "def f():\n\treturn \"\xc3\xa4\"");
    assert_string_equal(s.last, "three");
    assert_int_equal(mode_of(path), 0600);
    char below[256];
    snprintf(below, sizeof below, "%s/some", folder);
    assert_int_equal(mode_of(below), 0700);
    history_file_close(&one);
    history_file_close(&two);
    assert_null(two);
}

static void test_only_the_last_ones_stay(void **state) {
    (void)state;
    history_file *one = open_file(), *two = open_file();
    char text[32];
    for (int i = 0; i < HISTORY_ENTRIES_MAX + 7; i++) {
        snprintf(text, sizeof text, "entry %d", i);
        add(one, text);
    }
    seen s = read_all(two);                     /* makes it shorter */
    assert_int_equal(s.n, HISTORY_ENTRIES_MAX);
    assert_string_equal(s.first, "entry 7");
    add(one, "one more");                       /* to the file that is there now */
    s = read_all(two);
    assert_int_equal(s.n, HISTORY_ENTRIES_MAX);
    assert_string_equal(s.first, "entry 8");
    assert_string_equal(s.last, "one more");
    assert_int_equal(mode_of(path), 0600);
    history_file_close(&one);
    history_file_close(&two);
}

static void test_lines_that_are_no_entries(void **state) {
    (void)state;
    history_file *h = open_file();
    FILE *file = fopen(path, "w");
    fputs("\"one\"\nnonsense\n{\"a\": 1}\n\"\"\n\xff\n\"cut", file);
    fclose(file);
    add(h, "two");
    char *long_text = calloc(1, HISTORY_ENTRY_BYTES_MAX + 2);
    memset(long_text, 'x', HISTORY_ENTRY_BYTES_MAX + 1);
    add(h, long_text);
    free(long_text);
    seen s = read_all(h);
    assert_int_equal(s.n, 2);
    assert_string_equal(s.first, "one");
    assert_string_equal(s.last, "two");
    history_file_close(&h);
}

static void check_refused(void) {
    history_file *h;
    failure f;
    assert_int_equal(history_file_open(&h, &f), STATUS_IO);
    assert_null(h);
    assert_non_null(strstr(f.message, path));
}

static void test_what_is_no_file_of_ours(void **state) {
    (void)state;
    history_file *h = open_file();
    history_file_close(&h);
    char elsewhere[128];
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(elsewhere, path), 0);
    check_refused();
    assert_int_not_equal(access(elsewhere, F_OK), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    check_refused();                            /* and does not wait */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    check_refused();
    assert_int_equal(rmdir(path), 0);
    if (geteuid() == 0) {
        h = open_file();
        assert_int_equal(chown(path, 1, 1), 0);
        check_refused();
        history_file_close(&h);
    }
}

static void test_a_lock_that_is_held(void **state) {
    (void)state;
    history_file *h = open_file();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    add(h, "one");                              /* waits, but not for ever */
    assert_int_equal(read_all(h).n, 1);
    close(fd);
    history_file_close(&h);
}

static void test_where_it_is(void **state) {
    (void)state;
    history_file *h;
    failure f;
    setenv("TRIVIUM_HISTORY", "", 1);
    assert_int_equal(history_file_open(&h, &f), STATUS_OK);
    assert_null(h);
    snprintf(path, sizeof path, "%s/mine", folder);
    setenv("TRIVIUM_HISTORY", path, 1);
    h = open_file();
    assert_int_equal(mode_of(path), 0600);
    history_file_close(&h);
    unsetenv("TRIVIUM_HISTORY");
    setenv("XDG_STATE_HOME", "relative", 1);
    setenv("HOME", folder, 1);
    h = open_file();
    snprintf(path, sizeof path, "%s/.local/state/trivium/chat_history", folder);
    assert_int_equal(mode_of(path), 0600);
    history_file_close(&h);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_entries_of_two_chats_come_back), TEST(test_only_the_last_ones_stay),
        TEST(test_lines_that_are_no_entries),      TEST(test_what_is_no_file_of_ours),
        TEST(test_a_lock_that_is_held),            TEST(test_where_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
