/* Rows at samplerds, from end to end of modeld's two links: a fake tokenizerd asked, fake samplerds draw, and
 * the test computes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "modeld/serve/sampling.h"
#include "proto/net/peer.h"
#include "tests/support/modeld/fake_samplerd.h"
#include "tests/support/modeld/tokens_scene.h"
#include "tests/support/link/turns.h"
#include "tests/support/modeld/sequence_world.h"
#include "tests/support/traceparents.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

enum { LONG_MS = WAIT_MS_MAX, SHORT_MS = 30 };

static struct {
    world *world;
    place meeting;
    samplers *table;
    endings endings;
    uint64_t n_texts;
    departing *departing;
    wakeup turn;
    size_t n_turns;
    tokenizerds *tokenizerds;
    sampling *sampling;
    fake_peer fakes[STEP_LOSSES_MAX + 1];
} at;

static void take_turn(void *context) {
    assert_ptr_equal(context, &at);
    at.n_turns++;
    sampling_send(at.sampling);
}

static void open_sampling(uint32_t step_deadline_ms) {
    failure f;
    static Trivium__Hello hello;
    hello = fake_hello(TRIVIUM__ROLE__MODELD);
    const sampling_options options = {
        .loop = tokens.loop,
        .sequences = at.world->table,
        .samplers = at.table,
        .tokenizerds = at.tokenizerds,
        .endings = &at.endings,
        .turn = &at.turn,
        .departing = at.departing,
        .step_deadline_ms = step_deadline_ms,
        .model_name = "tiny",
    };
    const samplerd_link_options link = {
        .address = at.meeting.address,
        .hello = &hello,
        .incarnation = peers_incarnation(),
        .heartbeat_ms = HEARTBEAT_MS,
        .n_vocab = N_VOCAB,
        .garbage = &tokens.garbage,
    };
    assert_int_equal(sampling_new(&at.sampling, &options, link, &f), STATUS_OK);
}

static int begin(void **state) {
    if (tokens_begin(state) != 0) return -1;
    tokens_accept();
    memset(&at, 0, sizeof at);
    world_begin((void **)&at.world);
    at.table = samplers_new();
    assert_non_null(at.table);
    at.turn = (wakeup){.loop = tokens.loop, .handler = take_turn, .context = &at};
    at.endings = (endings){at.world->table, &at.turn, &at.n_texts};
    at.departing = departing_new(&(departing_options){tokens.loop, 0, at.world->table, &at.n_texts});
    assert_non_null(at.departing);
    at.tokenizerds = tokenizerds_new(&(tokenizerds_options){
        .loop = tokens.loop, .sequences = at.world->table, .endings = &at.endings, .turn = &at.turn,
        .departing = at.departing, .garbage = &tokens.garbage});
    assert_non_null(at.tokenizerds);
    place_make(&at.meeting);
    open_sampling(LONG_MS);
    return 0;
}

static int end(void **state) {
    for (size_t i = 0; i < sizeof at.fakes / sizeof *at.fakes; i++) fake_peer_close(&at.fakes[i]);
    sampling_free(&at.sampling);
    tokenizerds_free(&at.tokenizerds);
    departing_free(&at.departing);
    world_end((void **)&at.world);
    samplers_free(&at.table);
    bool removed = place_remove(&at.meeting);
    return tokens_end(state) == 0 && removed ? 0 : -1;
}

/* ---- asking and drawing ---- */

static void join(size_t i) {
    fake_samplerd_join(&at.fakes[i], tokens.loop, at.meeting.address, "", "rules/1");
}

/* A prompt of two ids and at most three new ones, computed: its row waits. */
static sequence *text_with_row(uint32_t wait_ms) {
    job asked = a_text(at.world, 1, 2, 2);
    asked.from = tokens.links[0];
    asked.wait_ms = wait_ms;
    sequence *s = open_job(at.world, &asked);
    assert_ptr_equal(admit(at.world), s);
    assert_true(compute(at.world, s, 2));
    sampling_send(at.sampling);
    return s;
}

static uint64_t ticket_at(size_t i) {
    return fake_samplerd_hears(&at.fakes[i], tokens.loop)->ticket;
}

static const Trivium__TokensReply *told(Trivium__TokensReply__BodyCase body) {
    const Trivium__TokensReply *m = tokenizerd_hears(&tokens.fakes[0]);
    assert_int_equal(m->body_case, body);
    return m;
}

#define TOLD(body) told(TRIVIUM__TOKENS_REPLY__BODY_##body)

static void is_closed_by_error(Trivium__Code code, const char *word) {
    const Trivium__Closed *closed = TOLD(CLOSED)->closed;
    assert_int_equal(closed->reason, TRIVIUM__CLOSE_REASON__CLOSE_ERROR);
    assert_int_equal(closed->error->code, code);
    if (!strstr(closed->error->message, word)) fail_msg("%s: no %s", closed->error->message, word);
    assert_int_equal(sequences_count(at.world->table), 0);
}

/* ---- what goes well ---- */

static void an_id_is_told_and_taken_and_the_last_one_closes(void **state) {
    (void)state;
    join(0);
    sequence *s = text_with_row(0);
    for (uint32_t i = 0; i < 3; i++) {
        if (i > 0) {
            assert_true(compute(at.world, s, 1));
            sampling_send(at.sampling);
        }
        fake_samplerd_draws(&at.fakes[0], ticket_at(0), 1, 30 + (int32_t)i);
        const Trivium__Token *token = TOLD(TOKEN)->token;
        assert_int_equal(token->step, i);
        assert_int_equal(token->drawn->id, 30 + (int32_t)i);
        assert_string_equal(token->semantics, "rules/1");
        if (i < 2) assert_int_equal(s->state, SEQUENCE_DECODE);
    }
    assert_int_equal(TOLD(CLOSED)->closed->reason, TRIVIUM__CLOSE_REASON__CLOSE_LENGTH);
    assert_int_equal(sequences_count(at.world->table), 0);
    assert_int_equal(sampling_n_drawn(at.sampling), 3);
    assert_int_equal(samplers_first(at.table)->n_steps, 3);
}

/* What a text was opened with, a samplerd gets with its row, and with the next one what it gave back. */
static void a_row_goes_with_all_that_its_text_says(void **state) {
    (void)state;
    join(0);
    job asked = a_text(at.world, 3, 4, 2);
    asked.from = tokens.links[0];
    asked.text.attempt = 6;
    asked.text.seed = 7;
    asked.text.n_candidates = 8;
    asked.text.n_watched = 9;
    asked.text.sampler_state = (const uint8_t *)"mu";
    asked.text.n_sampler_state_bytes = 2;
    asked.text.priority = PRIORITY_MAX;
    asked.traceparent = LATER_TRACEPARENT;
    sequence *s = open_job(at.world, &asked);
    admit(at.world);
    compute(at.world, s, 4);
    sampling_send(at.sampling);
    const Trivium__SampleRequest *r = fake_samplerd_hears(&at.fakes[0], tokens.loop);
    assert_memory_equal(r->request.data, asked.text.request, REQUEST_BYTES);
    assert_true(r->attempt == 6 && r->seed == 7 && r->n_candidates == 8 && r->n_watched == 9);
    assert_true(r->step == 2 && r->n_ids == 4 && r->n_prompt == 2 && r->n_rows == 1);
    assert_int_equal(r->n_vocab, N_VOCAB);
    assert_int_equal(r->strategy->n_steps, 1);
    assert_int_equal(r->priority, PRIORITY_MAX);
    assert_string_equal(r->traceparent, SOME_TRACEPARENT);
    assert_memory_equal(r->state.data, "mu", 2);
    assert_true(r->deadline_ms == LONG_MS && !r->want_probabilities && r->n_given == 0);
    size_t n_bytes = 0;
    fake_peer_raw(&at.fakes[0], 0, &n_bytes);
    assert_int_equal(n_bytes, N_VOCAB * sizeof(float));
    assert_memory_equal(fake_peer_raw(&at.fakes[0], 1, &n_bytes), s->ids, 4 * sizeof *s->ids);
    assert_int_equal(n_bytes, 4 * sizeof *s->ids);
    fake_samplerd_draws(&at.fakes[0], r->ticket, 1, 5); /* the third new id of three */
    TOLD(TOKEN);
    const Trivium__Closed *closed = TOLD(CLOSED)->closed;
    assert_true(closed->queue_ms == 5 && closed->prefill_ms == 4 && closed->n_cached == 0);
}

static void a_score_is_told_when_all_its_rows_are(void **state) {
    (void)state;
    join(0);
    enum { N = SCORE_ROWS + 1 };
    job asked = a_score(at.world, 77, N);
    asked.from = tokens.links[0];
    asked.traceparent = SOME_TRACEPARENT;
    sequence *s = open_job(at.world, &asked);
    assert_ptr_equal(admit(at.world), s);
    for (uint32_t n_rows = SCORE_ROWS; n_rows > 0; n_rows = n_rows == SCORE_ROWS ? 1 : 0) {
        assert_true(compute(at.world, s, n_rows));
        sampling_send(at.sampling);
        const Trivium__SampleRequest *r = fake_samplerd_hears(&at.fakes[0], tokens.loop);
        assert_int_equal(r->n_given, n_rows);
        assert_string_equal(r->traceparent, SOME_TRACEPARENT);
        Trivium__Drawn rows[SCORE_ROWS], *drawn[SCORE_ROWS];
        for (uint32_t i = 0; i < n_rows; i++) {
            trivium__drawn__init(&rows[i]);
            rows[i].id = r->given[i];
            rows[i].logprob = -2;
            drawn[i] = &rows[i];
        }
        Trivium__SampleReply sample = TRIVIUM__SAMPLE_REPLY__INIT;
        Trivium__LogitsReply m = TRIVIUM__LOGITS_REPLY__INIT;
        sample.ticket = r->ticket;
        sample.n_drawn = n_rows;
        sample.drawn = drawn;
        m.body_case = TRIVIUM__LOGITS_REPLY__BODY_SAMPLE;
        m.sample = &sample;
        size_t n_turns = at.n_turns;
        fake_samplerd_says(&at.fakes[0], &m, NULL, 0);
        assert_true(turns_until_count(tokens.loop, &at.n_turns, n_turns + 1));
    }
    assert_int_equal(TOLD(SCORED)->scored->call, 77);
    size_t n_bytes = 0;
    double logprobs[N];
    const void *frame = fake_peer_raw(&tokens.fakes[0], 0, &n_bytes);
    assert_int_equal(n_bytes, sizeof logprobs);
    memcpy(logprobs, frame, sizeof logprobs); /* which may lie anywhere */
    assert_true(logprobs[0] != logprobs[0] && logprobs[1] == -2 && logprobs[N - 1] == -2);
    assert_int_equal(sequences_count(at.world->table), 0);
}

static void a_probe_needs_its_probabilities(void **state) {
    (void)state;
    join(0);
    const float row[] = {1, 2};
    const double probabilities[] = {0.25, 0.75};
    const job asked = {.kind = SEQUENCE_PROBE, .from = tokens.links[0], .pool = "", .probe.call = 5,
                       .probe.row = row, .probe.row_width = 2};
    open_job(at.world, &asked);
    sampling_send(at.sampling);
    fake_samplerd_draws(&at.fakes[0], ticket_at(0), 1, 1); /* without: it is asked again */
    Trivium__Drawn drawn = TRIVIUM__DRAWN__INIT, *list[] = {&drawn};
    Trivium__SampleReply sample = TRIVIUM__SAMPLE_REPLY__INIT;
    Trivium__LogitsReply m = TRIVIUM__LOGITS_REPLY__INIT;
    sample.ticket = ticket_at(0);
    sample.n_drawn = 1;
    sample.drawn = list;
    m.body_case = TRIVIUM__LOGITS_REPLY__BODY_SAMPLE;
    m.sample = &sample;
    drawn.id = 1;
    fake_samplerd_says(&at.fakes[0], &m, &(wire_raw){probabilities, sizeof probabilities}, 1);
    const Trivium__ProbedRow *probed = TOLD(PROBED)->probed;
    assert_true(probed->call == 5 && probed->id == 1);
    size_t n_bytes = 0;
    assert_memory_equal(fake_peer_raw(&tokens.fakes[0], 0, &n_bytes), probabilities, sizeof probabilities);
}

/* ---- what goes wrong ---- */

static void only_the_ticket_that_is_out_counts(void **state) {
    (void)state;
    join(0);
    sequence *s = text_with_row(0);
    uint64_t late = ticket_at(0);
    fake_samplerd_fails(&at.fakes[0], late, TRIVIUM__CODE__TIMEOUT, "not now");
    uint64_t now = ticket_at(0);
    assert_true(now != late);
    size_t n_turns = at.n_turns;
    fake_samplerd_draws(&at.fakes[0], late, 1, 9);
    fake_samplerd_draws(&at.fakes[0], 0, 1, 9);
    fake_samplerd_draws(&at.fakes[0], now + 1000000, 1, 9);
    assert_true(turns_until_count(tokens.loop, &at.n_turns, n_turns + 1));
    join(1); /* it has another's ticket */
    fake_samplerd_draws(&at.fakes[1], now, 1, 9);
    fake_samplerd_draws(&at.fakes[0], now, 1, 10);
    assert_int_equal(TOLD(TOKEN)->token->drawn->id, 10);
    assert_int_equal(sequence_step(s), 1);
}

static void a_step_that_fails_goes_to_another_until_its_tries_are_used_up(void **state) {
    (void)state;
    join(0);
    join(1);
    sequence *s = text_with_row(0);
    for (int try = 0; try < STEP_TRIES_MAX; try++) {
        size_t to = (size_t)try % 2;
        uint64_t ticket = ticket_at(to);
        assert_int_equal(s->sending.n_tries, try);
        if (try % 3 == 0) fake_samplerd_fails(&at.fakes[to], ticket, TRIVIUM__CODE__BUSY, "too busy");
        else fake_samplerd_draws(&at.fakes[to], ticket, 1, N_VOCAB);
    }
    is_closed_by_error(TRIVIUM__CODE__SAMPLER_FAILED, "failed 5 times");
}

static void an_error_that_any_sampler_would_repeat_ends_the_text(void **state) {
    (void)state;
    static const Trivium__Code final[] = {TRIVIUM__CODE__NO_CANDIDATE, TRIVIUM__CODE__BAD_REQUEST,
                                          TRIVIUM__CODE__BAD_ID, TRIVIUM__CODE__TOO_LONG,
                                          TRIVIUM__CODE__UNSUPPORTED};
    join(0);
    for (size_t i = 0; i < sizeof final / sizeof *final; i++) {
        text_with_row(0);
        fake_samplerd_fails(&at.fakes[0], ticket_at(0), final[i], "it cannot be");
        is_closed_by_error(final[i], "it cannot be");
    }
}

static void rows_that_end_every_samplerd_end_their_text(void **state) {
    (void)state;
    join(0);
    sequence *s = text_with_row(0);
    for (uint32_t loss = 0; loss < STEP_LOSSES_MAX; loss++) {
        ticket_at(loss);
        assert_true(s->sending.n_losses == loss && s->sending.n_tries == 0);
        join(loss + 1); /* the next one */
        fake_peer_say_leave(&at.fakes[loss]);
    }
    is_closed_by_error(TRIVIUM__CODE__SAMPLER_FAILED, "were lost while they had step");
}

static void a_samplerd_that_hangs_loses_its_row_to_another(void **state) {
    (void)state;
    sampling_free(&at.sampling);
    open_sampling(SHORT_MS);
    join(0);
    sequence *s = text_with_row(0);
    sampler *hangs = s->sending.sampler;
    uint64_t late = ticket_at(0);
    join(1);
    uint64_t now = ticket_at(1);
    assert_true(now != late && hangs->hanging);
    fake_samplerd_draws(&at.fakes[1], now, 1, 7);
    assert_int_equal(TOLD(TOKEN)->token->drawn->id, 7);
}

static bool drains(void *context) {
    return ((const sampler *)context)->draining;
}

static void draw_next(sequence *s, size_t from, int32_t id) {
    fake_samplerd_draws(&at.fakes[from], ticket_at(from), 1, id);
    assert_int_equal(TOLD(TOKEN)->token->drawn->id, id);
    if (sequences_count(at.world->table) == 0) return;
    assert_true(compute(at.world, s, 1));
    sampling_send(at.sampling);
}

/* The row that it has stays with it, the next ones go to the other; when that is gone they come back. */
static void a_text_moves_from_a_samplerd_that_drains(void **state) {
    (void)state;
    join(0);
    sequence *s = text_with_row(LONG_MS);
    join(1);
    fake_peer_say_draining(&at.fakes[0]);
    assert_true(turns_until(tokens.loop, drains, samplers_first(at.table)));
    draw_next(s, 0, 30);
    assert_true(fake_peer_hears(&at.fakes[0], tokens.loop, FAKE_BODY));    /* nobody needs it: it may leave */
    assert_int_equal(((const Trivium__LogitsRequest *)at.fakes[0].header)->body_case, TRIVIUM__LOGITS_REQUEST__BODY_RELEASED);
    draw_next(s, 1, 31);
    draw_next(s, 1, 32);
    assert_int_equal(TOLD(CLOSED)->closed->reason, TRIVIUM__CLOSE_REASON__CLOSE_LENGTH);
}

static void nobody_to_draw_is_an_error_when_wait_ms_is_over(void **state) {
    (void)state;
    text_with_row(SHORT_MS);
    is_closed_by_error(TRIVIUM__CODE__NO_SAMPLERD, at.meeting.address);
}

int main(void) {
#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(an_id_is_told_and_taken_and_the_last_one_closes),
        TEST(a_row_goes_with_all_that_its_text_says),
        TEST(a_score_is_told_when_all_its_rows_are),
        TEST(a_probe_needs_its_probabilities),
        TEST(only_the_ticket_that_is_out_counts),
        TEST(a_step_that_fails_goes_to_another_until_its_tries_are_used_up),
        TEST(an_error_that_any_sampler_would_repeat_ends_the_text),
        TEST(rows_that_end_every_samplerd_end_their_text),
        TEST(a_samplerd_that_hangs_loses_its_row_to_another),
        TEST(a_text_moves_from_a_samplerd_that_drains),
        TEST(nobody_to_draw_is_an_error_when_wait_ms_is_over),
    };
    return cmocka_run_group_tests(tests, vocabulary_model_open, vocabulary_model_close);
}
