/* What a tokenizerd says in pieces, through client.h: whole it is an answer as any; else it ends what it belongs to, once,
 * and the link goes on. The tokenizerd is a bare socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/limits.h"
#include "tests/support/link/fake_peer.h"
#include "tests/support/link/text_pair.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static const int32_t ids[2] = {7, 8};
static const uint64_t n_id_bytes = sizeof ids;

static text_pair pair;
static fake_peer tokenizerd;

static struct {
    size_t n_answers, n_started, n_done, n_ids;
    status code;
    char message[300];
} got;

static void on_answer(void *context, const answer *a) {
    (void)context;
    got.n_answers++;
    got.code = a->code;
    got.n_ids = a->code == STATUS_OK ? answer_to_tokenize(a)->n_ids : 0;
    snprintf(got.message, sizeof got.message, "%s", a->message ? a->message : "");
}

static void on_started(void *context, const generation_start *start) {
    (void)context;
    got.n_started++;
    got.n_ids = start->n_prompt;
}

static void on_chunk(void *context, const generation_chunk *chunk) {
    (void)context, (void)chunk;
}

static void on_done(void *context, const generation_done *done) {
    (void)context;
    got.n_done++;
    got.code = done->code;
    snprintf(got.message, sizeof got.message, "%s", done->message ? done->message : "");
}

static bool is_answered(void) { return got.n_answers == 1; }
static bool has_started(void) { return got.n_started == 1; }
static bool is_done(void) { return got.n_done == 1; }

static int begin(void **state) {
    (void)state;
    memset(&got, 0, sizeof got);
    text_pair_begin(&pair, 60000);
    loop *l = client_loop(pair.client);
    fake_peer_bind(&tokenizerd, pair.meeting.address, &trivium__text_request__descriptor);
    if (!fake_peer_hears(&tokenizerd, l, TRIVIUM__CONTROL__WORD_HELLO)) return -1;
    fake_peer_say_hello(&tokenizerd, fake_hello_of_the_silent(TRIVIUM__ROLE__TOKENIZERD));
    return 0;
}

static int end(void **state) {
    (void)state;
    fake_peer_close(&tokenizerd);
    text_pair_end(&pair);
    return 0;
}

static const Trivium__TextRequest *asked_for(Trivium__TextRequest__BodyCase kind) {
    assert_true(fake_peer_hears(&tokenizerd, client_loop(pair.client), FAKE_BODY));
    const Trivium__TextRequest *m = (const Trivium__TextRequest *)tokenizerd.header;
    assert_int_equal(m->body_case, kind);
    return m;
}

/* ---- calls ---- */

static uint64_t asks(void) {
    static const question tokenize = {.kind = ASK_TOKENIZE, .tokenize = {.text = {(const uint8_t *)"ab", 2, false, false}}};
    failure f;
    memset(&got, 0, sizeof got);
    assert_int_equal(client_call(pair.client, &tokenize, on_answer, NULL, &f), STATUS_OK);
    return asked_for(TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE)->tokenize->call;
}

static void begin_answer(uint64_t call, uint64_t n_bytes) {
    Trivium__Tokenized tokenized = TRIVIUM__TOKENIZED__INIT;
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    tokenized.call = call;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_TOKENIZED;
    m.tokenized = &tokenized;
    fake_peer_begin(&tokenizerd, &m.base, &n_bytes, 1);
}

static void say_piece(uint32_t index) {
    fake_peer_say_piece(&tokenizerd, index, &ids[index % 2], sizeof *ids);
}

static void ends_with(status code, const char *sentence) {
    assert_true(text_pair_becomes(&pair, is_answered));
    assert_int_equal(got.code, code);
    assert_string_equal(got.message, sentence);
}

static void an_answer_in_pieces_is_an_answer(void **state) {
    (void)state;
    begin_answer(asks(), n_id_bytes);
    say_piece(0);
    say_piece(1);
    ends_with(STATUS_OK, "");
    assert_int_equal(got.n_ids, 2);
}

static void one_that_never_becomes_whole_is_a_failure(void **state) {
    (void)state;
    begin_answer(asks(), n_id_bytes);
    say_piece(1);
    ends_with(STATUS_BAD_MESSAGE, "piece 0 of a message was due, not piece 1 of 4 bytes");
    say_piece(0);                       /* too late: passed over */
    begin_answer(asks(), (uint64_t)RAW_BYTES_MAX + 1);
    ends_with(STATUS_TOO_LONG, "16777217 bytes are more than a message holds, 16777216");
    begin_answer(asks(), n_id_bytes);
    say_piece(0);
    begin_answer(1000, 0);              /* another message before its last piece: of nobody's, and whole */
    ends_with(STATUS_BAD_MESSAGE, "its last pieces never came: another message came first");
    begin_answer(1000, n_id_bytes);     /* nobody's */
    say_piece(1);
    an_answer_in_pieces_is_an_answer(NULL);
}

/* ---- texts ---- */

static Trivium__Started begins_text(void) {
    static const int32_t prompt[] = {1};
    static strategy chain;
    static generation_request request;
    static const generation_events events = {on_started, on_chunk, on_done};
    static Trivium__Generate asked;
    failure f;
    strategy_init(&chain);
    request = (generation_request){.ids = prompt, .n_ids = 1, .chain = &chain, .max_new_tokens = 4};
    assert_int_equal(client_generate(pair.client, &request, &events, NULL, &f), STATUS_OK);
    asked = *asked_for(TRIVIUM__TEXT_REQUEST__BODY_GENERATE)->generate;
    Trivium__Started started = TRIVIUM__STARTED__INIT;
    started.request = asked.request;
    started.attempt = asked.attempt;
    started.n_prompt = 2;
    return started;
}

static void begin_started(Trivium__Started *started) {
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_STARTED;
    m.started = started;
    fake_peer_begin(&tokenizerd, &m.base, &n_id_bytes, 1);
}

static void a_text_starts_in_pieces(void **state) {
    (void)state;
    Trivium__Started started = begins_text();
    begin_started(&started);
    say_piece(0);
    say_piece(1);
    assert_true(text_pair_becomes(&pair, has_started));
    assert_int_equal(got.n_ids, 2);
    assert_int_equal(got.n_done, 0);
}

static void one_whose_beginning_never_becomes_whole_is_done(void **state) {
    (void)state;
    Trivium__Started started = begins_text();
    begin_started(&started);
    say_piece(1);
    assert_true(text_pair_becomes(&pair, is_done));
    assert_int_equal(got.code, STATUS_BAD_MESSAGE);
    assert_int_equal(got.n_started, 0);
    begin_answer(asks(), n_id_bytes);
    say_piece(0);
    say_piece(1);
    ends_with(STATUS_OK, "");
    assert_int_equal(got.n_done, 0);    /* since then: once is all */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_answer_in_pieces_is_an_answer),
        TEST(one_that_never_becomes_whole_is_a_failure),
        TEST(a_text_starts_in_pieces),
        TEST(one_whose_beginning_never_becomes_whole_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
