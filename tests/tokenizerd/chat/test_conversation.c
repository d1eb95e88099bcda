/* conversation.h: which messages are left out, and where a last one is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/tokenizer/small_tokenizer.h"
#include "tokenizerd/chat/conversation.h"
#include "tokenizerd/tokenizer/encode.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { N_MAX = 40 };

static chat_message message(chat_role role, const char *content) {
    return (chat_message){role, (const uint8_t *)content, strlen(content)};
}

/* 's', 'u' and 'a' are roles. */
static size_t messages_of(const char *roles, chat_message *messages) {
    size_t n = strlen(roles);
    for (size_t i = 0; i < n; i++) {
        chat_role role = roles[i] == 's' ? CHAT_SYSTEM : CHAT_ASSISTANT;
        messages[i] = message(roles[i] == 'u' ? CHAT_USER : role, "x");
    }
    return n;
}

/* Tell it what fits: all tries with at least n_needed left out. */
static conversation_next drop(const char *roles, size_t n_needed, size_t *n_dropped,
                              size_t *n_tries) {
    chat_message messages[N_MAX];
    conversation *c = conversation_new(messages, messages_of(roles, messages));
    assert_non_null(c);
    conversation_next next = CONVERSATION_AGAIN;
    for (*n_tries = 0; next == CONVERSATION_AGAIN; ++*n_tries)
        next = conversation_tried(c, conversation_n_dropped(c) >= n_needed);
    *n_dropped = conversation_n_dropped(c);
    conversation_free(&c);
    assert_null(c);
    return next;
}

static void test_the_oldest_are_left_out_and_no_reply_without_its_question(void **state) {
    (void)state;
    enum { ALL = N_MAX };
    const struct {
        const char *roles;
        size_t n_needed;
        conversation_next expected;
        size_t n_dropped;
    } cases[] = {
        {"u", 0, CONVERSATION_FITS, 0},
        {"u", ALL, CONVERSATION_TOO_LONG, 0},
        {"s", ALL, CONVERSATION_TOO_LONG, 0},
        {"su", ALL, CONVERSATION_TOO_LONG, 0},
        {"suau", 0, CONVERSATION_FITS, 0},
        {"suau", 1, CONVERSATION_FITS, 2},      /* the reply goes with its question */
        {"suau", 2, CONVERSATION_FITS, 2},
        {"suau", 3, CONVERSATION_TOO_LONG, 2},
        {"uauau", 1, CONVERSATION_FITS, 2},
        {"uauau", 3, CONVERSATION_FITS, 4},
        {"aua", 0, CONVERSATION_FITS, 0},       /* one that begins so is left as it is */
        {"aua", 1, CONVERSATION_FITS, 1},
        {"aua", 2, CONVERSATION_FITS, 2},       /* the last one stays, whatever it is */
        {"uuu", 1, CONVERSATION_FITS, 1},
        {"uaau", 1, CONVERSATION_FITS, 3},
        {"sua", ALL, CONVERSATION_TOO_LONG, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n_dropped, n_tries;
        conversation_next next = drop(cases[i].roles, cases[i].n_needed, &n_dropped, &n_tries);
        assert_int_equal(next, cases[i].expected);
        assert_int_equal(n_dropped, cases[i].n_dropped);
    }
}

static void test_never_one_more_than_needed_in_few_tries(void **state) {
    (void)state;
    char roles[N_MAX + 1] = {0};
    for (size_t n = 1; n < N_MAX; n++) {
        roles[n - 1] = 'u';
        for (size_t n_needed = 0; n_needed <= n; n_needed++) {
            size_t n_dropped, n_tries;
            conversation_next next = drop(roles, n_needed, &n_dropped, &n_tries);
            assert_int_equal(next, n_needed < n ? CONVERSATION_FITS : CONVERSATION_TOO_LONG);
            assert_int_equal(n_dropped, n_needed < n ? n_needed : n - 1);
            assert_true(n_tries <= 1 + 7);      /* all, then a search among fewer than 2^6 */
        }
    }
}

static void test_it_has_its_own_copy(void **state) {
    (void)state;
    char content[] = "abc";
    chat_message messages[] = {message(CHAT_SYSTEM, ""), message(CHAT_USER, content)};
    messages[0].content = NULL;         /* as an empty field comes from the wire */
    conversation *c = conversation_new(messages, 2);
    assert_non_null(c);
    memset(content, 'x', 3);
    size_t n;
    const chat_message *copy = conversation_messages(c, &n);
    assert_int_equal(n, 2);
    assert_int_equal(copy[0].n_bytes, 0);
    assert_memory_equal(copy[1].content, "abc", 3);
    assert_true(conversation_bytes(messages, 2) > conversation_bytes(messages, 1) + 3);
    conversation_free(&c);
}

/* ---- the last message ---- */

typedef struct cut_case {
    const char *head, *content, *tail;
    bool has_bos;
    size_t n_ids_max;
    status expected;
    const char *rest;           /* of the content */
} cut_case;

static size_t encode(const tokenizer *t, const cut_case *cc, const chat_prompt *p, int32_t *ids) {
    failure f;
    bool done = false;
    size_t n_ids;
    size_t n_bytes = 0;
    uint8_t text[1024];
    for (size_t i = 0; i < p->n_pieces; n_bytes += p->pieces[i++].n_bytes) {
        assert_true(n_bytes + p->pieces[i].n_bytes <= sizeof text);
        if (p->pieces[i].n_bytes > 0) memcpy(text + n_bytes, p->pieces[i].bytes, p->pieces[i].n_bytes);
    }
    encoding *e = encoding_new(t, text);
    assert_non_null(e);
    if (cc->has_bos) assert_int_equal(encoding_add_id(e, small_token(tokenizer_vocab(t), "<|end|>")), STATUS_OK);
    for (size_t i = 0; i < p->n_pieces; i++)
        assert_int_equal(encoding_add(e, p->pieces[i].n_bytes, p->pieces[i].special), STATUS_OK);
    while (!done) assert_int_equal(encoding_advance(e, 100, &done, &f), STATUS_OK);
    const int32_t *encoded = encoding_ids(e, &n_ids);
    memcpy(ids, encoded, n_ids * sizeof *ids);
    encoding_free(&e);
    return n_ids;
}

static const cut_case cut_cases[] = {
    {"<|end|>", "abcdef", "<|end|>", false, 5, STATUS_OK, "def"},
    {"<|end|>", "abcdef", "<|end|>", false, 3, STATUS_OK, "f"},
    {"<|end|>", "abcdef", "<|end|>", true, 4, STATUS_OK, "f"},
    {"<|end|>", "abcdef", "<|end|>", true, 3, STATUS_TOO_LONG, NULL},
    {"<|end|>", "abcdef", "<|end|>", false, 2, STATUS_TOO_LONG, NULL},
    {"<|end|>", "abcdef", "<|end|>", false, 1, STATUS_TOO_LONG, NULL},
    {"<|end|>", "a the the", "<|end|>", false, 3, STATUS_OK, " the"},     /* one id */
    {"<|end|>", "ab\xf0\x9f\x8c\x8d!", "<|end|>", false, 8, STATUS_OK, "b\xf0\x9f\x8c\x8d!"},
    {"<|end|>", "ab\xf0\x9f\x8c\x8d!", "<|end|>", false, 7, STATUS_OK, "\xf0\x9f\x8c\x8d!"},
    {"<|end|>", "ab\xf0\x9f\x8c\x8d!", "<|end|>", false, 6, STATUS_OK, "!"},  /* never half of it */
    {"<|end|>", "ab\xf0\x9f\x8c\x8d", "<|end|>", false, 5, STATUS_TOO_LONG, NULL},
    {"t", "habc", "<|end|>", false, 3, STATUS_OK, "hc"},    /* "th" begins in the head: it stays */
    {"", "abct", "h", false, 2, STATUS_OK, "ct"},           /* "th" ends in the tail: it stays */
    {"", "abct", "h", false, 1, STATUS_TOO_LONG, NULL},
};

static void test_a_last_message_is_cut_at_its_beginning(void **state) {
    (void)state;
    tokenizer *t = small_tokenizer_default();
    const vocab *v = tokenizer_vocab(t);
    for (size_t i = 0; i < sizeof cut_cases / sizeof *cut_cases; i++) {
        const cut_case *cc = &cut_cases[i];
        failure f;
        prompt_piece pieces[] = {{(const uint8_t *)cc->head, strlen(cc->head), true},
                                 {(const uint8_t *)cc->content, strlen(cc->content), false},
                                 {(const uint8_t *)cc->tail, strlen(cc->tail), true}};
        chat_prompt prompt = {.pieces = pieces, .n_pieces = 3};
        int32_t ids[64];
        prompt_ids p = {.ids = ids, .has_bos = cc->has_bos, .n_head_bytes = strlen(cc->head),
                        .n_tail_bytes = strlen(cc->tail)};
        p.n_ids = encode(t, cc, &prompt, ids);
        size_t begin, n_cut;
        assert_int_equal(conversation_cut(v, &p, cc->n_ids_max, &begin, &n_cut, &f), cc->expected);
        if (cc->expected != STATUS_OK) continue;
        assert_true(p.n_ids - n_cut <= cc->n_ids_max);
        char rest[64] = "";
        for (size_t id = cc->has_bos; id < p.n_ids; id++) {
            vocab_bytes token = vocab_token(v, ids[id]);
            if (id < begin || id >= begin + n_cut)
                strncat(rest, (const char *)token.bytes, token.n_bytes);
        }
        char whole[64] = "";
        strcat(strcat(strcat(whole, cc->head), cc->rest), cc->tail);
        assert_string_equal(rest, whole);
    }
    tokenizer_free(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_oldest_are_left_out_and_no_reply_without_its_question),
        cmocka_unit_test(test_never_one_more_than_needed_in_few_tries),
        cmocka_unit_test(test_it_has_its_own_copy),
        cmocka_unit_test(test_a_last_message_is_cut_at_its_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
