/* modeld_link.h: a modeld's vocabulary, piece by piece, and what a piece that makes no sense costs it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/support/tokenizerd/modeld_scene.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static modeld_scene *const c = &modelds;

static uint8_t types[VOCABULARY_PIECE_ITEMS + 1] = {1, 3};
static ProtobufCBinaryData items[VOCABULARY_PIECE_ITEMS + 1] = {{1, (uint8_t *)"a"}, {3, (uint8_t *)"<s>"}};

static Trivium__VocabularyPiece piece_new(size_t n_tokens) {
    Trivium__VocabularyPiece piece = TRIVIUM__VOCABULARY_PIECE__INIT;
    piece.vocabulary = "v";
    piece.n_tokens_all = 300;
    piece.n_merges_all = 40;
    piece.first_token = 10;
    piece.first_merge = 20;
    piece.tokens = items;
    piece.n_tokens = n_tokens;
    piece.types = (ProtobufCBinaryData){n_tokens, types};
    return piece;
}

#define HEARS(m, line) assert_string_equal(modeld_scene_hears(&(m), NULL, 0), (line))

static void pieces_of_vocabularies(void **state) {
    (void)state;
    ProtobufCBinaryData merge = {3, (uint8_t *)"a b"};
    Trivium__VocabularyPiece piece = piece_new(2);
    piece.merges = &merge;
    piece.n_merges = 1;
    Trivium__TokensReply m = REPLY(VOCABULARY, vocabulary, &piece);
    HEARS(m, "piece v of=300+40 from=10+20 'a':1 '<s>':3 +'a b'");
    Trivium__VocabularyMeta meta = TRIVIUM__VOCABULARY_META__INIT;
    meta.kind = "gpt2";
    meta.split = "default";
    meta.bos = 1;
    meta.eos = 2;
    meta.eot = -1;
    meta.eom = 4;
    meta.add_bos = meta.add_bos_told = true;
    meta.chat_template = (ProtobufCBinaryData){2, (uint8_t *)"{}"};
    meta.ends = (int32_t[]){2, 4};
    meta.n_ends = 2;
    piece.meta = &meta;
    HEARS(m, "piece v of=300+40 from=10+20 'a':1 '<s>':3 +'a b' kind=gpt2 split=default bos=1 eos=2 "
             "eot=-1 eom=4 add=1 told=1 template='{}' ends=[2,4]");
}

static void loses_its_place(Trivium__TokensReply *m, const char *line) {
    fake_peer_send(&c->fake.peer, &m->base, NULL, 0);
    modeld_scene_loses_modeld();
    assert_string_equal(heard_all(), line);
    asker_hears_leave(&c->fake);
}

static void a_piece_with_sizes_that_do_not_fit_ends_it(void **state) {
    (void)state;
    Trivium__VocabularyPiece piece = piece_new(2);
    piece.types.len = 1;
    Trivium__TokensReply m = REPLY(VOCABULARY, vocabulary, &piece);
    loses_its_place(&m, "unusable 77: a piece of a vocabulary has sizes that do not fit");
}

static void a_piece_with_too_many_tokens_ends_it(void **state) {
    (void)state;
    Trivium__VocabularyPiece piece = piece_new(VOCABULARY_PIECE_ITEMS + 1);
    Trivium__TokensReply m = REPLY(VOCABULARY, vocabulary, &piece);
    loses_its_place(&m, "unusable 77: a piece of a vocabulary has sizes that do not fit");
}

static void a_piece_that_cannot_be_used_ends_it(void **state) {
    (void)state;
    Trivium__VocabularyPiece piece = piece_new(0);
    Trivium__TokensReply m = REPLY(VOCABULARY, vocabulary, &piece);
    c->answer = STATUS_UNSUPPORTED;
    loses_its_place(&m, "piece v of=300+40 from=10+20\nunusable 77: no such vocabulary");
}

int main(void) {
#define JOINED(name) cmocka_unit_test_setup_teardown(name, modeld_scene_begin_joined, modeld_scene_end)
    const struct CMUnitTest tests[] = {
        JOINED(pieces_of_vocabularies),
        JOINED(a_piece_with_sizes_that_do_not_fit_ends_it),
        JOINED(a_piece_with_too_many_tokens_ends_it),
        JOINED(a_piece_that_cannot_be_used_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
