/* gguf.h: what was written is read back; values of the wrong type or range are refused by key; hashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modeld/formats/gguf.h"
#include "tests/support/models/gguf_writer.h"
#include "tests/support/models/sample_gguf.h"
#include "tests/support/scratch.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

/* ---- reading what was written ---- */

static void numbers_of_every_type(void **state) {
    (void)state;
    static const struct { const char *key; uint64_t value; } whole[] = {
        {"n", 7}, {"u8", 200}, {"u16", 60000}, {"i16", 30000}, {"i32", 2000000000}, {"u64", UINT64_MAX},
    };
    sample_write();
    gguf *g = sample_open();
    failure f;
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        uint64_t value = 0;
        assert_int_equal(gguf_uint(g, whole[i].key, 0, UINT64_MAX, &value, &f), STATUS_OK);
        assert_int_equal(value, whole[i].value);
    }
    double x = 0, y = 0;
    bool yes = false;
    assert_int_equal(gguf_real_or(g, "x", 9.0, &x, &f), STATUS_OK);
    assert_int_equal(gguf_real_or(g, "f64", 9.0, &y, &f), STATUS_OK);
    assert_true(x == 0.5 && y == 0.1);
    assert_int_equal(gguf_bool_or(g, "yes", false, &yes, &f), STATUS_OK);
    assert_true(yes);
    gguf_close(&g);
    assert_null(g);
}

static void texts_and_arrays(void **state) {
    (void)state;
    sample_write();
    gguf *g = sample_open();
    failure f;
    const char *text;
    const gguf_view *views;
    const int32_t *ints;
    size_t n;
    assert_int_equal(gguf_text(g, "general.architecture", &text, &n, &f), STATUS_OK);
    assert_int_equal(n, 5);
    assert_memory_equal(text, "llama", 5);
    assert_int_equal(gguf_texts(g, "tokenizer.ggml.tokens", &views, &n, &f), STATUS_OK);
    assert_int_equal(n, 3);
    assert_int_equal(views[1].n_bytes, 0);
    assert_int_equal(views[2].n_bytes, 3);
    assert_memory_equal(views[2].bytes, "abc", 3);
    assert_int_equal(gguf_ints(g, "tokenizer.ggml.token_type", &ints, &n, &f), STATUS_OK);
    assert_int_equal(n, 3);
    assert_int_equal(ints[1], -2);
    assert_true(gguf_has(g, "floats") && !gguf_has(g, "float") && !gguf_has(g, "floats2"));
    gguf_close(&g);
}

static void tensors_of_every_type(void **state) {
    (void)state;
    sample_write();
    gguf *g = sample_open();
    assert_int_equal(gguf_n_tensors(g), SAMPLE_TENSORS);
    for (size_t i = 0; i < SAMPLE_TENSORS; i++) {
        const gguf_tensor *t = gguf_tensor_at(g, i);
        assert_ptr_equal(gguf_find_tensor(g, t->name), t);
        assert_int_equal(t->layout->type, sample_types[i]);
        assert_string_equal(t->name + 6, t->layout->name);
        assert_int_equal(t->n_dims, 2);
        assert_true(t->dims[0] == SAMPLE_COLUMNS && t->dims[1] == 3 && t->dims[2] == 1 && t->dims[3] == 1);
        assert_int_equal(t->n_bytes, 3 * SAMPLE_COLUMNS / t->layout->block_items * t->layout->block_bytes);
        assert_int_equal((uintptr_t)t->bytes % 32, 0);
        for (size_t j = 0; j < t->n_bytes; j++) assert_int_equal(t->bytes[j], (uint8_t)j);
    }
    assert_null(gguf_find_tensor(g, "blk.0.F33"));
    gguf_forget_pages(g);
    assert_int_equal(gguf_tensor_at(g, 0)->bytes[5], 5);    /* they come back when they are read */
    gguf_close(&g);
}

static void every_type_is_named(void **state) {
    (void)state;
    size_t n_supported = 0;
    for (uint32_t type = 0; type < 64; type++) {
        const tensor_layout *layout = tensor_layout_of(type);
        if (!layout) continue;
        n_supported++;
        assert_string_equal(layout->name, tensor_type_name(type));
        assert_non_null(strstr(TENSOR_TYPES_SUPPORTED, layout->name));
    }
    assert_int_equal(n_supported, SAMPLE_TENSORS);
    assert_string_equal(tensor_type_name(12), "Q4_K");
    assert_string_equal(tensor_type_name(39), "MXFP4");
    assert_string_equal(tensor_type_name(UINT32_MAX), "unknown");
}

static void wrong_types_and_ranges_are_refused_by_key(void **state) {
    (void)state;
    sample_write();
    gguf *g = sample_open();
    failure f;
    uint64_t n = 0;
    double x;
    bool yes;
    const char *text;
    const gguf_view *views;
    const int32_t *ints;
    size_t count;
    assert_int_equal(gguf_uint(g, "gone", 0, 9, &n, &f), STATUS_NOT_FOUND);
    assert_non_null(strstr(f.message, "key gone is missing"));
    assert_int_equal(gguf_uint_or(g, "gone", 5, 9, 3, &n, &f), STATUS_OK);
    assert_int_equal(n, 3);
    assert_int_equal(gguf_uint(g, "n", 8, 9, &n, &f), STATUS_BAD_REQUEST);
    assert_non_null(strstr(f.message, "key n is 7, not 8 to 9"));
    assert_int_equal(gguf_uint_or(g, "n", 0, 6, 3, &n, &f), STATUS_BAD_REQUEST);
    assert_int_equal(gguf_uint(g, "i8", 0, UINT64_MAX, &n, &f), STATUS_BAD_REQUEST);
    assert_non_null(strstr(f.message, "negative"));
    assert_int_equal(gguf_uint(g, "i64", 0, UINT64_MAX, &n, &f), STATUS_BAD_REQUEST);
    assert_int_equal(gguf_uint(g, "x", 0, 9, &n, &f), STATUS_BAD_REQUEST);
    assert_non_null(strstr(f.message, "key x is of type float32; a whole number is wanted"));
    assert_int_equal(gguf_real_or(g, "n", 0, &x, &f), STATUS_BAD_REQUEST);
    assert_int_equal(gguf_bool_or(g, "n", false, &yes, &f), STATUS_BAD_REQUEST);
    assert_int_equal(gguf_text(g, "n", &text, &count, &f), STATUS_BAD_REQUEST);
    assert_int_equal(gguf_text(g, "tokenizer.ggml.tokens", &text, &count, &f), STATUS_BAD_REQUEST);
    assert_non_null(strstr(f.message, "an array of text"));
    assert_int_equal(gguf_texts(g, "general.architecture", &views, &count, &f), STATUS_BAD_REQUEST);
    assert_int_equal(gguf_texts(g, "gone", &views, &count, &f), STATUS_NOT_FOUND);
    assert_int_equal(gguf_ints(g, "floats", &ints, &count, &f), STATUS_BAD_REQUEST);
    assert_int_equal(gguf_ints(g, "i32", &ints, &count, &f), STATUS_BAD_REQUEST);
    gguf_close(&g);
}

static void values_that_are_none(void **state) {
    (void)state;
    gguf_writer w;
    gguf_writer_init(&w);
    sample_add_number(&w, "nan", GGUF_F32, (uint32_t[]){0x7fc00000}, 4);
    sample_add_number(&w, "maybe", GGUF_BOOL, (uint8_t[]){2}, 1);
    gguf_writer_key(&w, "big", GGUF_ARRAY);
    gguf_append(&w.keys, (uint32_t[]){GGUF_U32, 1, 0, 0x80000000}, 16);
    assert_true(gguf_writer_open(&w, scratch_path()) && gguf_writer_close(&w));
    gguf *g = sample_open();
    failure f;
    double x;
    bool yes;
    const int32_t *ints;
    size_t n;
    assert_int_equal(gguf_real_or(g, "nan", 0, &x, &f), STATUS_BAD_REQUEST);
    assert_int_equal(gguf_bool_or(g, "maybe", false, &yes, &f), STATUS_BAD_REQUEST);
    assert_int_equal(gguf_ints(g, "big", &ints, &n, &f), STATUS_BAD_REQUEST);
    gguf_close(&g);
}

static void version_2_is_read_too(void **state) {
    (void)state;
    gguf_writer w;
    gguf_writer_init(&w);
    w.version = 2;
    sample_add_keys(&w);
    sample_add_tensors(&w);
    sample_write_data(&w);
    gguf *g = sample_open();
    assert_int_equal(gguf_n_tensors(g), SAMPLE_TENSORS);
    gguf_close(&g);
}

static void another_alignment(void **state) {
    (void)state;
    gguf_writer w;
    gguf_writer_init(&w);
    gguf_writer_uint(&w, "general.alignment", 1024);
    w.alignment = 1024;
    sample_add_tensors(&w);
    sample_write_data(&w);
    gguf *g = sample_open();
    for (size_t i = 0; i < SAMPLE_TENSORS; i++) {
        assert_int_equal((uintptr_t)gguf_tensor_at(g, i)->bytes % 1024, 0);
        assert_int_equal(gguf_tensor_at(g, i)->bytes[9], 9);
    }
    gguf_close(&g);
}

static void as_many_keys_and_tensors_as_there_may_be(void **state) {
    (void)state;
    gguf_writer w;
    char name[32];
    gguf_writer_init(&w);
    for (uint32_t i = 0; i < GGUF_KEYS_MAX; i++) {
        snprintf(name, sizeof name, "key.%u", i * 40503 % GGUF_KEYS_MAX);
        gguf_writer_uint(&w, name, i);
        snprintf(name, sizeof name, "tensor.%u", i * 40503 % GGUF_KEYS_MAX);
        gguf_writer_tensor(&w, name, TENSOR_F32, 1, (uint64_t[]){1});
    }
    assert_true(gguf_writer_open(&w, scratch_path()));
    for (uint32_t i = 0; i < GGUF_TENSORS_MAX; i++)
        assert_true(gguf_writer_data(&w, &i, sizeof i) && gguf_writer_end_tensor(&w));
    assert_true(gguf_writer_close(&w));
    gguf *g = sample_open();
    for (uint32_t i = 0; i < GGUF_KEYS_MAX; i++) {
        uint32_t index;
        snprintf(name, sizeof name, "tensor.%u", i * 40503 % GGUF_KEYS_MAX);
        memcpy(&index, gguf_find_tensor(g, name)->bytes, sizeof index);
        assert_int_equal(index, i);
    }
    gguf_close(&g);
}

/* ---- hashes ---- */

static void hashes(void **state) {
    (void)state;
    char whole[33], tokenizer[33], other[33];
    sample_write();
    gguf *g = sample_open();
    gguf_hash(g, whole);
    gguf_tokenizer_hash(g, tokenizer);
    assert_int_equal(strspn(whole, "0123456789abcdef"), 32);
    assert_int_equal(strspn(tokenizer, "0123456789abcdef"), 32);
    gguf_close(&g);

    size_t n_bytes;
    uint8_t *bytes = scratch_read(&n_bytes);
    bytes[n_bytes - 1] ^= 1;                /* a weight, or the padding after it */
    scratch_write(bytes, n_bytes);
    g = sample_open();
    gguf_hash(g, other);
    assert_string_not_equal(whole, other);
    gguf_tokenizer_hash(g, other);
    assert_string_equal(tokenizer, other);
    gguf_close(&g);
    free(bytes);
}

static void hash_of_tokens(const char *first, const char *second, const char *token, char out[33]) {
    gguf_writer w;
    gguf_writer_init(&w);
    gguf_writer_text(&w, first, token);
    gguf_writer_text(&w, second, token);
    assert_true(gguf_writer_open(&w, scratch_path()) && gguf_writer_close(&w));
    gguf *g = sample_open();
    gguf_tokenizer_hash(g, out);
    gguf_close(&g);
}

static void the_tokenizer_hash_depends_on_its_keys_and_values_not_on_their_order(void **state) {
    (void)state;
    char a[33], b[33];
    hash_of_tokens("tokenizer.a", "tokenizer.b", "x", a);
    hash_of_tokens("tokenizer.b", "tokenizer.a", "x", b);
    assert_string_equal(a, b);
    hash_of_tokens("tokenizer.a", "tokenizer.b", "y", b);
    assert_string_not_equal(a, b);
    hash_of_tokens("tokenizer.a", "tokenizer.c", "x", b);
    assert_string_not_equal(a, b);
    hash_of_tokens("tokenizer.a", "tokenizer_b", "x", a);
    hash_of_tokens("tokenizer.a", "another.key", "x", b);
    assert_string_equal(a, b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_every_type),
        cmocka_unit_test(texts_and_arrays),
        cmocka_unit_test(tensors_of_every_type),
        cmocka_unit_test(every_type_is_named),
        cmocka_unit_test(wrong_types_and_ranges_are_refused_by_key),
        cmocka_unit_test(values_that_are_none),
        cmocka_unit_test(version_2_is_read_too),
        cmocka_unit_test(another_alignment),
        cmocka_unit_test(as_many_keys_and_tensors_as_there_may_be),
        cmocka_unit_test(hashes),
        cmocka_unit_test(the_tokenizer_hash_depends_on_its_keys_and_values_not_on_their_order),
    };
    return cmocka_run_group_tests_name("gguf", tests, NULL, NULL);
}
