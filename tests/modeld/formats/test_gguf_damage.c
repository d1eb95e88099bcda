/* gguf.h: whatever is damaged is refused with a sentence, and nothing in a file makes a read leave it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "modeld/formats/gguf.h"
#include "tests/support/models/gguf_writer.h"
#include "tests/support/models/sample_gguf.h"
#include "tests/support/scratch.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

/* The sentence names the file and ends properly, whatever it says. */
static void assert_refused(status expected, const char *part) {
    gguf *g = (gguf *)&g;
    failure f = {0};
    assert_int_equal(gguf_open(&g, scratch_path(), &f), expected);
    assert_null(g);
    assert_int_equal(f.code, expected);
    if (!strstr(f.message, scratch_path()) || !strstr(f.message, part))
        fail_msg("\"%s\" is not in: %s", part, f.message);
}

static void what_is_no_gguf_file(void **state) {
    (void)state;
    gguf *g;
    failure f;
    char path[700];
    scratch_write("", 0);
    assert_refused(STATUS_IO, "empty");
    scratch_write("GG", 2);
    assert_refused(STATUS_IO, "cut short");
    scratch_write("PK\3\4 and so on and on", 21);
    assert_refused(STATUS_UNSUPPORTED, "not a GGUF file: it begins with bytes 50 4b 03 04");
    assert_int_equal(gguf_open(&g, "/", &f), STATUS_IO);
    assert_non_null(strstr(f.message, "not a regular file"));
    snprintf(path, sizeof path, "%s.pipe", scratch_path());
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(gguf_open(&g, path, &f), STATUS_IO);
    assert_non_null(strstr(f.message, "not a regular file"));
    unlink(path);
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = '\0';
    assert_int_equal(gguf_open(&g, path, &f), STATUS_IO);
    assert_non_null(strstr(f.message, "xxx: File name too long"));
}

/* Write the small file with one thing changed by `damage`; no tensor data is needed to refuse it. */
static void refuse_with(void (*damage)(gguf_writer *), status expected, const char *part) {
    gguf_writer w;
    gguf_writer_init(&w);
    damage(&w);
    assert_true(gguf_writer_open(&w, scratch_path()));
    uint8_t data[1024] = {0};
    assert_true(gguf_writer_data(&w, data, sizeof data) && gguf_writer_close(&w));
    assert_refused(expected, part);
}

static const uint64_t row_of_32[4] = {32, 1, 1, 1}, huge[4] = {1ull << 40, 1ull << 40, 1, 1};

static void old_version(gguf_writer *w) { w->version = 1; }
static void new_version(gguf_writer *w) { w->version = 4; }
static void big_endian(gguf_writer *w) { w->version = 0x03000000; }
static void endless_tensors(gguf_writer *w) { w->n_tensors = 1ull << 63; }
static void endless_keys(gguf_writer *w) { w->n_keys = 1ull << 63; }
static void more_keys_than_there_are(gguf_writer *w) { sample_add_keys(w); w->n_keys += 1000; }
static void endless_name(gguf_writer *w) { w->n_keys = 1; gguf_append(&w->keys, (uint64_t[]){1ull << 63}, 8); }
static void no_name(gguf_writer *w) { gguf_writer_uint(w, "", 1); }
static void loud_name(gguf_writer *w) { gguf_writer_uint(w, "ring\a", 1); }
static void name_of_two_words(gguf_writer *w) { gguf_writer_tensor(w, "two words", 0, 1, row_of_32); }
static void unknown_value_type(gguf_writer *w) { gguf_writer_key(w, "odd", 13); }
static void twice_a_key(gguf_writer *w) { gguf_writer_uint(w, "twin", 1); gguf_writer_uint(w, "twin", 2); }
static void one_of_three(gguf_writer *w) { sample_add_number(w, "split.count", GGUF_U16, (uint16_t[]){3}, 2); }
static void alignment_0(gguf_writer *w) { gguf_writer_uint(w, "general.alignment", 0); }
static void alignment_4(gguf_writer *w) { gguf_writer_uint(w, "general.alignment", 4); }
static void alignment_48(gguf_writer *w) { gguf_writer_uint(w, "general.alignment", 48); }
static void alignment_huge(gguf_writer *w) { gguf_writer_uint(w, "general.alignment", UINT32_MAX); }
static void alignment_text(gguf_writer *w) { gguf_writer_text(w, "general.alignment", "32"); }
static void iq2_xxs(gguf_writer *w) { gguf_writer_tensor_at(w, "blk.0.ffn_up.weight", 16, 1, row_of_32, 0); }
static void type_99(gguf_writer *w) { gguf_writer_tensor_at(w, "t", 99, 1, row_of_32, 0); }
static void no_dims(gguf_writer *w) { gguf_writer_tensor_at(w, "t", 0, 0, row_of_32, 0); }
static void five_dims(gguf_writer *w) { gguf_writer_tensor_at(w, "t", 0, 5, (uint64_t[5]){1, 1, 1, 1, 1}, 0); }
static void dim_0(gguf_writer *w) { gguf_writer_tensor_at(w, "t", 0, 2, (uint64_t[]){32, 0}, 0); }
static void too_many_items(gguf_writer *w) { gguf_writer_tensor_at(w, "t", 0, 2, huge, 0); }
static void too_many_bytes(gguf_writer *w) { gguf_writer_tensor_at(w, "t", 0, 1, (uint64_t[]){1ull << 62}, 0); }
static void half_a_block(gguf_writer *w) { gguf_writer_tensor_at(w, "t", 3, 2, (uint64_t[]){48, 2}, 0); }
static void odd_offset(gguf_writer *w) { gguf_writer_tensor_at(w, "t", 0, 1, row_of_32, 16); }
static void far_offset(gguf_writer *w) { gguf_writer_tensor_at(w, "t", 0, 1, row_of_32, 1ull << 62); }
static void last_offset(gguf_writer *w) { gguf_writer_tensor_at(w, "t", 0, 1, row_of_32, 0ull - 32); }
static void long_tensor(gguf_writer *w) { gguf_writer_tensor_at(w, "t", 0, 1, (uint64_t[]){257}, 0); }

static void endless_text(gguf_writer *w) {
    gguf_writer_key(w, "t", GGUF_TEXT);
    gguf_append(&w->keys, (uint64_t[]){UINT64_MAX}, 8);
}

static void add_array_head(gguf_writer *w, uint32_t item_type, uint64_t n_items) {
    gguf_writer_key(w, "list", GGUF_ARRAY);
    gguf_append(&w->keys, &item_type, sizeof item_type);
    gguf_append(&w->keys, &n_items, sizeof n_items);
}

static void array_of_arrays(gguf_writer *w) { add_array_head(w, GGUF_ARRAY, 1); }
static void endless_texts(gguf_writer *w) { add_array_head(w, GGUF_TEXT, 1ull << 61); }
static void endless_numbers(gguf_writer *w) { add_array_head(w, GGUF_F64, 1ull << 61); }
static void endless_ints(gguf_writer *w) { add_array_head(w, GGUF_I32, 1ull << 63); }
static void unknown_item_type(gguf_writer *w) { add_array_head(w, 77, 1); }

static void twice_a_tensor(gguf_writer *w) {
    gguf_writer_tensor(w, "twin", TENSOR_F32, 1, row_of_32);
    gguf_writer_tensor(w, "twin", TENSOR_F32, 1, row_of_32);
}

static void overlap(gguf_writer *w) {
    gguf_writer_tensor_at(w, "later", TENSOR_F32, 1, row_of_32, 96);
    gguf_writer_tensor_at(w, "first", TENSOR_F32, 1, row_of_32, 0);
}

static void long_tensor_name(gguf_writer *w) {
    char name[GGUF_TENSOR_NAME_BYTES_MAX + 2];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    gguf_writer_tensor(w, name, TENSOR_F32, 1, row_of_32);
}

static void every_damage_has_its_sentence(void **state) {
    (void)state;
    static const struct {
        void (*damage)(gguf_writer *);
        status expected;
        const char *part;
    } cases[] = {
        {old_version, STATUS_UNSUPPORTED, "version 1 is not supported, only 2 and 3 are"},
        {new_version, STATUS_UNSUPPORTED, "version 4"},
        {big_endian, STATUS_UNSUPPORTED, "big-endian"},
        {endless_tensors, STATUS_UNSUPPORTED, "9223372036854775808 tensors"},
        {endless_keys, STATUS_UNSUPPORTED, "9223372036854775808 keys"},
        {more_keys_than_there_are, STATUS_IO, "key 15"},
        {endless_name, STATUS_IO, "9223372036854775808 bytes are wanted"},
        {no_name, STATUS_IO, "the name of key 0 has 0 bytes"},
        {loud_name, STATUS_IO, "no visible ASCII"},
        {name_of_two_words, STATUS_IO, "no visible ASCII"},
        {long_tensor_name, STATUS_IO, "the name of tensor 0 has 128 bytes, not 1 to 127"},
        {unknown_value_type, STATUS_UNSUPPORTED, "key odd has a value of unknown type 13"},
        {unknown_item_type, STATUS_UNSUPPORTED, "key list has a value of unknown type 77"},
        {array_of_arrays, STATUS_UNSUPPORTED, "key list is an array of arrays"},
        {endless_text, STATUS_IO, "18446744073709551615 bytes are wanted"},
        {endless_texts, STATUS_IO, "key list with 2305843009213693952 items of type text"},
        {endless_numbers, STATUS_IO, "key list with 2305843009213693952 items of type float64"},
        {endless_ints, STATUS_IO, "key list with 9223372036854775808 items"},
        {twice_a_key, STATUS_IO, "key twin is there twice"},
        {one_of_three, STATUS_UNSUPPORTED, "one of 3 parts of a split model"},
        {alignment_0, STATUS_BAD_REQUEST, "general.alignment is 0"},
        {alignment_4, STATUS_BAD_REQUEST, "general.alignment is 4"},
        {alignment_48, STATUS_UNSUPPORTED, "general.alignment is 48, not a power of two"},
        {alignment_huge, STATUS_BAD_REQUEST, "general.alignment is 4294967295"},
        {alignment_text, STATUS_BAD_REQUEST, "general.alignment is of type text"},
        {iq2_xxs, STATUS_UNSUPPORTED, "tensor blk.0.ffn_up.weight has type 16 (IQ2_XXS), which is not supported; "
                                   TENSOR_TYPES_SUPPORTED " are"},
        {type_99, STATUS_UNSUPPORTED, "type 99 (unknown)"},
        {no_dims, STATUS_IO, "0 dimensions"},
        {five_dims, STATUS_IO, "5 dimensions"},
        {dim_0, STATUS_IO, "dimension 1 is 0"},
        {too_many_items, STATUS_IO, "impossible size"},
        {too_many_bytes, STATUS_IO, "impossible size: 4611686018427387904 values"},
        {half_a_block, STATUS_IO, "rows of 48 values, which are no whole blocks of 32 (Q4_1)"},
        {odd_offset, STATUS_IO, "offset 16, which is no multiple of the alignment 32"},
        {far_offset, STATUS_IO, "lies beyond the end"},
        {last_offset, STATUS_IO, "lies beyond the end"},
        {long_tensor, STATUS_IO, "wants 1028 bytes at offset 0"},
        {twice_a_tensor, STATUS_IO, "tensor twin is there twice"},
        {overlap, STATUS_IO, "tensors first and later overlap"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refuse_with(cases[i].damage, cases[i].expected, cases[i].part);
}

static void cut_at_every_length_it_is_refused(void **state) {
    (void)state;
    sample_write();
    gguf *g = sample_open();
    const gguf_tensor *last = gguf_tensor_at(g, gguf_n_tensors(g) - 1);
    size_t n_bytes, metadata_bytes, n_keys;
    const uint8_t *start = gguf_metadata(g, &metadata_bytes, &n_keys) - GGUF_HEADER_BYTES;
    size_t needed = (size_t)(last->bytes + last->n_bytes - start);
    gguf_close(&g);
    uint8_t *bytes = scratch_read(&n_bytes);
    for (size_t length = 1; length < needed; length++) {
        scratch_write(bytes, length);
        assert_refused(STATUS_IO, "cut short");
    }
    scratch_write(bytes, needed);           /* the padding after the last tensor may be missing */
    g = sample_open();
    gguf_close(&g);
    free(bytes);
}

/* ---- whatever opens stays within the file ---- */

static void assert_within(const void *part, size_t n_part, const uint8_t *bytes, size_t n_bytes) {
    const uint8_t *first = part;
    assert_true(first >= bytes && n_part <= n_bytes && first <= bytes + (n_bytes - n_part));
}

static void assert_all_within(const gguf *g, size_t n_bytes) {
    size_t n_metadata, n_keys, n;
    const uint8_t *bytes = gguf_metadata(g, &n_metadata, &n_keys) - GGUF_HEADER_BYTES;
    failure f;
    const gguf_view *views;
    const char *text;
    for (size_t i = 0; i < gguf_n_tensors(g); i++)
        assert_within(gguf_tensor_at(g, i)->bytes, gguf_tensor_at(g, i)->n_bytes, bytes, n_bytes);
    if (gguf_texts(g, "tokenizer.ggml.tokens", &views, &n, &f) == STATUS_OK)
        for (size_t i = 0; i < n; i++) assert_within(views[i].bytes, views[i].n_bytes, bytes, n_bytes);
    if (gguf_text(g, "general.architecture", &text, &n, &f) == STATUS_OK)
        assert_within(text, n, bytes, n_bytes);
    char hash[33];
    gguf_hash(g, hash);
    gguf_tokenizer_hash(g, hash);
}

/* Where the first tensor's data begins. */
static size_t header_bytes(void) {
    size_t n_bytes, n_keys;
    gguf *g = sample_open();
    const uint8_t *start = gguf_metadata(g, &n_bytes, &n_keys) - GGUF_HEADER_BYTES;
    size_t n_header = (size_t)(gguf_tensor_at(g, 0)->bytes - start);
    gguf_close(&g);
    return n_header;
}

static void random_damage_is_refused_or_harmless(void **state) {
    (void)state;
    sample_write();
    size_t n_bytes, n_opened = 0, n_refused = 0;
    uint8_t *bytes = scratch_read(&n_bytes), *damaged = malloc(n_bytes);
    assert_non_null(damaged);
    uint64_t seed = 42, n_header = header_bytes();
    for (int turn = 0; turn < 6000; turn++) {
        memcpy(damaged, bytes, n_bytes);
        for (int i = 0; i <= turn % 3; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            uint8_t byte = (uint8_t)(seed >> 25);
            if (turn & 1) byte = (uint8_t)(1u << (byte & 7));
            damaged[(seed >> 33) % n_header] = byte;
        }
        scratch_write(damaged, n_bytes);
        gguf *g = NULL;
        failure f = {0};
        if (gguf_open(&g, scratch_path(), &f) == STATUS_OK) {
            assert_all_within(g, n_bytes);
            n_opened++;
        } else {
            assert_true(strlen(f.message) > strlen(scratch_path()) + 10);
            n_refused++;
        }
        gguf_close(&g);
    }
    assert_true(n_opened > 100 && n_refused > 100);     /* else this test has lost its aim */
    free(damaged);
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_gguf_file),
        cmocka_unit_test(every_damage_has_its_sentence),
        cmocka_unit_test(cut_at_every_length_it_is_refused),
        cmocka_unit_test(random_damage_is_refused_or_harmless),
    };
    return cmocka_run_group_tests_name("gguf_damage", tests, NULL, NULL);
}
