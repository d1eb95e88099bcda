/* modeld_link.h: what modelds are told arrives as the message that it should be; what is too long, and a
 * modeld that does not read, end as the header says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/tokenizerd/modeld_scene.h"
#include "tests/support/traceparents.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static modeld_scene *const c = &modelds;
static int32_t ids[] = {5, 6, 7}, end_ids[] = {2};
static request r;
static owners *all;
static calls *table;

static int begin(void **state) {
    modeld_scene_begin_joined(state);
    all = holdings_new(NULL);
    assert_non_null(all);
    table = calls_new(&models_serving, all);
    assert_non_null(table);
    r = (request){.owner = owners_hold(all, "uid:7"), .number = 3, .id = {0xab, [REQUEST_BYTES - 1] = 0xcd}, .attempt = 2, .pool = "p", .session = "s"};
    r.ids = ids;
    r.n_ids = 3;
    r.n_prompt = 2;
    strategy_defaults(&r.strategy);
    return table ? 0 : -1;
}

static int end(void **state) {
    strategy_clear(&r.strategy);
    calls_free(&table);
    owner_release(&r.owner);
    owners_free(&all);
    return modeld_scene_end(state);
}

#define SAYS(KIND) modeld_scene_says(TRIVIUM__TOKENS_REQUEST__BODY_##KIND)

static void assert_frame(size_t index, const void *bytes, size_t n_bytes) {
    size_t n = 0;
    const void *frame = fake_peer_raw(&c->fake.peer, index, &n);
    assert_non_null(frame);
    assert_int_equal(n, n_bytes);
    if (n_bytes > 0) assert_memory_equal(frame, bytes, n_bytes);
}

static void assert_ours(ProtobufCBinaryData id) {
    assert_int_equal(id.len, REQUEST_BYTES);
    assert_memory_equal(id.data, r.id, REQUEST_BYTES);
}

/* ---- texts ---- */

static void open_brings_all_that_a_modeld_needs(void **state) {
    (void)state;
    r.change = 4;
    r.seed = 11;
    r.sampler_state[0] = 'x';
    r.sampler_state_bytes = 1;
    strcpy(r.semantics, "trivium/3");
    r.max_new_tokens = 20;
    r.end_ids = end_ids;
    r.n_end_ids = 1;
    r.n_candidates = 6;
    r.wait_ms = 500;
    r.no_cache = true;
    r.priority = PRIORITY_MIN;
    strcpy(r.traceparent, SOME_TRACEPARENT);
    assert_int_equal(modeld_link_open(c->link, c->modeld, &r, 8), STATUS_OK);
    const Trivium__Open *open = SAYS(OPEN)->open;
    assert_ours(open->request);
    assert_int_equal(open->attempt, 2);
    assert_string_equal(open->owner, "uid:7");
    assert_int_equal(open->number, 3);
    assert_int_equal(open->n_prompt, 2);
    assert_string_equal(open->session, "s");
    assert_string_equal(open->pool, "p");
    assert_int_equal(open->strategy->n_steps, r.strategy.n_stages);
    assert_int_equal(open->change, 4);
    assert_int_equal(open->seed, 11);
    assert_int_equal(open->state.len, 1);
    assert_int_equal(open->state.data[0], 'x');
    assert_string_equal(open->semantics, "trivium/3");
    assert_int_equal(open->max_new_tokens, 20);
    assert_int_equal(open->n_end_ids, 1);
    assert_int_equal(open->end_ids[0], 2);
    assert_int_equal(open->n_candidates, 6);
    assert_int_equal(open->wait_ms, 500);
    assert_true(open->no_cache);
    assert_int_equal(open->n_watched, 8);
    assert_int_equal(open->priority, PRIORITY_MIN);
    assert_string_equal(open->traceparent, SOME_TRACEPARENT);
    assert_null(fake_peer_raw(&c->fake.peer, 1, &(size_t){0}));
    assert_frame(0, ids, sizeof ids);
}

static void what_happens_to_a_text(void **state) {
    (void)state;
    r.change = 4;
    assert_int_equal(modeld_link_retune(c->link, c->modeld, &r), STATUS_OK);
    const Trivium__Retune *retune = SAYS(TUNE)->tune;
    assert_ours(retune->request);
    assert_int_equal(retune->attempt, 2);
    assert_int_equal(retune->number, 3);
    assert_int_equal(retune->change, 4);
    assert_int_equal(retune->strategy->n_steps, r.strategy.n_stages);
    modeld_link_watch(c->link, c->modeld, &r, 9);
    const Trivium__WatchText *watch = SAYS(WATCH)->watch;
    assert_ours(watch->request);
    assert_int_equal(watch->attempt, 2);
    assert_int_equal(watch->number, 3);
    assert_int_equal(watch->n_watched, 9);
    modeld_link_close(c->link, c->modeld, &r);
    const Trivium__Close *close = SAYS(CLOSE)->close;
    assert_ours(close->request);
    assert_int_equal(close->attempt, 2);
    assert_int_equal(close->number, 3);
}

/* ---- calls ---- */

static void scores_and_probes(void **state) {
    (void)state;
    failure f;
    call *asked;
    const call_order score = {.kind = CALL_SCORE, .model = "m", .wait_ms = 70,
                              .score = {.pool = "p", .traceparent = SOME_TRACEPARENT, .ids = ids, .n_ids = 3,
                                        .n_top = 2}};
    assert_int_equal(calls_add(table, &score, 0, &asked, &f), STATUS_OK);
    assert_int_equal(modeld_link_score(c->link, c->modeld, asked), STATUS_OK);
    const Trivium__ScoreIds *s = SAYS(SCORE)->score;
    assert_true(s->call == asked->number);
    assert_string_equal(s->pool, "p");
    assert_int_equal(s->n_top, 2);
    assert_int_equal(s->wait_ms, 70);
    assert_string_equal(s->traceparent, SOME_TRACEPARENT);
    assert_frame(0, ids, sizeof ids);
    const float row[8] = {1, 2};
    const call_order probe = {.kind = CALL_PROBE, .model = "m",
                              .probe = {.pool = "q", .row = row, .n_row = 8, .history = ids, .n_history = 3,
                                        .strategy = &r.strategy, .seed = 9, .step = 1,
                                        .traceparent = LATER_TRACEPARENT}};
    assert_int_equal(calls_add(table, &probe, 0, &asked, &f), STATUS_OK);
    assert_int_equal(modeld_link_probe(c->link, c->modeld, asked), STATUS_OK);
    const Trivium__ProbeRow *p = SAYS(PROBE)->probe;
    assert_true(p->call == asked->number);
    assert_string_equal(p->pool, "q");
    assert_int_equal(p->seed, 9);
    assert_int_equal(p->step, 1);
    assert_string_equal(p->traceparent, SOME_TRACEPARENT);
    assert_int_equal(p->strategy->n_steps, r.strategy.n_stages);
    assert_frame(0, row, sizeof row);
    assert_frame(1, ids, sizeof ids);
    modeld_link_close_call(c->link, c->modeld, asked->number);
    assert_true(SAYS(CLOSE_CALL)->close_call->call == asked->number);
}

/* ---- models ---- */

static void the_default_model(void **state) {
    (void)state;
    default_model known = {.setting = "not told", .first = "m", .since_ms = 1234};
    modeld_link_default(c->link, c->modeld, &known);
    const Trivium__DefaultModel *word = SAYS(DEFAULT_MODEL)->default_model;
    assert_string_equal(word->name, "m");
    assert_true(word->since_ms == 1234);
}

/* ---- what cannot be told ---- */

static void a_text_that_is_too_long_is_not_opened(void **state) {
    (void)state;
    size_t n_ids = RAW_BYTES_MAX / sizeof *ids + 1;
    r.ids = calloc(n_ids, sizeof *ids);
    assert_non_null(r.ids);
    r.n_ids = n_ids;
    assert_int_equal(modeld_link_open(c->link, c->modeld, &r, 0), STATUS_TOO_LONG);
    free(r.ids);
    assert_true(asker_is_silent(&c->fake));
    assert_int_equal(c->n_left, 0);
}

/* It would go on with what it was not told to end. */
static void a_modeld_that_misses_a_word_is_cut(void **state) {
    (void)state;
    size_t n_bytes = (size_t)HEADER_BYTES_MAX + 1;
    char *hash = malloc(n_bytes);
    assert_non_null(hash);
    memset(hash, 'a', n_bytes - 1);
    hash[n_bytes - 1] = '\0';
    modeld_link_query(c->link, c->modeld, hash);
    free(hash);
    assert_int_equal(c->n_left, 0);      /* not from within the call */
    modeld_scene_loses_modeld();
    asker_hears_leave(&c->fake);
}

static void a_modeld_that_does_not_read_is_cut(void **state) {
    (void)state;
    enum { N = OUTBOX_MESSAGES_MAX + 2 * HIGH_WATER_MESSAGES };
    int n_sent = 0;
    while (n_sent < N && modeld_link_open(c->link, c->modeld, &r, 0) == STATUS_OK) n_sent++;
    assert_in_range(n_sent, OUTBOX_MESSAGES_MAX, N - 1);
    assert_int_equal(modeld_link_open(c->link, c->modeld, &r, 0), STATUS_BUSY);
    assert_int_equal(c->n_left, 0);
    modeld_scene_loses_modeld();
    assert_int_equal(c->n_left, 1);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(open_brings_all_that_a_modeld_needs),
        CASE(what_happens_to_a_text),
        CASE(scores_and_probes),
        CASE(the_default_model),
        CASE(a_text_that_is_too_long_is_not_opened),
        CASE(a_modeld_that_misses_a_word_is_cut),
        CASE(a_modeld_that_does_not_read_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
