/* sample_answer.h: an answer of a samplerd is taken only if it answers what was asked. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "modeld/links/sample_answer.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

enum { WIDTH = 4, ROWS = 2 };

/* A reply with a candidate in each row, that nothing is wrong with, to be made wrong. */
typedef struct answer_case {
    Trivium__SampleReply reply;
    Trivium__Drawn rows[ROWS], *drawn[ROWS];
    Trivium__Candidate candidates[ROWS], *lists[ROWS][1];
    double probabilities[WIDTH];
    wire_message message;
    sample_answer answer;
    sample_expected expected;
    int32_t given[ROWS];
} answer_case;

static answer_case the_case;

static answer_case *good(uint32_t n_rows) {
    answer_case *c = &the_case;
    *c = (answer_case){.reply = TRIVIUM__SAMPLE_REPLY__INIT};
    for (uint32_t i = 0; i < ROWS; i++) {
        trivium__drawn__init(&c->rows[i]);
        trivium__candidate__init(&c->candidates[i]);
        c->candidates[i].id = WIDTH - 1;
        c->lists[i][0] = &c->candidates[i];
        c->rows[i].id = (int32_t)i;
        c->rows[i].logprob = -1.5 - i;
        c->rows[i].n_candidates = 1;
        c->rows[i].candidates = c->lists[i];
        c->drawn[i] = &c->rows[i];
        c->given[i] = (int32_t)i;
    }
    c->reply.ticket = 99;
    c->reply.n_drawn = n_rows;
    c->reply.drawn = c->drawn;
    c->message.n_raw = 1;
    c->message.raw[0] = (wire_raw){c->probabilities, sizeof c->probabilities};
    c->answer = (sample_answer){&c->reply, &c->message};
    c->expected = (sample_expected){.n_rows = n_rows, .row_width = WIDTH};
    return c;
}

static void has_fault(const answer_case *c, const char *word) {
    const char *fault = sample_answer_fault(&c->answer, &c->expected);
    if (!fault || !strstr(fault, word)) fail_msg("%s: not about %s", fault ? fault : "no fault", word);
}

static void has_none(const answer_case *c) {
    const char *fault = sample_answer_fault(&c->answer, &c->expected);
    if (fault) fail_msg("%s", fault);
}

static void a_good_one_says_all_that_it_has(void **state) {
    (void)state;
    answer_case *c = good(ROWS);
    c->rows[0].state = (ProtobufCBinaryData){2, (uint8_t *)"mu"};
    c->reply.sample_ms = 2.5;
    has_none(c);
    size_t n_bytes = 0;
    assert_int_equal(sample_answer_ticket(&c->answer), 99);
    assert_int_equal(sample_answer_id(&c->answer), 0);
    assert_true(sample_answer_logprob(&c->answer, 1) == -2.5);
    assert_memory_equal(sample_answer_state(&c->answer, &n_bytes), "mu", 2);
    assert_int_equal(n_bytes, 2);
    assert_ptr_equal(sample_answer_probabilities(&c->answer, WIDTH), c->probabilities);
    assert_true(sample_answer_ms(&c->answer) == 2.5);
    assert_ptr_equal(sample_answer_first(&c->answer), &c->rows[0]);
    assert_ptr_equal(sample_answer_last(&c->answer), &c->rows[1]);
    failure f;
    assert_false(sample_answer_failed(&c->answer, &f));
}

/* Times are shown and added up: neither negative ones nor what is no number. */
static void a_time_that_cannot_be_is_none(void **state) {
    (void)state;
    answer_case *c = good(1);
    c->reply.sample_ms = -1;
    assert_true(sample_answer_ms(&c->answer) == 0);
    c->reply.sample_ms = NAN;
    assert_true(sample_answer_ms(&c->answer) == 0);
}

static void each_row_has_its_answer(void **state) {
    (void)state;
    answer_case *c = good(1);
    c->reply.n_drawn = 0;
    has_fault(c, "number of rows");
    c->reply.n_drawn = 2;
    has_fault(c, "number of rows");
}

static void what_is_drawn_is_an_id_with_a_number(void **state) {
    (void)state;
    answer_case *c = good(ROWS);
    c->rows[1].id = WIDTH;
    has_fault(c, "outside the vocabulary");
    c->rows[1].id = -1;
    has_fault(c, "outside the vocabulary");
    c->rows[1].id = WIDTH - 1;
    has_none(c);
    c->rows[1].logprob = NAN;
    has_fault(c, "not a number");
    c->rows[1].logprob = -INFINITY;
    has_none(c);
}

static void what_is_scored_is_the_id_that_was_given(void **state) {
    (void)state;
    answer_case *c = good(ROWS);
    c->expected.given = c->given;
    has_none(c);
    c->rows[1].id = 0;
    has_fault(c, "another id");
    c->rows[1].id = 1;
    c->rows[1].logprob = NAN;
    has_fault(c, "not a number");
    c->given[1] = -1; /* the last row of all has none: its id and number say nothing */
    c->rows[1].id = WIDTH + 5;
    has_none(c);
}

static void a_state_has_a_bound(void **state) {
    (void)state;
    static uint8_t bytes[STATE_BYTES_MAX + 1];
    answer_case *c = good(1);
    c->rows[0].state = (ProtobufCBinaryData){STATE_BYTES_MAX, bytes};
    has_none(c);
    c->rows[0].state.len++;
    has_fault(c, "state is too long");
}

static void candidates_are_ids_with_numbers_and_have_a_bound(void **state) {
    (void)state;
    static Trivium__Candidate *many[CANDIDATES_MAX + 1];
    answer_case *c = good(ROWS);
    c->candidates[1].id = WIDTH;
    has_fault(c, "makes no sense");
    c->candidates[1].id = -1;
    has_fault(c, "makes no sense");
    c->candidates[1].id = 0;
    c->candidates[1].logprob = NAN;
    has_fault(c, "makes no sense");
    c->candidates[1].logprob = 0;
    for (size_t i = 0; i <= CANDIDATES_MAX; i++) many[i] = &c->candidates[1];
    c->rows[1].candidates = many;
    c->rows[1].n_candidates = CANDIDATES_MAX;
    has_none(c);
    c->rows[1].n_candidates++;
    has_fault(c, "too many");
}

static void probabilities_are_those_of_the_whole_row(void **state) {
    (void)state;
    answer_case *c = good(1);
    c->expected.with_probabilities = true;
    has_none(c);
    c->message.raw[0].n_bytes--;
    has_fault(c, "probabilities");
    c->message.raw[0].n_bytes -= 7;
    has_fault(c, "probabilities");
    c->message.n_raw = 0;
    has_fault(c, "probabilities");
    c->expected.with_probabilities = false;
    has_none(c);
}

static void an_error_is_a_failure_with_its_words(void **state) {
    (void)state;
    answer_case *c = good(1);
    Trivium__Error error = TRIVIUM__ERROR__INIT;
    error.code = TRIVIUM__CODE__NO_CANDIDATE;
    error.message = (char *)"nothing is left";
    c->reply.error = &error;
    failure f;
    assert_true(sample_answer_failed(&c->answer, &f));
    assert_int_equal(f.code, STATUS_NO_CANDIDATE);
    assert_string_equal(f.message, "nothing is left");
    error.code = (Trivium__Code)9999;
    assert_true(sample_answer_failed(&c->answer, &f));
    assert_int_equal(f.code, STATUS_BAD_MESSAGE);
}

static void a_glimpse_is_passed_on_only_if_it_is_sound(void **state) {
    (void)state;
    answer_case *c = good(1);
    Trivium__Glimpse g = TRIVIUM__GLIMPSE__INIT;
    g.request = (ProtobufCBinaryData){REQUEST_BYTES, (uint8_t *)"0123456789abcdef"};
    assert_false(sample_trace_is_sound(&g, WIDTH)); /* of nothing */
    g.drawn = &c->rows[0];
    assert_true(sample_trace_is_sound(&g, WIDTH));
    g.request.len--;
    assert_false(sample_trace_is_sound(&g, WIDTH));
    g.request.len++;
    c->rows[0].id = WIDTH;
    assert_false(sample_trace_is_sound(&g, WIDTH));
    c->rows[0].id = 0;
    c->rows[0].logprob = NAN;
    assert_false(sample_trace_is_sound(&g, WIDTH));
    c->rows[0].logprob = 0;
    c->candidates[0].id = -1;
    assert_false(sample_trace_is_sound(&g, WIDTH));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_one_says_all_that_it_has),
        cmocka_unit_test(a_time_that_cannot_be_is_none),
        cmocka_unit_test(each_row_has_its_answer),
        cmocka_unit_test(what_is_drawn_is_an_id_with_a_number),
        cmocka_unit_test(what_is_scored_is_the_id_that_was_given),
        cmocka_unit_test(a_state_has_a_bound),
        cmocka_unit_test(candidates_are_ids_with_numbers_and_have_a_bound),
        cmocka_unit_test(probabilities_are_those_of_the_whole_row),
        cmocka_unit_test(an_error_is_a_failure_with_its_words),
        cmocka_unit_test(a_glimpse_is_passed_on_only_if_it_is_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
