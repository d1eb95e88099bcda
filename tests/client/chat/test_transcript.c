/* What transcript.h promises: order, what the model still sees, what is taken back and said again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    assert_non_null(c);
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
    assert_non_null(c);
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
    transcript_withdraw(c);
    check_seen(c, "user:a|");
    transcript_forget(c, 1);
    assert_false(transcript_undo(c));         /* what is forgotten is not taken back */
    transcript_withdraw(c);
    check_seen(c, "");
    transcript_free(&c);

    c = transcript_new("brief");
    assert_non_null(c);
    transcript_withdraw(c);
    assert_false(transcript_undo(c));
    check_seen(c, "system:brief|");
    transcript_free(&c);
}

static void test_what_a_message_displaced_comes_back_with_undo(void **state) {
    (void)state;
    transcript *c = transcript_new("brief");
    assert_non_null(c);
    add(c, "user", "a");
    add(c, "assistant", "b");
    add(c, "user", "c");
    transcript_forget(c, 2);
    add(c, "assistant", "d");
    add(c, "user", "e");                        /* a long one */
    transcript_forget(c, 2);
    check_seen(c, "system:brief|user:e|");
    transcript_withdraw(c);                          /* without a reply */
    check_seen(c, "system:brief|user:c|assistant:d|");
    assert_true(transcript_undo(c));
    check_seen(c, "system:brief|user:a|assistant:b|");
    assert_true(transcript_undo(c));
    check_seen(c, "system:brief|");
    transcript_free(&c);
}

/* As after a prompt in which the first exchange no longer fitted: what was forgotten is seen again. */
static void test_a_reply_is_replaced_as_if_it_had_never_been(void **state) {
    (void)state;
    transcript *c = transcript_new("brief");
    assert_non_null(c);
    assert_false(transcript_reopen(c));
    add(c, "user", "a");
    add(c, "assistant", "b");
    add(c, "user", "c");
    transcript_forget(c, 2);
    add(c, "assistant", "d");
    assert_true(transcript_reopen(c));
    check_seen(c, "system:brief|user:a|assistant:b|user:c|");
    transcript_forget(c, 2);
    transcript_withdraw(c);                     /* no other reply came */
    check_seen(c, "system:brief|user:c|assistant:d|");
    assert_true(transcript_reopen(c));
    transcript_forget(c, 2);
    add(c, "assistant", "e");
    check_seen(c, "system:brief|user:c|assistant:e|");
    transcript_withdraw(c);
    assert_true(transcript_undo(c));
    check_seen(c, "system:brief|user:a|assistant:b|");
    transcript_free(&c);
}

static void test_what_was_withdrawn_is_said_again(void **state) {
    (void)state;
    transcript *c = transcript_new(NULL);
    assert_non_null(c);
    add(c, "user", "a");
    transcript_withdraw(c);
    check_seen(c, "");
    assert_true(transcript_reopen(c));
    check_seen(c, "user:a|");
    transcript_withdraw(c);
    assert_true(transcript_reopen(c));
    add(c, "assistant", "b");
    add(c, "user", "c");
    transcript_withdraw(c);
    assert_true(transcript_undo(c));            /* the one before it; this one is not said again, either */
    assert_false(transcript_reopen(c));
    check_seen(c, "");
    transcript_free(&c);
}

/* As a file may end; and one that begins with a reply. */
static void test_a_message_without_a_reply_keeps_its_place(void **state) {
    (void)state;
    transcript *c = transcript_new(NULL);
    assert_non_null(c);
    add(c, "assistant", "a");
    assert_false(transcript_reopen(c));
    check_seen(c, "assistant:a|");
    add(c, "user", "b");
    assert_true(transcript_reopen(c));
    transcript_withdraw(c);
    check_seen(c, "assistant:a|user:b|");
    assert_true(transcript_reopen(c));
    add(c, "assistant", "c");
    check_seen(c, "assistant:a|user:b|assistant:c|");
    transcript_free(&c);
}

static void test_a_new_conversation_keeps_the_system_message(void **state) {
    (void)state;
    transcript *c = transcript_new("brief");
    assert_non_null(c);
    add(c, "user", "a");
    add(c, "assistant", "b");
    transcript_forget(c, 1);
    transcript_clear(c);
    check_seen(c, "system:brief|");
    assert_int_equal(transcript_count(c), 0);
    assert_false(transcript_reopen(c));
    add(c, "user", "c");
    assert_int_equal(transcript_set_system(c, "long", 4), STATUS_OK);
    check_seen(c, "system:long|user:c|");
    transcript_free(&c);

    c = transcript_new(NULL);
    assert_non_null(c);
    assert_null(transcript_system(c));
    add(c, "user", "a");
    assert_int_equal(transcript_set_system(c, "brief", 5), STATUS_OK);
    check_seen(c, "system:brief|user:a|");
    assert_int_equal(transcript_count(c), 1);
    transcript_free(&c);
}

static void test_another_conversation_in_its_place(void **state) {
    (void)state;
    transcript *c = transcript_new("brief"), *other = transcript_new(NULL);
    assert_non_null(c);
    add(c, "user", "a");
    add(other, "user", "b");
    add(other, "assistant", "c");
    assert_int_equal(transcript_replace(c, &other), STATUS_OK);
    assert_null(other);
    check_seen(c, "system:brief|user:b|assistant:c|");
    other = transcript_new("long");
    add(other, "user", "d");
    assert_int_equal(transcript_replace(c, &other), STATUS_OK);
    check_seen(c, "system:long|user:d|");
    transcript_free(&c);
}

static void test_one_question_carries_what_is_seen(void **state) {
    (void)state;
    enum { PAIRS = MESSAGES_MAX / 2 };
    transcript *c = transcript_new("brief");
    assert_non_null(c);
    for (int i = 0; i < PAIRS; i++) {
        assert_int_equal(transcript_forget_excess(c), 0);
        add(c, "user", "a");
        add(c, "assistant", "b");
    }
    assert_int_equal(transcript_count_seen(c), MESSAGES_MAX);
    assert_int_equal(transcript_forget_excess(c), 2);       /* with the system message, one was too many */
    assert_int_equal(transcript_count_seen(c), MESSAGES_MAX - 2);
    assert_int_equal(transcript_count(c), MESSAGES_MAX);
    transcript_free(&c);

    char *half = calloc(1, TEXT_BYTES_MAX / 2 + 1);
    assert_non_null(half);
    c = transcript_new(NULL);
    assert_non_null(c);
    for (int i = 0; i < 2; i++)
        assert_int_equal(transcript_add(c, "user", half, TEXT_BYTES_MAX / 2 + 1), STATUS_OK);
    assert_int_equal(transcript_forget_excess(c), 1);
    assert_int_equal(transcript_count_seen(c), 1);
    transcript_free(&c);
    free(half);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forgetting_leaves_the_system_message),
        cmocka_unit_test(test_undo_takes_back_an_exchange),
        cmocka_unit_test(test_what_a_message_displaced_comes_back_with_undo),
        cmocka_unit_test(test_a_reply_is_replaced_as_if_it_had_never_been),
        cmocka_unit_test(test_what_was_withdrawn_is_said_again),
        cmocka_unit_test(test_a_message_without_a_reply_keeps_its_place),
        cmocka_unit_test(test_a_new_conversation_keeps_the_system_message),
        cmocka_unit_test(test_another_conversation_in_its_place),
        cmocka_unit_test(test_one_question_carries_what_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
