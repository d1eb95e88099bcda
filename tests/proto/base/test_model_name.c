/* Names of models: what peers take, and what a file gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/model_name.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static failure f;
static char long_name[NAME_BYTES_MAX + 2];

static void names(void **state) {
    (void)state;
    static const char *const good[] = {"m", "org/model 3", "..", "\u00fc", "%s", "-"};
    static const char *const bad[] = {"", "a\nb", "a\tb", "\x7f", "\xff", "\xc3", "a\xc2\x85"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(model_name_check(good[i], &f), STATUS_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(model_name_check(bad[i], &f), STATUS_BAD_REQUEST);
        assert_non_null(strstr(f.message, "--name"));
    }
    assert_int_equal(model_name_check(long_name, &f), STATUS_BAD_REQUEST);
    assert_int_equal(model_name_check(long_name + 1, &f), STATUS_OK);
}

static void names_of_files(void **state) {
    (void)state;
    static const char *const files[][2] = {
        {"/models/smol.gguf", "smol"}, {"smol.gguf", "smol"}, {"a.b/smol", "smol"},
        {"smol.gguf.gguf", "smol.gguf"}, {"x.GGUF", "x.GGUF"}, {"a/.gguf", ".gguf"},
    };
    char name[NAME_BYTES_MAX + 1], path[NAME_BYTES_MAX + 32];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        assert_int_equal(model_name_of_file(files[i][0], name, &f), STATUS_OK);
        assert_string_equal(name, files[i][1]);
    }
    snprintf(path, sizeof path, "/m/%s.gguf", long_name + 1);   /* just as long as a name may be */
    assert_int_equal(model_name_of_file(path, name, &f), STATUS_OK);
    assert_string_equal(name, long_name + 1);
    snprintf(path, sizeof path, "/m/%s.gguf", long_name);
    const char *const bad[] = {path, "/m/", "", "/m/a\nb.gguf"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(model_name_of_file(bad[i], name, &f), STATUS_BAD_REQUEST);
        assert_non_null(strstr(f.message, "--name"));
    }
}

static void a_file_is_told_from_a_name(void **state) {
    (void)state;
    assert_true(model_name_is_file("/models/smol"));
    assert_true(model_name_is_file("./smol"));
    assert_true(model_name_is_file("smol.gguf"));
    assert_false(model_name_is_file("smol"));
    assert_false(model_name_is_file(".gguf"));
    assert_false(model_name_is_file("smol.gguf.old"));
    assert_false(model_name_is_file(""));
}

int main(void) {
    memset(long_name, 'x', NAME_BYTES_MAX + 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(names_of_files),
        cmocka_unit_test(a_file_is_told_from_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
