/* answering.h and rendering.h: each call gets exactly one answer, whatever becomes of the modelds that it is sent
 * to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/base/limits.h"
#include "tests/support/modeld/wire_chain.h"
#include "tests/support/tokenizerd/service_scene.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { CALL = 5 };

static asker *const first = &tokenizerd.modelds[0], *const second = &tokenizerd.modelds[1];
static const int32_t three_ids[] = {'a' + SCENE_BYTE, 'b' + SCENE_BYTE, 'c' + SCENE_BYTE};
static const wire_raw three = {three_ids, sizeof three_ids};
static const double three_numbers[] = {0, -1, -2};
static const float logits[] = {1, 2, 3};

/* ---- what is asked ---- */

static void asks_to_score(uint32_t n_top) {
    Trivium__Score score = TRIVIUM__SCORE__INIT;
    score.call = CALL;
    score.has_ids = true;
    score.n_top = n_top;
    score.model = "m";
    client_says(ASK(SCORE, score, &score), &three, 1);
}

static void asks_to_probe_in(uint64_t number, const char *pool) {
    Trivium__Probe probe = TRIVIUM__PROBE__INIT;
    probe.call = number;
    probe.model = "m";
    probe.pool = (char *)pool;
    probe.strategy = wire_temperature(1);
    const wire_raw raw[] = {{logits, sizeof logits}, {NULL, 0}};
    client_says(ASK(PROBE, probe, &probe), raw, 2);
}

static void asks_to_probe(void) {
    asks_to_probe_in(CALL, "");
}

static void asks_for_room(size_t n_messages, uint32_t n_ids_max, uint32_t n_reply) {
    assert_in_range(n_messages, 1, WIRE_MESSAGES_MAX);
    Trivium__Render render = TRIVIUM__RENDER__INIT;
    render.call = CALL;
    render.model = "m";
    render.template_ = "plain";
    render.messages = wire_conversation(n_messages);
    render.n_messages = n_messages;
    render.n_ids_max = n_ids_max;
    render.n_reply = n_reply;
    client_says(ASK(RENDER, render, &render), &(wire_raw){"Hi!Hi!Hi!Hi!Hi!Hi!Hi!Hi!", 3 * n_messages}, 1);
}

static void asks_to_render(size_t n_messages, uint32_t n_ids_max) {
    asks_for_room(n_messages, n_ids_max, 0);
}

/* ---- what modelds answer, and what the client hears ---- */

static uint64_t is_asked_to_score(asker *modeld) {
    uint64_t number = ASKED(modeld, SCORE)->score->call;
    assert_string_equal(heard_as_text(modeld), "abc");
    return number;
}

static void scores(asker *modeld, uint64_t number, size_t n_numbers, int32_t top_id) {
    Trivium__Candidate one = TRIVIUM__CANDIDATE__INIT, *list[] = {&one};
    Trivium__ScoredIds scored = TRIVIUM__SCORED_IDS__INIT;
    one.id = top_id;
    scored.call = number;
    scored.top = list;
    scored.n_top = 1;
    const wire_raw raw = {three_numbers, n_numbers * sizeof *three_numbers};
    modeld_says(modeld, REPLY(SCORED, scored, &scored), &raw, 1);
}

static void fails_with(Trivium__Code code, const char *sentence) {
    const Trivium__Failed *failed = TOLD(FAILED)->failed;
    assert_int_equal(failed->call, CALL);
    assert_int_equal(failed->error->code, code);
    assert_non_null(strstr(failed->error->message, sentence));
}

/* ---- tokenizerd's own answers ---- */

static void texts_become_ids_when_their_model_is_here(void **state) {
    (void)state;
    Trivium__Tokenize tokenize = TRIVIUM__TOKENIZE__INIT;
    tokenize.call = CALL;
    client_says(ASK(TOKENIZE, tokenize, &tokenize), &(wire_raw){"abc", 3}, 1);     /* of the default model */
    assert_true(asker_is_silent(&tokenizerd.client));
    modeld_joins(first);
    assert_int_equal(TOLD(TOKENIZED)->tokenized->call, CALL);
    assert_string_equal(heard_as_text(&tokenizerd.client), "abc");
    Trivium__Detokenize detokenize = TRIVIUM__DETOKENIZE__INIT;
    detokenize.call = CALL;
    detokenize.model = "m";
    client_says(ASK(DETOKENIZE, detokenize, &detokenize), &three, 1);
    assert_int_equal(TOLD(DETOKENIZED)->detokenized->call, CALL);
    size_t n_bytes;
    const void *text = fake_peer_raw(&tokenizerd.client.peer, 0, &n_bytes);
    assert_int_equal(n_bytes, 3);
    assert_memory_equal(text, "abc", 3);
    client_says(ASK(DETOKENIZE, detokenize, &detokenize), &(wire_raw){(int32_t[]){100000}, 4}, 1);
    fails_with(TRIVIUM__CODE__BAD_ID, "outside the vocabulary of 'm'");
}

static void nobody_is_waited_for_longer_than_asked(void **state) {
    (void)state;
    Trivium__Detokenize detokenize = TRIVIUM__DETOKENIZE__INIT;
    detokenize.call = CALL;
    detokenize.model = "m";
    detokenize.wait_ms = 1;
    client_says(ASK(DETOKENIZE, detokenize, &detokenize), &three, 1);
    fails_with(TRIVIUM__CODE__NO_MODELD, "no modeld of 'm' is here");
}

static void ids_are_of_the_model_that_is_meant(void **state) {
    (void)state;
    Trivium__Detokenize detokenize = TRIVIUM__DETOKENIZE__INIT;
    detokenize.call = CALL;
    detokenize.model = "m";
    detokenize.fingerprint = "f";
    client_says(ASK(DETOKENIZE, detokenize, &detokenize), &three, 1);
    assert_true(asker_is_silent(&tokenizerd.client));       /* it may come back */
    modeld_joins(first);
    assert_int_equal(TOLD(DETOKENIZED)->detokenized->call, CALL);
    detokenize.fingerprint = "g";
    detokenize.wait_ms = WAIT_MS_MAX;
    client_says(ASK(DETOKENIZE, detokenize, &detokenize), &three, 1);
    fails_with(TRIVIUM__CODE__UNKNOWN_MODEL, "the model 'm' whose ids these are is gone: another one has its name now");
}

static void is_told_to_wait(const char *sentence) {
    const Trivium__Waiting *waiting = TOLD(WAITING)->waiting;
    assert_int_equal(waiting->call, CALL);
    assert_int_equal(waiting->request.len, 0);
    assert_string_equal(waiting->message, sentence);
}

static void whoever_waits_is_told_for_what(void **state) {
    (void)state;
    tokenizerd.hears_waits = true;
    asks_to_score(0);
    is_told_to_wait("waiting for a modeld of 'm', for up to 10 s; none is here");
    modeld_joins(first);
    is_asked_to_score(first);
    modeld_reports(first, NULL);
    is_told_to_wait("waiting for a samplerd at the modeld of 'm', for up to 10 s");
    modeld_leaves(first);
    is_told_to_wait("waiting for a modeld of 'm', which is gone, for up to 10 s");
}

/* One is asked for by no name and has its own where it joined. */
static void a_samplerd_of_the_default_pool_is_not_missing(void **state) {
    (void)state;
    tokenizerd.hears_waits = true;
    modeld_joins(first);
    modeld_reports(first, DEFAULT_POOL);
    asks_to_probe();
    ASKED(first, PROBE);
    asks_to_probe_in(CALL + 1, "other");
    ASKED(first, PROBE);
    assert_int_equal(TOLD(WAITING)->waiting->call, CALL + 1);   /* the first of the two would be told first */
}

static void conversations_become_prompts_that_fit(void **state) {
    (void)state;
    modeld_joins(first);
    asks_to_render(1, 0);
    const Trivium__Rendered *rendered = TOLD(RENDERED)->rendered;
    assert_int_equal(rendered->call, CALL);
    assert_string_equal(rendered->template_, "plain");
    assert_string_equal(rendered->model, "m");
    assert_int_equal(rendered->n_dropped, 0);
    assert_string_equal(heard_as_text(&tokenizerd.client), "User: Hi!\nAssistant:");
    asks_to_render(3, 0);
    TOLD(RENDERED);
    assert_string_equal(heard_as_text(&tokenizerd.client),
                        "User: Hi!\nAssistant: Hi!\nUser: Hi!\nAssistant:");
    asks_to_render(3, 30);
    assert_int_equal(TOLD(RENDERED)->rendered->n_dropped, 2);
    assert_string_equal(heard_as_text(&tokenizerd.client), "User: Hi!\nAssistant:");
    asks_to_render(1, 19);      /* one too few: the message itself is cut */
    assert_int_equal(TOLD(RENDERED)->rendered->n_cut, 1);
    assert_string_equal(heard_as_text(&tokenizerd.client), "User: i!\nAssistant:");
    asks_to_render(1, 17);      /* nothing of it would be left */
    fails_with(TRIVIUM__CODE__TOO_LONG, "");
    Trivium__Render nothing = TRIVIUM__RENDER__INIT;
    nothing.call = CALL;
    client_says(ASK(RENDER, render, &nothing), &(wire_raw){"", 0}, 1);
    fails_with(TRIVIUM__CODE__EMPTY_PROMPT, "");
}

/* Of five messages of 10 and 15 ids in turns the last one takes 20, the last three 45. */
static void a_reply_finds_room_in_context_and_kv_cache(void **state) {
    (void)state;
    static const struct {
        uint64_t kv_tokens;
        uint32_t n_ids_max, n_reply, n_dropped;
    } cases[] = {
        {0, 0, 10, 2},          /* of a context of 64 */
        {0, 0, 20, 4},
        {0, 0, 1000, 4},        /* half of it at most: 32 */
        {0, 44, 10, 4},
        {10000, 0, 10, 2},
        {48, 0, 3, 2},
        {48, 0, 10, 4},
        {48, 0, 1000, 4},       /* a quarter at most: 36 are left, */
        {27, 0, 1000, 4},       /* 21, */
        {26, 0, 1000, 4},       /* 20; */
        {1, 0, 1000, 0},        /* one is too few for any */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tokenizerd.offer.kv_tokens = cases[i].kv_tokens;
        modeld_joins(first);
        asks_for_room(5, cases[i].n_ids_max, cases[i].n_reply);
        if (cases[i].n_dropped > 0) {
            const Trivium__Rendered *rendered = TOLD(RENDERED)->rendered;
            assert_int_equal(rendered->n_dropped, cases[i].n_dropped);
            assert_int_equal(rendered->n_cut, 0);
            assert_int_equal(rendered->n_ctx, 64);
            assert_int_equal(rendered->kv_tokens, cases[i].kv_tokens);
        } else {
            fails_with(TRIVIUM__CODE__TOO_LONG, "1 are allowed");
        }
        modeld_leaves(first);
    }
}

/* ---- what modelds answer ---- */

static void scores_come_from_a_modeld(void **state) {
    (void)state;
    asks_to_score(1);
    modeld_joins(first);
    scores(first, is_asked_to_score(first), 3, SCENE_BYTE);
    const Trivium__Scored *scored = TOLD(SCORED)->scored;
    assert_int_equal(scored->call, CALL);
    assert_string_equal(scored->model, "m");
    assert_string_equal(scored->fingerprint, "f");
    assert_int_equal(scored->top[0]->id, SCENE_BYTE);
    size_t n_bytes = 0;
    assert_string_equal(heard_as_text(&tokenizerd.client), "abc");
    assert_memory_equal(fake_peer_raw(&tokenizerd.client.peer, 1, &n_bytes), three_numbers,
                        sizeof three_numbers);
}

static void an_answer_that_does_not_fit_is_none(void **state) {
    (void)state;
    modeld_joins(first);
    const struct { uint32_t n_top; size_t n_numbers; int32_t top_id; } misfits[] = {
        {1, 2, SCENE_BYTE}, {1, 0, SCENE_BYTE}, {0, 3, SCENE_BYTE}, {1, 3, 100000}, {1, 3, -1}};
    for (size_t i = 0; i < sizeof misfits / sizeof *misfits; i++) {
        asks_to_score(misfits[i].n_top);
        scores(first, is_asked_to_score(first), misfits[i].n_numbers, misfits[i].top_id);
        fails_with(TRIVIUM__CODE__BAD_MESSAGE, "a modeld of 'm' sent an answer that does not fit");
    }
    for (int32_t id = -1; id < 5; id += 4) {
        asks_to_probe();
        Trivium__ProbedRow probed = TRIVIUM__PROBED_ROW__INIT;
        probed.call = ASKED(first, PROBE)->probe->call;
        probed.id = id;
        modeld_says(first, REPLY(PROBED, probed, &probed), &(wire_raw){three_numbers, sizeof three_numbers}, 1);
        fails_with(TRIVIUM__CODE__BAD_MESSAGE, "a modeld of 'm' sent an answer that does not fit");
    }
}

static void probes_are_answered_by_probes_alone(void **state) {
    (void)state;
    modeld_joins(first);
    asks_to_probe();
    Trivium__ProbedRow probed = TRIVIUM__PROBED_ROW__INIT;
    probed.call = ASKED(first, PROBE)->probe->call;
    probed.id = 2;
    scores(first, probed.call, 3, SCENE_BYTE);  /* another kind of answer: dropped */
    assert_true(asker_is_silent(&tokenizerd.client));
    modeld_says(first, REPLY(PROBED, probed, &probed), &(wire_raw){three_numbers, sizeof three_numbers}, 1);
    assert_int_equal(TOLD(PROBED)->probed->id, 2);
    modeld_says(first, REPLY(PROBED, probed, &probed), &(wire_raw){three_numbers, sizeof three_numbers}, 1);
    assert_true(asker_is_silent(&tokenizerd.client));   /* it was answered */
}

static void a_failure_is_told_on(void **state) {
    (void)state;
    modeld_joins(first);
    asks_to_score(0);
    Trivium__Error error = TRIVIUM__ERROR__INIT;
    Trivium__CallFailed failed = TRIVIUM__CALL_FAILED__INIT;
    error.code = TRIVIUM__CODE__BUSY;
    error.message = "no pages";
    failed.call = is_asked_to_score(first);
    failed.error = &error;
    modeld_says(first, REPLY(FAILED, failed, &failed), NULL, 0);
    fails_with(TRIVIUM__CODE__BUSY, "no pages");
}

static void a_lost_modeld_costs_a_call_nothing(void **state) {
    (void)state;
    modeld_joins(first);
    asks_to_score(1);
    uint64_t number = is_asked_to_score(first);
    modeld_joins(second);
    scores(second, number, 3, SCENE_BYTE);      /* not its own */
    assert_true(asker_is_silent(&tokenizerd.client));
    modeld_leaves(first);
    assert_true(is_asked_to_score(second) == number);
    scores(second, number, 3, SCENE_BYTE);
    TOLD(SCORED);
}

static void a_call_that_ends_every_modeld_ends(void **state) {
    (void)state;
    asks_to_score(0);
    for (int i = 0; i <= REOPENS_MAX; i++) {
        modeld_joins(first);
        is_asked_to_score(first);
        modeld_leaves(first);
    }
    fails_with(TRIVIUM__CODE__NO_MODELD, "6 modelds in a row were lost before they answered it");
}

static Trivium__CancelCall cancel_of(uint64_t number) {
    Trivium__CancelCall cancel = TRIVIUM__CANCEL_CALL__INIT;
    cancel.call = number;
    return cancel;
}

/* Wherever it is: at a modeld, or on the way to one. */
static void a_cancelled_call_ends_once(void **state) {
    (void)state;
    asks_to_score(0);           /* waits for a modeld */
    Trivium__CancelCall cancel = cancel_of(CALL);
    client_says(ASK(CANCEL_CALL, cancel_call, &cancel), NULL, 0);
    fails_with(TRIVIUM__CODE__CANCELLED, "cancelled by its client");
    modeld_joins(first);
    asks_to_score(1);
    uint64_t number = is_asked_to_score(first);
    client_says(ASK(CANCEL_CALL, cancel_call, &cancel), NULL, 0);
    fails_with(TRIVIUM__CODE__CANCELLED, "cancelled by its client");
    assert_true(ASKED(first, CLOSE_CALL)->close_call->call == number);
    client_says(ASK(CANCEL_CALL, cancel_call, &cancel), NULL, 0);   /* it has ended */
    scores(first, number, 3, SCENE_BYTE);       /* late */
    assert_true(asker_is_silent(&tokenizerd.client));
    assert_true(asker_is_silent(first));
    asks_to_probe();
    ASKED(first, PROBE);
}

static void a_client_that_leaves_takes_its_calls_with_it(void **state) {
    (void)state;
    modeld_joins(first);
    asks_to_score(1);
    uint64_t score = is_asked_to_score(first);
    asks_to_probe_in(CALL + 1, "");
    uint64_t probe = ASKED(first, PROBE)->probe->call;
    fake_peer_say_leave(&tokenizerd.client.peer);
    assert_true(ASKED(first, CLOSE_CALL)->close_call->call == score);
    assert_true(ASKED(first, CLOSE_CALL)->close_call->call == probe);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(texts_become_ids_when_their_model_is_here),
        TEST(nobody_is_waited_for_longer_than_asked),
        TEST(ids_are_of_the_model_that_is_meant),
        TEST(whoever_waits_is_told_for_what),
        TEST(a_samplerd_of_the_default_pool_is_not_missing),
        TEST(conversations_become_prompts_that_fit),
        TEST(a_reply_finds_room_in_context_and_kv_cache),
        TEST(scores_come_from_a_modeld),
        TEST(an_answer_that_does_not_fit_is_none),
        TEST(probes_are_answered_by_probes_alone),
        TEST(a_failure_is_told_on),
        TEST(a_lost_modeld_costs_a_call_nothing),
        TEST(a_call_that_ends_every_modeld_ends),
        TEST(a_cancelled_call_ends_once),
        TEST(a_client_that_leaves_takes_its_calls_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
