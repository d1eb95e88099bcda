/* Vocabularies on their way: how much of one is, to whoever reads slowly or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "logits.pb-c.h"
#include "modeld/links/vocabulary_pieces.h"
#include "modeld/links/vocabulary_sender.h"
#include "proto/net/outbox/outbox.h"
#include "proto/net/outbox/transit.h"
#include "tests/support/link/sides.h"
#include "tests/support/modeld/vocabulary_model.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

/* Each piece brings so much more: all of them are more than what lies between two sockets. */
enum { MORE_BYTES = TINY_LIMITS ? 16 << 10 : 400 << 10, PIECE_MOST = MORE_BYTES + PIECE_BYTES_MAX + 32 * VOCABULARY_PIECE_ITEMS };

static vocabulary_sender *sender;
static size_t n_offered, most_on_way;

static bool offer(peers *ps, peer *to, Trivium__VocabularyPiece *piece) {
    static uint8_t more[MORE_BYTES];
    Trivium__VocabularyMeta meta = TRIVIUM__VOCABULARY_META__INIT;
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    meta.chat_template = (ProtobufCBinaryData){sizeof more, more};
    piece->meta = &meta;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_VOCABULARY;
    m.vocabulary = piece;
    bool left = peers_offer(ps, to, &m.base);
    n_offered += left;
    if (transits_bytes() > most_on_way) most_on_way = transits_bytes();
    return left;
}

static void (*sides_left)(void *context, peer *p, const char *why);

static void on_left(void *context, peer *p, const char *why) {
    vocabulary_sender_forget(sender, p);
    sides_left(context, p, why);
}

/* The fake has joined, reads only when it is told to, and asks. It counts what it sends itself, as the logits link does. */
static void fake_asks(void) {
    up = side_of("bound", LIVENESS_PING);
    up.options.counts_sent_itself = up.options.sends_whole = true;
    sides_left = up.options.events.left;
    up.options.events.left = on_left;
    side_open(&up, true);
    fake_connects(1);
    fake_peer_say_hello(&fake, hello_beating(HEARTBEAT_MS_MAX));
    HEARS(HELLO);
    n_offered = most_on_way = 0;
    sender = vocabulary_sender_new(test_loop, vocabulary_model, offer);
    assert_non_null(sender);
    vocabulary_sender_begin(sender, up.ps, up.last);
}

static int end(void **state) {
    vocabulary_sender_free(&sender);
    return sides_end(state);
}

static const Trivium__VocabularyPiece *hears(void) {
    HEARS(_NOT_SET);
    return ((const Trivium__LogitsRequest *)fake.header)->vocabulary;
}

static void hears_all(void) {
    vocabulary_place at = {0};
    while (vocabulary_piece_exists(vocabulary_model, &at)) {
        const Trivium__VocabularyPiece *piece = hears();
        assert_true(piece->first_token == at.n_tokens && piece->first_merge == at.n_merges);
        at = (vocabulary_place){at.n_tokens + (uint32_t)piece->n_tokens, at.n_merges + (uint32_t)piece->n_merges, true};
    }
}

static size_t n_pieces(void) {
    vocabulary_place at = {0};
    size_t n = 0;
    for (; vocabulary_piece_exists(vocabulary_model, &at); n++) vocabulary_piece_make(vocabulary_model, &at);
    return n;
}

/* Each that comes is a sign of life: none takes long on a narrow road. */
static void no_piece_is_large(void **state) {
    (void)state;
    vocabulary_place at = {0};
    while (vocabulary_piece_exists(vocabulary_model, &at)) {
        const Trivium__VocabularyPiece *piece = vocabulary_piece_make(vocabulary_model, &at);
        assert_in_range(protobuf_c_message_get_packed_size(&piece->base), 1, SENT_PIECE_BYTES + TOKEN_BYTES_MAX);
    }
}

static void whoever_reads_slowly_holds_one_piece(void **state) {
    (void)state;
    fake_asks();
    run_ms(PIECES_STILL_MS < 1000 ? PIECES_STILL_MS / 2 : 500);
    assert_true(n_offered < n_pieces());
    hears_all();
    assert_int_equal(n_offered, n_pieces());
    assert_in_range(most_on_way, 1, PIECE_MOST);
    assert_true(outboxes_quiet());
    assert_int_equal(up.n_left, 0);
}

static void whoever_asks_again_gets_it_from_its_beginning(void **state) {
    (void)state;
    fake_asks();
    hears();
    vocabulary_sender_begin(sender, up.ps, up.last);
    while (hears()->first_token > 0) {}         /* of the first one */
    vocabulary_place at = {0};
    vocabulary_piece_make(vocabulary_model, &at);
    assert_int_equal(hears()->first_token, at.n_tokens);
}

static bool nothing_on_its_way(void) { return transits_bytes() == 0; }

static void whoever_leaves_takes_nothing_along(void **state) {
    (void)state;
    fake_asks();
    run_ms(20);
    fake_peer_close(&fake);
    assert_true(becomes(up_left));
    assert_true(becomes(nothing_on_its_way));
    size_t n = n_offered;
    run_ms(100);
    assert_int_equal(n_offered, n);
}

static void whoever_reads_none_of_it_is_cut(void **state) {
    (void)state;
    if (PIECES_STILL_MS > 1000) skip();         /* `make tiny` waits for less */
    fake_asks();
    assert_true(becomes(up_left));
    assert_non_null(strstr(up.why, "vocabulary"));
    assert_true(becomes(nothing_on_its_way));
}

#define SLOWLY(test) cmocka_unit_test_setup_teardown(test, sides_begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_piece_is_large),
        SLOWLY(whoever_reads_slowly_holds_one_piece),
        SLOWLY(whoever_asks_again_gets_it_from_its_beginning),
        SLOWLY(whoever_leaves_takes_nothing_along),
        SLOWLY(whoever_reads_none_of_it_is_cut),
    };
    return cmocka_run_group_tests(tests, vocabulary_model_open, vocabulary_model_close);
}
