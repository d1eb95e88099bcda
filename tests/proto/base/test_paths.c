/* The runtime folder: where it is, that it is made private, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/process/paths.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static char base[64];

static int base_make(void **state) {
    (void)state;
    strcpy(base, "/tmp/test_paths.XXXXXX");
    return mkdtemp(base) && setenv("XDG_RUNTIME_DIR", base, 1) == 0 ? 0 : -1;
}

static int base_remove(void **state) {
    (void)state;
    char folder[128];
    snprintf(folder, sizeof folder, "%s/trivium", base);
    rmdir(folder);
    unlink(folder);
    return rmdir(base);
}

static void the_folder_follows_the_environment(void **state) {
    (void)state;
    char out[256], expected[128];
    failure f;
    assert_int_equal(paths_runtime(out, sizeof out, &f), STATUS_OK);
    snprintf(expected, sizeof expected, "%s/trivium", base);
    assert_string_equal(out, expected);
    assert_int_equal(paths_endpoint("models", out, sizeof out, &f), STATUS_OK);
    snprintf(expected, sizeof expected, "ipc://%s/trivium/models", base);
    assert_string_equal(out, expected);

    unsetenv("XDG_RUNTIME_DIR");
    assert_int_equal(paths_runtime(out, sizeof out, &f), STATUS_OK);
    snprintf(expected, sizeof expected, "/tmp/trivium-%u", (unsigned)geteuid());
    assert_string_equal(out, expected);
}

static void a_path_that_does_not_fit_is_refused(void **state) {
    (void)state;
    char out[8];
    failure f;
    assert_int_equal(paths_runtime(out, sizeof out, &f), STATUS_TOO_LONG);
    assert_int_equal(paths_endpoint("clients", out, sizeof out, &f), STATUS_TOO_LONG);
}

static void the_folder_is_made_private(void **state) {
    (void)state;
    char out[256];
    failure f;
    mode_t mask = umask(0);
    assert_int_equal(paths_ensure_runtime(out, sizeof out, &f), STATUS_OK);
    assert_int_equal(paths_ensure_runtime(out, sizeof out, &f), STATUS_OK); /* it is there: fine */
    umask(mask);
    struct stat info;
    assert_int_equal(stat(out, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
}

/* By whoever only looks. */
static void a_missing_folder_is_fine_and_stays_missing(void **state) {
    (void)state;
    char out[256];
    failure f;
    assert_int_equal(paths_check_runtime(out, sizeof out, &f), STATUS_OK);
    assert_int_equal(access(out, F_OK), -1);
}

static void a_folder_open_to_others_is_refused(void **state) {
    (void)state;
    char out[256];
    failure f;
    assert_int_equal(paths_ensure_runtime(out, sizeof out, &f), STATUS_OK);
    assert_int_equal(chmod(out, 0710), 0);
    assert_int_equal(paths_check_runtime(out, sizeof out, &f), STATUS_IO);
    assert_int_equal(paths_ensure_runtime(out, sizeof out, &f), STATUS_IO);
    assert_non_null(strstr(f.message, out));
}

/* Another user could point the link anywhere. */
static void a_link_in_its_place_is_refused(void **state) {
    (void)state;
    char out[256];
    failure f;
    assert_int_equal(paths_runtime(out, sizeof out, &f), STATUS_OK);
    assert_int_equal(symlink(base, out), 0);
    assert_int_equal(paths_ensure_runtime(out, sizeof out, &f), STATUS_IO);
}

static void a_missing_base_is_told(void **state) {
    (void)state;
    char out[256], missing[128];
    failure f;
    snprintf(missing, sizeof missing, "%s/none", base);
    setenv("XDG_RUNTIME_DIR", missing, 1);
    assert_int_equal(paths_ensure_runtime(out, sizeof out, &f), STATUS_IO);
    assert_non_null(strstr(f.message, missing));
}

static void programs_are_beside_this_one_or_on_the_path(void **state) {
    (void)state;
    char out[4096], self[4096] = "";
    failure f;
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    assert_int_equal(paths_program(strrchr(self, '/') + 1, out, sizeof out, &f), STATUS_OK);
    assert_string_equal(out, self);
    assert_int_equal(paths_program("no-such-program", out, sizeof out, &f), STATUS_OK);
    assert_string_equal(out, "no-such-program");
}

#define IN_BASE(test) cmocka_unit_test_setup_teardown(test, base_make, base_remove)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_BASE(the_folder_follows_the_environment),
        IN_BASE(a_path_that_does_not_fit_is_refused),
        IN_BASE(the_folder_is_made_private),
        IN_BASE(a_missing_folder_is_fine_and_stays_missing),
        IN_BASE(a_folder_open_to_others_is_refused),
        IN_BASE(a_link_in_its_place_is_refused),
        IN_BASE(a_missing_base_is_told),
        cmocka_unit_test(programs_are_beside_this_one_or_on_the_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
