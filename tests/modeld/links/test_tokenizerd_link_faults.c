/* The link to a tokenizerd: what does not keep to PROTOCOL.md is counted and reaches nobody, and how
 * tokenizerds join, refuse, leave and come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/modeld/tokens_scene.h"
#include "tests/support/link/turns.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

#define WORD(name) TRIVIUM__CONTROL__WORD_##name

static const uint8_t BYTES[REQUEST_BYTES + 1] = "0123456789abcdef";
static const int32_t ID = 3;
static const float LOGIT = 1;

/* ---- messages that make no sense ---- */

/* It is counted once, whatever was called before is all that was, and the link goes on. */
static void is_garbage(Trivium__TokensRequest *m, const wire_raw *raw, size_t n_raw) {
    server_notes before = tokens.notes;
    uint64_t n_before = tokens.garbage.n_messages;
    tokenizerd_says(&tokens.fakes[0], m, raw, n_raw);
    tokens_settle();
    assert_int_equal(tokens.garbage.n_messages, n_before + 1);
    assert_int_equal(tokens.notes.n_closed, before.n_closed + 1); /* that of tokens_settle */
    assert_int_equal(tokens.notes.n_opened, before.n_opened);
    assert_int_equal(tokens.notes.n_called, before.n_called);
    assert_int_equal(tokens.notes.n_watched, before.n_watched);
    assert_int_equal(tokens.notes.n_over, before.n_over);
}

/* Of what has a name the asker is told, so that nobody waits for it; nothing was called, and the link goes on. */
static const Trivium__TokensReply *is_answered(Trivium__TokensReply__BodyCase kind) {
    server_notes before = tokens.notes;
    const Trivium__TokensReply *m = tokenizerd_hears(&tokens.fakes[0]);
    assert_int_equal(m->body_case, kind);
    assert_int_equal(tokens.notes.n_opened + tokens.notes.n_called, before.n_opened + before.n_called);
    assert_int_equal(tokens.garbage.n_messages, 0);
    return m;
}

static void text_is_closed(Trivium__Code code) {
    const Trivium__Closed *closed = is_answered(TRIVIUM__TOKENS_REPLY__BODY_CLOSED)->closed;
    assert_memory_equal(closed->request.data, BYTES, REQUEST_BYTES);
    assert_int_equal(closed->attempt, 4);
    assert_int_equal(closed->reason, TRIVIUM__CLOSE_REASON__CLOSE_ERROR);
    assert_int_equal(closed->error->code, code);
    assert_true(closed->error->message[0]);
}

static void call_fails(uint64_t call, Trivium__Code code) {
    const Trivium__CallFailed *failed = is_answered(TRIVIUM__TOKENS_REPLY__BODY_FAILED)->failed;
    assert_int_equal(failed->call, call);
    assert_int_equal(failed->error->code, code);
    assert_true(failed->error->message[0]);
}

static void opens_that_make_no_sense(void **state) {
    (void)state;
    tokens_accept();
    Trivium__Open open = TRIVIUM__OPEN__INIT;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_OPEN;
    m.open = &open;
    const wire_raw ids = {&ID, sizeof ID}, odd = {&ID, 3}, two[] = {ids, ids};
    open.request = (ProtobufCBinaryData){REQUEST_BYTES, (uint8_t *)BYTES};
    open.attempt = 4;
    tokenizerd_says(&tokens.fakes[0], &m, NULL, 0);
    text_is_closed(TRIVIUM__CODE__BAD_MESSAGE);
    tokenizerd_says(&tokens.fakes[0], &m, &odd, 1);
    text_is_closed(TRIVIUM__CODE__BAD_MESSAGE);
    tokenizerd_says(&tokens.fakes[0], &m, two, 2);
    text_is_closed(TRIVIUM__CODE__BAD_MESSAGE);
    open.request.len = REQUEST_BYTES - 1;
    is_garbage(&m, &ids, 1);
    open.request.len = REQUEST_BYTES + 1;
    is_garbage(&m, &ids, 1);
    open.request.len = 0;
    is_garbage(&m, &ids, 1);
    open.request.len = REQUEST_BYTES;
    tokenizerd_says(&tokens.fakes[0], &m, &ids, 1);
    tokens_until(&tokens.notes.n_opened, 1);
}

static void calls_that_make_no_sense(void **state) {
    (void)state;
    tokens_accept();
    const wire_raw ids = {&ID, sizeof ID}, odd = {&ID, 2}, row = {&LOGIT, sizeof LOGIT};
    Trivium__ScoreIds score = TRIVIUM__SCORE_IDS__INIT;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_SCORE;
    m.score = &score;
    score.call = 8;
    tokenizerd_says(&tokens.fakes[0], &m, NULL, 0);
    call_fails(8, TRIVIUM__CODE__BAD_MESSAGE);
    tokenizerd_says(&tokens.fakes[0], &m, &odd, 1);
    call_fails(8, TRIVIUM__CODE__BAD_MESSAGE);
    tokenizerd_says(&tokens.fakes[0], &m, (const wire_raw[]){ids, ids}, 2);
    call_fails(8, TRIVIUM__CODE__BAD_MESSAGE);
    Trivium__ProbeRow probe = TRIVIUM__PROBE_ROW__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_PROBE;
    m.probe = &probe;
    probe.call = 9;
    const wire_raw wrong[][2] = {{{0}}, {row}, {odd, ids}, {row, odd}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tokenizerd_says(&tokens.fakes[0], &m, wrong[i], i < 2 ? i : 2);
        call_fails(9, TRIVIUM__CODE__BAD_MESSAGE);
    }
    tokenizerd_says(&tokens.fakes[0], &m, (const wire_raw[]){row, ids}, 2);
    tokens_until(&tokens.notes.n_called, 1);
}

/* Each is told, once, and what comes next is taken. */
static void what_never_becomes_whole_is_told(void **state) {
    (void)state;
    tokens_accept();
    const uint64_t two_ids = 2 * sizeof ID, too_many = (uint64_t)RAW_BYTES_MAX + 1;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    Trivium__Open open = TRIVIUM__OPEN__INIT;
    open.request = (ProtobufCBinaryData){REQUEST_BYTES, (uint8_t *)BYTES};
    open.attempt = 4;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_OPEN;
    m.open = &open;
    fake_peer_begin(&tokens.fakes[0], &m.base, &two_ids, 1);
    fake_peer_say_piece(&tokens.fakes[0], 1, &ID, sizeof ID);       /* the first one is missing */
    text_is_closed(TRIVIUM__CODE__BAD_MESSAGE);
    fake_peer_begin(&tokens.fakes[0], &m.base, &too_many, 1);
    text_is_closed(TRIVIUM__CODE__TOO_LONG);
    Trivium__ScoreIds score = TRIVIUM__SCORE_IDS__INIT;
    Trivium__ProbeRow probe = TRIVIUM__PROBE_ROW__INIT;
    score.call = 8;
    probe.call = 9;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_SCORE;
    m.score = &score;
    fake_peer_begin(&tokens.fakes[0], &m.base, &two_ids, 1);
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_PROBE;
    m.probe = &probe;
    fake_peer_begin(&tokens.fakes[0], &m.base, &two_ids, 1);        /* another message before its pieces */
    call_fails(8, TRIVIUM__CODE__BAD_MESSAGE);
    fake_peer_say_piece(&tokens.fakes[0], 0, &ID, sizeof ID);
    fake_peer_say_piece(&tokens.fakes[0], 0, &ID, sizeof ID);
    call_fails(9, TRIVIUM__CODE__BAD_MESSAGE);
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_SCORE;
    m.score = &score;
    fake_peer_begin(&tokens.fakes[0], &m.base, &two_ids, 1);
    fake_peer_say_piece(&tokens.fakes[0], 0, &ID, sizeof ID);
    fake_peer_say_piece(&tokens.fakes[0], 1, &ID, sizeof ID);
    tokens_until(&tokens.notes.n_called, 1);
    assert_int_equal(tokens.notes.asked.n_ids, 2);
    open.request.len = 0;                                           /* nobody to be told */
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_OPEN;
    m.open = &open;
    fake_peer_begin(&tokens.fakes[0], &m.base, &too_many, 1);
    tokens_settle();
    assert_int_equal(tokens.garbage.n_messages, 1);
}

static void words_that_make_no_sense(void **state) {
    (void)state;
    tokens_accept();
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    is_garbage(&m, NULL, 0); /* no body, or one that is not known */
    Trivium__WatchText watch = TRIVIUM__WATCH_TEXT__INIT;
    watch.request = (ProtobufCBinaryData){REQUEST_BYTES, (uint8_t *)BYTES};
    watch.n_watched = CANDIDATES_MAX + 1;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_WATCH;
    m.watch = &watch;
    is_garbage(&m, NULL, 0);
    Trivium__DefaultModel first = TRIVIUM__DEFAULT_MODEL__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_DEFAULT_MODEL;
    m.default_model = &first;
    is_garbage(&m, NULL, 0); /* no name */
    first.name = (char *)"two\nlines";
    is_garbage(&m, NULL, 0);
    char name[NAME_BYTES_MAX + 2] = {0};
    memset(name, 'x', NAME_BYTES_MAX + 1);
    first.name = name;
    is_garbage(&m, NULL, 0);
}

/* No text has a name of another length: as with any text that has ended, there is nothing to do. */
static void names_of_another_length_are_nobodys(void **state) {
    (void)state;
    tokens_accept();
    const ProtobufCBinaryData name = {REQUEST_BYTES - 1, (uint8_t *)BYTES};
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    Trivium__Close close = TRIVIUM__CLOSE__INIT;
    close.request = name;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_CLOSE;
    m.close = &close;
    tokenizerd_says(&tokens.fakes[0], &m, NULL, 0);
    Trivium__Retune tune = TRIVIUM__RETUNE__INIT;
    tune.request = name;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_TUNE;
    m.tune = &tune;
    tokenizerd_says(&tokens.fakes[0], &m, NULL, 0);
    Trivium__WatchText watch = TRIVIUM__WATCH_TEXT__INIT;
    watch.request = name;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_WATCH;
    m.watch = &watch;
    tokenizerd_says(&tokens.fakes[0], &m, NULL, 0);
    tokens_settle();
    assert_int_equal(tokens.notes.n_closed, 1); /* that of tokens_settle */
    assert_int_equal(tokens.notes.n_retuned + tokens.notes.n_watched, 0);
    assert_int_equal(tokens.garbage.n_messages, 0);
}

static void what_cannot_be_read_is_counted_and_costs_nothing(void **state) {
    (void)state;
    tokens_accept();
    const wire_raw noise = {"\xff\xff\xff\xff", 4}, frames[FRAMES_MAX + 2] = {noise, noise, noise, noise, noise};
    fake_peer_send_frames(&tokens.fakes[0], &noise, 1);
    fake_peer_send_frames(&tokens.fakes[0], &(wire_raw){"", 0}, 1);
    fake_peer_send_frames(&tokens.fakes[0], frames, FRAMES_MAX + 2);
    tokens_settle();
    assert_int_equal(tokenizerd_link_garbage(tokens.links[0]), 3);
    assert_int_equal(tokens.notes.n_over, 1); /* that of joining */
}

/* ---- joining and leaving ---- */

static void only_a_tokenizerd_is_joined(void **state) {
    (void)state;
    fake_peer_say_hello(&tokens.fakes[0], fake_hello(TRIVIUM__ROLE__CLIENT));
    assert_true(fake_peer_hears(&tokens.fakes[0], tokens.loop, WORD(REFUSED)));
    assert_int_equal(tokens.fakes[0].control->refused->code, TRIVIUM__CODE__BAD_REQUEST);
    assert_non_null(strstr(tokens.fakes[0].control->refused->message, tokens.meetings[0].address));
    assert_int_equal(tokens.notes.n_over, 0);
}

static void what_it_had_is_over_when_it_leaves(void **state) {
    (void)state;
    tokens_accept();
    assert_int_equal(tokens.notes.joined, FAKE_INCARNATION);
    fake_peer_say_leave(&tokens.fakes[0]);
    tokens_until(&tokens.notes.n_over, 2);
    assert_ptr_equal(tokens.notes.from, tokens.links[0]);
    assert_int_equal(tokens.notes.joined, 0);
    assert_int_equal(tokens.notes.n_refused, 0);
}

static void a_killed_one_is_replaced_and_told_its_first_model(void **state) {
    (void)state;
    tokens_accept();
    assert_string_equal(tokens.fakes[0].control->hello->default_model->name, ""); /* nothing is known */
    Trivium__DefaultModel first = TRIVIUM__DEFAULT_MODEL__INIT;
    first.name = (char *)"smol";
    first.since_ms = 123456789;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_DEFAULT_MODEL;
    m.default_model = &first;
    tokenizerd_says(&tokens.fakes[0], &m, NULL, 0);
    tokens_settle();
    tokens_bind_again();
    assert_int_equal(tokens.notes.n_over, 2);
    const Trivium__DefaultModel *told = tokens.fakes[0].control->hello->default_model;
    assert_string_equal(told->name, "smol");
    assert_int_equal(told->since_ms, 123456789);
    tokens_accept();
    tokens_settle();
}

static void refuse(Trivium__Code code, const char *why) {
    Trivium__Error error = TRIVIUM__ERROR__INIT;
    error.code = code;
    error.message = (char *)why;
    Trivium__Control control = TRIVIUM__CONTROL__INIT;
    control.word_case = WORD(REFUSED);
    control.refused = &error;
    fake_peer_say(&tokens.fakes[0], control);
}

static void a_full_one_is_asked_again(void **state) {
    (void)state;
    refuse(TRIVIUM__CODE__BUSY, "no room");
    refuse(TRIVIUM__CODE__NO_MEMORY, "no room at all");
    assert_true(fake_peer_hears(&tokens.fakes[0], tokens.loop, WORD(HELLO)));
    assert_true(fake_peer_hears(&tokens.fakes[0], tokens.loop, WORD(HELLO)));
    assert_int_equal(tokens.notes.n_refused, 0);
    tokens_accept();
}

static void it_leaves_and_is_asked_again(void) {
    const size_t n_over = tokens.notes.n_over;
    fake_peer_say_leave(&tokens.fakes[0]);
    tokens_until(&tokens.notes.n_over, n_over + 1);
    while (fake_peer_take(&tokens.fakes[0])) continue;
    assert_true(fake_peer_hears(&tokens.fakes[0], tokens.loop, WORD(HELLO)));
}

static void one_whose_key_was_revoked_is_let_in_when_it_is_authorised_again(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        refuse(TRIVIUM__CODE__FORBIDDEN, "your key is not authorised for the tokens link");
        assert_true(fake_peer_hears(&tokens.fakes[0], tokens.loop, WORD(HELLO)));
        assert_true(fake_peer_hears(&tokens.fakes[0], tokens.loop, WORD(HELLO)));
        assert_int_equal(tokens.notes.n_refused, 0);
        tokens_accept();
        it_leaves_and_is_asked_again();
    }
}

static void who_may_not_replace_another_model_is_told_so(void **state) {
    (void)state;
    tokens_replace();
    refuse(TRIVIUM__CODE__FORBIDDEN, "to replace a model is for operators");
    tokens_until(&tokens.notes.n_refused, 1);
    assert_int_equal(tokens.notes.refusal.code, STATUS_FORBIDDEN);
}

/* Its key may have lost that right for a while. */
static void who_could_replace_another_model_goes_on_asking(void **state) {
    (void)state;
    tokens_replace();
    tokens_accept();
    it_leaves_and_is_asked_again();
    refuse(TRIVIUM__CODE__FORBIDDEN, "to replace a model is for operators");
    assert_true(fake_peer_hears(&tokens.fakes[0], tokens.loop, WORD(HELLO)));
    assert_true(fake_peer_hears(&tokens.fakes[0], tokens.loop, WORD(HELLO)));
    assert_int_equal(tokens.notes.n_refused, 0);
    tokens_accept();
}

static void any_other_refusal_ends_the_link(void **state) {
    (void)state;
    refuse(TRIVIUM__CODE__NAME_TAKEN, "this name is taken");
    tokens_until(&tokens.notes.n_refused, 1);
    assert_int_equal(tokens.notes.refusal.code, STATUS_NAME_TAKEN);
    assert_non_null(strstr(tokens.notes.refusal.message, "this name is taken"));
    assert_non_null(strstr(tokens.notes.refusal.message, tokens.meetings[0].address));
    tokens_until(&tokens.notes.n_over, 1);
    while (fake_peer_take(&tokens.fakes[0])) continue;
    turns_for_ms(tokens.loop, 3 * HEARTBEAT_MS);
    assert_false(fake_peer_take(&tokens.fakes[0])); /* no Hello any more */
    tokenizerd_link_beat(tokens.links[0]);          /* nothing happens */
    assert_int_equal(tokenizerd_link_garbage(tokens.links[0]), 0);
    assert_int_equal(tokens.notes.n_refused, 1);
}

static void an_endpoint_that_cannot_be_is_named(void **state) {
    (void)state;
    failure f;
    tokenizerd_link *link = NULL;
    Trivium__Hello hello = fake_hello(TRIVIUM__ROLE__MODELD);
    tokenizerd_link_options options = {.address = "nowhere", .hello = &hello, .incarnation = 1,
                                       .heartbeat_ms = HEARTBEAT_MS};
    assert_int_not_equal(tokenizerd_link_new(&link, tokens.loop, &options, &f), STATUS_OK);
    assert_null(link);
    assert_non_null(strstr(f.message, "nowhere"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(opens_that_make_no_sense),
        TEST(calls_that_make_no_sense),
        TEST(what_never_becomes_whole_is_told),
        TEST(words_that_make_no_sense),
        TEST(names_of_another_length_are_nobodys),
        TEST(what_cannot_be_read_is_counted_and_costs_nothing),
        TEST(only_a_tokenizerd_is_joined),
        TEST(what_it_had_is_over_when_it_leaves),
        TEST(a_killed_one_is_replaced_and_told_its_first_model),
        TEST(a_full_one_is_asked_again),
        TEST(one_whose_key_was_revoked_is_let_in_when_it_is_authorised_again),
        TEST(who_may_not_replace_another_model_is_told_so),
        TEST(who_could_replace_another_model_goes_on_asking),
        TEST(any_other_refusal_ends_the_link),
        TEST(an_endpoint_that_cannot_be_is_named),
    };
    return cmocka_run_group_tests(tests, vocabulary_model_open, vocabulary_model_close);
}
