/* chat.h: which form is chosen, and the prompts that come of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/chat_templates.h"
#include "tests/support/tokenizer/small_tokenizer.h"
#include "tokenizerd/chat/chat.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { N_ANY = 16 };

/* ---- which form ---- */

static const small_special chatml_tokens[] = {{"<|im_start|>", TOKEN_CONTROL},
                                              {"<|im_end|>", TOKEN_CONTROL},
                                              {"<s>", TOKEN_CONTROL}};
static const small_special llama_tokens[] = {{"<|start_header_id|>", TOKEN_CONTROL},
                                             {"<|eot_id|>", TOKEN_CONTROL},
                                             {"<|begin_of_text|>", TOKEN_CONTROL}};
static const small_special normal_tokens[] = {{"<|im_start|>", TOKEN_UNUSED}};

static const small_tokenizer_parts bare = {.split = "gpt-2", .eos = -1};

static tokenizer *tokenizer_of(const small_special *tokens, size_t n_tokens, const char *template_text) {
    small_tokenizer_parts parts = bare;
    parts.specials = tokens, parts.n_specials = n_tokens, parts.chat_template = template_text;
    return small_tokenizer(&parts);
}

static void test_a_form_is_asked_for_or_the_models_own(void **state) {
    (void)state;
    const struct {
        const small_special *specials;
        size_t n_specials;
        const char *chat_template;
        const char *asked;
        chat_form form;
        chat_origin origin;
        bool has_system;
    } cases[] = {
        {chatml_tokens, 3, template_smollm2, "", CHAT_CHATML, CHAT_OWN, true},
        {chatml_tokens, 3, template_smollm2, "chatml", CHAT_CHATML, CHAT_ASKED, false},
        {chatml_tokens, 3, template_smollm2, "plain", CHAT_PLAIN, CHAT_ASKED, false},
        {chatml_tokens, 3, template_smollm2, "llama3", CHAT_LLAMA3, CHAT_ASKED, false},
        {chatml_tokens, 3, template_mistral, "", CHAT_CHATML, CHAT_UNKNOWN, false},
        {llama_tokens, 3, template_mistral, "", CHAT_LLAMA3, CHAT_UNKNOWN, false},
        {NULL, 0, template_mistral, "", CHAT_PLAIN, CHAT_UNKNOWN, false},
        {chatml_tokens, 3, NULL, "", CHAT_CHATML, CHAT_NO_TEMPLATE, false},
        {llama_tokens, 3, NULL, "", CHAT_LLAMA3, CHAT_NO_TEMPLATE, false},
        {normal_tokens, 1, NULL, "", CHAT_PLAIN, CHAT_NO_TEMPLATE, false},
        {NULL, 0, NULL, "", CHAT_PLAIN, CHAT_NO_TEMPLATE, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        failure f;
        chat_template own;
        chat_form asked;
        tokenizer *t = tokenizer_of(cases[i].specials, cases[i].n_specials, cases[i].chat_template);
        assert_int_equal(chat_form_named(cases[i].asked, &asked, &f), STATUS_OK);
        assert_int_equal(chat_own_template(&own, tokenizer_vocab(t), &f), STATUS_OK);
        chat c = chat_choose(t, &own, asked);
        assert_int_equal(c.form, cases[i].form);
        assert_int_equal(c.origin, cases[i].origin);
        assert_int_equal(c.system.bytes != NULL, cases[i].has_system);
        chat_template_clear(&own);
        tokenizer_free(&t);
    }
}

static void test_an_unknown_form_is_refused_with_those_there_are(void **state) {
    (void)state;
    failure f;
    chat_form form;
    assert_int_equal(chat_form_named("alpaca", &form, &f), STATUS_BAD_REQUEST);
    for (chat_form known = CHAT_NO_FORM + 1; known < CHAT_FORMS; known++) {
        assert_non_null(strstr(f.message, chat_form_name(known)));
        failure ignored;
        assert_int_equal(chat_form_named(chat_form_name(known), &form, &ignored), STATUS_OK);
        assert_int_equal(form, known);
    }
}

static void test_a_prompt_has_at_most_one_bos(void **state) {
    (void)state;
    static const char without_bos[] =
        "{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
        "{{ m.content | trim }}<|eot_id|>{% endfor %}"
        "<|start_header_id|>assistant<|end_header_id|>\n\n{{ '' }}";
    const struct {
        const small_special *specials, *bos;
        bool add_bos;
        const char *chat_template;
        chat_form asked;
        const char *expected;   /* NULL: none */
    } cases[] = {
        {chatml_tokens, &chatml_tokens[2], false, template_smollm2, CHAT_NO_FORM, NULL},
        {chatml_tokens, &chatml_tokens[2], true, template_smollm2, CHAT_NO_FORM, "<s>"},
        {chatml_tokens, &chatml_tokens[2], false, template_outside, CHAT_NO_FORM, "<s>"},
        {chatml_tokens, &chatml_tokens[2], false, template_outside, CHAT_CHATML, NULL},
        {llama_tokens, &llama_tokens[2], false, without_bos, CHAT_NO_FORM, NULL},
        {llama_tokens, NULL, false, template_llama3, CHAT_NO_FORM, "<|begin_of_text|>"},
        {chatml_tokens, &chatml_tokens[2], true, NULL, CHAT_PLAIN, "<s>"},
        {chatml_tokens, &chatml_tokens[2], false, NULL, CHAT_LLAMA3, NULL},
        {chatml_tokens, NULL, true, NULL, CHAT_CHATML, NULL},
        {llama_tokens, &llama_tokens[2], true, template_llama3, CHAT_NO_FORM, "<|begin_of_text|>"},
        {llama_tokens, &llama_tokens[2], false, template_llama3, CHAT_NO_FORM, "<|begin_of_text|>"},
        {llama_tokens, NULL, false, NULL, CHAT_NO_FORM, "<|begin_of_text|>"},
        {llama_tokens, &llama_tokens[2], false, NULL, CHAT_PLAIN, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        failure f;
        chat_template own;
        small_tokenizer_parts parts = bare;
        parts.specials = cases[i].specials, parts.n_specials = 3;
        parts.bos = cases[i].bos, parts.add_bos = cases[i].add_bos;
        parts.chat_template = cases[i].chat_template;
        tokenizer *t = small_tokenizer(&parts);
        assert_int_equal(chat_own_template(&own, tokenizer_vocab(t), &f), STATUS_OK);
        chat c = chat_choose(t, &own, cases[i].asked);
        assert_int_equal(c.bos, cases[i].expected ? small_token(tokenizer_vocab(t), cases[i].expected) : -1);
        chat_template_clear(&own);
        tokenizer_free(&t);
    }
}

/* A reply ends at its form's close: as an end id, else as a text. */
static void test_the_close_of_a_form_ends_a_reply(void **state) {
    (void)state;
    static const small_special closes[] = {{"<|im_end|>", TOKEN_USER_DEFINED},
                                           {"<|eot_id|>", TOKEN_CONTROL}};
    static const small_merge merges[] = {{"<", "|"}, {"i", "m"}};
    small_tokenizer_parts parts = {.split = "gpt-2", .merges = merges, .n_merges = 2, .eos = -1};
    tokenizer *t = small_tokenizer(&parts);
    assert_string_equal(chat_stop(CHAT_CHATML, tokenizer_vocab(t)), "<|im_end|>");
    assert_string_equal(chat_stop(CHAT_LLAMA3, tokenizer_vocab(t)), "<|eot_id|>");
    assert_string_equal(chat_stop(CHAT_PLAIN, tokenizer_vocab(t)), "User:");
    tokenizer_free(&t);
    t = tokenizer_of(closes, 2, NULL);
    assert_null(chat_stop(CHAT_CHATML, tokenizer_vocab(t)));
    assert_null(chat_stop(CHAT_LLAMA3, tokenizer_vocab(t)));
    assert_string_equal(chat_stop(CHAT_PLAIN, tokenizer_vocab(t)), "User:");
    tokenizer_free(&t);
}

/* ---- messages ---- */

static chat_message message(const char *role, const char *content) {
    return (chat_message){chat_role_named(role), (const uint8_t *)content, strlen(content)};
}

static void test_conversations_are_checked(void **state) {
    (void)state;
    failure f;
    chat_message ones[MESSAGES_MAX + 1];
    for (size_t i = 0; i <= MESSAGES_MAX; i++) ones[i] = message("user", "x");
    assert_int_equal(chat_check(ones, 0, &f), STATUS_EMPTY_PROMPT);
    assert_int_equal(chat_check(ones, MESSAGES_MAX, &f), STATUS_OK);
    assert_int_equal(chat_check(ones, MESSAGES_MAX + 1, &f), STATUS_TOO_LONG);
    const struct {
        chat_message second;
        status expected;
    } cases[] = {
        {message("user", ""), STATUS_OK},
        {message("assistant", "\xf0\x9f\x8c\x8d"), STATUS_OK},
        {message("system", "late"), STATUS_BAD_REQUEST},
        {message("tool", "x"), STATUS_BAD_REQUEST},
        {message("", "x"), STATUS_BAD_REQUEST},
        {message("User", "x"), STATUS_BAD_REQUEST},
        {message("user", "\xc3"), STATUS_NOT_UTF8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const chat_message both[] = {message("system", "s"), cases[i].second};
        assert_int_equal(chat_check(both, 2, &f), cases[i].expected);
        if (cases[i].expected != STATUS_OK) assert_non_null(strstr(f.message, "message 2"));
    }
    chat_message huge[] = {message("user", "x"), message("user", "x")};
    huge[1].n_bytes = TEXT_BYTES_MAX;
    assert_int_equal(chat_check(huge, 2, &f), STATUS_TOO_LONG);
}

/* The text of a prompt; what came from messages stands in brackets. Caller frees. */
static char *prompt_text(const chat_prompt *p) {
    size_t n_bytes = 1, at = 0;
    for (size_t i = 0; i < p->n_pieces; i++) n_bytes += p->pieces[i].n_bytes + 2;
    char *text = malloc(n_bytes);
    for (size_t i = 0; i < p->n_pieces; i++) {
        const prompt_piece *s = &p->pieces[i];
        if (!s->special) text[at++] = '[';
        if (s->n_bytes > 0) memcpy(text + at, s->bytes, s->n_bytes);
        at += s->n_bytes;
        if (!s->special) text[at++] = ']';
    }
    text[at] = '\0';
    return text;
}

typedef struct render_case {
    const char *chat_template, *asked;
    const char *messages[N_ANY][2];
    size_t n_dropped;
    const char *expected;
} render_case;

#define L_OPEN(role) "<|start_header_id|>" role "<|end_header_id|>\n\n"
#define C_USER(content) "<|im_start|>user\n[" content "]<|im_end|>\n"
#define C_REPLY "<|im_start|>assistant\n"
#define SMOLLM_SYSTEM                                                                              \
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"     \
    "<|im_end|>\n"
#define DATES "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"

static const render_case render_cases[] = {
    {template_smollm2, "", {{"user", "Hi"}}, 0,
     SMOLLM_SYSTEM C_USER("Hi") C_REPLY},
    {template_smollm2, "",
     {{"system", "Be brief."}, {"user", " a \n"}, {"assistant", "\nb "}, {"user", ""}}, 0,
     "<|im_start|>system\n[Be brief.]<|im_end|>\n" C_USER(" a \n")
     C_REPLY "[\nb ]<|im_end|>\n" C_USER("") C_REPLY},
    {template_smollm2, "", {{"system", ""}, {"user", "<|im_end|>"}}, 0,
     "<|im_start|>system\n[]<|im_end|>\n" C_USER("<|im_end|>") C_REPLY},
    {template_smollm2, "chatml", {{"user", "q"}, {"assistant", "r"}}, 0,
     C_USER("q") C_REPLY "[r]<|im_end|>\n" C_REPLY},
    {template_smollm2, "", {{"user", "1"}, {"assistant", "2"}, {"user", "3"}}, 2,
     SMOLLM_SYSTEM C_USER("3") C_REPLY},
    {template_smollm2, "", {{"system", "s"}, {"user", "1"}, {"assistant", "2"}, {"user", "3"}}, 2,
     "<|im_start|>system\n[s]<|im_end|>\n" C_USER("3") C_REPLY},
    {template_llama3, "", {{"system", " s\n"}, {"user", "\t a b \n"}}, 0,
     L_OPEN("system") "[s]<|eot_id|>" L_OPEN("user") "[a b]<|eot_id|>" L_OPEN("assistant")},
    {template_llama3, "", {{"user", " \n"}}, 0, L_OPEN("user") "[]<|eot_id|>" L_OPEN("assistant")},
    {template_llama31, "", {{"user", "u"}}, 0,
     L_OPEN("system") DATES "<|eot_id|>" L_OPEN("user") "[u]<|eot_id|>" L_OPEN("assistant")},
    {template_llama31, "", {{"system", "s "}, {"user", "u"}}, 0,
     L_OPEN("system") DATES "[s]<|eot_id|>" L_OPEN("user") "[u]<|eot_id|>" L_OPEN("assistant")},
    {template_llama31, "llama3", {{"user", "u"}}, 0,
     L_OPEN("user") "[u]<|eot_id|>" L_OPEN("assistant")},
    {NULL, "plain", {{"user", "Hello"}}, 0, "User: [Hello]\nAssistant:"},
    {NULL, "plain",
     {{"system", "A talk."}, {"user", "Hi "}, {"assistant", " Ho \n"}, {"user", "x"}}, 0,
     "[A talk.]\nUser: [Hi ]\nAssistant: [Ho]\nUser: [x]\nAssistant:"},
    {NULL, "plain", {{"user", "a"}, {"user", "b"}, {"assistant", "c"}}, 0,
     "User: [a]\nUser: [b]\nAssistant: [c]\nAssistant:"},
};

static size_t case_messages(const render_case *rc, chat_message *messages) {
    size_t n = 0;
    for (; n < N_ANY && rc->messages[n][0]; n++)
        messages[n] = message(rc->messages[n][0], rc->messages[n][1]);
    return n;
}

static void test_prompts_of_each_form(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof render_cases / sizeof *render_cases; i++) {
        const render_case *rc = &render_cases[i];
        failure f;
        chat_template own;
        chat_form asked;
        chat_prompt p;
        chat_message messages[N_ANY];
        size_t n_messages = case_messages(rc, messages);
        tokenizer *t = tokenizer_of(NULL, 0, rc->chat_template);
        assert_int_equal(chat_check(messages, n_messages, &f), STATUS_OK);
        assert_int_equal(chat_form_named(rc->asked, &asked, &f), STATUS_OK);
        assert_int_equal(chat_own_template(&own, tokenizer_vocab(t), &f), STATUS_OK);
        chat c = chat_choose(t, &own, asked);
        assert_int_equal(chat_render(&c, messages, n_messages, rc->n_dropped, &p, &f), STATUS_OK);
        char *text = prompt_text(&p);
        assert_string_equal(text, rc->expected);
        const char *last = strrchr(text, ']');
        assert_int_equal(p.n_tail_bytes, strlen(last + 1));
        free(text);
        free(p.pieces);
        chat_template_clear(&own);
        tokenizer_free(&t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_form_is_asked_for_or_the_models_own),
        cmocka_unit_test(test_an_unknown_form_is_refused_with_those_there_are),
        cmocka_unit_test(test_a_prompt_has_at_most_one_bos),
        cmocka_unit_test(test_the_close_of_a_form_ends_a_reply),
        cmocka_unit_test(test_conversations_are_checked),
        cmocka_unit_test(test_prompts_of_each_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
