/* encode_queue.h: texts that wait for a vocabulary, and are encoded in turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/tokenizer/small_tokenizer.h"
#include "tokenizerd/text/encode_queue.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

typedef struct reader {
    queued_text *queued;
    size_t n_ids;
    int32_t first;              /* -1: it is empty */
    bool had_first;
    status refused;
    int rank;                   /* the how-manyth it was; 0: not yet */
} reader;

static int n_encoded;

static void on_encoded(void *context, void *of, const failure *why) {
    reader *r = of;
    assert_ptr_equal(context, &n_encoded);
    r->rank = ++n_encoded;
    r->refused = why ? why->code : STATUS_OK;
    if (!why) {
        const int32_t *ids = queued_text_ids(r->queued, &r->n_ids);
        r->first = r->n_ids > 0 ? ids[0] : -1;
        r->had_first = queued_text_had_first(r->queued);
    }
    queued_text_free(&r->queued);
}

static queued_text_listener listener_of(reader *r) {
    return (queued_text_listener){.encoded = on_encoded, .context = &n_encoded, .of = r};
}

static status add(encode_queue *ps, reader *r, const char *text, size_t n_bytes, bool special) {
    failure f;
    prompt_piece segment = {(const uint8_t *)text, n_bytes, special};
    return encode_queue_add(ps, NULL, &segment, 1, listener_of(r), &r->queued, &f);
}

static void start(reader *r, const tokenizer *t, int32_t first) {
    queued_text_start(r->queued, t, first);
}

static void test_texts_take_turns(void **state) {
    (void)state;
    enum { LONG = 3 * ENCODE_SLICE_BYTES };
    n_encoded = 0;
    tokenizer *t = small_tokenizer_default();
    encode_queue *ps = encode_queue_new();
    assert_non_null(ps);
    reader slow = {0}, quick = {0}, later = {0};
    char *text = malloc(LONG);
    memset(text, '.', LONG);
    for (size_t i = 0; i < LONG; i += 2) text[i] = 'b';
    assert_int_equal(add(ps, &slow, text, LONG, false), STATUS_OK);
    assert_int_equal(add(ps, &quick, "hi", 2, false), STATUS_OK);
    assert_int_equal(add(ps, &later, "hi", 2, false), STATUS_OK);
    assert_false(encode_queue_turn(ps));        /* nobody's vocabulary is here */
    start(&slow, t, -1);
    start(&quick, t, -1);
    assert_true(encode_queue_turn(ps));         /* a slice of the long one */
    assert_int_equal(n_encoded, 0);
    assert_true(encode_queue_turn(ps));
    assert_int_equal(quick.rank, 1);
    assert_int_equal(quick.n_ids, 2);
    while (encode_queue_turn(ps)) {}
    assert_int_equal(slow.rank, 2);
    assert_int_equal(slow.n_ids, LONG);
    assert_int_equal(later.rank, 0);
    queued_text_free(&later.queued);
    assert_null(later.queued);
    free(text);
    encode_queue_free(&ps);
    tokenizer_free(&t);
}

static void test_segments_are_joined_and_a_first_id_goes_before(void **state) {
    (void)state;
    failure f;
    tokenizer *t = small_tokenizer_default();
    const vocab *v = tokenizer_vocab(t);
    encode_queue *ps = encode_queue_new();
    assert_non_null(ps);
    int32_t end = small_token(v, "<|end|>");
    reader r = {0};
    const prompt_piece pieces[] = {{(const uint8_t *)"<|end|>", 7, true},
                                   {NULL, 0, false},
                                   {(const uint8_t *)"<|end|>", 7, false}};
    assert_int_equal(encode_queue_add(ps, NULL, pieces, 3, listener_of(&r), &r.queued, &f), STATUS_OK);
    start(&r, t, 5);
    while (encode_queue_turn(ps)) {}
    assert_int_equal(r.first, 5);
    assert_int_equal(r.n_ids, 1 + 1 + 7);       /* only the special segment's is one token */
    assert_true(end >= 0);
    encode_queue_free(&ps);
    tokenizer_free(&t);
}

/* A text that begins with the id itself does not get another one; of two of them none is taken. */
static void test_a_first_id_comes_once(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool special, had;
        size_t n_ids;
    } cases[] = {
        {"", true, false, 1},
        {"hi", true, false, 3},
        {"<|end|>hi", true, true, 3},
        {"<|end|><|end|>hi", true, true, 4},
        {"h<|end|>", true, false, 3},
        {"<|end|>", false, false, 1 + 7},
    };
    tokenizer *t = small_tokenizer_default();
    const vocab *v = tokenizer_vocab(t);
    encode_queue *ps = encode_queue_new();
    assert_non_null(ps);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int without = 0; without < 2; without++) {
            reader r = {0};
            assert_int_equal(add(ps, &r, cases[i].text, strlen(cases[i].text), cases[i].special), STATUS_OK);
            start(&r, t, without ? -1 : small_token(v, "<|end|>"));
            while (encode_queue_turn(ps)) {}
            assert_int_equal(r.had_first, cases[i].had && !without);
            assert_int_equal(r.n_ids, cases[i].n_ids - (without && !cases[i].had));
        }
    }
    encode_queue_free(&ps);
    tokenizer_free(&t);
}

static void test_a_text_that_is_freed_has_no_turn(void **state) {
    (void)state;
    n_encoded = 0;
    tokenizer *t = small_tokenizer_default();
    encode_queue *ps = encode_queue_new();
    assert_non_null(ps);
    reader gone = {0}, stays = {0};
    assert_int_equal(add(ps, &gone, "a", 1, false), STATUS_OK);
    assert_int_equal(add(ps, &stays, "b", 1, false), STATUS_OK);
    start(&gone, t, -1);
    start(&stays, t, -1);
    queued_text_free(&gone.queued);
    assert_false(encode_queue_turn(ps));
    assert_int_equal(stays.rank, 1);
    assert_int_equal(gone.rank, 0);
    encode_queue_free(&ps);
    tokenizer_free(&t);
}

/* How many texts of this size find room. */
static size_t fill(encode_queue *ps, reader *many, const char *text, size_t n_bytes) {
    size_t n = 0;
    status st;
    while ((st = add(ps, &many[n], text, n_bytes, false)) == STATUS_OK) n++;
    assert_int_equal(st, STATUS_BUSY);
    return n;
}

static void test_texts_are_checked_and_bounded(void **state) {
    (void)state;
    encode_queue *ps = encode_queue_new();
    assert_non_null(ps);
    reader wrong = {0};
    static reader large[TEXTS_BYTES_MAX / TEXT_BYTES_MAX + 1], brief[TEXTS_BYTES_MAX / BRIEF_BYTES_MAX + 1];
    assert_int_equal(add(ps, &wrong, "\xc3", 1, false), STATUS_NOT_UTF8);
    char *text = malloc(TEXT_BYTES_MAX + 1);
    memset(text, 'x', TEXT_BYTES_MAX + 1);
    assert_int_equal(add(ps, &wrong, text, TEXT_BYTES_MAX + 1, false), STATUS_TOO_LONG);
    size_t n_large = fill(ps, large, text, TEXT_BYTES_MAX), n_brief = fill(ps, brief, text, BRIEF_BYTES_MAX);
    assert_in_range(n_large, 1, TEXTS_BYTES_MAX / TEXT_BYTES_MAX);
    assert_in_range(n_brief, 1, TEXTS_BYTES_MAX / BRIEF_BYTES_MAX); /* room that large ones leave */
    for (size_t i = 0; i < n_large; i++) queued_text_free(&large[i].queued);
    for (size_t i = 0; i < n_brief; i++) queued_text_free(&brief[i].queued);
    assert_int_equal(add(ps, &wrong, text, 1, false), STATUS_OK);
    queued_text_free(&wrong.queued);
    free(text);
    encode_queue_free(&ps);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_take_turns),
        cmocka_unit_test(test_segments_are_joined_and_a_first_id_goes_before),
        cmocka_unit_test(test_a_first_id_comes_once),
        cmocka_unit_test(test_a_text_that_is_freed_has_no_turn),
        cmocka_unit_test(test_texts_are_checked_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
