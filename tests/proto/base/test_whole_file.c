/* What whole_file.h promises: a name stands for the old file or for the whole new one, and only for files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/process/whole_file.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static char folder[] = "/tmp/trivium-test-XXXXXX", path[sizeof folder + 16], other[sizeof folder + 16];

static int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/trivium-test-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/one", folder);
    snprintf(other, sizeof other, "%s/other", folder);
    return 0;
}

/* Fails where a test left more than those two. */
static int remove_folder(void **state) {
    (void)state;
    unlink(path);
    unlink(other);
    return rmdir(folder);
}

static void write_whole(const char *at, const char *text) {
    whole_file *w;
    failure f;
    assert_int_equal(whole_file_begin(&w, at, &f), STATUS_OK);
    assert_true(fputs(text, whole_file_stream(w)) >= 0);
    assert_int_equal(whole_file_finish(&w, &f), STATUS_OK);
    assert_null(w);
}

static void check_file(const char *at, const char *expected) {
    char text[64] = "";
    FILE *from = fopen(at, "r");
    assert_non_null(from);
    assert_true(fread(text, 1, sizeof text - 1, from) > 0);
    fclose(from);
    assert_string_equal(text, expected);
}

static void refused(const char *at, const char *why) {
    whole_file *w;
    failure f;
    assert_int_equal(whole_file_begin(&w, at, &f), STATUS_IO);
    assert_null(w);
    assert_non_null(strstr(f.message, at));
    assert_non_null(strstr(f.message, why));
}

static void it_is_there_when_it_is_whole(void **state) {
    (void)state;
    whole_file *w;
    failure f;
    write_whole(path, "old\n");
    assert_int_equal(whole_file_begin(&w, path, &f), STATUS_OK);
    fputs("new\n", whole_file_stream(w));
    fflush(whole_file_stream(w));
    check_file(path, "old\n");
    whole_file_drop(&w);
    check_file(path, "old\n");
    write_whole(path, "new\n");
    check_file(path, "new\n");
}

static void one_that_is_replaced_keeps_its_mode_and_its_links(void **state) {
    (void)state;
    struct stat is;
    write_whole(other, "old\n");
    assert_int_equal(chmod(other, 0640), 0);
    assert_int_equal(symlink("other", path), 0);
    write_whole(path, "new\n");
    check_file(other, "new\n");
    assert_int_equal(lstat(path, &is), 0);
    assert_true(S_ISLNK(is.st_mode));
    assert_int_equal(stat(other, &is), 0);
    assert_int_equal(is.st_mode & 0777, 0640);
}

static void what_is_no_file_stays(void **state) {
    (void)state;
    struct stat is;
    refused(folder, "Is a directory");
    refused("/nowhere/at/all", "No such file");
    assert_int_equal(mkfifo(path, 0600), 0);
    refused(path, "it is no file");
    assert_int_equal(stat(path, &is), 0);
    assert_true(S_ISFIFO(is.st_mode));
}

static void what_cannot_be_written_leaves_the_old_one(void **state) {
    (void)state;
    struct rlimit before, small;
    whole_file *w;
    failure f;
    write_whole(path, "old\n");
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){.rlim_cur = 4096, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    status st = whole_file_begin(&w, path, &f);
    for (int i = 0; i < 5000 && st == STATUS_OK; i++) fputs("a line\n", whole_file_stream(w));
    if (st == STATUS_OK) st = whole_file_finish(&w, &f);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(st, STATUS_IO);
    assert_non_null(strstr(f.message, "File too large"));
    check_file(path, "old\n");
}

int main(void) {
#define EACH(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        EACH(it_is_there_when_it_is_whole),
        EACH(one_that_is_replaced_keeps_its_mode_and_its_links),
        EACH(what_is_no_file_stays),
        EACH(what_cannot_be_written_leaves_the_old_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
