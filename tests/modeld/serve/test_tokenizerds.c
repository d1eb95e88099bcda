/* What tokenizerds ask goes into the table of sequences, and what becomes of that goes to the right one: two
 * fake tokenizerds, and a table that nobody computes for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "modeld/serve/tokenizerds.h"
#include "proto/net/peer.h"
#include "tests/support/link/fake_peer.h"
#include "tests/support/link/place.h"
#include "tests/support/link/turns.h"
#include "tests/support/modeld/wire_chain.h"
#include "tests/support/modeld/sequence_world.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

static const uint8_t NAME[] = "0123456789abcdef";
static const int32_t IDS[] = {1, 2};
static const float LOGITS[] = {1, 2};

static struct {
    loop *loop;
    world *world;
    wakeup turn;
    endings endings;
    garbage garbage;
    samplers *no_samplers;
    report *report;
    tokenizerds *tokenizerds;
    uint64_t n_texts;
    departing *departing;
    place meetings[2];
    fake_peer fakes[2];
} at;

static void no_turn(void *context) {
    (void)context;
}

static void no_figures(void *context, report_figures *out) {
    (void)context, (void)out;
}

static void join_both(void) {
    static Trivium__Hello hello;
    static const char *const endpoints[] = {at.meetings[0].address, at.meetings[1].address};
    hello = fake_hello(TRIVIUM__ROLE__MODELD);
    failure f;
    for (size_t i = 0; i < 2; i++) {
        place_make(&at.meetings[i]);
        fake_peer_bind(&at.fakes[i], endpoints[i], &trivium__tokens_reply__descriptor);
        at.fakes[i].from = FAKE_INCARNATION + i;
    }
    const tokenizerd_link_options link = {.hello = &hello, .incarnation = peers_incarnation(), .heartbeat_ms = HEARTBEAT_MS_MAX,
                                          .report = at.report, .garbage = &at.garbage};
    assert_int_equal(tokenizerds_join(at.tokenizerds, endpoints, 2, &link, &f), STATUS_OK);
    for (size_t i = 0; i < 2; i++) assert_true(fake_peer_hears(&at.fakes[i], at.loop, TRIVIUM__CONTROL__WORD_HELLO));
}

static int begin(void **state) {
    (void)state;
    memset(&at, 0, sizeof at);
    at.loop = loop_new();
    world_begin((void **)&at.world);
    at.turn = (wakeup){.loop = at.loop, .handler = no_turn};
    at.endings = (endings){at.world->table, &at.turn, &at.n_texts};
    at.departing = departing_new(&(departing_options){at.loop, 0, at.world->table, &at.n_texts});
    at.no_samplers = samplers_new();
    at.report = report_new(at.no_samplers, no_figures, NULL);
    at.tokenizerds = tokenizerds_new(&(tokenizerds_options){.loop = at.loop, .sequences = at.world->table, .endings = &at.endings,
                                                            .turn = &at.turn, .departing = at.departing, .garbage = &at.garbage});
    assert_true(at.loop && at.departing && at.no_samplers && at.report && at.tokenizerds);
    join_both();
    return 0;
}

static int end(void **state) {
    (void)state;
    bool removed = true;
    tokenizerds_free(&at.tokenizerds);
    departing_free(&at.departing);
    for (size_t i = 0; i < 2; i++) {
        fake_peer_close(&at.fakes[i]);
        removed = place_remove(&at.meetings[i]) && removed;
    }
    world_end((void **)&at.world);
    report_free(&at.report);
    samplers_free(&at.no_samplers);
    loop_free(&at.loop);
    return removed ? 0 : -1;
}

/* ---- asking ---- */

static const ProtobufCBinaryData REQUEST = {REQUEST_BYTES, (uint8_t *)NAME};

static void hello_from(size_t i) {
    fake_peer_say_hello(&at.fakes[i], fake_hello_of_the_silent(TRIVIUM__ROLE__TOKENIZERD));
    /* Its first report follows at once, and the next is far off: what it is to draw goes by the samplerds that it tells of. */
    assert_true(fake_peer_hears(&at.fakes[i], at.loop, TRIVIUM__CONTROL__WORD_HEARTBEAT));
}

static void say(size_t i, Trivium__TokensRequest__BodyCase body, void *m, const wire_raw *raw, size_t n_raw) {
    Trivium__TokensRequest request = TRIVIUM__TOKENS_REQUEST__INIT;
    request.body_case = body;
    request.open = m; /* of a union of pointers */
    fake_peer_send(&at.fakes[i], &request.base, raw, n_raw);
}

#define SAY(i, body, m, raw, n_raw) say(i, TRIVIUM__TOKENS_REQUEST__BODY_##body, m, raw, n_raw)

static const Trivium__TokensReply *told(size_t i, Trivium__TokensReply__BodyCase body) {
    assert_true(fake_peer_hears(&at.fakes[i], at.loop, FAKE_BODY));
    const Trivium__TokensReply *m = (const Trivium__TokensReply *)at.fakes[i].header;
    assert_int_equal(m->body_case, body);
    return m;
}

#define TOLD(i, body) told(i, TRIVIUM__TOKENS_REPLY__BODY_##body)

static bool is_there(void *attempt) {
    const sequence *q = sequences_find(at.world->table, "", NAME);
    return q && sequence_text(q)->attempt == *(uint32_t *)attempt;
}

static bool has_ended(void *unused) {
    (void)unused;
    return !sequences_find(at.world->table, "", NAME);
}

static Trivium__Open an_open(uint32_t attempt) {
    Trivium__Open open = TRIVIUM__OPEN__INIT;
    open.request = REQUEST;
    open.attempt = attempt;
    open.n_prompt = 2;
    open.max_new_tokens = 3;
    return open;
}

static const wire_raw ids_frame = {IDS, sizeof IDS};

/* Opened, and in the table. */
static sequence *open_one(size_t i, uint32_t attempt) {
    Trivium__Open open = an_open(attempt);
    SAY(i, OPEN, &open, &ids_frame, 1);
    assert_true(turns_until(at.loop, is_there, &attempt));
    return sequences_find(at.world->table, "", NAME);
}

static void is_closed(size_t i, uint32_t attempt, Trivium__CloseReason reason) {
    const Trivium__Closed *closed = TOLD(i, CLOSED)->closed;
    assert_memory_equal(closed->request.data, NAME, REQUEST_BYTES);
    assert_int_equal(closed->attempt, attempt);
    assert_int_equal(closed->reason, reason);
}

/* ---- texts ---- */

static void a_higher_attempt_takes_over_and_no_other(void **state) {
    (void)state;
    hello_from(0);
    hello_from(1);
    open_one(0, 2);
    Trivium__Open open = an_open(2);
    SAY(1, OPEN, &open, &ids_frame, 1);
    is_closed(1, 2, TRIVIUM__CLOSE_REASON__CLOSE_SUPERSEDED);
    sequence *q = open_one(1, 3);
    is_closed(0, 2, TRIVIUM__CLOSE_REASON__CLOSE_SUPERSEDED);
    assert_int_equal(sequences_count(at.world->table), 1);
    assert_int_equal(sequence_text(q)->attempt, 3);
}

static void what_cannot_be_opened_is_told_why(void **state) {
    (void)state;
    hello_from(0);
    Trivium__Open open = an_open(1);
    open.max_new_tokens = 0;
    SAY(0, OPEN, &open, &ids_frame, 1);
    is_closed(0, 1, TRIVIUM__CLOSE_REASON__CLOSE_ERROR);
    const Trivium__Error *error = ((const Trivium__TokensReply *)at.fakes[0].header)->closed->error;
    assert_int_equal(error->code, TRIVIUM__CODE__BAD_REQUEST);
    assert_non_null(strstr(error->message, "max_new_tokens"));
    open_one(0, 1); /* a higher attempt takes over even where it cannot be read */
    open = an_open(2);
    open.strategy = wire_unknown();
    SAY(0, OPEN, &open, &ids_frame, 1);
    is_closed(0, 1, TRIVIUM__CLOSE_REASON__CLOSE_SUPERSEDED);
    is_closed(0, 2, TRIVIUM__CLOSE_REASON__CLOSE_ERROR);
    assert_int_equal(sequences_count(at.world->table), 0);
}

static void a_text_that_is_over_is_closed_at_once(void **state) {
    (void)state;
    hello_from(0);
    Trivium__Open open = an_open(1);
    open.n_prompt = 1;
    open.n_end_ids = 1;
    open.end_ids = (int32_t[]){2};
    SAY(0, OPEN, &open, &ids_frame, 1);
    is_closed(0, 1, TRIVIUM__CLOSE_REASON__CLOSE_END_ID);
}

static void only_its_own_tokenizerd_closes_tunes_or_watches_a_text(void **state) {
    (void)state;
    hello_from(0);
    hello_from(1);
    sequence *q = open_one(0, 1);
    Trivium__Strategy empty = TRIVIUM__STRATEGY__INIT;
    Trivium__Retune tune = TRIVIUM__RETUNE__INIT;
    Trivium__WatchText watch = TRIVIUM__WATCH_TEXT__INIT;
    Trivium__Close close = TRIVIUM__CLOSE__INIT;
    tune.request = watch.request = close.request = REQUEST;
    tune.attempt = watch.attempt = close.attempt = 1;
    tune.strategy = &empty;
    tune.change = 4;
    watch.n_watched = 6;
    for (size_t i = 2; i-- > 0;) { /* first the other one: then nothing happens */
        SAY(i, WATCH, &watch, NULL, 0);
        SAY(i, TUNE, &tune, NULL, 0);
        if (i == 1) SAY(1, CLOSE, &close, NULL, 0);
        if (i == 1) SAY(1, CLOSE, &close, NULL, 0);
    }
    const Trivium__Retuned *tuned = TOLD(0, TUNED)->tuned;
    assert_true(tuned->change == 4 && tuned->step == 0 && tuned->attempt == 1);
    assert_int_equal(sequence_text(q)->n_watched, 6);
    close.attempt = 2; /* of another attempt */
    SAY(0, CLOSE, &close, NULL, 0);
    close.attempt = 1;
    SAY(0, CLOSE, &close, NULL, 0);
    is_closed(0, 1, TRIVIUM__CLOSE_REASON__CLOSE_ASKED);
    assert_int_equal(at.garbage.n_messages, 0);
}

static void a_strategy_that_is_old_or_unknown_is_garbage(void **state) {
    (void)state;
    hello_from(0);
    open_one(0, 1);
    Trivium__Strategy empty = TRIVIUM__STRATEGY__INIT;
    Trivium__Retune tune = TRIVIUM__RETUNE__INIT;
    tune.request = REQUEST;
    tune.attempt = 1;
    tune.strategy = &empty; /* of change 0 */
    SAY(0, TUNE, &tune, NULL, 0);
    tune.change = 1;
    tune.strategy = wire_unknown();
    SAY(0, TUNE, &tune, NULL, 0);
    tune.strategy = &empty;
    SAY(0, TUNE, &tune, NULL, 0);
    assert_int_equal(TOLD(0, TUNED)->tuned->change, 1);
    assert_int_equal(at.garbage.n_messages, 2);
}

/* ---- calls ---- */

static void a_call_that_cannot_be_is_told_why(void **state) {
    (void)state;
    hello_from(0);
    Trivium__ScoreIds score = TRIVIUM__SCORE_IDS__INIT;
    score.call = 4;
    score.n_top = CANDIDATES_MAX + 1;
    SAY(0, SCORE, &score, &ids_frame, 1);
    const Trivium__CallFailed *failed = TOLD(0, FAILED)->failed;
    assert_true(failed->call == 4 && failed->error->code == TRIVIUM__CODE__BAD_REQUEST);
    Trivium__ProbeRow probe = TRIVIUM__PROBE_ROW__INIT;
    probe.call = 5;
    probe.strategy = wire_unknown();
    SAY(0, PROBE, &probe, ((wire_raw[]){{LOGITS, sizeof LOGITS}, {NULL, 0}}), 2);
    failed = TOLD(0, FAILED)->failed;
    assert_true(failed->call == 5 && failed->error->code == TRIVIUM__CODE__UNSUPPORTED);
    assert_int_equal(sequences_count(at.world->table), 0);
}

static bool are_there(void *n) {
    return sequences_count(at.world->table) == *(uint32_t *)n;
}

static void until_there_are(uint32_t n) {
    assert_true(turns_until(at.loop, are_there, &n));
}

/* Both kinds; what another tokenizerd calls by the same number is another call. */
static void a_closed_call_is_gone_without_a_word(void **state) {
    (void)state;
    hello_from(0);
    hello_from(1);
    Trivium__ScoreIds score = TRIVIUM__SCORE_IDS__INIT;
    Trivium__ProbeRow probe = TRIVIUM__PROBE_ROW__INIT;
    score.call = 4;
    probe.call = 5;
    SAY(0, SCORE, &score, &ids_frame, 1);
    SAY(0, PROBE, &probe, ((wire_raw[]){{LOGITS, sizeof LOGITS}, {NULL, 0}}), 2);
    SAY(1, SCORE, &score, &ids_frame, 1);
    until_there_are(3);
    Trivium__CloseCall close = TRIVIUM__CLOSE_CALL__INIT;
    for (size_t i = 0; i < 3; i++) {
        close.call = (uint64_t[]){4, 4, 5}[i];      /* the second time none is there */
        SAY(0, CLOSE_CALL, &close, NULL, 0);
    }
    until_there_are(1);
    assert_int_equal(sequences_first(at.world->table)->kind, SEQUENCE_SCORE);
    score.call = 6;
    score.n_top = CANDIDATES_MAX + 1;
    SAY(0, SCORE, &score, &ids_frame, 1);
    assert_int_equal(TOLD(0, FAILED)->failed->call, 6); /* the first word about any */
    fake_peer_say_leave(&at.fakes[1]);
    until_there_are(0);
    assert_int_equal(at.garbage.n_messages, 0);
}

/* ---- tokenizerds ---- */

static void what_it_had_open_goes_with_it_and_nothing_else(void **state) {
    (void)state;
    hello_from(0);
    hello_from(1);
    open_one(0, 1);
    job others = a_text(at.world, 7, 2, 2);
    sequence *stays = open_job(at.world, &others);
    text_home home;
    assert_true(sequences_text_of(at.world->table, 0, NAME, &home));
    fake_peer_say_leave(&at.fakes[0]);
    assert_true(turns_until(at.loop, has_ended, NULL));
    assert_false(sequences_text_of(at.world->table, 0, NAME, &home));   /* a trace that comes late is for nobody */
    assert_ptr_equal(sequences_first(at.world->table), stays);
    assert_int_equal(sequences_count(at.world->table), 1);
}

static void a_tokenizerd_that_joins_by_another_address_opens_its_texts_anew(void **state) {
    (void)state;
    at.fakes[1].from = at.fakes[0].from;
    hello_from(0);
    open_one(0, 1);
    hello_from(1);
    open_one(1, 1);             /* the one before is over */
    Trivium__Close close = TRIVIUM__CLOSE__INIT;
    close.request = REQUEST;
    close.attempt = 1;
    SAY(1, CLOSE, &close, NULL, 0);
    is_closed(1, 1, TRIVIUM__CLOSE_REASON__CLOSE_ASKED);
}

static void a_glimpse_goes_to_whoever_asked_last(void **state) {
    (void)state;
    hello_from(0);
    hello_from(1);
    Trivium__Glimpse g = TRIVIUM__GLIMPSE__INIT;
    g.step = 1;
    g.request = (ProtobufCBinaryData){REQUEST_BYTES, (uint8_t *)NAME};
    open_one(0, 1);
    open_one(1, 2);
    is_closed(0, 1, TRIVIUM__CLOSE_REASON__CLOSE_SUPERSEDED);
    tokenizerds_trace(at.tokenizerds, &g);
    assert_int_equal(TOLD(1, GLIMPSE)->glimpse->step, 1);
    sequences_close(at.world->table, sequences_find(at.world->table, "", NAME));
    g.step = 2;
    tokenizerds_trace(at.tokenizerds, &g);
    assert_int_equal(TOLD(1, GLIMPSE)->glimpse->step, 2);
}

static void refuse(size_t i) {
    Trivium__Error error = TRIVIUM__ERROR__INIT;
    error.code = TRIVIUM__CODE__NAME_TAKEN;
    error.message = (char *)"taken";
    Trivium__Control control = TRIVIUM__CONTROL__INIT;
    control.word_case = TRIVIUM__CONTROL__WORD_REFUSED;
    control.refused = &error;
    fake_peer_say(&at.fakes[i], control);
}

static void the_last_refusal_stops_the_loop(void **state) {
    (void)state;
    refuse(0);
    turns_for_ms(at.loop, 50);
    assert_null(tokenizerds_refusal(at.tokenizerds)); /* one is left */
    refuse(1);
    assert_false(turns_to_the_end(at.loop)); /* it ends of its own accord */
    const failure *why = tokenizerds_refusal(at.tokenizerds);
    assert_int_equal(why->code, STATUS_NAME_TAKEN);
    assert_non_null(strstr(why->message, at.meetings[1].address));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_higher_attempt_takes_over_and_no_other),
        TEST(what_cannot_be_opened_is_told_why),
        TEST(a_text_that_is_over_is_closed_at_once),
        TEST(only_its_own_tokenizerd_closes_tunes_or_watches_a_text),
        TEST(a_strategy_that_is_old_or_unknown_is_garbage),
        TEST(a_call_that_cannot_be_is_told_why),
        TEST(a_closed_call_is_gone_without_a_word),
        TEST(what_it_had_open_goes_with_it_and_nothing_else),
        TEST(a_tokenizerd_that_joins_by_another_address_opens_its_texts_anew),
        TEST(a_glimpse_goes_to_whoever_asked_last),
        TEST(the_last_refusal_stops_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
