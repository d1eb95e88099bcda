/* What dialogue.h promises, with a tokenizerd that the test plays: how long replies may be, where they end, and
 * what another one to the same message is asked with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "client/chat/dialogue.h"
#include "tests/support/link/text_pair.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { WAIT_LONG_MS = 60000, SEED = 5 };

static text_pair pair;
static strategy chain;
static dialogue_options options;
static dialogue *talk;
static size_t n_exchanges;      /* whose Render was heard */

static struct {
    size_t n_over;
    char shown[64], text[64], limit[32], notes[256];
    status code;
} got;

/* ---- whoever chats ---- */

static void on_note(void *context, const char *sentence) {
    (void)context;
    strncat(got.notes, sentence, sizeof got.notes - strlen(got.notes) - 1);
}

static void on_text(void *context, const char *bytes, size_t n_bytes) {
    (void)context;
    strncat(got.shown, bytes, n_bytes);
}

static void on_over(void *context, const dialogue_reply *reply) {
    (void)context;
    got.n_over++;
    got.code = reply->code;
    snprintf(got.text, sizeof got.text, "%.*s", (int)reply->n_bytes, reply->text ? reply->text : "");
    snprintf(got.limit, sizeof got.limit, "%s", reply->limit ? reply_limit_name(reply->limit) : "");
}

static bool is_over(void) { return got.n_over > 0; }

static int begin(void **state) {
    (void)state;
    static const dialogue_events events = {.note = on_note, .text = on_text, .over = on_over};
    failure f;
    n_exchanges = 0;
    strategy_init(&chain);
    options = (dialogue_options){.chain = &chain, .seed = SEED, .greeted = true};
    text_pair_begin(&pair, WAIT_LONG_MS);
    text_pair_join(&pair);
    talk = dialogue_new(pair.client, &options, &events, NULL, &f);
    assert_non_null(talk);
    return 0;
}

static int end(void **state) {
    (void)state;
    dialogue_free(&talk);
    text_pair_end(&pair);
    strategy_clear(&chain);
    return 0;
}

static void say(const char *text) {
    failure f;
    memset(&got, 0, sizeof got);
    assert_int_equal(dialogue_say(talk, text, strlen(text), &f), STATUS_OK);
}

static void ask_again(void) {
    failure f;
    memset(&got, 0, sizeof got);
    assert_int_equal(dialogue_regenerate(talk, &f), STATUS_OK);
}

/* ---- tokenizerd ---- */

static const int32_t prompt[] = {5, 6, 7};

static const Trivium__Render *hears_render(void) {
    return text_pair_asked(&pair, TRIVIUM__TEXT_REQUEST__BODY_RENDER, n_exchanges++)->m->render;
}

static void says_rendered(uint64_t number, uint32_t n_ctx, uint64_t kv_tokens) {
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    Trivium__Rendered m = TRIVIUM__RENDERED__INIT;
    m.call = number;
    m.template_ = (char *)"plain";
    m.model = (char *)"small";
    m.n_vocab = 100;
    m.n_ctx = n_ctx;
    m.kv_tokens = kv_tokens;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_RENDERED;
    reply.rendered = &m;
    text_peer_say(&pair.peer, &reply, &(wire_raw){prompt, sizeof prompt}, 1);
}

static void says_failed(uint64_t number) {
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    Trivium__Error error = TRIVIUM__ERROR__INIT;
    Trivium__Failed m = TRIVIUM__FAILED__INIT;
    error.code = TRIVIUM__CODE__NO_MODELD;
    error.message = (char *)"nobody is here";
    m.call = number;
    m.error = &error;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_FAILED;
    reply.failed = &m;
    text_peer_say(&pair.peer, &reply, NULL, 0);
}

static void says_waiting(uint64_t number, const char *sentence) {
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    Trivium__Waiting m = TRIVIUM__WAITING__INIT;
    m.call = number;
    m.message = (char *)sentence;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_WAITING;
    reply.waiting = &m;
    text_peer_say(&pair.peer, &reply, NULL, 0);
}

static const Trivium__Generate *says_started(size_t n) {
    const Trivium__Generate *asked = text_pair_asked(&pair, TRIVIUM__TEXT_REQUEST__BODY_GENERATE, n)->m->generate;
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    Trivium__Started m = TRIVIUM__STARTED__INIT;
    m.request = asked->request;
    m.attempt = asked->attempt;
    m.model = (char *)"small";
    m.fingerprint = (char *)"f00d";
    m.seed = asked->seed;
    m.n_prompt = sizeof prompt / sizeof *prompt;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_STARTED;
    reply.started = &m;
    text_peer_say(&pair.peer, &reply, &(wire_raw){prompt, sizeof prompt}, 1);
    return asked;
}

static void says_chunk(const Trivium__Generate *of, uint32_t at, bool has_token, const char *text) {
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    Trivium__Chunk m = TRIVIUM__CHUNK__INIT;
    Trivium__Drawn drawn = TRIVIUM__DRAWN__INIT, *list[] = {&drawn};
    drawn.id = 10;
    m.request = of->request;
    m.attempt = of->attempt;
    m.step = at;
    m.n_drawn = has_token;
    m.drawn = list;
    m.semantics = (char *)"plain/1";
    m.text = (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_CHUNK;
    reply.chunk = &m;
    text_peer_say(&pair.peer, &reply, NULL, 0);
}

static void says_done(const Trivium__Generate *of, Trivium__FinishReason reason, uint32_t n_tokens) {
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    Trivium__Done m = TRIVIUM__DONE__INIT;
    Trivium__Error error = TRIVIUM__ERROR__INIT;
    error.code = TRIVIUM__CODE__NO_SAMPLERD;
    error.message = (char *)"no sampler is here";
    m.request = of->request;
    m.attempt = of->attempt;
    m.reason = reason;
    m.n_tokens = n_tokens;
    if (reason == TRIVIUM__FINISH_REASON__FINISH_ERROR) m.error = &error;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_DONE;
    reply.done = &m;
    text_peer_say(&pair.peer, &reply, NULL, 0);
}

/* The n-th reply: of one token, by this reason. */
static const Trivium__Generate *replies(size_t n, const char *text, Trivium__FinishReason reason) {
    says_rendered(hears_render()->call, 100, 1000);
    const Trivium__Generate *of = says_started(n);
    if (*text) says_chunk(of, 0, true, text);
    says_done(of, reason, 1);
    assert_true(text_pair_becomes(&pair, is_over));
    return of;
}

/* What is kept, as "role:content|…". */
static void check_kept(const char *expected) {
    char joined[128] = "";
    const conversation_message *m;
    for (size_t i = 0; (m = transcript_message(dialogue_transcript(talk), i)) != NULL; i++) {
        size_t used = strlen(joined);
        snprintf(joined + used, sizeof joined - used, "%s:%.*s|", m->role, (int)m->n_bytes, (const char *)m->content);
    }
    assert_string_equal(joined, expected);
}

#define STOP TRIVIUM__FINISH_REASON__FINISH_STOP
#define LENGTH TRIVIUM__FINISH_REASON__FINISH_LENGTH
#define FAILURE TRIVIUM__FINISH_REASON__FINISH_ERROR

/* ---- how long a reply may be ---- */

static void check_bounds(uint32_t n_ids_max, uint32_t n_reply, uint32_t max_new_tokens, const char *limit) {
    say("Hi");
    const Trivium__Render *asked = hears_render();
    assert_int_equal(asked->n_ids_max, n_ids_max);
    assert_int_equal(asked->n_reply, n_reply);
    says_rendered(asked->call, 100, 1000);
    const Trivium__Generate *of = says_started(n_exchanges - 1);
    assert_int_equal(of->max_new_tokens, max_new_tokens);
    says_done(of, LENGTH, max_new_tokens);
    assert_true(text_pair_becomes(&pair, is_over));
    assert_string_equal(got.limit, limit);
}

static void a_reply_gets_what_its_prompt_leaves(void **state) {
    (void)state;
    check_bounds(0, 1024, 97, "n_ctx");
    const dialogue_facts now = dialogue_facts_of(talk);
    assert_string_equal(now.model, "small");
    assert_int_equal(now.n_ctx, 100);
    assert_int_equal(now.kv_tokens, 1000);
    assert_int_equal(now.seed, SEED + 1);
}

static void what_was_asked_for_bounds_prompt_and_reply(void **state) {
    (void)state;
    options.max_history_tokens = 50;
    options.max_new_tokens = 20;
    check_bounds(50, 20, 20, "max_new_tokens");
    say("Hi");
    replies(1, "Ho", STOP);
    assert_string_equal(got.limit, "");
}

/* ---- where it ends ---- */

static void half_a_character_is_no_part_of_it(void **state) {
    (void)state;
    say("Hi");
    says_rendered(hears_render()->call, 100, 1000);
    const Trivium__Generate *of = says_started(0);
    says_chunk(of, 0, true, "a\xEF\xBF\xBD");       /* the model wrote it */
    says_chunk(of, 1, true, "b");
    says_chunk(of, 2, false, "c\xEF\xBF\xBD");
    says_done(of, LENGTH, 2);
    assert_true(text_pair_becomes(&pair, is_over));
    assert_string_equal(got.shown, "a\xEF\xBF\xBD" "bc");
    assert_string_equal(got.text, got.shown);
    check_kept("user:Hi|assistant:a\xEF\xBF\xBD" "bc|");
}

/* ---- another reply ---- */

static void another_reply_is_asked_for_as_the_first_was(void **state) {
    (void)state;
    failure f;
    assert_int_equal(dialogue_regenerate(talk, &f), STATUS_NOT_FOUND);
    say("Hi");
    assert_int_equal(replies(0, "Ho", STOP)->seed, SEED);
    ask_again();
    const Trivium__Render *asked = text_pair_asked(&pair, TRIVIUM__TEXT_REQUEST__BODY_RENDER, 1)->m->render;
    assert_int_equal(asked->n_messages, 1);
    assert_int_equal(replies(1, "He", STOP)->seed, SEED + 1);
    check_kept("user:Hi|assistant:He|");
}

static void a_reply_that_cannot_be_replaced_stays(void **state) {
    (void)state;
    say("Hi");
    replies(0, "Ho", STOP);
    ask_again();
    replies(1, "", FAILURE);
    assert_int_equal(got.code, STATUS_NO_SAMPLERD);
    check_kept("user:Hi|assistant:Ho|");
    ask_again();
    says_failed(hears_render()->call);
    assert_true(text_pair_becomes(&pair, is_over));
    check_kept("user:Hi|assistant:Ho|");
}

static void what_had_no_reply_is_said_again(void **state) {
    (void)state;
    say("Hi");
    says_failed(hears_render()->call);
    assert_true(text_pair_becomes(&pair, is_over));
    assert_int_equal(got.code, STATUS_NO_MODELD);
    check_kept("");
    ask_again();
    replies(0, "Ho", STOP);
    check_kept("user:Hi|assistant:Ho|");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static void what_is_awaited_is_a_note(void **state) {
    (void)state;
    size_t n_before = pair.n_waits_told;        /* of the wait for the peer, on a slow machine */
    say("hello");
    uint64_t number = hears_render()->call;
    says_waiting(number, "waiting for a modeld");
    says_failed(number);
    assert_true(text_pair_becomes(&pair, is_over));
    assert_string_equal(got.notes, "waiting for a modeld");
    assert_int_equal(pair.n_waits_told, n_before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_reply_gets_what_its_prompt_leaves),
        TEST(what_was_asked_for_bounds_prompt_and_reply),
        TEST(half_a_character_is_no_part_of_it),
        TEST(another_reply_is_asked_for_as_the_first_was),
        TEST(a_reply_that_cannot_be_replaced_stays),
        TEST(what_had_no_reply_is_said_again),
        TEST(what_is_awaited_is_a_note),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
