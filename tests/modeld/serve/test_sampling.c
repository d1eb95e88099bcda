/* Rows at samplerds, from end to end of modeld's two links: a fake tokenizerd asked, fake samplerds draw, and
 * the test computes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/link/turns.h"
#include "tests/support/modeld/sampling_scene.h"
#include "tests/support/traceparents.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

/* ---- what goes well ---- */

static void an_id_is_told_and_taken_and_the_last_one_closes(void **state) {
    (void)state;
    drawing_join(0);
    sequence *s = drawing_text(0);
    for (uint32_t i = 0; i < 3; i++) {
        if (i > 0) {
            assert_true(compute(drawing.world, s, 1));
            sampling_send(drawing.sampling);
        }
        fake_samplerd_draws(&drawing.fakes[0], drawing_ticket(0), 1, 30 + (int32_t)i);
        const Trivium__Token *token = TOLD(TOKEN)->token;
        assert_int_equal(token->step, i);
        assert_int_equal(token->drawn->id, 30 + (int32_t)i);
        assert_string_equal(token->semantics, "rules/1");
        if (i < 2) assert_int_equal(s->state, SEQUENCE_DECODE);
    }
    assert_int_equal(TOLD(CLOSED)->closed->reason, TRIVIUM__CLOSE_REASON__CLOSE_LENGTH);
    assert_int_equal(sequences_count(drawing.world->table), 0);
    assert_int_equal(sampling_n_drawn(drawing.sampling), 3);
    assert_int_equal(samplers_first(drawing.table)->n_steps, 3);
}

/* What a text was opened with, a samplerd gets with its row, and with the next one what it gave back. */
static void a_row_goes_with_all_that_its_text_says(void **state) {
    (void)state;
    drawing_join(0);
    job asked = a_text(drawing.world, 3, 4, 2);
    asked.from = tokens.links[0];
    asked.text.attempt = 6;
    asked.text.seed = 7;
    asked.text.n_candidates = 8;
    asked.text.n_watched = 9;
    asked.text.sampler_state = (const uint8_t *)"mu";
    asked.text.n_sampler_state_bytes = 2;
    asked.text.priority = PRIORITY_MAX;
    asked.traceparent = LATER_TRACEPARENT;
    sequence *s = open_job(drawing.world, &asked);
    admit(drawing.world);
    compute(drawing.world, s, 4);
    sampling_send(drawing.sampling);
    const Trivium__SampleRequest *r = fake_samplerd_hears(&drawing.fakes[0], tokens.loop);
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
    fake_peer_raw(&drawing.fakes[0], 0, &n_bytes);
    assert_int_equal(n_bytes, N_VOCAB * sizeof(float));
    assert_memory_equal(fake_peer_raw(&drawing.fakes[0], 1, &n_bytes), s->ids, 4 * sizeof *s->ids);
    assert_int_equal(n_bytes, 4 * sizeof *s->ids);
    fake_samplerd_draws(&drawing.fakes[0], r->ticket, 1, 5); /* the third new id of three */
    TOLD(TOKEN);
    const Trivium__Closed *closed = TOLD(CLOSED)->closed;
    assert_true(closed->queue_ms == 5 && closed->prefill_ms == 4 && closed->n_cached == 0);
}

static void a_score_is_told_when_all_its_rows_are(void **state) {
    (void)state;
    drawing_join(0);
    enum { N = SCORE_ROWS + 1 };
    job asked = a_score(drawing.world, 77, N);
    asked.from = tokens.links[0];
    asked.traceparent = SOME_TRACEPARENT;
    sequence *s = open_job(drawing.world, &asked);
    assert_ptr_equal(admit(drawing.world), s);
    for (uint32_t n_rows = SCORE_ROWS; n_rows > 0; n_rows = n_rows == SCORE_ROWS ? 1 : 0) {
        assert_true(compute(drawing.world, s, n_rows));
        sampling_send(drawing.sampling);
        const Trivium__SampleRequest *r = fake_samplerd_hears(&drawing.fakes[0], tokens.loop);
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
        size_t n_turns = drawing.n_turns;
        fake_samplerd_says(&drawing.fakes[0], &m, NULL, 0);
        assert_true(turns_until_count(tokens.loop, &drawing.n_turns, n_turns + 1));
    }
    assert_int_equal(TOLD(SCORED)->scored->call, 77);
    size_t n_bytes = 0;
    double logprobs[N];
    const void *frame = fake_peer_raw(&tokens.fakes[0], 0, &n_bytes);
    assert_int_equal(n_bytes, sizeof logprobs);
    memcpy(logprobs, frame, sizeof logprobs); /* which may lie anywhere */
    assert_true(logprobs[0] != logprobs[0] && logprobs[1] == -2 && logprobs[N - 1] == -2);
    assert_int_equal(sequences_count(drawing.world->table), 0);
}

static void a_probe_needs_its_probabilities(void **state) {
    (void)state;
    drawing_join(0);
    const float row[] = {1, 2};
    const double probabilities[] = {0.25, 0.75};
    const job asked = {.kind = SEQUENCE_PROBE, .from = tokens.links[0], .pool = "", .probe.call = 5,
                       .probe.row = row, .probe.row_width = 2};
    open_job(drawing.world, &asked);
    sampling_send(drawing.sampling);
    fake_samplerd_draws(&drawing.fakes[0], drawing_ticket(0), 1, 1); /* without: it is asked again */
    Trivium__Drawn drawn = TRIVIUM__DRAWN__INIT, *list[] = {&drawn};
    Trivium__SampleReply sample = TRIVIUM__SAMPLE_REPLY__INIT;
    Trivium__LogitsReply m = TRIVIUM__LOGITS_REPLY__INIT;
    sample.ticket = drawing_ticket(0);
    sample.n_drawn = 1;
    sample.drawn = list;
    m.body_case = TRIVIUM__LOGITS_REPLY__BODY_SAMPLE;
    m.sample = &sample;
    drawn.id = 1;
    fake_samplerd_says(&drawing.fakes[0], &m, &(wire_raw){probabilities, sizeof probabilities}, 1);
    const Trivium__ProbedRow *probed = TOLD(PROBED)->probed;
    assert_true(probed->call == 5 && probed->id == 1);
    size_t n_bytes = 0;
    assert_memory_equal(fake_peer_raw(&tokens.fakes[0], 0, &n_bytes), probabilities, sizeof probabilities);
}

/* ---- what goes wrong ---- */

static void only_the_ticket_that_is_out_counts(void **state) {
    (void)state;
    drawing_join(0);
    sequence *s = drawing_text(0);
    uint64_t late = drawing_ticket(0);
    fake_samplerd_fails(&drawing.fakes[0], late, TRIVIUM__CODE__TIMEOUT, "not now");
    uint64_t now = drawing_ticket(0);
    assert_true(now != late);
    size_t n_turns = drawing.n_turns;
    fake_samplerd_draws(&drawing.fakes[0], late, 1, 9);
    fake_samplerd_draws(&drawing.fakes[0], 0, 1, 9);
    fake_samplerd_draws(&drawing.fakes[0], now + 1000000, 1, 9);
    assert_true(turns_until_count(tokens.loop, &drawing.n_turns, n_turns + 1));
    drawing_join(1); /* it has another's ticket */
    fake_samplerd_draws(&drawing.fakes[1], now, 1, 9);
    fake_samplerd_draws(&drawing.fakes[0], now, 1, 10);
    assert_int_equal(TOLD(TOKEN)->token->drawn->id, 10);
    assert_int_equal(sequence_step(s), 1);
}

static void a_step_that_fails_goes_to_another_until_its_tries_are_used_up(void **state) {
    (void)state;
    drawing_join(0);
    drawing_join(1);
    sequence *s = drawing_text(0);
    for (int try = 0; try < STEP_TRIES_MAX; try++) {
        size_t to = (size_t)try % 2;
        uint64_t ticket = drawing_ticket(to);
        assert_int_equal(s->sending.n_tries, try);
        if (try % 3 == 0) fake_samplerd_fails(&drawing.fakes[to], ticket, TRIVIUM__CODE__BUSY, "too busy");
        else fake_samplerd_draws(&drawing.fakes[to], ticket, 1, N_VOCAB);
    }
    drawing_closed_by_error(TRIVIUM__CODE__SAMPLER_FAILED, "failed 5 times");
}

static void an_error_that_any_sampler_would_repeat_ends_the_text(void **state) {
    (void)state;
    static const Trivium__Code final[] = {TRIVIUM__CODE__NO_CANDIDATE, TRIVIUM__CODE__BAD_REQUEST,
                                          TRIVIUM__CODE__BAD_ID, TRIVIUM__CODE__TOO_LONG,
                                          TRIVIUM__CODE__UNSUPPORTED};
    drawing_join(0);
    for (size_t i = 0; i < sizeof final / sizeof *final; i++) {
        drawing_text(0);
        fake_samplerd_fails(&drawing.fakes[0], drawing_ticket(0), final[i], "it cannot be");
        drawing_closed_by_error(final[i], "it cannot be");
    }
}

static void rows_that_end_every_samplerd_end_their_text(void **state) {
    (void)state;
    drawing_join(0);
    sequence *s = drawing_text(0);
    for (uint32_t loss = 0; loss < STEP_LOSSES_MAX; loss++) {
        drawing_ticket(loss);
        assert_true(s->sending.n_losses == loss && s->sending.n_tries == 0);
        drawing_join(loss + 1); /* the next one */
        fake_peer_say_leave(&drawing.fakes[loss]);
    }
    drawing_closed_by_error(TRIVIUM__CODE__SAMPLER_FAILED, "were lost while they had step");
}

static void a_samplerd_that_hangs_loses_its_row_to_another(void **state) {
    (void)state;
    sampling_free(&drawing.sampling);
    drawing_open(SHORT_MS);
    drawing_join(0);
    sequence *s = drawing_text(0);
    sampler *hangs = s->sending.sampler;
    uint64_t late = drawing_ticket(0);
    drawing_join(1);
    uint64_t now = drawing_ticket(1);
    assert_true(now != late && hangs->hanging);
    fake_samplerd_draws(&drawing.fakes[1], now, 1, 7);
    assert_int_equal(TOLD(TOKEN)->token->drawn->id, 7);
}

static bool drains(void *context) {
    return ((const sampler *)context)->draining;
}

static void draw_next(sequence *s, size_t from, int32_t id) {
    fake_samplerd_draws(&drawing.fakes[from], drawing_ticket(from), 1, id);
    assert_int_equal(TOLD(TOKEN)->token->drawn->id, id);
    if (sequences_count(drawing.world->table) == 0) return;
    assert_true(compute(drawing.world, s, 1));
    sampling_send(drawing.sampling);
}

/* The row that it has stays with it, the next ones go to the other; when that is gone they come back. */
static void a_text_moves_from_a_samplerd_that_drains(void **state) {
    (void)state;
    drawing_join(0);
    sequence *s = drawing_text(LONG_MS);
    drawing_join(1);
    fake_peer_say_draining(&drawing.fakes[0]);
    assert_true(turns_until(tokens.loop, drains, samplers_first(drawing.table)));
    draw_next(s, 0, 30);
    assert_true(fake_peer_hears(&drawing.fakes[0], tokens.loop, FAKE_BODY));    /* nobody needs it: it may leave */
    const Trivium__LogitsRequest *heard = (const Trivium__LogitsRequest *)drawing.fakes[0].header;
    assert_int_equal(heard->body_case, TRIVIUM__LOGITS_REQUEST__BODY_RELEASED);
    draw_next(s, 1, 31);
    draw_next(s, 1, 32);
    assert_int_equal(TOLD(CLOSED)->closed->reason, TRIVIUM__CLOSE_REASON__CLOSE_LENGTH);
}

static void nobody_to_draw_is_an_error_when_wait_ms_is_over(void **state) {
    (void)state;
    drawing_text(SHORT_MS);
    drawing_closed_by_error(TRIVIUM__CODE__NO_SAMPLERD, drawing.meeting.address);
}

int main(void) {
#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, drawing_begin, drawing_end)
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
