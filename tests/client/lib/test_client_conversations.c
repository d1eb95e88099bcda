/* Texts of conversations through client.h, from a peer that a test plays: messages are said until tokenizerd has said
 * which ids they are, and these from then on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/link/text_pair.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { WAIT_LONG_MS = 60000, TOKENS = 20, TOKENS_USED = 12 };

static text_pair pair;
static const uint8_t id[REQUEST_BYTES] = "0123456789abcdef";
static const int32_t prompt_ids[] = {5, 6};
static strategy chain;
static const conversation_message said[] = {{"system", (const uint8_t *)"Be brief.", 9}, {"user", (const uint8_t *)"Hi!", 3}};
static const conversation_prompt talk = {.messages = said, .n_messages = 2, .form = "plain", .n_ids_max = 50, .n_reply = 30};
static const char *const own_stop = ".";

static struct {
    size_t n_started, n_tokens, n_done;
    char form[16];
    generation_start start;
    status code;
} got;

static void on_started(void *context, const generation_start *start) {
    (void)context;
    got.n_started++;
    got.start = *start;
    snprintf(got.form, sizeof got.form, "%s", start->made.form);
}

static void on_chunk(void *context, const generation_chunk *chunk) {
    (void)context;
    got.n_tokens += chunk->n_tokens;
}

static void on_done(void *context, const generation_done *done) {
    (void)context;
    got.n_done++;
    got.code = done->code;
}

static bool has_started(void) { return got.n_started > 0; }
static bool has_a_token(void) { return got.n_tokens > 0; }
static bool is_done(void) { return got.n_done > 0; }

static int begin(void **state) {
    (void)state;
    static const generation_events events = {.started = on_started, .chunk = on_chunk, .done = on_done};
    static generation_request request;
    failure f;
    memset(&got, 0, sizeof got);
    strategy_init(&chain);
    request = (generation_request){.conversation = &talk, .chain = &chain, .max_new_tokens = TOKENS, .as_room_allows = true,
                                   .stops = &own_stop, .n_stops = 1};
    memcpy(request.id, id, sizeof id);
    text_pair_begin(&pair, WAIT_LONG_MS);
    assert_int_equal(client_generate(pair.client, &request, &events, NULL, &f), STATUS_OK);
    text_pair_join(&pair);
    return 0;
}

static int end(void **state) {
    (void)state;
    text_pair_end(&pair);
    strategy_clear(&chain);
    return 0;
}

static const text_peer_asked *asked(size_t n) {
    return text_pair_asked(&pair, TRIVIUM__TEXT_REQUEST__BODY_GENERATE, n);
}

static void say_started(uint32_t attempt, uint32_t max_new_tokens, size_t n_stops) {
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    Trivium__Started m = TRIVIUM__STARTED__INIT;
    ProtobufCBinaryData stops[STOPS_MAX];
    for (size_t i = 0; i < n_stops; i++) stops[i] = (ProtobufCBinaryData){5, (uint8_t *)"User:"};
    m.request = (ProtobufCBinaryData){sizeof id, (uint8_t *)id};
    m.attempt = attempt;
    m.model = (char *)"small";
    m.fingerprint = (char *)"f00d";
    m.n_prompt = 2;
    m.template_ = (char *)"plain";
    m.origin = TRIVIUM__TEMPLATE_ORIGIN__TEMPLATE_ASKED;
    m.n_dropped = 3;
    m.n_cut = 4;
    m.n_vocab = 300;
    m.n_ctx = 64;
    m.kv_tokens = 48;
    m.max_new_tokens = max_new_tokens;
    m.stops = stops;
    m.n_stops = n_stops;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_STARTED;
    reply.started = &m;
    text_peer_say(&pair.peer, &reply, &(wire_raw){prompt_ids, sizeof prompt_ids}, 1);
}

static void say_tokens(uint32_t attempt, size_t n) {
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    Trivium__Chunk m = TRIVIUM__CHUNK__INIT;
    Trivium__Drawn drawn = TRIVIUM__DRAWN__INIT, *list[TOKENS + 1];
    drawn.id = 10;
    for (size_t i = 0; i < n; i++) list[i] = &drawn;
    m.request = (ProtobufCBinaryData){sizeof id, (uint8_t *)id};
    m.attempt = attempt;
    m.n_drawn = n;
    m.drawn = list;
    m.semantics = (char *)"plain/1";
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_CHUNK;
    reply.chunk = &m;
    text_peer_say(&pair.peer, &reply, NULL, 0);
}

/* ---- what is asked, and what is told ---- */

static void check_said(const text_peer_asked *a, uint32_t attempt) {
    const Trivium__Generate *m = a->m->generate;
    assert_int_equal(m->attempt, attempt);
    assert_int_equal(m->n_segments, 0);
    assert_int_equal(m->n_messages, 2);
    assert_string_equal(m->messages[0]->role, "system");
    assert_int_equal(m->messages[0]->n_bytes, 9);
    assert_string_equal(m->messages[1]->role, "user");
    assert_int_equal(m->messages[1]->n_bytes, 3);
    assert_int_equal(a->n_bytes, 12);
    assert_memory_equal(a->text, "Be brief.Hi!", 12);
    assert_string_equal(m->template_, "plain");
    assert_int_equal(m->n_ids_max, 50);
    assert_int_equal(m->n_reply, 30);
    assert_true(m->as_room_allows);
    assert_int_equal(m->max_new_tokens, TOKENS);
    assert_int_equal(m->n_prompt, 0);
    assert_int_equal(m->n_stops, 1);
}

static void a_start_tells_how_the_prompt_was_made(void **state) {
    (void)state;
    check_said(asked(0), 1);
    say_started(1, TOKENS_USED, 0);
    assert_true(text_pair_becomes(&pair, has_started));
    assert_string_equal(got.form, "plain");
    assert_int_equal(got.start.made.origin, FORM_ASKED);
    assert_int_equal(got.start.made.n_dropped, 3);
    assert_int_equal(got.start.made.n_cut, 4);
    assert_int_equal(got.start.n_vocab, 300);
    assert_int_equal(got.start.n_ctx, 64);
    assert_int_equal(got.start.kv_tokens, 48);
    assert_int_equal(got.start.max_new_tokens, TOKENS_USED);
}

static void messages_are_said_until_they_are_ids(void **state) {
    (void)state;
    asked(0);
    text_pair_again(&pair);
    check_said(asked(1), 2);
    say_started(2, TOKENS_USED, 1);
    say_tokens(2, 1);
    assert_true(text_pair_becomes(&pair, has_a_token));
    text_pair_again(&pair);
    static const int32_t so_far[] = {5, 6, 10};
    const text_peer_asked *a = asked(2);
    const Trivium__Generate *m = a->m->generate;
    assert_int_equal(m->attempt, 3);
    assert_int_equal(m->n_messages, 0);
    assert_string_equal(m->template_, "");
    assert_int_equal(m->n_ids_max, 0);
    assert_int_equal(m->n_reply, 0);
    assert_false(m->as_room_allows);
    assert_int_equal(m->n_prompt, 2);
    assert_int_equal(a->n_ids, 3);
    assert_memory_equal(a->ids, so_far, sizeof so_far);
    assert_string_equal(m->model, "small");
    assert_int_equal(m->max_new_tokens, TOKENS_USED);   /* as the first tokenizerd used it */
    assert_int_equal(m->n_stops, 2);                    /* with that of the form */
    assert_memory_equal(m->stops[0].data, ".", 1);
    assert_memory_equal(m->stops[1].data, "User:", 5);
    assert_int_equal(got.n_started, 1);
}

/* ---- what cannot be kept ---- */

static void check_useless(uint32_t max_new_tokens, size_t n_stops) {
    asked(0);
    say_started(1, max_new_tokens, n_stops);
    assert_true(text_pair_becomes(&pair, is_done));
    assert_int_equal(got.n_started, 0);
    assert_int_equal(got.code, STATUS_BAD_MESSAGE);
    text_pair_asked(&pair, TRIVIUM__TEXT_REQUEST__BODY_CANCEL, 0);      /* nobody computes it for nobody */
}

static void a_reply_of_no_tokens_is_of_no_use(void **state) {
    (void)state;
    check_useless(0, 0);
}

static void a_reply_is_no_longer_than_asked(void **state) {
    (void)state;
    check_useless(TOKENS + 1, 0);
}

static void a_resume_must_hold_the_stops(void **state) {
    (void)state;
    check_useless(TOKENS, STOPS_MAX);
}

static void tokens_past_the_bound_are_dropped(void **state) {
    (void)state;
    asked(0);
    say_started(1, TOKENS_USED, 0);
    say_tokens(1, TOKENS_USED + 1);
    say_tokens(1, TOKENS_USED);
    assert_true(text_pair_becomes(&pair, has_a_token));
    assert_int_equal(got.n_tokens, TOKENS_USED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_start_tells_how_the_prompt_was_made),
        TEST(messages_are_said_until_they_are_ids),
        TEST(a_reply_of_no_tokens_is_of_no_use),
        TEST(a_reply_is_no_longer_than_asked),
        TEST(a_resume_must_hold_the_stops),
        TEST(tokens_past_the_bound_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
