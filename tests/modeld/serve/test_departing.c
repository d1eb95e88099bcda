/* Ends that are asked of a modeld: its own, and those of its samplerds. Each that is awaited is told when it is over, or why
 * it cannot be; those who are to draw in the end hang, or are lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/support/link/turns.h"
#include "tests/support/modeld/sampling_scene.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

enum { CALL = 5, LATER = 1000 };

static void orders_own(uint64_t call) {
    departing_order(drawing.departing, tokens.links[0], &(drain_worker){.call = call});
}

static void orders(const char *samplerd, uint64_t call) {
    departing_order(drawing.departing, tokens.links[0], &(drain_worker){call, true, samplerd, 0, ""});
}

static void is_refused(uint64_t call, Trivium__Code code, const char *sentence) {
    const Trivium__CallFailed *failed = TOLD(FAILED)->failed;
    assert_true(failed->call == call);
    assert_int_equal(failed->error->code, code);
    assert_string_equal(failed->error->message, sentence);
}

/* Nothing was told before this. */
static void nothing_was_told(void) {
    orders("nobody", LATER);
    is_refused(LATER, TRIVIUM__CODE__NOT_FOUND, "no samplerd nobody is here");
}

static void is_drained(uint64_t call, uint32_t n_texts, uint32_t n_left) {
    const Trivium__WorkerDrained *drained = TOLD(DRAINED)->drained;
    assert_true(drained->call == call);
    assert_int_equal(drained->n_texts, n_texts);
    assert_int_equal(drained->n_left, n_left);
}

static void hears(size_t i, Trivium__LogitsRequest__BodyCase body) {
    assert_true(fake_peer_hears(&drawing.fakes[i], tokens.loop, FAKE_BODY));
    assert_int_equal(((const Trivium__LogitsRequest *)drawing.fakes[i].header)->body_case, body);
}

#define HEARS(i, body) hears((i), TRIVIUM__LOGITS_REQUEST__BODY_##body)

/* ---- its own ---- */

static void whoever_asked_is_told_at_its_end(void **state) {
    (void)state;
    drawing_join(0);
    drawing.n_texts = 3;                /* before */
    drawing_text(LONG_MS);
    orders_own(CALL);
    orders_own(CALL + 1);               /* both hear of it */
    assert_true(fake_peer_hears(&drawing.fakes[0], tokens.loop, TRIVIUM__CONTROL__WORD_DRAINING));
    drawing.n_texts = 5;
    departing_end(drawing.departing);
    is_drained(CALL, 2, 1);
    is_drained(CALL + 1, 2, 1);
}

static void whoever_does_not_wait_is_told_nothing(void **state) {
    (void)state;
    drawing_text(LONG_MS);
    orders_own(CALL);
    departing_cancel(drawing.departing, tokens.links[0], CALL + 1);     /* another one */
    departing_cancel(drawing.departing, NULL, CALL);                    /* another one's */
    departing_cancel(drawing.departing, tokens.links[0], CALL);
    orders_own(CALL + 1);
    departing_forget(drawing.departing, tokens.links[0]);
    departing_end(drawing.departing);
    nothing_was_told();
}

/* ---- a samplerd's ---- */

static void one_that_leaves_has_drained(void **state) {
    (void)state;
    drawing_join(0);
    orders("fake", CALL);
    HEARS(0, DRAIN);
    HEARS(0, RELEASED);
    fake_peer_say_draining(&drawing.fakes[0]);
    fake_peer_say_leave(&drawing.fakes[0]);
    is_drained(CALL, 0, 0);
    drawing_join(1);
    orders("fake", CALL + 1);
    fake_peer_say_leave(&drawing.fakes[1]);     /* without patience it just leaves */
    is_drained(CALL + 1, 0, 0);
}

/* Nothing is lost with it. */
static void so_has_one_that_ends_while_it_drains(void **state) {
    (void)state;
    drawing_join(0);
    orders("fake", CALL);
    HEARS(0, DRAIN);
    HEARS(0, RELEASED);
    const size_t n_turns = drawing.n_turns;
    fake_peer_say_draining(&drawing.fakes[0]);
    assert_true(turns_until_count(tokens.loop, &drawing.n_turns, n_turns + 1));     /* it is heard */
    fake_peer_close(&drawing.fakes[0]);
    is_drained(CALL, 0, 0);
}

static void one_that_is_lost_before_has_not(void **state) {
    (void)state;
    drawing_join(0);
    orders("fake", CALL);
    fake_peer_close(&drawing.fakes[0]);
    is_refused(CALL, TRIVIUM__CODE__IO, "fake was lost before it had drained; what it had goes to another one");
}

static void one_that_is_not_known_is_told(void **state) {
    (void)state;
    drawing_join(0);
    drawing_join(1);
    orders("other", CALL);
    is_refused(CALL, TRIVIUM__CODE__NOT_FOUND, "no samplerd other is here");
    orders("fake", CALL);
    is_refused(CALL, TRIVIUM__CODE__BAD_REQUEST, "there are several samplerds fake: name one by its pid and host");
}

/* Alone it is to draw all the same, and its text fails with the sentence about it. */
static void a_text_of_one_that_hangs_is_told_which(void **state) {
    (void)state;
    sampling_free(&drawing.sampling);
    drawing_open(SHORT_MS);
    drawing_join(0);
    drawing_text(0);
    orders("fake", CALL);
    drawing_ticket(0);
    HEARS(0, DRAIN);
    drawing_closed_by_error(TRIVIUM__CODE__SAMPLER_FAILED, "the last one: fake did not answer within 30 ms");
}

/* ---- how many ---- */

static void all_room_is_taken(void) {
    drawing_join(0);
    for (uint64_t call = 1; call <= DRAINS_MAX; call++) orders("fake", call);
}

static void one_that_is_given_up_makes_room(void **state) {
    (void)state;
    all_room_is_taken();
    orders("fake", CALL + LATER);
    is_refused(CALL + LATER, TRIVIUM__CODE__BUSY, "16 ends are waited for already");
    departing_cancel(drawing.departing, tokens.links[0], CALL);
    orders("fake", CALL + LATER);
    fake_peer_say_leave(&drawing.fakes[0]);
    bool is_told = false;
    for (size_t i = 0; i < DRAINS_MAX; i++) {
        const uint64_t call = TOLD(DRAINED)->drained->call;
        assert_true(call != CALL);
        is_told = is_told || call == CALL + LATER;
    }
    assert_true(is_told);
    nothing_was_told();
}

/* Another modeld has its name: that one would never end. */
static void whoever_awaits_nothing_needs_no_room(void **state) {
    (void)state;
    drawing_text(LONG_MS);
    all_room_is_taken();
    orders_own(0);
    assert_true(fake_peer_hears(&drawing.fakes[0], tokens.loop, TRIVIUM__CONTROL__WORD_DRAINING));
    departing_end(drawing.departing);
    orders("fake", LATER);              /* the first word about any */
    is_refused(LATER, TRIVIUM__CODE__BUSY, "16 ends are waited for already");
}

int main(void) {
#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, drawing_begin, drawing_end)
    const struct CMUnitTest tests[] = {
        TEST(whoever_asked_is_told_at_its_end),
        TEST(whoever_does_not_wait_is_told_nothing),
        TEST(one_that_leaves_has_drained),
        TEST(so_has_one_that_ends_while_it_drains),
        TEST(one_that_is_lost_before_has_not),
        TEST(one_that_is_not_known_is_told),
        TEST(a_text_of_one_that_hangs_is_told_which),
        TEST(one_that_is_given_up_makes_room),
        TEST(whoever_awaits_nothing_needs_no_room),
    };
    return cmocka_run_group_tests(tests, vocabulary_model_open, vocabulary_model_close);
}
