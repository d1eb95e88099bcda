/* What transcript_file.h promises: what was saved is loaded again, and a file that is none changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/chat/transcript_file.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static char folder[] = "/tmp/trivium-test-XXXXXX", path[sizeof folder + 16];

static int make_folder(void **state) {
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/talk.jsonl", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_file(const char *text) {
    FILE *to = fopen(path, "w");
    assert_non_null(to);
    assert_true(fputs(text, to) >= 0);
    assert_int_equal(fclose(to), 0);
}

static void check_file(const char *expected) {
    char text[256] = "";
    FILE *from = fopen(path, "r");
    assert_non_null(from);
    assert_true(fread(text, 1, sizeof text - 1, from) > 0);
    fclose(from);
    assert_string_equal(text, expected);
}

static const char saved[] = "{\"role\":\"system\",\"content\":\"brief\"}\n"
                            "{\"role\":\"user\",\"content\":\"say \\\"hi\\\"\\n\"}\n"
                            "{\"role\":\"assistant\",\"content\":\"hi\xef\xbf\xbd\"}\n";

static void test_saved_whole_with_what_is_forgotten(void **state) {
    (void)state;
    failure f;
    transcript *c = transcript_new("brief");
    assert_non_null(c);
    assert_int_equal(transcript_add(c, "user", "say \"hi\"\n", 9), STATUS_OK);
    assert_int_equal(transcript_add(c, "assistant", "hi\xff", 3), STATUS_OK);
    transcript_forget(c, 1);
    assert_int_equal(transcript_save(c, path, &f), STATUS_OK);
    check_file(saved);
    assert_int_equal(transcript_save(c, "/nowhere/at/all", &f), STATUS_IO);
    assert_non_null(strstr(f.message, "/nowhere/at/all"));
    transcript_free(&c);
}

static void test_a_file_that_is_no_conversation_is_not_written_over(void **state) {
    (void)state;
    failure f;
    transcript *c = transcript_new("brief");
    assert_non_null(c);
    static const char *const others[] = {"some notes\n", "{\"role\":\"user\"}\n", "\n"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        write_file(others[i]);
        assert_int_equal(transcript_save(c, path, &f), STATUS_BAD_REQUEST);
        assert_non_null(strstr(f.message, "is no conversation: it is left as it is"));
        check_file(others[i]);
    }
    write_file("");
    assert_int_equal(transcript_save(c, path, &f), STATUS_OK);
    assert_int_equal(transcript_save(c, path, &f), STATUS_OK);  /* over what it was saved in before */
    transcript_free(&c);
}

static void test_what_was_saved_is_loaded(void **state) {
    (void)state;
    failure f;
    write_file(saved);
    transcript *c = transcript_load(path, &f);
    assert_non_null(c);
    assert_int_equal(transcript_count(c), 2);
    assert_int_equal(transcript_count_seen(c), 2);
    assert_memory_equal(transcript_system(c)->content, "brief", 5);
    assert_int_equal(transcript_save(c, path, &f), STATUS_OK);
    check_file(saved);
    transcript_free(&c);
    write_file("\n{\"role\": \"user\", \"content\": \"a\\u0000b\", \"more\": 1}\r\n  \n{\"role\": \"assistant\", \"content\": \"\"}");
    c = transcript_load(path, &f);
    assert_non_null(c);
    assert_null(transcript_system(c));
    assert_int_equal(transcript_message(c, 0)->n_bytes, 3);
    assert_int_equal(transcript_message(c, 1)->n_bytes, 0);
    assert_null(transcript_message(c, 2));
    transcript_free(&c);
}

static void test_a_fault_is_named_with_its_line(void **state) {
    (void)state;
    static const struct {
        const char *text, *sentence;
        status code;
    } cases[] = {
        {"", "there is no message in", STATUS_BAD_REQUEST},
        {"\n\n", "there is no message in", STATUS_BAD_REQUEST},
        {"{\"role\":\"user\",\"content\":\"a\"}\nhello\n", "line 2: the line is not a JSON object", STATUS_BAD_REQUEST},
        {"[]", "line 1: the line is JSON, but not an object", STATUS_BAD_REQUEST},
        {"{\"role\":\"user\",\"content\":\"\xff\"}", "line 1: the line is not UTF-8", STATUS_NOT_UTF8},
        {"\n{\"content\":\"a\"}", "line 2: \"role\" must be", STATUS_BAD_REQUEST},
        {"{\"role\":\"tool\",\"content\":\"a\"}", "line 1: \"role\" must be", STATUS_BAD_REQUEST},
        {"{\"role\":\"user\",\"content\":[\"a\"]}", "line 1: \"content\" must be a text", STATUS_BAD_REQUEST},
        {"{\"role\":\"user\",\"content\":\"a\"}\n{\"role\":\"system\",\"content\":\"b\"}", "line 2: only the first",
         STATUS_BAD_REQUEST},
        {"{\"role\":\"system\",\"content\":\"a\"}\n{\"role\":\"system\",\"content\":\"b\"}", "line 2: only the first",
         STATUS_BAD_REQUEST},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        failure f;
        write_file(cases[i].text);
        assert_null(transcript_load(path, &f));
        assert_int_equal(f.code, cases[i].code);
        assert_non_null(strstr(f.message, cases[i].sentence));
        assert_non_null(strstr(f.message, path));
    }
}

static void test_only_a_file_of_bounded_size_is_read(void **state) {
    (void)state;
    failure f;
    assert_null(transcript_load("/nowhere/at/all", &f));
    assert_int_equal(f.code, STATUS_IO);
    assert_null(transcript_load(folder, &f));
    assert_int_equal(f.code, STATUS_IO);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);    /* nobody writes to it: it would be waited for */
    assert_null(transcript_load(path, &f));
    assert_non_null(strstr(f.message, "it is no file"));
    unlink(path);
    write_file("");
    assert_int_equal(truncate(path, 8 * (off_t)TEXT_BYTES_MAX + 1), 0);
    assert_null(transcript_load(path, &f));
    assert_int_equal(f.code, STATUS_TOO_LONG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_saved_whole_with_what_is_forgotten),
        cmocka_unit_test(test_a_file_that_is_no_conversation_is_not_written_over),
        cmocka_unit_test(test_what_was_saved_is_loaded),
        cmocka_unit_test(test_a_fault_is_named_with_its_line),
        cmocka_unit_test(test_only_a_file_of_bounded_size_is_read),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
