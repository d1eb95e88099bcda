#include "vocabulary_model.h"

#include <setjmp.h>
#include <stdarg.h>

#include "proto/base/limits.h"
#include "tests/support/models/tiny_model.h"
#include "tests/support/scratch.h"

#include <cmocka.h>

model *vocabulary_model;

int vocabulary_model_open(void **state) {
    (void)state;
    failure f;
    tiny_model_options tiny = tiny_model_defaults();
    tiny.shape.n_vocab = 40000; /* where limits are tiny, more pieces than ever wait in an outbox */
    model_options o = {.n_threads = 1, .isa = "ref", .n_rows_max = 1};
    if (tiny_model_write(scratch_path(), &tiny, &f) != STATUS_OK) return -1;
    return model_open(&vocabulary_model, scratch_path(), &o, &f) == STATUS_OK ? 0 : -1;
}

int vocabulary_model_close(void **state) {
    (void)state;
    model_close(&vocabulary_model);
    return 0;
}

static void assert_item(ProtobufCBinaryData item, model_bytes expected) {
    assert_int_equal(item.len, expected.n_bytes);
    assert_memory_equal(item.data, expected.bytes, expected.n_bytes);
}

bool vocabulary_piece_follows(const Trivium__VocabularyPiece *p, uint32_t *n_tokens, uint32_t *n_merges) {
    const model_vocabulary *v = model_vocabulary_of(vocabulary_model);
    assert_string_equal(p->vocabulary, v->hash);
    assert_true(p->n_tokens_all == v->n_tokens && p->n_merges_all == v->n_merges);
    assert_true((p->meta != NULL) == (*n_tokens == 0));
    assert_true(p->first_token == *n_tokens && p->first_merge == *n_merges);
    assert_int_equal(p->types.len, p->n_tokens);
    assert_in_range(p->n_tokens + p->n_merges, 1, VOCABULARY_PIECE_ITEMS);
    for (size_t i = 0; i < p->n_tokens; i++, ++*n_tokens) {
        assert_item(p->tokens[i], model_token(vocabulary_model, *n_tokens));
        assert_int_equal(p->types.data[i], model_token_type(vocabulary_model, *n_tokens));
    }
    for (size_t i = 0; i < p->n_merges; i++, ++*n_merges) assert_item(p->merges[i], model_merge(vocabulary_model, *n_merges));
    return *n_tokens < v->n_tokens || *n_merges < v->n_merges;
}
