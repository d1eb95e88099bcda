/* gguf_vocabulary.h: what a model's file says about its tokens is handed out as it is, or refused by key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "modeld/formats/gguf_vocabulary.h"
#include "proto/base/limits.h"
#include "tests/support/models/gguf_writer.h"
#include "tests/support/models/sample_gguf.h"
#include "tests/support/models/tiny_model.h"
#include "tests/support/models/tiny_vocabulary.h"
#include "tests/support/scratch.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

/* A vocabulary of three tokens; a test changes one of its parts before it is written. */
typedef struct parts {
    const char *kind, *split, *chat_template;
    const char *tokens[4], *merges[2];
    size_t n_tokens, n_merges;
    int32_t types[4];
    size_t n_types;             /* 0: no such key */
    const char *special;        /* a key of one more special id, or NULL */
    uint32_t special_id;
    int32_t eos_ids[KEYED_ENDS_MAX + 1];
    size_t n_eos_ids;           /* 0: no such key */
    const char *add_bos;        /* "true", "false"; NULL: no such key */
} parts;

static const parts small = {
    .kind = "gpt2",
    .split = "gpt-2",
    .tokens = {"a", "b", "ab", "<|end|>"},
    .n_tokens = 4,
    .merges = {"a b"},
    .n_merges = 1,
    .types = {1, 1, 1, 3},
    .n_types = 4,
};

static gguf *write_and_open(const parts *p) {
    gguf_writer w;
    gguf_writer_init(&w);
    if (p->kind) gguf_writer_text(&w, "tokenizer.ggml.model", p->kind);
    if (p->split) gguf_writer_text(&w, "tokenizer.ggml.pre", p->split);
    if (p->n_tokens) gguf_writer_texts(&w, "tokenizer.ggml.tokens", p->tokens, p->n_tokens);
    if (p->n_types) gguf_writer_ints(&w, "tokenizer.ggml.token_type", p->types, p->n_types);
    if (p->n_merges) gguf_writer_texts(&w, "tokenizer.ggml.merges", p->merges, p->n_merges);
    if (p->special) gguf_writer_uint(&w, p->special, p->special_id);
    if (p->n_eos_ids)
        gguf_writer_ints(&w, "tokenizer.ggml.eos_token_ids", p->eos_ids, p->n_eos_ids);
    if (p->add_bos)
        gguf_writer_bool(&w, "tokenizer.ggml.add_bos_token", strcmp(p->add_bos, "true") == 0);
    if (p->chat_template) gguf_writer_text(&w, "tokenizer.chat_template", p->chat_template);
    assert_true(gguf_writer_open(&w, scratch_path()) && gguf_writer_close(&w));
    return sample_open();
}

static void assert_bytes(model_bytes got, const char *expected) {
    assert_int_equal(got.n_bytes, strlen(expected));
    assert_memory_equal(got.bytes, expected, got.n_bytes);
}

static void assert_refused(const parts *p, status expected, const char *sentence) {
    gguf *g = write_and_open(p);
    gguf_vocabulary *v = (gguf_vocabulary *)&v;
    failure f = {0};
    assert_int_equal(gguf_vocabulary_read(&v, g, 4, &f), expected);
    assert_null(v);
    if (!strstr(f.message, sentence) || !strstr(f.message, scratch_path()))
        fail_msg("\"%s\" is not in: %s", sentence, f.message);
    gguf_close(&g);
}

static void the_whole_vocabulary_of_a_model(void **state) {
    (void)state;
    tiny_model_options o = tiny_model_defaults();
    failure f;
    assert_int_equal(tiny_model_write(scratch_path(), &o, &f), STATUS_OK);
    gguf *g = sample_open();
    gguf_vocabulary *v = NULL;
    assert_int_equal(gguf_vocabulary_read(&v, g, 320, &f), STATUS_OK);
    const model_vocabulary *summary = gguf_vocabulary_summary(v);
    char hash[33];
    gguf_tokenizer_hash(g, hash);
    assert_string_equal(summary->hash, hash);
    assert_string_equal(summary->kind, "gpt2");
    assert_string_equal(summary->split, "smollm");
    assert_int_equal(summary->n_tokens, 320);
    assert_int_equal(summary->n_merges, 320 - TINY_FIRST_MERGE);
    assert_int_equal(summary->bos, TINY_IM_START);
    assert_int_equal(summary->eos, TINY_IM_END);
    assert_int_equal(summary->eot, -1);
    assert_int_equal(summary->eom, -1);
    assert_false(summary->add_bos);
    assert_true(summary->chat_template.n_bytes > 100);
    assert_bytes(gguf_vocabulary_token(v, TINY_IM_END), "<|im_end|>");
    assert_bytes(gguf_vocabulary_token(v, TINY_FIRST_BYTE + ' '), "Ġ");
    assert_bytes(gguf_vocabulary_token(v, TINY_FIRST_MERGE), "Ġt");
    assert_bytes(gguf_vocabulary_merge(v, 0), "Ġ t");
    assert_int_equal(gguf_vocabulary_token_type(v, TINY_IM_END), 3);
    assert_int_equal(gguf_vocabulary_token_type(v, 319), 1);
    gguf_vocabulary_free(&v);
    assert_null(v);
    gguf_close(&g);
}

static void what_is_absent_has_its_default(void **state) {
    (void)state;
    parts p = small;
    p.split = NULL;
    p.n_types = 0;
    gguf *g = write_and_open(&p);
    gguf_vocabulary *v = NULL;
    failure f;
    assert_int_equal(gguf_vocabulary_read(&v, g, 4, &f), STATUS_OK);
    const model_vocabulary *summary = gguf_vocabulary_summary(v);
    assert_string_equal(summary->split, "");
    assert_int_equal(summary->chat_template.n_bytes, 0);
    assert_non_null(summary->chat_template.bytes);
    assert_true(summary->bos == -1 && summary->eos == -1 && summary->eot == -1 && summary->eom == -1);
    for (uint32_t id = 0; id < 4; id++) assert_int_equal(gguf_vocabulary_token_type(v, id), 1);
    gguf_vocabulary_free(&v);
    gguf_close(&g);
}

/* Keys that name ends beside eos, eot and eom. */
static void other_ends_have_their_keys(void **state) {
    (void)state;
    static const char *const keys[] = {"tokenizer.ggml.fim_pad_token_id",
                                       "tokenizer.ggml.fim_rep_token_id",
                                       "tokenizer.ggml.fim_sep_token_id"};
    for (size_t i = 0; i < 3; i++) {
        parts p = small;
        p.special = keys[i];
        p.special_id = 3;
        gguf *g = write_and_open(&p);
        gguf_vocabulary *v = NULL;
        failure f;
        assert_int_equal(gguf_vocabulary_read(&v, g, 4, &f), STATUS_OK);
        assert_int_equal(gguf_vocabulary_summary(v)->n_ends, 1);
        assert_int_equal(gguf_vocabulary_summary(v)->ends[0], 3);
        gguf_vocabulary_free(&v);
        gguf_close(&g);
        p.special_id = 4;
        assert_refused(&p, STATUS_BAD_REQUEST, "is 4, not 0 to 3");
    }
}

static void ends_may_be_a_list(void **state) {
    (void)state;
    parts p = small;
    p.eos_ids[0] = 3, p.eos_ids[1] = 0;
    p.n_eos_ids = 2;
    gguf *g = write_and_open(&p);
    gguf_vocabulary *v = NULL;
    failure f;
    assert_int_equal(gguf_vocabulary_read(&v, g, 4, &f), STATUS_OK);
    assert_int_equal(gguf_vocabulary_summary(v)->n_ends, 2);
    assert_memory_equal(gguf_vocabulary_summary(v)->ends, p.eos_ids, 2 * sizeof *p.eos_ids);
    gguf_vocabulary_free(&v);
    gguf_close(&g);
    p.eos_ids[1] = 4;
    assert_refused(&p, STATUS_BAD_REQUEST, "item 1 of key tokenizer.ggml.eos_token_ids is 4, not 0 to 3");
    p.eos_ids[1] = -1;
    assert_refused(&p, STATUS_BAD_REQUEST, "is -1, not 0 to 3");
    p.eos_ids[1] = 0;
    p.n_eos_ids = KEYED_ENDS_MAX + 1;
    assert_refused(&p, STATUS_TOO_LONG, "eos_token_ids has 25 items, more than 24");
}

static void a_file_may_say_whether_bos_is_added(void **state) {
    (void)state;
    static const char *const said[] = {NULL, "false", "true"};
    for (size_t i = 0; i < 3; i++) {
        parts p = small;
        p.add_bos = said[i];
        gguf *g = write_and_open(&p);
        gguf_vocabulary *v = NULL;
        failure f;
        assert_int_equal(gguf_vocabulary_read(&v, g, 4, &f), STATUS_OK);
        assert_int_equal(gguf_vocabulary_summary(v)->add_bos_told, i > 0);
        assert_int_equal(gguf_vocabulary_summary(v)->add_bos, i > 1);
        gguf_vocabulary_free(&v);
        gguf_close(&g);
    }
}

static void every_special_id_has_its_key(void **state) {
    (void)state;
    static const char *const keys[] = {"tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id",
                                       "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"};
    for (size_t i = 0; i < 4; i++) {
        parts p = small;
        p.special = keys[i];
        p.special_id = 3;
        gguf *g = write_and_open(&p);
        gguf_vocabulary *v = NULL;
        failure f;
        assert_int_equal(gguf_vocabulary_read(&v, g, 4, &f), STATUS_OK);
        const model_vocabulary *summary = gguf_vocabulary_summary(v);
        const int32_t ids[] = {summary->bos, summary->eos, summary->eot, summary->eom};
        for (size_t j = 0; j < 4; j++) assert_int_equal(ids[j], i == j ? 3 : -1);
        gguf_vocabulary_free(&v);
        gguf_close(&g);
        p.special_id = 4;
        assert_refused(&p, STATUS_BAD_REQUEST, "is 4, not 0 to 3");
    }
}

static void other_kinds_are_refused_by_name(void **state) {
    (void)state;
    parts p = small;
    p.kind = "llama";
    assert_refused(&p, STATUS_UNSUPPORTED, "of kind \"llama\"");
    p.kind = "bell\a";
    assert_refused(&p, STATUS_UNSUPPORTED, "key tokenizer.ggml.model is not a name");
    p.kind = NULL;
    assert_refused(&p, STATUS_NOT_FOUND, "key tokenizer.ggml.model is missing");
}

static void counts_that_disagree_are_refused(void **state) {
    (void)state;
    parts p = small;
    p.n_tokens = 3;
    assert_refused(&p, STATUS_UNSUPPORTED, "has 3 tokens, but the embedding has 4 rows");
    p.n_tokens = 0;
    assert_refused(&p, STATUS_NOT_FOUND, "tokenizer.ggml.tokens is missing");
    p = small;
    p.n_types = 3;
    assert_refused(&p, STATUS_UNSUPPORTED, "token_type has 3 items for 4 tokens");
    p = small;
    p.types[2] = 0;
    assert_refused(&p, STATUS_UNSUPPORTED, "token_type says 0 for token 2, not 1 to 6");
    p.types[2] = 7;
    assert_refused(&p, STATUS_UNSUPPORTED, "says 7 for token 2");
}

static void merges_are_two_tokens_and_a_blank(void **state) {
    (void)state;
    static const char *const bad[] = {"", " ", "ab", " a", "a ", "a  b", "a b c"};
    parts p = small;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        p.merges[0] = bad[i];
        assert_refused(&p, STATUS_UNSUPPORTED, "item 0 of key tokenizer.ggml.merges is not two tokens");
    }
    p.n_merges = 0;
    assert_refused(&p, STATUS_NOT_FOUND, "tokenizer.ggml.merges is missing");
}

static void lengths_have_bounds(void **state) {
    (void)state;
    char *text = malloc(CHAT_TEMPLATE_BYTES_MAX + 2);
    assert_non_null(text);
    memset(text, 'x', CHAT_TEMPLATE_BYTES_MAX + 1);
    text[CHAT_TEMPLATE_BYTES_MAX + 1] = '\0';
    parts p = small;
    p.chat_template = text;
    assert_refused(&p, STATUS_TOO_LONG, "tokenizer.chat_template has 262145 bytes, more than 262144");
    p.chat_template = NULL;
    text[TOKEN_BYTES_MAX + 1] = '\0';
    p.tokens[1] = text;
    assert_refused(&p, STATUS_TOO_LONG, "item 1 of key tokenizer.ggml.tokens has 4097 bytes");
    p = small;
    text[NAME_BYTES_MAX + 1] = '\0';
    p.split = text;
    assert_refused(&p, STATUS_UNSUPPORTED, "key tokenizer.ggml.pre is not a name of at most 128");
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_vocabulary_of_a_model),
        cmocka_unit_test(what_is_absent_has_its_default),
        cmocka_unit_test(every_special_id_has_its_key),
        cmocka_unit_test(other_ends_have_their_keys),
        cmocka_unit_test(ends_may_be_a_list),
        cmocka_unit_test(a_file_may_say_whether_bos_is_added),
        cmocka_unit_test(other_kinds_are_refused_by_name),
        cmocka_unit_test(counts_that_disagree_are_refused),
        cmocka_unit_test(merges_are_two_tokens_and_a_blank),
        cmocka_unit_test(lengths_have_bounds),
    };
    return cmocka_run_group_tests_name("vocabulary", tests, NULL, NULL);
}
