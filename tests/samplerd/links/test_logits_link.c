/* The logits link of samplerd: what a good request becomes, and how what was drawn is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/net/hello.h"
#include "tests/support/samplerd/logits_scene.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

enum { N_CANDIDATES = 4 };
static const sample_candidate CANDIDATES[N_CANDIDATES] = {
    {3, -0.1, 0.75, 0}, {1, -0.2, 0.25, 0}, {0, -3, 0, 1}, {4, -4, 0, 1}};

/* ---- Joining ---- */

static void its_hello_says_what_it_is(void **state) {
    (void)state;
    const Trivium__Hello *hello = scene.modeld.control->hello;
    failure f;
    assert_int_equal(hello_check(hello, &f), STATUS_OK);
    assert_int_equal(hello->role, TRIVIUM__ROLE__SAMPLERD);
    assert_string_equal(hello->name, "sam");
    assert_string_equal(hello->sampler->pool, "careful");
    assert_string_equal(hello->sampler->semantics, "trivium/3");
    assert_int_equal(hello->heartbeat_ms, HEARTBEAT_MS);
    assert_true(hello->pid > 0);
}

static void only_a_modeld_is_joined(void **state) {
    (void)state;
    const Trivium__Role others[] = {TRIVIUM__ROLE__ROLE_NONE, TRIVIUM__ROLE__CLIENT,
                                    TRIVIUM__ROLE__TOKENIZERD, TRIVIUM__ROLE__SAMPLERD};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        fake_peer_say_hello(&scene.modeld, fake_hello(others[i]));
        assert_true(fake_peer_hears(&scene.modeld, scene.loop, TRIVIUM__CONTROL__WORD_REFUSED));
        assert_int_equal(scene.modeld.control->refused->code, TRIVIUM__CODE__BAD_REQUEST);
        assert_non_null(strstr(scene.modeld.control->refused->message, "joins modelds"));
    }
    order o = order_good();
    order_send(&o, &scene.modeld);             /* it is not listened to either */
    scene_accept();
    fake_peer_say_heartbeat(&scene.modeld);
    assert_true(fake_peer_hears(&scene.modeld, scene.loop, TRIVIUM__CONTROL__WORD_HEARTBEAT));
    assert_int_equal(scene.sampler.n_calls, 0);
}

static void a_name_that_no_peer_takes_is_refused_at_once(void **state) {
    (void)state;
    failure f;
    logits_link *link = (logits_link *)&f;
    logits_link_options options = {.address = scene.meeting.address, .name = "two\nlines", .pool = "",
                                   .incarnation = 1, .heartbeat_ms = HEARTBEAT_MS,
                                   .draw_threads = scene.threads};
    assert_int_equal(logits_link_join(&link, scene.loop, &options, &f), STATUS_BAD_REQUEST);
    assert_null(link);
    options.name = "sam";
    options.address = "nowhere";
    assert_int_equal(logits_link_join(&link, scene.loop, &options, &f), STATUS_BAD_REQUEST);
    assert_null(link);
}

/* Its texts go on, and so do their rows: there is nothing to be done about it. */
static void a_modeld_that_drains_gets_answers_as_ever(void **state) {
    (void)state;
    scene_accept();
    fake_peer_say_draining(&scene.modeld);
    fake_peer_say_draining(&scene.modeld);
    order o = order_good();
    assert_null(order_answer(&o)->error);
    assert_int_equal(scene.sampler.n_calls, 1);
}

static void says(Trivium__LogitsRequest m) {
    fake_peer_send(&scene.modeld, &m.base, NULL, 0);
    fake_peer_say_heartbeat(&scene.modeld);
    assert_true(fake_peer_hears(&scene.modeld, scene.loop, TRIVIUM__CONTROL__WORD_HEARTBEAT));
}

static void says_released(void) {
    Trivium__Released released = TRIVIUM__RELEASED__INIT;
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_RELEASED;
    m.released = &released;
    says(m);
}

/* Whoever waits for its answers has it until the modeld says that nobody does. */
static void one_that_drains_is_over_when_it_is_released(void **state) {
    (void)state;
    assert_true(logits_link_is_over(scene.link));       /* nobody has answered its Hello */
    scene_accept();
    says_released();                                    /* before it drains that is no word for it */
    logits_link_drain(scene.link);
    assert_true(fake_peer_hears(&scene.modeld, scene.loop, TRIVIUM__CONTROL__WORD_DRAINING));
    assert_false(logits_link_is_over(scene.link));
    order o = order_good();
    assert_null(order_answer(&o)->error);
    assert_false(logits_link_is_over(scene.link));
    says_released();
    assert_true(logits_link_is_over(scene.link));
}

static void a_modeld_may_ask_for_it(void **state) {
    (void)state;
    scene_accept();
    Trivium__DrainSampler drain = TRIVIUM__DRAIN_SAMPLER__INIT;
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_DRAIN;
    m.drain = &drain;
    says(m);
    assert_int_equal(scene.sampler.n_orders, 1);
}

static void leaving_is_said(void **state) {
    (void)state;
    scene_accept();
    fake_peer_say_heartbeat(&scene.modeld);
    assert_true(fake_peer_hears(&scene.modeld, scene.loop, TRIVIUM__CONTROL__WORD_HEARTBEAT));
    logits_link_free(&scene.link);
    assert_true(fake_peer_hears(&scene.modeld, scene.loop, TRIVIUM__CONTROL__WORD_LEAVE));
}

/* ---- What a request becomes ---- */

static void a_request_arrives_as_the_call_that_it_means(void **state) {
    (void)state;
    scene_accept();
    order o = order_good();
    Trivium__Strategy chain_of_one = TRIVIUM__STRATEGY__INIT;
    Trivium__Step temperature = TRIVIUM__STEP__INIT, *steps[] = {&temperature};
    double half = 0.5;
    temperature.name = (char *)"temperature";
    temperature.n_numbers = 1;
    temperature.numbers = &half;
    chain_of_one.n_steps = 1;
    chain_of_one.steps = steps;
    o.sample.strategy = &chain_of_one;
    o.sample.state = (ProtobufCBinaryData){5, (uint8_t *)"state"};
    o.sample.n_candidates = 2;
    o.sample.n_watched = 3;
    order_set_rows(&o, 2);
    order_answer(&o);
    assert_int_equal(scene.sampler.n_calls, 1);
    assert_int_equal(scene.sampler.rows.n_rows, 2);
    assert_int_equal(scene.sampler.rows.n_vocab, SCENE_VOCAB);
    assert_memory_equal(scene.sampler.logits, SCENE_LOGITS, sizeof SCENE_LOGITS);
    assert_int_equal(scene.sampler.rows.n_ids, SCENE_IDS);
    assert_memory_equal(scene.sampler.ids, SCENE_ID_LIST, sizeof SCENE_ID_LIST);
    assert_null(scene.sampler.rows.given);
    assert_true(scene.sampler.rows.seed == 11);
    assert_int_equal(scene.sampler.rows.step, STEP);
    assert_int_equal(scene.sampler.rows.n_state_bytes, 5);
    assert_memory_equal(scene.sampler.state, "state", 5);
    assert_int_equal(scene.sampler.rows.n_candidates, 3);     /* the most that either wants */
    assert_false(scene.sampler.rows.want_probabilities);
    assert_int_equal(scene.sampler.n_stages, 1);
    assert_true(scene.sampler.temperature == 0.5);
}

/* No ids, no ids frame; nothing that was left from the request before. */
static void a_request_may_have_little_in_it(void **state) {
    (void)state;
    scene_accept();
    order o = order_good();
    order_answer(&o);
    o.sample.n_ids = o.sample.n_prompt = 0;
    o.n_raw = 1;
    assert_null(order_answer(&o)->error);
    assert_int_equal(scene.sampler.rows.n_ids, 0);
    assert_int_equal(scene.sampler.rows.n_state_bytes, 0);
    assert_int_equal(scene.sampler.rows.n_candidates, 0);
    assert_int_equal(scene.sampler.n_stages, 0);
    o.n_raw = 2;
    o.raw[1].n_bytes = 0;
    assert_null(order_answer(&o)->error);
    assert_int_equal(scene.sampler.n_calls, 3);
}

static void given_ids_are_passed_on(void **state) {
    (void)state;
    scene_accept();
    order o = order_good();
    int32_t given[] = {4, GIVEN_NONE};
    o.sample.n_given = 2;
    o.sample.given = given;
    order_set_rows(&o, 2);
    assert_null(order_answer(&o)->error);
    assert_non_null(scene.sampler.rows.given);
    assert_memory_equal(scene.sampler.given, given, sizeof given);
}

/* ---- What was drawn, told ---- */

static void a_reply_tells_each_row(void **state) {
    (void)state;
    scene_accept();
    order o = order_good();
    order_set_rows(&o, 2);
    scene.sampler.results[0] = (sample_result){.id = 5, .logprob = -0.5, .state = "one", .n_state_bytes = 3};
    scene.sampler.results[1] = (sample_result){.id = 0, .logprob = -1.5, .n_state_bytes = 0};
    const Trivium__SampleReply *reply = order_answer(&o);
    assert_null(reply->error);
    assert_int_equal(reply->attempt, 3);
    assert_int_equal(reply->step, STEP);
    assert_int_equal(reply->request.len, 4);
    assert_memory_equal(reply->request.data, "text", 4);
    assert_int_equal(reply->n_drawn, 2);
    assert_int_equal(reply->drawn[0]->id, 5);
    assert_true(reply->drawn[0]->logprob == -0.5);
    assert_int_equal(reply->drawn[0]->state.len, 3);
    assert_memory_equal(reply->drawn[0]->state.data, "one", 3);
    assert_int_equal(reply->drawn[1]->id, 0);
    assert_int_equal(reply->drawn[1]->state.len, 0);
    size_t n_bytes;
    assert_null(fake_peer_raw(&scene.modeld, 0, &n_bytes));
}

static sample_result result_with_candidates(void) {
    return (sample_result){.id = 3, .candidates = CANDIDATES, .n_candidates = N_CANDIDATES,
                           .n_left = {6, 2}, .n_left_items = 2, .state = "s", .n_state_bytes = 1};
}

static void whoever_asks_and_whoever_watches_get_as_many_candidates_as_each_wants(void **state) {
    (void)state;
    scene_accept();
    order o = order_good();
    o.sample.n_candidates = 2;
    o.sample.n_watched = N_CANDIDATES;
    scene.sampler.results[0] = result_with_candidates();
    const Trivium__Drawn *drawn = order_answer(&o)->drawn[0];
    assert_int_equal(drawn->n_candidates, 2);
    assert_int_equal(drawn->candidates[1]->id, 1);
    assert_true(drawn->candidates[1]->probability == 0.25);
    assert_int_equal(drawn->n_n_left, 2);
    assert_int_equal(drawn->state.len, 1);

    assert_true(fake_peer_hears(&scene.modeld, scene.loop, FAKE_BODY));    /* after the id */
    const Trivium__LogitsReply *reply = (const Trivium__LogitsReply *)scene.modeld.header;
    assert_int_equal(reply->body_case, TRIVIUM__LOGITS_REPLY__BODY_GLIMPSE);
    const Trivium__Glimpse *glimpse = reply->glimpse;
    assert_int_equal(glimpse->step, STEP);
    assert_int_equal(glimpse->attempt, 3);
    assert_int_equal(glimpse->drawn->n_candidates, N_CANDIDATES);
    assert_int_equal(glimpse->drawn->candidates[3]->removed_by, 1);
    assert_int_equal(glimpse->drawn->state.len, 0);
}

/* What only a watcher wants is no part of the reply. */
static void who_asks_for_no_candidates_gets_none(void **state) {
    (void)state;
    scene_accept();
    order o = order_good();
    o.sample.n_watched = N_CANDIDATES;
    scene.sampler.results[0] = result_with_candidates();
    const Trivium__Drawn *drawn = order_answer(&o)->drawn[0];
    assert_int_equal(drawn->n_candidates, 0);
    assert_int_equal(drawn->n_n_left, 0);
}

static void probabilities_are_a_frame(void **state) {
    (void)state;
    scene_accept();
    order o = order_good();
    o.sample.want_probabilities = true;
    for (size_t i = 0; i < SCENE_VOCAB; i++) scene.sampler.probabilities[i] = (double)i / 15;
    assert_null(order_answer(&o)->error);
    size_t n_bytes = 0;
    const void *frame = fake_peer_raw(&scene.modeld, 0, &n_bytes);
    assert_int_equal(n_bytes, sizeof scene.sampler.probabilities);
    assert_memory_equal(frame, scene.sampler.probabilities, n_bytes);
}

static void a_failure_to_draw_is_told(void **state) {
    (void)state;
    scene_accept();
    order o = order_good();
    o.sample.want_probabilities = true;
    o.sample.n_watched = 1;
    scene.sampler.answer = STATUS_NO_CANDIDATE;
    const Trivium__SampleReply *reply = order_answer(&o);
    assert_int_equal(reply->error->code, TRIVIUM__CODE__NO_CANDIDATE);
    assert_string_equal(reply->error->message, "the sampler says no");
    assert_int_equal(reply->n_drawn, 0);
    size_t n_bytes;
    assert_null(fake_peer_raw(&scene.modeld, 0, &n_bytes));
    scene.sampler.answer = STATUS_OK;
    o.sample.n_watched = 0;
    assert_null(order_answer(&o)->error);      /* no Glimpse came between; and life goes on */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(its_hello_says_what_it_is),
        TEST(only_a_modeld_is_joined),
        TEST(a_name_that_no_peer_takes_is_refused_at_once),
        TEST(a_modeld_that_drains_gets_answers_as_ever),
        TEST(one_that_drains_is_over_when_it_is_released),
        TEST(a_modeld_may_ask_for_it),
        TEST(leaving_is_said),
        TEST(a_request_arrives_as_the_call_that_it_means),
        TEST(a_request_may_have_little_in_it),
        TEST(given_ids_are_passed_on),
        TEST(a_reply_tells_each_row),
        TEST(whoever_asks_and_whoever_watches_get_as_many_candidates_as_each_wants),
        TEST(who_asks_for_no_candidates_gets_none),
        TEST(probabilities_are_a_frame),
        TEST(a_failure_to_draw_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
