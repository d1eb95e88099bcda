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
static size_t n_exchanges;      /* Generates that were heard */

static struct {
    size_t n_over;
    uint32_t n_dropped;
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
    got.n_dropped = reply->n_dropped;
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

static const Trivium__Generate *hears_generate(void) {
    return text_pair_asked(&pair, TRIVIUM__TEXT_REQUEST__BODY_GENERATE, n_exchanges++)->m->generate;
}

/* What its messages became; as much as a reply may have. */
static Trivium__Started started_of(const Trivium__Generate *asked, uint32_t max_new_tokens) {
    Trivium__Started m = TRIVIUM__STARTED__INIT;
    m.request = asked->request;
    m.attempt = asked->attempt;
    m.model = (char *)"small";
    m.fingerprint = (char *)"f00d";
    m.seed = asked->seed;
    m.n_prompt = sizeof prompt / sizeof *prompt;
    m.template_ = (char *)"plain";
    m.origin = TRIVIUM__TEMPLATE_ORIGIN__TEMPLATE_OWN;
    m.n_vocab = 100;
    m.n_ctx = 100;
    m.kv_tokens = 1000;
    m.max_new_tokens = max_new_tokens;
    return m;
}

static void says_as_started(Trivium__Started *m) {
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_STARTED;
    reply.started = m;
    text_peer_say(&pair.peer, &reply, &(wire_raw){prompt, sizeof prompt}, 1);
}

static const Trivium__Generate *says_started(void) {
    const Trivium__Generate *asked = hears_generate();
    Trivium__Started m = started_of(asked, 20);
    says_as_started(&m);
    return asked;
}

static void says_waiting(const Trivium__Generate *of, const char *sentence) {
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    Trivium__Waiting m = TRIVIUM__WAITING__INIT;
    m.request = of->request;
    m.attempt = of->attempt;
    m.message = (char *)sentence;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_WAITING;
    reply.waiting = &m;
    text_peer_say(&pair.peer, &reply, NULL, 0);
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

/* A reply of one token, by this reason; "": it was never begun. */
static const Trivium__Generate *replies(const char *text, Trivium__FinishReason reason) {
    const Trivium__Generate *of = *text ? says_started() : hears_generate();
    if (*text) says_chunk(of, 0, true, text);
    says_done(of, reason, *text != '\0');
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

static void check_bounds(uint32_t n_ids_max, uint32_t n_reply, uint32_t asked_for, uint32_t max_new_tokens,
                         const char *limit) {
    say("Hi");
    const Trivium__Generate *asked = hears_generate();
    assert_int_equal(asked->n_ids_max, n_ids_max);
    assert_int_equal(asked->n_reply, n_reply);
    assert_int_equal(asked->max_new_tokens, asked_for);
    assert_true(asked->as_room_allows);
    Trivium__Started m = started_of(asked, max_new_tokens);
    says_as_started(&m);
    says_done(asked, LENGTH, max_new_tokens);
    assert_true(text_pair_becomes(&pair, is_over));
    assert_string_equal(got.limit, limit);
}

static void a_reply_gets_what_its_prompt_leaves(void **state) {
    (void)state;
    check_bounds(0, 1024, MAX_NEW_TOKENS_MAX, 97, "n_ctx");
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
    check_bounds(50, 20, 20, 20, "max_new_tokens");
    say("Hi");
    replies("Ho", STOP);
    assert_string_equal(got.limit, "");
}

/* ---- its beginning ---- */

static bool is_noted(void) { return got.notes[0] != '\0'; }

static void what_was_left_out_is_told_and_not_said_again(void **state) {
    (void)state;
    say("Hi");
    replies("Ho", STOP);
    say("He");
    const Trivium__Generate *asked = hears_generate();
    assert_int_equal(asked->n_messages, 3);
    Trivium__Started m = started_of(asked, 20);
    m.origin = TRIVIUM__TEMPLATE_ORIGIN__TEMPLATE_UNKNOWN;
    m.n_dropped = 2;
    m.n_cut = 4;
    says_as_started(&m);
    assert_true(text_pair_becomes(&pair, is_noted));
    assert_string_equal(got.notes, "2 older messages no longer fit and are left out"
                                   "your message does not fit: its first 4 tokens are left out");
    says_chunk(asked, 0, true, "Hu");
    says_done(asked, STOP, 1);
    assert_true(text_pair_becomes(&pair, is_over));
    assert_int_equal(got.n_dropped, 2);
    say("Hm");
    assert_int_equal(hears_generate()->n_messages, 3);
    assert_int_equal(transcript_count(dialogue_transcript(talk)), 5);
}

static void a_form_that_stands_in_is_told_once(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        say("Hi");
        const Trivium__Generate *asked = hears_generate();
        Trivium__Started m = started_of(asked, 20);
        m.origin = TRIVIUM__TEMPLATE_ORIGIN__TEMPLATE_NONE;
        says_as_started(&m);
        says_done(asked, STOP, 0);
        assert_true(text_pair_becomes(&pair, is_over));
        assert_string_equal(got.notes, i == 0 ? "the model has no chat template: the form 'plain' is used" : "");
    }
}

/* A strategy that comes before the reply has begun draws all of it, and the note says no step. */
static void one_that_has_not_begun_rests_and_is_tuned(void **state) {
    (void)state;
    failure f;
    strategy greedy;
    strategy_init(&greedy);
    assert_int_equal(strategy_append(&greedy, STAGE_GREEDY, NULL, 0, &f), STATUS_OK);
    say("Hi");
    hears_generate();
    dialogue_pause(talk);
    text_pair_asked(&pair, TRIVIUM__TEXT_REQUEST__BODY_PAUSE, 0);
    assert_int_equal(dialogue_tune(talk, &greedy, true, &f), STATUS_OK);
    assert_int_equal(strncmp(got.notes, "strategy: ", 10), 0);
    dialogue_resume(talk);
    const Trivium__Generate *asked = hears_generate();
    assert_int_equal(asked->attempt, 2);
    assert_int_equal(asked->n_messages, 1);
    assert_string_equal(asked->strategy->steps[0]->name, "greedy");
    strategy_clear(&greedy);
}

static void one_that_is_stopped_before_it_began_was_never_said(void **state) {
    (void)state;
    say("Hi");
    const Trivium__Generate *asked = hears_generate();
    dialogue_stop(talk);
    text_pair_asked(&pair, TRIVIUM__TEXT_REQUEST__BODY_CANCEL, 0);
    says_done(asked, TRIVIUM__FINISH_REASON__FINISH_CANCELLED, 0);
    assert_true(text_pair_becomes(&pair, is_over));
    assert_int_equal(got.code, STATUS_OK);
    check_kept("");
    say("Ho");
    assert_int_equal(replies("Hi", STOP)->seed, SEED);     /* nor is its seed used up */
}

/* ---- where it ends ---- */

static void half_a_character_is_no_part_of_it(void **state) {
    (void)state;
    say("Hi");
    const Trivium__Generate *of = says_started();
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
    assert_int_equal(replies("Ho", STOP)->seed, SEED);
    ask_again();
    const Trivium__Generate *asked = replies("He", STOP);
    assert_int_equal(asked->n_messages, 1);
    assert_int_equal(asked->seed, SEED + 1);
    assert_null(text_peer_find(&pair.peer, TRIVIUM__TEXT_REQUEST__BODY_RENDER, 0));     /* one round trip each */
    check_kept("user:Hi|assistant:He|");
}

static void a_reply_that_cannot_be_replaced_stays(void **state) {
    (void)state;
    say("Hi");
    replies("Ho", STOP);
    for (int i = 0; i < 2; i++) {
        ask_again();
        if (i > 0) {                /* begun, or not */
            says_done(says_started(), FAILURE, 0);
            assert_true(text_pair_becomes(&pair, is_over));
        } else {
            replies("", FAILURE);
        }
        assert_int_equal(got.code, STATUS_NO_SAMPLERD);
        check_kept("user:Hi|assistant:Ho|");
    }
}

static void what_had_no_reply_is_said_again(void **state) {
    (void)state;
    say("Hi");
    replies("", FAILURE);
    assert_int_equal(got.code, STATUS_NO_SAMPLERD);
    check_kept("");
    ask_again();
    assert_int_equal(replies("Ho", STOP)->seed, SEED);
    check_kept("user:Hi|assistant:Ho|");
}

static void what_is_awaited_is_a_note(void **state) {
    (void)state;
    size_t n_before = pair.n_waits_told;        /* of the wait for the peer, on a slow machine */
    say("hello");
    const Trivium__Generate *asked = hears_generate();
    says_waiting(asked, "waiting for a modeld");
    says_done(asked, FAILURE, 0);
    assert_true(text_pair_becomes(&pair, is_over));
    assert_string_equal(got.notes, "waiting for a modeld");
    assert_int_equal(pair.n_waits_told, n_before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_reply_gets_what_its_prompt_leaves),
        TEST(what_was_asked_for_bounds_prompt_and_reply),
        TEST(what_was_left_out_is_told_and_not_said_again),
        TEST(a_form_that_stands_in_is_told_once),
        TEST(one_that_has_not_begun_rests_and_is_tuned),
        TEST(one_that_is_stopped_before_it_began_was_never_said),
        TEST(half_a_character_is_no_part_of_it),
        TEST(another_reply_is_asked_for_as_the_first_was),
        TEST(a_reply_that_cannot_be_replaced_stays),
        TEST(what_had_no_reply_is_said_again),
        TEST(what_is_awaited_is_a_note),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
