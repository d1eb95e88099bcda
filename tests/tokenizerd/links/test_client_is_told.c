/* client_link.h: what clients are told arrives as the message that it should be; what is too long, and a client
 * that does not read, end as the header says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "tests/support/tokenizerd/client_scene.h"
#include "tests/support/tokenizer/small_tokenizer.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static client_scene *const c = &clients;
static int32_t prompt[] = {'H', 'i', '!'};
static request r;
static tokenizer *words;
static const vocab *v;

static int begin(void **state) {
    client_scene_begin(state);
    words = small_tokenizer_default();
    v = tokenizer_vocab(words);
    r = (request){.attempt = 2, .client = c->peer, .model_name = "m", .fingerprint = "f", .seed = 7};
    memcpy(r.id, wire_id_bytes, sizeof r.id);
    r.ids = prompt;
    r.n_ids = 3;
    r.n_prompt = 2;             /* so the next step is 1 */
    strategy_init(&r.strategy);
    return 0;
}

static int end(void **state) {
    tokenizer_free(&words);
    return client_scene_end(state);
}

#define SAYS(KIND) client_scene_says(TRIVIUM__TEXT_REPLY__BODY_##KIND)

static void assert_text(ProtobufCBinaryData bytes, const char *text) {
    assert_int_equal(bytes.len, strlen(text));
    if (bytes.len > 0) assert_memory_equal(bytes.data, text, bytes.len);
}

static void assert_frame(size_t index, const void *bytes, size_t n_bytes) {
    size_t n = 0;
    const void *frame = fake_peer_raw(&c->client.peer, index, &n);
    assert_non_null(frame);
    assert_int_equal(n, n_bytes);
    if (n_bytes > 0) assert_memory_equal(frame, bytes, n_bytes);
}

static void assert_ours(ProtobufCBinaryData id) {
    assert_int_equal(id.len, REQUEST_BYTES);
    assert_memory_equal(id.data, wire_id_bytes, REQUEST_BYTES);
}

/* ---- answers to calls ---- */

static void answers_bring_what_was_asked(void **state) {
    (void)state;
    client_link_tokenized(c->link, c->peer, 1, prompt, 3);
    assert_int_equal(SAYS(TOKENIZED)->tokenized->call, 1);
    assert_frame(0, prompt, sizeof prompt);
    client_link_detokenized(c->link, c->peer, 2, (const uint8_t *)"Hi!", 3);
    const Trivium__TextReply *m = SAYS(DETOKENIZED);
    assert_int_equal(m->detokenized->call, 2);
    assert_frame(0, "Hi!", 3);
    const double probabilities[] = {0.25, 0.75};
    client_link_probed(c->link, c->peer, 3, 1, probabilities, 2);
    m = SAYS(PROBED);
    assert_int_equal(m->probed->call, 3);
    assert_int_equal(m->probed->id, 1);
    assert_frame(0, probabilities, sizeof probabilities);
    client_link_cancelled(c->link, c->peer, 4, wire_id_bytes, 20);
    m = SAYS(CANCELLED);
    assert_int_equal(m->cancelled->call, 4);
    assert_ours(m->cancelled->request);
    assert_int_equal(m->cancelled->n_tokens, 20);
    client_link_failed(c->link, c->peer, 5, &(failure){STATUS_BUSY, "not now"});
    m = SAYS(FAILED);
    assert_int_equal(m->failed->call, 5);
    assert_int_equal(m->failed->error->code, TRIVIUM__CODE__BUSY);
    assert_string_equal(m->failed->error->message, "not now");
}

static void scores_bring_their_candidates(void **state) {
    (void)state;
    Trivium__Candidate one = TRIVIUM__CANDIDATE__INIT, *top[] = {&one};
    one.id = 9;
    one.logprob = -0.5;
    const double logprobs[] = {0, -1, -2};
    const modeld_scores scores = {.logprobs = logprobs, .n_logprobs = 3, .top = top, .n_top = 1};
    const scored_ids of = {.ids = prompt, .n_ids = 3, .model = "m", .fingerprint = "f1"};
    client_link_scored(c->link, c->peer, 6, &of, &scores);
    const Trivium__Scored *scored = SAYS(SCORED)->scored;
    assert_int_equal(scored->call, 6);
    assert_int_equal(scored->n_top, 1);
    assert_int_equal(scored->top[0]->id, 9);
    assert_true(scored->top[0]->logprob == -0.5);
    assert_string_equal(scored->model, "m");
    assert_string_equal(scored->fingerprint, "f1");
    assert_frame(0, prompt, sizeof prompt);
    assert_frame(1, logprobs, sizeof logprobs);
}

/* Rendered and Started alike: as below. */
#define ASSERT_MADE(m) \
    assert_string_equal((m)->template_, "chatml"); \
    assert_int_equal((m)->origin, TRIVIUM__TEMPLATE_ORIGIN__TEMPLATE_OWN); \
    assert_int_equal((m)->n_dropped, 4); \
    assert_int_equal((m)->n_cut, 5); \
    assert_int_equal((m)->n_stops, 1); \
    assert_text((m)->stops[0], "User:")

static void prompts_say_how_they_were_made(void **state) {
    (void)state;
    rendered_prompt rendered = {.ids = prompt, .n_ids = 3, .n_dropped = 4, .n_cut = 5, .form = CHAT_CHATML, .origin = CHAT_OWN,
                                .stop = "User:", .model = "m", .n_vocab = 300, .n_ctx = 64, .kv_tokens = UINT64_MAX};
    client_link_rendered(c->link, c->peer, 7, &rendered);
    const Trivium__Rendered *m = SAYS(RENDERED)->rendered;
    assert_int_equal(m->call, 7);
    ASSERT_MADE(m);
    assert_string_equal(m->model, "m");
    assert_int_equal(m->n_vocab, 300);
    assert_int_equal(m->n_ctx, 64);
    assert_int_equal(m->kv_tokens, UINT64_MAX);
    assert_frame(0, prompt, sizeof prompt);
    client_link_started(c->link, &r, &(text_start){.rendered = &rendered});
    const Trivium__Started *started = SAYS(STARTED)->started;
    ASSERT_MADE(started);
    const Trivium__TemplateOrigin origins[] = {
        [CHAT_NO_TEMPLATE] = TRIVIUM__TEMPLATE_ORIGIN__TEMPLATE_NONE,
        [CHAT_ASKED] = TRIVIUM__TEMPLATE_ORIGIN__TEMPLATE_ASKED,
        [CHAT_OWN] = TRIVIUM__TEMPLATE_ORIGIN__TEMPLATE_OWN,
        [CHAT_UNKNOWN] = TRIVIUM__TEMPLATE_ORIGIN__TEMPLATE_UNKNOWN};
    rendered.stop = NULL;
    for (rendered.origin = CHAT_NO_TEMPLATE; rendered.origin <= CHAT_UNKNOWN; rendered.origin++) {
        client_link_rendered(c->link, c->peer, 7, &rendered);
        m = SAYS(RENDERED)->rendered;
        assert_int_equal(m->origin, origins[rendered.origin]);
        assert_int_equal(m->n_stops, 0);
    }
}

static void status_of_an_empty_house(void **state) {
    (void)state;
    client_link_status(c->link, c->peer, 8, c->models, c->modelds, 3);
    const Trivium__StatusReport *m = SAYS(STATUS)->status;
    assert_int_equal(m->call, 8);
    assert_int_equal(m->requests, 3);
    assert_int_equal(m->clients, 1);
    assert_int_equal(m->n_models, 0);
    assert_string_equal(m->default_model, "");
    const Trivium__DaemonList *list =
        (const Trivium__DaemonList *)asker_list(&c->client, &trivium__daemon_list__descriptor);
    assert_int_equal(list->n_daemons, 1);
    assert_int_equal(list->daemons[0]->role, TRIVIUM__ROLE__TOKENIZERD);
    assert_string_equal(list->daemons[0]->name, "tokenizerd");
    assert_string_equal(list->daemons[0]->state, "ready");
}

/* ---- a text ---- */

static void a_text_from_started_to_done(void **state) {
    (void)state;
    r.max_new_tokens = 12;
    r.facts.n_vocab = 300;
    r.facts.n_ctx = 64;
    client_link_started(c->link, &r, &(text_start){.has_own_bos = true, .n_models = 2, .kv_tokens = 48});
    const Trivium__Started *started = SAYS(STARTED)->started;
    assert_ours(started->request);
    assert_int_equal(started->attempt, 2);
    assert_string_equal(started->model, "m");
    assert_string_equal(started->fingerprint, "f");
    assert_int_equal(started->seed, 7);
    assert_int_equal(started->n_prompt, 2);
    assert_true(started->has_own_bos);
    assert_int_equal(started->n_models, 2);
    assert_int_equal(started->max_new_tokens, 12);
    assert_int_equal(started->n_vocab, 300);
    assert_int_equal(started->n_ctx, 64);
    assert_int_equal(started->kv_tokens, 48);
    assert_string_equal(started->template_, "");
    assert_int_equal(started->n_stops, 0);
    assert_frame(0, prompt, 2 * sizeof *prompt);
    client_link_rest(c->link, &r, &(stream_text){.bytes = (const uint8_t *)"!", .n_bytes = 1});
    const Trivium__Chunk *chunk = SAYS(CHUNK)->chunk;
    assert_int_equal(chunk->step, 1);
    assert_int_equal(chunk->n_drawn, 0);
    assert_text(chunk->text, "!");
    r.created_us = 1000000;
    r.opened_us = 1500000;
    r.first_token_us = 1700000;
    r.last_token_us = 2700000;
    r.n_cached = 6;
    client_link_done(c->link, &r, FINISH_LENGTH, NULL, 3000000);
    const Trivium__Done *done = SAYS(DONE)->done;
    assert_ours(done->request);
    assert_int_equal(done->reason, TRIVIUM__FINISH_REASON__FINISH_LENGTH);
    assert_null(done->error);
    assert_int_equal(done->n_tokens, 1);
    assert_true(done->timings->queue_ms == 500 && done->timings->prefill_ms == 200);
    assert_true(done->timings->decode_ms == 1000 && done->timings->n_cached == 6);
    client_link_done(c->link, &r, FINISH_ERROR, &(failure){STATUS_NO_MODELD, "gone"}, 3000000);
    assert_string_equal(SAYS(DONE)->done->error->message, "gone");
}

static void a_token_brings_texts_where_candidates_are_wanted(void **state) {
    (void)state;
    Trivium__Candidate a = TRIVIUM__CANDIDATE__INIT, b = a, *list[] = {&a, &b};
    a.id = small_token(v, "the");
    b.id = 100000;              /* of no token: no text */
    Trivium__Drawn drawn = TRIVIUM__DRAWN__INIT;
    drawn.id = 'i';
    drawn.state = wire_text("mu");
    const request_token token = {.step = 1, .id = 'i', .semantics = "s", .forward_ms = 2, .sample_ms = 3};
    const stream_text shown = {.bytes = (const uint8_t *)"i", .n_bytes = 1};
    client_link_token(c->link, &r, v, &token, &drawn, &shown);
    const Trivium__Chunk *chunk = SAYS(CHUNK)->chunk;
    assert_ours(chunk->request);
    assert_int_equal(chunk->attempt, 2);
    assert_int_equal(chunk->n_drawn, 1);
    assert_int_equal(chunk->drawn[0]->id, 'i');
    assert_text(chunk->drawn[0]->state, "mu");
    assert_text(chunk->drawn[0]->text, "");
    assert_text(chunk->text, "i");
    assert_string_equal(chunk->semantics, "s");
    assert_true(chunk->forward_ms == 2 && chunk->sample_ms == 3);
    r.n_candidates = 2;         /* and its sampler gives none */
    client_link_token(c->link, &r, v, &token, &drawn, &shown);
    const Trivium__Drawn *told = SAYS(CHUNK)->chunk->drawn[0];
    assert_text(told->text, "i");
    assert_int_equal(told->n_candidates, 0);
    drawn.candidates = list;
    drawn.n_candidates = 2;
    client_link_token(c->link, &r, v, &token, &drawn, &shown);
    told = SAYS(CHUNK)->chunk->drawn[0];
    assert_text(told->text, "i");
    assert_int_equal(told->n_candidates, 2);
    assert_text(told->candidates[0]->text, "the");
    assert_text(told->candidates[1]->text, "");
    assert_int_equal(a.text.len, 0);    /* what came is as it was */
}

static void a_change_is_shown_and_answered(void **state) {
    (void)state;
    request_change change = {.ordinal = 3, .step = 9};
    strategy_defaults(&change.strategy);
    assert_int_equal(client_link_change(c->link, &r, &change), STATUS_OK);
    const Trivium__Chunk *chunk = SAYS(CHUNK)->chunk;
    assert_int_equal(chunk->step, 9);
    assert_int_equal(chunk->change->ordinal, 3);
    assert_int_equal(chunk->change->step, 9);
    assert_int_equal(chunk->change->strategy->n_steps, change.strategy.n_stages);
    client_link_tuned(c->link, c->peer, 5, &r, &change);
    const Trivium__Tuned *tuned = SAYS(TUNED)->tuned;
    assert_int_equal(tuned->call, 5);
    assert_ours(tuned->request);
    assert_int_equal(tuned->change->ordinal, 3);
    assert_int_equal(tuned->change->step, 9);
    strategy_clear(&change.strategy);
}

static void a_watcher_gets_as_many_candidates_as_it_wants(void **state) {
    (void)state;
    client_link_watched(c->link, c->peer, 4, &r);
    const Trivium__Watched *watched = SAYS(WATCHED)->watched;
    assert_int_equal(watched->call, 4);
    assert_ours(watched->request);
    assert_string_equal(watched->model, "m");
    assert_int_equal(watched->n_prompt, 2);
    assert_int_equal(watched->step, 1);
    assert_int_equal(watched->over, TRIVIUM__FINISH_REASON__FINISH_NONE);
    Trivium__Candidate a = TRIVIUM__CANDIDATE__INIT, b = a, *list[] = {&a, &b};
    a.id = 'a';
    Trivium__Drawn drawn = TRIVIUM__DRAWN__INIT;
    drawn.id = 'i';
    drawn.candidates = list;
    drawn.n_candidates = 2;
    Trivium__Glimpse trace = TRIVIUM__GLIMPSE__INIT;
    trace.drawn = &drawn;
    trace.step = 1;
    client_link_trace(c->link, c->peer, v, 1, &trace);
    const Trivium__Glimpse *told = SAYS(GLIMPSE)->glimpse;
    assert_int_equal(told->step, 1);
    assert_text(told->drawn->text, "i");
    assert_int_equal(told->drawn->n_candidates, 1);
    assert_text(told->drawn->candidates[0]->text, "a");
    client_link_trace(c->link, c->peer, v, 7, &trace);
    assert_int_equal(SAYS(GLIMPSE)->glimpse->drawn->n_candidates, 2);
    drawn.id = (int32_t)vocab_size(v);
    client_link_trace(c->link, c->peer, v, 7, &trace);  /* of no token: not shown */
    client_link_watch_over(c->link, c->peer, 4, wire_id_bytes, 12, FINISH_STOP);
    watched = SAYS(WATCHED)->watched;
    assert_int_equal(watched->step, 12);
    assert_int_equal(watched->over, TRIVIUM__FINISH_REASON__FINISH_STOP);
}

/* ---- what cannot be told ---- */

static void an_answer_that_is_too_long_becomes_a_failure(void **state) {
    (void)state;
    size_t n_bytes = (size_t)RAW_BYTES_MAX + 1;
    uint8_t *text = calloc(1, n_bytes);
    assert_non_null(text);
    client_link_detokenized(c->link, c->peer, 2, text, n_bytes);
    free(text);
    const Trivium__Failed *failed = SAYS(FAILED)->failed;
    assert_int_equal(failed->call, 2);
    assert_int_equal(failed->error->code, TRIVIUM__CODE__TOO_LONG);
    assert_string_equal(failed->error->message,
                        "the answer is too long for one message, or there is no memory for it");
    client_link_tokenized(c->link, c->peer, 3, prompt, 3);  /* and the client is still there */
    assert_int_equal(SAYS(TOKENIZED)->tokenized->call, 3);
}

/* A text with a hole in it would be worse than none: its owner has a copy up to there. */
static void a_part_of_a_text_that_is_too_long_costs_the_client_its_place(void **state) {
    (void)state;
    size_t n_bytes = (size_t)HEADER_BYTES_MAX + 1;
    uint8_t *text = calloc(1, n_bytes);
    assert_non_null(text);
    client_link_rest(c->link, &r, &(stream_text){.bytes = text, .n_bytes = n_bytes});
    free(text);
    assert_int_equal(c->n_left, 0);      /* not from within the call */
    client_scene_loses_client();
    asker_hears_leave(&c->client);
}

static void a_client_that_does_not_read_is_cut(void **state) {
    (void)state;
    enum { N = OUTBOX_MESSAGES_MAX + 2 * HIGH_WATER_MESSAGES };
    for (int i = 0; i < N; i++) client_link_tokenized(c->link, c->peer, 1, prompt, 3);
    assert_int_equal(c->n_left, 0);
    client_scene_loses_client();
    assert_int_equal(c->n_left, 1);
}

static void to_a_client_that_is_gone_nothing_is_said(void **state) {
    (void)state;
    r.client = NULL;
    client_link_failed(c->link, NULL, 1, &(failure){STATUS_BUSY, "not now"});
    client_link_tokenized(c->link, NULL, 1, prompt, 3);
    client_link_started(c->link, &r, &(text_start){.n_models = 1});
    client_link_done(c->link, &r, FINISH_SUPERSEDED, NULL, clock_us());
    assert_true(asker_is_silent(&c->client));
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(answers_bring_what_was_asked),
        CASE(scores_bring_their_candidates),
        CASE(prompts_say_how_they_were_made),
        CASE(status_of_an_empty_house),
        CASE(a_text_from_started_to_done),
        CASE(a_token_brings_texts_where_candidates_are_wanted),
        CASE(a_change_is_shown_and_answered),
        CASE(a_watcher_gets_as_many_candidates_as_it_wants),
        CASE(an_answer_that_is_too_long_becomes_a_failure),
        CASE(a_part_of_a_text_that_is_too_long_costs_the_client_its_place),
        CASE(a_client_that_does_not_read_is_cut),
        CASE(to_a_client_that_is_gone_nothing_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
