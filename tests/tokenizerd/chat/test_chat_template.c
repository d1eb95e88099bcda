/* chat_template.h: which form a template is of, and what it has of its own. What is recognised
 * writes what jinja2 writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/support/chain_case.h"
#include "tests/support/chat_templates.h"
#include "tokenizerd/chat/chat.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static const char llama_dates[] =
    "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n";

/* A copy without a byte after it, so that one read there is seen. */
static chat_template read_exact(const char *text, size_t n, const char *bos, const char *eos) {
    chat_template t;
    uint8_t *exact = malloc(n + (n == 0));
    memcpy(exact, text, n);
    const chat_template_source source = {
        .text = exact,
        .n_text = n,
        .bos = (const uint8_t *)bos,
        .n_bos = strlen(bos),
        .eos = (const uint8_t *)eos,
        .n_eos = strlen(eos),
    };
    assert_int_equal(chat_template_read(&t, &source), STATUS_OK);
    free(exact);
    return t;
}

/* ---- what jinja2 writes ---- */

enum { TALK_MESSAGES_MAX = 32 };

/* What we render, BOS included. Caller frees. */
static char *rendered(const chat_template *t, const json_t *messages, const char *bos) {
    failure f;
    chat_prompt p;
    chat_message given[TALK_MESSAGES_MAX];
    size_t n_messages = json_array_size(messages), at = 0;
    assert_true(n_messages <= TALK_MESSAGES_MAX);
    for (size_t i = 0; i < n_messages; i++) {
        const json_t *message = json_array_get(messages, i), *content = json_array_get(message, 1);
        given[i].role = chat_role_named(json_string_value(json_array_get(message, 0)));
        given[i].content = (const uint8_t *)json_string_value(content);
        given[i].n_bytes = json_string_length(content);
    }
    const chat c = {.form = t->form, .bos = -1, .system = t->system, .dates = t->dates};
    assert_int_equal(chat_render(&c, given, n_messages, 0, &p, &f), STATUS_OK);
    size_t n_bytes = strlen(bos) + 1;
    for (size_t i = 0; i < p.n_pieces; i++) n_bytes += p.pieces[i].n_bytes;
    char *text = malloc(n_bytes);
    if (t->writes_bos) at = strlen(strcpy(text, bos));
    for (size_t i = 0; i < p.n_pieces; i++) {
        const prompt_piece *s = &p.pieces[i];
        if (s->n_bytes > 0) memcpy(text + at, s->bytes, s->n_bytes);
        at += s->n_bytes;
    }
    text[at] = '\0';
    free(p.pieces);
    return text;
}

static void check_template(const json_t *one) {
    const char *name = json_string_value(json_object_get(one, "name"));
    const char *form = json_string_value(json_object_get(one, "form"));
    const char *bos = json_string_value(json_object_get(one, "bos"));
    const char *eos = json_string_value(json_object_get(one, "eos"));
    const json_t *text = json_object_get(one, "template"), *talks = json_object_get(one, "talks");
    chat_template t = read_exact(json_string_value(text), json_string_length(text), bos, eos);
    const char *found = t.form == CHAT_NO_FORM ? NULL : chat_form_name(t.form);
    if (!found != !form || (form && strcmp(found, form) != 0))
        fail_msg("%s: taken for %s, not %s", name, found ? found : "none", form ? form : "none");
    for (size_t i = 0; i < json_array_size(talks); i++) {
        const json_t *talk = json_array_get(talks, i);
        const char *expected = json_string_value(json_object_get(talk, "text"));
        char *ours = rendered(&t, json_object_get(talk, "messages"), bos);
        if (expected && strcmp(ours, expected) != 0)
            fail_msg("%s, conversation %zu:\n%s\nnot\n%s", name, i + 1, ours, expected);
        free(ours);
    }
    chat_template_clear(&t);
}

static void test_what_is_recognised_writes_what_jinja2_writes(void **state) {
    (void)state;
    chain_case_each_line("tests/golden/templates.jsonl", check_template);
}

/* ---- what a template has of its own ---- */

static void assert_text(const chat_text *text, const char *expected) {
    size_t n_bytes = expected ? strlen(expected) : 0;
    assert_int_equal(text->bytes != NULL, expected != NULL);
    assert_int_equal(text->n_bytes, n_bytes);
    if (expected) assert_memory_equal(text->bytes, expected, n_bytes);
}

static void test_templates_are_recognised(void **state) {
    (void)state;
    static const char qwen[] =
        "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.";
    static const char smollm[] =
        "You are a helpful AI assistant named SmolLM, trained by Hugging Face";
    const struct {
        const char *text;
        chat_form form;
        bool writes_bos;
        const char *system, *dates;
    } cases[] = {
        {template_smollm2, CHAT_CHATML, false, smollm, NULL},
        {template_qwen25, CHAT_CHATML, false, qwen, NULL},
        {template_qwen_branch, CHAT_CHATML, false, "It's a \\ and a \"quote\".", NULL},
        {template_outside, CHAT_CHATML, true, "Be kind.", NULL},
        {template_qwen3, CHAT_CHATML, false, NULL, NULL},
        {template_llama3, CHAT_LLAMA3, true, NULL, NULL},
        {template_llama31, CHAT_LLAMA3, true, NULL, llama_dates},
        {template_llama32, CHAT_LLAMA3, true, NULL, llama_dates},
        {template_plain, CHAT_PLAIN, false, NULL, NULL},
        {template_variable, CHAT_NO_FORM, false, NULL, NULL},
        {template_chatml_bare, CHAT_NO_FORM, false, NULL, NULL},
        {template_zephyr, CHAT_NO_FORM, false, NULL, NULL},
        {template_mistral, CHAT_NO_FORM, false, NULL, NULL},
        {template_gemma, CHAT_NO_FORM, false, NULL, NULL},
        {template_phi3, CHAT_NO_FORM, false, NULL, NULL},
        {template_phi4, CHAT_NO_FORM, false, NULL, NULL},
        {"", CHAT_NO_FORM, false, NULL, NULL},
        {"{{", CHAT_NO_FORM, false, NULL, NULL},
        {"{%", CHAT_NO_FORM, false, NULL, NULL},
        {"{%-", CHAT_NO_FORM, false, NULL, NULL},
        {"{%set x='", CHAT_NO_FORM, false, NULL, NULL},
        {"{% if '}}", CHAT_NO_FORM, false, NULL, NULL},
        {"{{ {'<|im_end|>': '<|im_start|>assistant\n'} }}", CHAT_NO_FORM, false, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chat_template t =
            read_exact(cases[i].text, strlen(cases[i].text), "<|begin_of_text|>", "<|eot_id|>");
        if (t.form != cases[i].form) fail_msg("template %zu: form %d", i, (int)t.form);
        assert_int_equal(t.writes_bos, cases[i].writes_bos);
        assert_text(&t.system, cases[i].system);
        assert_text(&t.dates, cases[i].dates);
        chat_template_clear(&t);
        assert_null(t.system.bytes);
    }
}

/* ---- whatever comes ---- */

/* Parts of templates, and bytes that are none, in any order. */
static void test_any_bytes_may_be_a_template(void **state) {
    (void)state;
    static const char *const parts[] = {
        "{{", "}}", "{%", "%}", "{#", "#}", "{%-", "-%}", "'", "\"", "\\", "\n", "  ", "if", "else",
        "endif", "set system_message =", "set date_string=", "[", ")", "+", "x", "<|im_start|>",
        "<|im_end|>", "system\n", "assistant\n", "<|start_header_id|>", "<|end_header_id|>\n\n",
        "<|eot_id|>", "User: ", "Assistant:", "Cutting Knowledge Date: ", "\nToday Date: ",
        "bos_token",
    };
    enum { N_PARTS = sizeof parts / sizeof *parts, ROUNDS = 20000, PARTS_MAX = 60 };
    uint64_t seed = 12345;
    for (int round = 0; round < ROUNDS; round++) {
        char text[PARTS_MAX * 32];
        size_t n = 0;
        for (int i = 0; i < round % PARTS_MAX; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            uint32_t choice = (uint32_t)(seed >> 33) % (N_PARTS + 4);
            if (choice >= N_PARTS) {
                text[n++] = (char)(seed >> 20);
                continue;
            }
            memcpy(text + n, parts[choice], strlen(parts[choice]));
            n += strlen(parts[choice]);
        }
        chat_template t = read_exact(text, n, "<s>", "");
        assert_true(t.form != CHAT_NO_FORM || (!t.system.bytes && !t.dates.bytes));
        chat_template_clear(&t);
    }
}

/* A hang would be seen, not a figure: a quadratic search takes minutes here. Of this process alone, whatever else
 * the machine does. */
static void test_the_longest_templates_are_read_at_once(void **state) {
    (void)state;
    static const char *const repeated[] = {
        "{{", "{%if%}", "{%set system_message=a%}", "'", "{#", " ", "\n ", "{{- a -}} ",
        "<|im_start|>system\n", "<|im_start|>system\n<|im_end|>",
        "<|im_start|>system\n{%if%}{{a}}{%else%}x",
        "<|start_header_id|>system<|end_header_id|>\n\n", "<", "<|", "User: {{a}}\n", "{{(",
    };
    char *text = malloc(CHAT_TEMPLATE_BYTES_MAX);
    for (size_t i = 0; i < sizeof repeated / sizeof *repeated; i++) {
        static const char first[] = "<|im_end|>{{'<|im_start|>assistant\n'}}";
        size_t n = sizeof first - 1, n_more = strlen(repeated[i]);
        memcpy(text, first, n);
        for (; n + n_more <= CHAT_TEMPLATE_BYTES_MAX; n += n_more)
            memcpy(text + n, repeated[i], n_more);
        clock_t started = clock();
        chat_template t = read_exact(text, n, "", "");
        assert_true(clock() - started < 5 * CLOCKS_PER_SEC);
        chat_template_clear(&t);
    }
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_recognised_writes_what_jinja2_writes),
        cmocka_unit_test(test_templates_are_recognised),
        cmocka_unit_test(test_any_bytes_may_be_a_template),
        cmocka_unit_test(test_the_longest_templates_are_read_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
