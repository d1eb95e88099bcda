/* What transcript.h promises: order, what the model still sees, undo, and the saved file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/chat/transcript.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static void add(transcript *c, const char *role, const char *content) {
    assert_int_equal(transcript_add(c, role, content, strlen(content)), STATUS_OK);
}

/* What is seen, as "role:content|…". */
static void check_seen(transcript *c, const char *expected) {
    char joined[256] = "";
    size_t n, used = 0;
    const conversation_message *seen = transcript_seen(c, &n);
    assert_non_null(seen);
    for (size_t i = 0; i < n; i++) {
        used += (size_t)snprintf(joined + used, sizeof joined - used, "%s:%.*s|", seen[i].role,
                                 (int)seen[i].n_bytes, (const char *)seen[i].content);
    }
    assert_string_equal(joined, expected);
}

static void test_forgetting_leaves_the_system_message(void **state) {
    (void)state;
    transcript *c = transcript_new("brief");
    check_seen(c, "system:brief|");
    add(c, "user", "a");
    add(c, "assistant", "b");
    add(c, "user", "c");
    check_seen(c, "system:brief|user:a|assistant:b|user:c|");
    transcript_forget(c, 2);
    check_seen(c, "system:brief|user:c|");
    add(c, "assistant", "");
    transcript_forget(c, 100);                /* no more than there are */
    check_seen(c, "system:brief|");
    transcript_free(&c);
    assert_null(c);
}

static void test_undo_takes_back_an_exchange(void **state) {
    (void)state;
    transcript *c = transcript_new(NULL);
    assert_false(transcript_undo(c));
    add(c, "user", "a");
    add(c, "assistant", "b");
    add(c, "user", "c");
    add(c, "assistant", "d");
    assert_true(transcript_undo(c));
    check_seen(c, "user:a|assistant:b|");
    add(c, "user", "c");                        /* not answered */
    assert_true(transcript_undo(c));
    check_seen(c, "user:a|assistant:b|");
    transcript_pop(c);
    check_seen(c, "user:a|");
    transcript_forget(c, 1);
    assert_false(transcript_undo(c));         /* what is forgotten is not taken back */
    transcript_pop(c);
    check_seen(c, "");
    transcript_free(&c);

    c = transcript_new("brief");
    transcript_pop(c);
    assert_false(transcript_undo(c));
    check_seen(c, "system:brief|");
    transcript_free(&c);
}

static void test_what_a_message_displaced_comes_back_with_undo(void **state) {
    (void)state;
    transcript *c = transcript_new("brief");
    add(c, "user", "a");
    add(c, "assistant", "b");
    add(c, "user", "c");
    transcript_forget(c, 2);
    add(c, "assistant", "d");
    add(c, "user", "e");                        /* a long one */
    transcript_forget(c, 2);
    check_seen(c, "system:brief|user:e|");
    transcript_pop(c);                          /* without a reply */
    check_seen(c, "system:brief|user:c|assistant:d|");
    assert_true(transcript_undo(c));
    check_seen(c, "system:brief|user:a|assistant:b|");
    assert_true(transcript_undo(c));
    check_seen(c, "system:brief|");
    transcript_free(&c);
}

static void test_saved_whole_with_what_is_forgotten(void **state) {
    (void)state;
    char path[64], text[256] = "";
    failure f;
    snprintf(path, sizeof path, "/tmp/trivium-test-%d.jsonl", (int)getpid());
    transcript *c = transcript_new("brief");
    add(c, "user", "say \"hi\"\n");
    add(c, "assistant", "hi\xff");
    transcript_forget(c, 1);
    assert_int_equal(transcript_save(c, path, &f), STATUS_OK);
    FILE *saved = fopen(path, "r");
    assert_non_null(saved);
    assert_true(fread(text, 1, sizeof text - 1, saved) > 0);
    fclose(saved);
    unlink(path);
    assert_string_equal(text, "{\"role\":\"system\",\"content\":\"brief\"}\n"
                              "{\"role\":\"user\",\"content\":\"say \\\"hi\\\"\\n\"}\n"
                              "{\"role\":\"assistant\",\"content\":\"hi\xef\xbf\xbd\"}\n");
    assert_int_equal(transcript_save(c, "/nowhere/at/all", &f), STATUS_IO);
    assert_non_null(strstr(f.message, "/nowhere/at/all"));
    transcript_free(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forgetting_leaves_the_system_message),
        cmocka_unit_test(test_undo_takes_back_an_exchange),
        cmocka_unit_test(test_what_a_message_displaced_comes_back_with_undo),
        cmocka_unit_test(test_saved_whole_with_what_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
