/* Texts on real vocabularies: the ids of Hugging Face tokenizers, back and forth, in any slices, in time.
 *
 * TRIVIUM_MODEL names the GGUF file of the project's model: without it these tests fail.
 * TRIVIUM_VOCABS names a folder of vocabularies, NAME.gguf with NAME.gguf.inp (texts) and
 * NAME.gguf.out (ids), as llama.cpp's sources have them in models/: without it they are left out,
 * which is said. */
#include <dirent.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/base/limits.h"
#include "tests/support/tokenizer/encode_text.h"
#include "tests/support/tokenizer/load_tokenizer.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

#define GOLDEN "tests/golden/smollm2-tokens.jsonl"

static void check_ids(const encoding *e, const int32_t *expected, size_t n_expected,
                      const char *text) {
    size_t n;
    const int32_t *ids = encoding_ids(e, &n);
    if (n != n_expected || (n > 0 && memcmp(ids, expected, n * sizeof *ids) != 0)) {
        print_error("got:");
        for (size_t i = 0; i < n; i++) print_error(" %d", ids[i]);
        print_error("\nexpected:");
        for (size_t i = 0; i < n_expected; i++) print_error(" %d", expected[i]);
        fail_msg("\nids differ of \"%s\"", text);
    }
}

/* Of this process alone, whatever else the machine does. */
static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static tokenizer *model_tokenizer(void) {
    const char *path = getenv("TRIVIUM_MODEL");
    if (!path) fail_msg("TRIVIUM_MODEL must name the model's GGUF file");
    tokenizer *t;
    failure f;
    if (load_tokenizer(&t, path, &f) != STATUS_OK) fail_msg("%s", f.message);
    return t;
}

static void check_round_trip(const tokenizer *t, const encoding *e, const char *text, size_t n_bytes) {
    size_t n_ids, n_back;
    const int32_t *ids = encoding_ids(e, &n_ids);
    uint8_t *back = text_of_ids(tokenizer_vocab(t), ids, n_ids, SIZE_MAX, &n_back);
    if (n_back != n_bytes || memcmp(back, text, n_bytes) != 0)
        fail_msg("\"%s\" came back as \"%s\"", text, back);
    free(back);
}

static void check_golden_line(const tokenizer *t, const char *line) {
    json_t *root = json_loads(line, 0, NULL);
    assert_non_null(root);
    const json_t *text = json_object_get(root, "text"), *list = json_object_get(root, "ids");
    size_t n = json_array_size(list), n_bytes = json_string_length(text);
    int32_t *ids = malloc((n + 1) * sizeof *ids);
    for (size_t i = 0; i < n; i++) ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    static const size_t slices[] = {SIZE_MAX, 1, 7};
    for (size_t i = 0; i < sizeof slices / sizeof slices[0]; i++) {
        encoding *e = encode_text(t, json_string_value(text), n_bytes, true, slices[i]);
        check_ids(e, ids, n, json_string_value(text));
        check_round_trip(t, e, json_string_value(text), n_bytes);
        encoding_free(&e);
    }
    free(ids);
    json_decref(root);
}

static void test_golden_ids_of_the_model(void **state) {
    (void)state;
    tokenizer *t = model_tokenizer();
    FILE *file = fopen(GOLDEN, "r");
    if (!file) fail_msg("%s cannot be read: run this from the project's folder", GOLDEN);
    char *line = NULL;
    size_t capacity = 0, n_lines = 0;
    for (; getline(&line, &capacity, file) > 0; n_lines++) check_golden_line(t, line);
    assert_int_equal(n_lines, 300);
    free(line);
    fclose(file);
    tokenizer_free(&t);
}

/* Long texts of one kind take time in proportion to their length, in whatever slices. */
static void test_a_million_of_one_letter(void **state) {
    (void)state;
    tokenizer *t = model_tokenizer();
    static const char *const parts[] = {"a",   " ", "\n", "1", "!",  "\xe1\x80\x80",
                                        "\t ", "A", "<",  "'", "ab "};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        size_t part_bytes = strlen(parts[i]), n_bytes = TINY_LIMITS ? 999 : 999999;
        char *text = malloc(n_bytes + 1);
        for (size_t at = 0; at < n_bytes; at++) text[at] = parts[i][at % part_bytes];
        n_bytes -= n_bytes % part_bytes;
        double begin = seconds();
        encoding *e = encode_text(t, text, n_bytes, true, SIZE_MAX);
        encoding *slices = encode_text(t, text, n_bytes, true, 4096);
        double taken = (seconds() - begin) / 2;
        size_t n_ids;
        const int32_t *ids = encoding_ids(e, &n_ids);
        check_ids(slices, ids, n_ids, parts[i]);
        text[n_bytes] = '\0';
        check_round_trip(t, e, text, n_bytes);
        encoding_free(&e);
        encoding_free(&slices);
        free(text);
        if (taken > 2) fail_msg("a million bytes of \"%s\" took %.1f s", parts[i], taken);
    }
    tokenizer_free(&t);
}

static uint32_t random_next(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

static size_t put_character(uint32_t c, char *out) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint32_t leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)(leads[n] | c);
    return n;
}

/* The model has no token for some bytes: text with them cannot come back. */
static bool has_bytes(const vocab *v, const char *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (vocab_find(v, (const uint8_t *)bytes + i, 1) < 0) return false;
    return true;
}

/* Well-formed UTF-8 with characters of all lengths and with what is likely to trip a splitter. */
static size_t random_text(const vocab *v, uint64_t *seed, char *out, size_t n_bytes_max) {
    static const char *const parts[] = {
        "'s",       "'LL",          "the",          " The",         "123",  " ",
        "  ",       "\n",           "\r\n",         "\t",           "!?",   "\xc2\xb2",
        "\xc2\x85", "\xe1\xa0\x8e", "\xe3\x80\x80", "<|im_start|>", "<|im_"};
    static const uint32_t limits[] = {0x80, 0x800, 0xD800, 0x1F000, 0x1FA00};
    size_t n = 0, n_bytes = random_next(seed) % (n_bytes_max - 16);
    while (n < n_bytes) {
        if (random_next(seed) % 2) {
            const char *part = parts[random_next(seed) % (sizeof parts / sizeof parts[0])];
            n += strlen(strcpy(out + n, part));
            continue;
        }
        uint32_t c = 1 + random_next(seed) % limits[random_next(seed) % 5];
        size_t n_put = put_character(c >= 0xD800 && c < 0xE000 ? 0xFFFD : c, out + n);
        if (has_bytes(v, out + n, n_put)) n += n_put;
    }
    return n;
}

static void test_random_texts_come_back(void **state) {
    (void)state;
    tokenizer *t = model_tokenizer();
    uint64_t seed = 1;
    for (int i = 0; i < 2000; i++) {
        char text[600];
        size_t n_bytes = random_text(tokenizer_vocab(t), &seed, text, sizeof text), n_ids;
        text[n_bytes] = '\0';
        bool special = i % 2;
        encoding *e = encode_text(t, text, n_bytes, special, SIZE_MAX);
        const int32_t *ids = encoding_ids(e, &n_ids);
        check_round_trip(t, e, text, n_bytes);
        encoding *slices = encode_text(t, text, n_bytes, special, 1 + (size_t)i % 50);
        check_ids(slices, ids, n_ids, text);
        encoding_free(&e);
        encoding_free(&slices);
    }
    tokenizer_free(&t);
}

/* ---- llama.cpp's vocabularies ---- */

static char *read_file(const char *path, size_t *n_bytes) {
    FILE *file = fopen(path, "r");
    if (!file) fail_msg("%s cannot be read", path);
    char *text = NULL;
    size_t capacity = 0;
    ssize_t n = getdelim(&text, &capacity, '\0', file);
    fclose(file);
    *n_bytes = n > 0 ? (size_t)n : 0;
    return text;
}

static size_t parse_ids(char *line, int32_t *ids, size_t n_max) {
    size_t n = 0;
    char *rest = NULL;
    for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        assert_true(n < n_max);
        ids[n++] = (int32_t)strtol(word, NULL, 10);
    }
    return n;
}

static void check_texts(const tokenizer *t, char *texts, char *lines) {
    static const char mark[] = "\n__ggml_vocab_test__\n";
    for (char *text = texts, *next; text; text = next) {
        char *end = strstr(text, mark), *line = strsep(&lines, "\n");
        next = end ? end + strlen(mark) : NULL;
        if (!next && *text == '\0') break; /* the file ends with a mark */
        if (end) *end = '\0';
        assert_non_null(line);
        int32_t ids[1024];
        size_t n = parse_ids(line, ids, sizeof ids / sizeof ids[0]);
        encoding *e = encode_text(t, text, strlen(text), false, SIZE_MAX);
        check_ids(e, ids, n, text);
        check_round_trip(t, e, text, strlen(text));
        encoding_free(&e);
    }
}

/* false: not a kind that is supported. */
static bool check_vocabulary(const char *folder, const char *name) {
    char path[1024];
    size_t n;
    tokenizer *t;
    failure f;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    status st = load_tokenizer(&t, path, &f);
    if (st == STATUS_UNSUPPORTED || st == STATUS_NOT_FOUND) {
        print_message("%s: %s\n", name, f.message);
        return false;
    }
    if (st != STATUS_OK) fail_msg("%s: %s", name, f.message);
    snprintf(path, sizeof path, "%s/%s.inp", folder, name);
    char *texts = read_file(path, &n);
    snprintf(path, sizeof path, "%s/%s.out", folder, name);
    char *lines = read_file(path, &n);
    print_message("%s\n", name);
    check_texts(t, texts, lines);
    free(texts);
    free(lines);
    tokenizer_free(&t);
    return true;
}

static void test_other_vocabularies(void **state) {
    (void)state;
    const char *folder = getenv("TRIVIUM_VOCABS");
    if (!folder) {
        print_message("left out: TRIVIUM_VOCABS names no folder of vocabularies\n");
        skip();
    }
    DIR *dir = opendir(folder);
    if (!dir) fail_msg("%s cannot be read", folder);
    size_t n_checked = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        const char *suffix = strrchr(entry->d_name, '.');
        if (suffix && strcmp(suffix, ".gguf") == 0)
            n_checked += check_vocabulary(folder, entry->d_name);
    }
    closedir(dir);
    if (n_checked == 0) fail_msg("%s has no vocabulary of a supported kind", folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_ids_of_the_model),
        cmocka_unit_test(test_a_million_of_one_letter),
        cmocka_unit_test(test_random_texts_come_back),
        cmocka_unit_test(test_other_vocabularies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
