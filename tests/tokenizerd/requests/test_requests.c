/* requests.h and request.h: identity, the life of a generation, and changes of its strategy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/models/fake_serving.h"
#include "tokenizerd/requests/requests.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { MS = 1000, STEPS = 10 /* max_new_tokens */ };

typedef struct world {
    requests *table;
    modeld *modeld;
    served_model *model;
    model_facts facts;
    strategy plain;             /* temperature 0.8 */
} world;

static int setup(void **state) {
    world *w = calloc(1, sizeof *w);
    failure f;
    w->table = requests_new(&fake_serving);
    w->modeld = fake_modeld_new();
    w->model = fake_model_new();
    w->facts = fake_model_facts(w->model);
    strategy_init(&w->plain);
    strategy_append(&w->plain, STEP_TEMPERATURE, &(double){0.8}, 1, &f);
    *state = w;
    return 0;
}

static int teardown(void **state) {
    world *w = *state;
    requests_free(&w->table);
    fake_modeld_free(&w->modeld);
    fake_model_free(&w->model);
    strategy_clear(&w->plain);
    free(w);
    return 0;
}

/* A fresh order that nothing is wrong with; its id is all `name`. */
static request_order order_of(const world *w, uint8_t name, uint32_t attempt) {
    static uint8_t ids[256][REQUEST_BYTES];
    memset(ids[name], name, REQUEST_BYTES);
    return (request_order){.id = ids[name],
                           .attempt = attempt,
                           .model = "",
                           .fingerprint = "",
                           .pool = "p",
                           .session = "",
                           .semantics = "",
                           .strategy = &w->plain,
                           .max_new_tokens = STEPS,
                           .wait_ms = 100};
}

static request *add(world *w, const request_order *order) {
    request *r = NULL;
    failure f;
    assert_int_equal(requests_add(w->table, order, NULL, w, 0, &r, &f), STATUS_OK);
    return r;
}

/* The ids of a text, byte by byte. */
static size_t ids_of(const char *text, int32_t *ids) {
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) ids[i] = (uint8_t)text[i];
    return n;
}

/* In WAITING, with the prompt "say". */
static request *waiting(world *w, const request_order *order) {
    int32_t prompt[8];
    failure f;
    request *r = add(w, order);
    assert_int_equal(request_meet(r, w->model, &w->facts, &f), STATUS_OK);
    assert_int_equal(request_encoded(r, prompt, ids_of("say", prompt), 0, &f), STATUS_OK);
    assert_int_equal(r->state, REQUEST_WAITING);
    return r;
}

static request *running(world *w, const request_order *order) {
    request *r = waiting(w, order);
    assert_true(request_serve(r, w->modeld, 0));
    return r;
}

/* The next token is this byte; what is shown with it goes to `text`. */
static status draw(request *r, uint8_t byte, char *text, bool *kept) {
    failure f;
    stream_text shown;
    request_token token = {.step = request_step(r),
                           .id = byte,
                           .semantics = "s/1",
                           .sampler_state = {&byte, 1},
                           .forward_ms = 2,
                           .sample_ms = 1};
    status st = request_drawn(r, &token, 7 * MS, &shown, kept, &f);
    memcpy(text, shown.bytes ? shown.bytes : (const uint8_t *)"", shown.n_bytes);
    text[shown.n_bytes] = '\0';
    return st;
}

static void check_draws(request *r, const char *bytes, const char *expected) {
    char all[64] = "", text[32];
    bool kept;
    for (; *bytes; bytes++) {
        assert_int_equal(draw(r, (uint8_t)*bytes, text, &kept), STATUS_OK);
        assert_true(kept);
        strcat(all, text);
    }
    assert_string_equal(all, expected);
}

/* ---- the table of states ---- */

static void test_the_transitions_are_those_of_the_protocol(void **state) {
    (void)state;
    /* Rows: states; columns: ENCODED SERVED TOKEN CLOSED LOST PAUSE END TOLD; '.' has no effect. */
    static const char *const table[REQUEST_STATES] = {
        [REQUEST_ENCODING] = "W....SD.", [REQUEST_WAITING] = ".R...SD.",
        [REQUEST_RUNNING] = "..RDWSC.",  [REQUEST_RESTING] = "......D.",
        [REQUEST_CLOSING] = ".......D",  [REQUEST_DONE] = "........",
    };
    static const char letters[] = "EWRSCD";
    for (int from = 0; from < REQUEST_STATES; from++)
        for (int event = 0; event < EVENT_KINDS; event++) {
            request r = {.state = (request_state)from};
            char expected = table[from][event];
            assert_int_equal(request_transition(&r, (request_event)event), expected != '.');
            assert_int_equal(letters[r.state], expected == '.' ? letters[from] : expected);
        }
}

/* ---- identity ---- */

static void test_a_higher_attempt_takes_over_and_others_do_not(void **state) {
    world *w = *state;
    request_order order = order_of(w, 1, 3);
    request *rival;
    assert_int_equal(requests_admit(w->table, order.id, 3, &rival), FINISH_NONE);
    assert_null(rival);
    request *r = running(w, &order);
    assert_ptr_equal(requests_find(w->table, order.id), r);
    assert_int_equal(requests_admit(w->table, order.id, 2, &rival), FINISH_SUPERSEDED);
    assert_int_equal(requests_admit(w->table, order.id, 3, &rival), FINISH_SUPERSEDED);
    assert_int_equal(requests_admit(w->table, order.id, 4, &rival), FINISH_NONE);
    assert_ptr_equal(rival, r);
}

static void test_an_ended_request_is_not_opened_again(void **state) {
    world *w = *state;
    request_order order = order_of(w, 1, 3);
    request *rival, *r = waiting(w, &order);
    assert_true(request_end(r));
    requests_remove(w->table, &r, false);
    assert_null(r);
    assert_null(requests_find(w->table, order.id));
    assert_int_equal(requests_admit(w->table, order.id, 3, &rival), FINISH_SUPERSEDED);
    assert_int_equal(requests_admit(w->table, order.id, 4, &rival), FINISH_NONE);

    order.attempt = 4;
    r = waiting(w, &order);
    request_end(r);
    requests_remove(w->table, &r, true);     /* cancelled: for good */
    assert_int_equal(requests_admit(w->table, order.id, 4, &rival), FINISH_SUPERSEDED);
    assert_int_equal(requests_admit(w->table, order.id, 5, &rival), FINISH_CANCELLED);
}

static void test_a_refused_attempt_counts_as_ended(void **state) {
    world *w = *state;
    request_order order = order_of(w, 1, 2);
    request *rival, *r = running(w, &order);
    requests_refused(w->table, order.id, 5);
    assert_int_equal(requests_admit(w->table, order.id, 5, &rival), FINISH_SUPERSEDED);
    assert_int_equal(requests_admit(w->table, order.id, 6, &rival), FINISH_NONE);
    assert_ptr_equal(rival, r);                 /* a refusal does not touch it */
    request_end(r);
    requests_remove(w->table, &r, false);
    assert_int_equal(requests_admit(w->table, order.id, 5, &rival), FINISH_SUPERSEDED);
}

static void test_a_rival_stays_until_it_is_removed(void **state) {
    world *w = *state;
    failure f;
    request_order order = order_of(w, 1, 1);
    request *rival = running(w, &order), *r;
    for (uint8_t name = 1; requests_count(w->table) < REQUESTS_MAX; name++) {
        static uint8_t ids[REQUESTS_MAX][REQUEST_BYTES];
        request_order other = order_of(w, 2, 1);
        uint8_t *id = ids[requests_count(w->table)];
        memset(id, name, REQUEST_BYTES);
        id[0] = (uint8_t)(requests_count(w->table) >> 8), id[1] = (uint8_t)~id[0];
        other.id = id;
        add(w, &other);
    }
    order.attempt = 2;
    assert_int_equal(requests_add(w->table, &order, rival, w, 0, &r, &f), STATUS_OK);
    assert_ptr_equal(requests_find(w->table, order.id), r);
    requests_remove(w->table, &rival, false);
    assert_ptr_equal(requests_find(w->table, order.id), r);
    assert_int_equal(requests_count(w->table), REQUESTS_MAX);
}

static void test_the_memory_of_ended_requests_is_a_ring(void **state) {
    world *w = *state;
    uint8_t ids[ENDED_MAX + 1][REQUEST_BYTES] = {0};
    request *rival;
    for (int i = 0; i <= ENDED_MAX; i++) {
        request_order order = order_of(w, 0, 1);
        memcpy(ids[i], &i, sizeof i);
        order.id = ids[i];
        request *r = add(w, &order);
        request_end(r);
        requests_remove(w->table, &r, false);
    }
    assert_int_equal(requests_admit(w->table, ids[0], 1, &rival), FINISH_NONE);
    for (int i = 1; i <= ENDED_MAX; i++)
        assert_int_equal(requests_admit(w->table, ids[i], 1, &rival), FINISH_SUPERSEDED);
}

static void test_a_prefix_names_one_request(void **state) {
    world *w = *state;
    failure f;
    uint8_t ids[2][REQUEST_BYTES] = {{1, 2, 3}, {1, 2, 4}};
    request *both[2], *r;
    for (int i = 0; i < 2; i++) {
        request_order order = order_of(w, 0, 1);
        order.id = ids[i];
        both[i] = add(w, &order);
    }
    assert_int_equal(requests_match(w->table, ids[1], 3, &r, &f), STATUS_OK);
    assert_ptr_equal(r, both[1]);
    assert_int_equal(requests_match(w->table, ids[0], REQUEST_BYTES, &r, &f), STATUS_OK);
    assert_ptr_equal(r, both[0]);
    assert_int_equal(requests_match(w->table, ids[0], 2, &r, &f), STATUS_BAD_REQUEST);
    assert_non_null(strstr(f.message, "0102"));
    assert_null(r);
    assert_int_equal(requests_match(w->table, (const uint8_t[]){9}, 1, &r, &f),
                     STATUS_UNKNOWN_REQUEST);
    assert_int_equal(requests_match(w->table, ids[0], 0, &r, &f), STATUS_BAD_REQUEST);
    assert_int_equal(requests_match(w->table, ids[0], REQUEST_BYTES + 1, &r, &f),
                     STATUS_BAD_REQUEST);
}

static void test_a_full_table_is_busy(void **state) {
    world *w = *state;
    failure f;
    request *r = NULL, *first = NULL;
    uint8_t id[REQUEST_BYTES] = {0};
    request_order order = order_of(w, 0, 1);
    order.id = id;
    for (int i = 0; i < REQUESTS_MAX; i++) {
        memcpy(id, &i, sizeof i);
        assert_int_equal(requests_add(w->table, &order, NULL, w, 0, &r, &f), STATUS_OK);
        if (i == 0) first = r;
    }
    memset(id, 0xff, sizeof id);
    assert_int_equal(requests_add(w->table, &order, NULL, w, 0, &r, &f), STATUS_BUSY);
    request_end(first);
    requests_remove(w->table, &first, false);
    assert_int_equal(requests_add(w->table, &order, NULL, w, 0, &r, &f), STATUS_OK);
    assert_int_equal(requests_count(w->table), REQUESTS_MAX);
}

/* ---- what is asked ---- */

static void test_orders_out_of_range_are_refused(void **state) {
    world *w = *state;
    static char long_name[NAME_BYTES_MAX + 2];
    memset(long_name, 'x', NAME_BYTES_MAX + 1);
    const vocab_bytes none = {NULL, 0}, wild = {(const uint8_t *)"\xff", 1};
    const int32_t ids[2] = {5, 6};
    request_order base = order_of(w, 1, 1);
    struct {
        request_order order;
        status expected;
    } cases[] = {
        {base, STATUS_BAD_REQUEST}, {base, STATUS_BAD_REQUEST}, {base, STATUS_BAD_REQUEST},
        {base, STATUS_BAD_REQUEST}, {base, STATUS_BAD_REQUEST}, {base, STATUS_BAD_REQUEST},
        {base, STATUS_NOT_UTF8},    {base, STATUS_TOO_LONG},    {base, STATUS_EMPTY_PROMPT},
        {base, STATUS_BAD_REQUEST}, {base, STATUS_BAD_REQUEST},
    };
    cases[0].order.attempt = 0;
    cases[1].order.max_new_tokens = 0;
    cases[2].order.seed = SEED_MAX;
    cases[3].order.n_candidates = CANDIDATES_MAX + 1;
    cases[4].order.session = long_name;
    cases[5].order.stops = &none, cases[5].order.n_stops = 1;
    cases[6].order.stops = &wild, cases[6].order.n_stops = 1;
    cases[7].order.sampler_state.n_bytes = STATE_BYTES_MAX + 1;
    cases[8].order.ids = ids, cases[8].order.n_ids = 2;
    cases[9].order.ids = ids, cases[9].order.n_ids = 2, cases[9].order.n_prompt = 3;
    cases[10].order.pool = "a\nb";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        failure f = {.code = STATUS_OK};
        request *r = NULL;
        assert_int_equal(requests_add(w->table, &cases[i].order, NULL, w, 0, &r, &f), cases[i].expected);
        assert_int_equal(f.code, cases[i].expected);
        assert_true(f.message[0] != '\0');
    }
    assert_int_equal(requests_count(w->table), 0);
}

static void test_ids_of_an_order_must_lie_in_the_vocabulary(void **state) {
    world *w = *state;
    failure f;
    const int32_t beyond = FAKE_N_VOCAB;
    strategy biased;
    strategy_init(&biased);
    assert_int_equal(strategy_append_biases(&biased, &beyond, &(double){1}, 1, &f), STATUS_OK);
    request_order stop = order_of(w, 1, 1), bias = order_of(w, 2, 1), given = order_of(w, 3, 1);
    stop.stop_ids = &beyond, stop.n_stop_ids = 1;
    bias.strategy = &biased;
    given.ids = &beyond, given.n_ids = given.n_prompt = 1;
    assert_int_equal(request_meet(add(w, &stop), w->model, &w->facts, &f), STATUS_BAD_ID);
    assert_int_equal(request_meet(add(w, &bias), w->model, &w->facts, &f), STATUS_BAD_ID);
    assert_int_equal(request_meet(add(w, &given), w->model, &w->facts, &f), STATUS_BAD_ID);
    strategy_clear(&biased);
}

static void test_a_prompt_must_leave_room_in_the_context(void **state) {
    world *w = *state;
    failure f;
    int32_t ids[FAKE_N_CTX] = {0};
    request_order order = order_of(w, 1, 1);
    request *r = add(w, &order);
    assert_int_equal(request_meet(r, w->model, &w->facts, &f), STATUS_OK);
    assert_int_equal(request_encoded(r, ids, FAKE_N_CTX, 0, &f), STATUS_TOO_LONG);
    assert_non_null(strstr(f.message, "has 64 tokens"));
    assert_non_null(strstr(f.message, "holds 64"));
    assert_int_equal(r->state, REQUEST_ENCODING);
    assert_int_equal(request_encoded(r, NULL, 0, 0, &f), STATUS_EMPTY_PROMPT);  /* nor may it be nothing */
    assert_int_equal(request_encoded(r, ids, FAKE_N_CTX - 1, 0, &f), STATUS_OK);
}

/* ---- its tokens ---- */

static void test_a_token_is_recorded_with_what_chose_it(void **state) {
    world *w = *state;
    request_order order = order_of(w, 1, 1);
    request *r = running(w, &order);
    assert_int_equal(fake_modeld_load(w->modeld), 1);
    check_draws(r, "hello", "hello");
    assert_int_equal(request_step(r), 5);
    assert_int_equal(r->n_ids, 8);
    assert_int_equal(r->ids[7], 'o');
    assert_int_equal(r->sampler_state_bytes, 1);
    assert_int_equal(r->sampler_state[0], 'o');
    assert_string_equal(r->semantics, "s/1");
    assert_true(r->forward_ms == 8 &&
                r->sample_ms == 5); /* the first forward pass is the prefill's */
    assert_true(
        request_closed(r, &(request_closing){.queue_ms = 1, .prefill_ms = 2, .n_cached = 3}));
    assert_int_equal(r->state, REQUEST_DONE);
    assert_int_equal(fake_modeld_load(w->modeld), 0);
}

static void test_only_the_step_that_is_due_counts(void **state) {
    world *w = *state;
    failure f;
    stream_text shown;
    bool kept;
    request_order order = order_of(w, 1, 1);
    request *r = running(w, &order);
    request_token token = {.step = 1, .id = 'x', .semantics = ""};
    assert_int_equal(request_drawn(r, &token, 0, &shown, &kept, &f), STATUS_NOT_FOUND);
    token.step = 0;
    assert_int_equal(request_drawn(r, &token, 0, &shown, &kept, &f), STATUS_OK);
    assert_int_equal(request_drawn(r, &token, 0, &shown, &kept, &f), STATUS_NOT_FOUND);
    assert_int_equal(request_step(r), 1);
    token.step = 1;
    request_end(r);
    assert_int_equal(request_drawn(r, &token, 0, &shown, &kept, &f), STATUS_NOT_FOUND);
}

static void test_a_modeld_that_breaks_the_rules_is_found_out(void **state) {
    world *w = *state;
    failure f;
    stream_text shown;
    bool kept;
    request_order order = order_of(w, 1, 1);
    request *r = running(w, &order);
    request_token token = {.id = FAKE_N_VOCAB, .semantics = ""};
    assert_int_equal(request_drawn(r, &token, 0, &shown, &kept, &f), STATUS_BAD_ID);
    token.id = 7;
    token.sampler_state.n_bytes = STATE_BYTES_MAX + 1;
    assert_int_equal(request_drawn(r, &token, 0, &shown, &kept, &f), STATUS_BAD_MESSAGE);
    assert_int_equal(request_step(r), 0);
    assert_false(kept);
}

static void test_end_ids_are_no_part_of_the_text(void **state) {
    world *w = *state;
    failure f;
    stream_text shown;
    bool kept = true;
    int32_t stop = '.';
    request_order order = order_of(w, 1, 1);
    order.stop_ids = &stop, order.n_stop_ids = 1;
    request *r = running(w, &order);
    request_token token = {.id = FAKE_END_ID, .semantics = ""};
    assert_int_equal(request_drawn(r, &token, 0, &shown, &kept, &f), STATUS_OK);
    assert_false(kept);
    token.id = stop;
    assert_int_equal(request_drawn(r, &token, 0, &shown, &kept, &f), STATUS_OK);
    assert_false(kept);
    assert_int_equal(request_step(r), 0);
    assert_int_equal(r->over, FINISH_NONE);     /* its modeld says Closed */
}

static void test_ignore_eos_keeps_the_models_end_ids_silently(void **state) {
    world *w = *state;
    failure f;
    stream_text shown;
    bool kept = false;
    request_order order = order_of(w, 1, 1);
    order.ignore_eos = true;
    request *r = running(w, &order);
    assert_int_equal(r->n_end_ids, 0);
    request_token token = {.id = FAKE_END_ID, .semantics = ""};
    assert_int_equal(request_drawn(r, &token, 0, &shown, &kept, &f), STATUS_OK);
    assert_true(kept);
    assert_int_equal(shown.n_bytes, 0);
    assert_int_equal(request_step(r), 1);
}

static void test_a_stop_string_ends_the_text_before_it(void **state) {
    world *w = *state;
    stream_text rest;
    const vocab_bytes stops[] = {{(const uint8_t *)"lo!", 3}, {(const uint8_t *)"zzz", 3}};
    request_order order = order_of(w, 1, 1);
    order.stops = stops, order.n_stops = 2;
    request *r = running(w, &order);
    check_draws(r, "hello", "hel");             /* "lo" may begin the stop */
    assert_int_equal(r->over, FINISH_NONE);
    check_draws(r, "!", "");
    assert_int_equal(r->over, FINISH_STOP);
    assert_int_equal(request_step(r), 6);       /* the ids that made the stop stay */
    assert_true(request_end(r));
    assert_int_equal(r->state, REQUEST_CLOSING);
    assert_int_equal(request_rest(r, &rest), STATUS_OK);
    assert_int_equal(rest.n_bytes, 0);
    assert_true(request_told(r));
    assert_int_equal(r->state, REQUEST_DONE);
    assert_int_equal(fake_modeld_load(w->modeld), 0);
    assert_false(request_end(r));
}

static void test_what_was_held_back_is_let_go_at_the_end(void **state) {
    world *w = *state;
    stream_text rest;
    const vocab_bytes stop = {(const uint8_t *)"lo!", 3};
    request_order order = order_of(w, 1, 1);
    order.stops = &stop, order.n_stops = 1;
    request *r = running(w, &order);
    check_draws(r, "hello", "hel");
    request_closed(r, &(request_closing){0});
    assert_int_equal(request_rest(r, &rest), STATUS_OK);
    assert_int_equal(rest.n_bytes, 2);
    assert_memory_equal(rest.bytes, "lo", 2);
}

static void test_more_tokens_than_asked_for_end_the_text(void **state) {
    world *w = *state;
    char text[32];
    bool kept;
    request_order order = order_of(w, 1, 1);
    request *r = running(w, &order);
    check_draws(r, "0123456789", "0123456789");
    assert_int_equal(r->over, FINISH_NONE);     /* its modeld says Closed */
    assert_int_equal(draw(r, 'x', text, &kept), STATUS_OK);
    assert_false(kept);
    assert_int_equal(r->over, FINISH_LENGTH);
    assert_int_equal(request_step(r), STEPS);
}

/* ---- going on elsewhere ---- */

static void test_a_lost_modeld_leaves_all_that_another_needs(void **state) {
    world *w = *state;
    request_order order = order_of(w, 1, 1);
    request *r = running(w, &order);
    check_draws(r, "abc", "abc");
    assert_true(request_lost(r, 500 * MS));
    assert_int_equal(r->state, REQUEST_WAITING);
    assert_null(r->worker);
    assert_int_equal(fake_modeld_load(w->modeld), 0);
    assert_true(request_waits(r));
    assert_int_equal(r->deadline_us, 600 * MS); /* wait_ms from the loss */
    assert_int_equal(request_step(r), 3);
    assert_int_equal(r->sampler_state[0], 'c');
    assert_true(request_serve(r, w->modeld, 510 * MS));
    check_draws(r, "def", "def");
}

static void test_a_text_that_is_full_needs_no_other_modeld(void **state) {
    world *w = *state;
    request_order order = order_of(w, 1, 1);
    request *r = running(w, &order);
    check_draws(r, "0123456789", "0123456789");
    request_lost(r, 0);
    assert_int_equal(r->over, FINISH_LENGTH);
}

static void test_losses_in_a_row_are_counted_until_a_token_comes(void **state) {
    world *w = *state;
    request_order order = order_of(w, 1, 1);
    request *r = waiting(w, &order);
    for (uint32_t i = 1; i <= REOPENS_MAX; i++) {
        request_serve(r, w->modeld, 0);
        request_lost(r, 0);
        assert_int_equal(r->n_losses, i);
    }
    request_serve(r, w->modeld, 0);
    check_draws(r, "a", "a");
    request_lost(r, 0);
    assert_int_equal(r->n_losses, 0);           /* this one was of use */
}

static void test_a_text_that_has_begun_waits_for_room(void **state) {
    world *w = *state;
    request_order order = order_of(w, 1, 1);
    request *r = running(w, &order);
    assert_false(request_crowded_out(r, 0));    /* nothing is lost when it ends */
    assert_int_equal(r->state, REQUEST_RUNNING);
    check_draws(r, "abc", "abc");
    assert_true(request_crowded_out(r, 500 * MS));
    assert_int_equal(r->state, REQUEST_WAITING);
    assert_int_equal(fake_modeld_load(w->modeld), 0);
    assert_int_equal(r->deadline_us, 600 * MS); /* wait_ms from when it stopped */
    assert_int_equal(r->retry_us, (500 + BUSY_RETRY_MS) * MS);
    assert_ptr_equal(r->refuser, w->modeld);
    assert_true(request_serve(r, w->modeld, 550 * MS));
    assert_int_equal(r->retry_us, 0);
    assert_true(request_crowded_out(r, 560 * MS));
    assert_int_equal(r->deadline_us, 600 * MS); /* no token came: the wait goes on */
    request_forget_modeld(r, w->modeld);
    assert_null(r->refuser);
    assert_int_equal(r->n_losses, 0);

    order = order_of(w, 2, 1);
    r = running(w, &order);
    request_lost(r, 0);
    request_serve(r, w->modeld, 0);
    assert_true(request_crowded_out(r, 0));     /* it was open before */
}

static request *resumed(world *w, const char *drawn, const char *stop, request_order *order) {
    static vocab_bytes stops[1];
    int32_t ids[64];
    failure f;
    size_t n = ids_of("say", ids);
    stops[0] = (vocab_bytes){(const uint8_t *)stop, stop ? strlen(stop) : 0};
    order->stops = stops, order->n_stops = stop ? 1 : 0;
    order->n_prompt = n;
    order->n_ids = n + ids_of(drawn, ids + n);
    order->ids = ids;
    request *r = add(w, order);
    assert_int_equal(request_meet(r, w->model, &w->facts, &f), STATUS_OK);
    assert_int_equal(request_encoded(r, NULL, 0, 0, &f), STATUS_OK);
    return r;
}

static void test_a_resumed_text_goes_on_with_the_first_byte_not_shown(void **state) {
    world *w = *state;
    request_order order = order_of(w, 1, 2);
    request *r = resumed(w, "caf\xc3", NULL, &order);   /* half of é was held back */
    assert_int_equal(request_step(r), 4);
    assert_int_equal(r->over, FINISH_NONE);
    assert_true(request_serve(r, w->modeld, 0));
    check_draws(r, "\xa9!", "\xc3\xa9!");
}

static void test_a_resumed_text_may_be_over_already(void **state) {
    world *w = *state;
    request_order order = order_of(w, 1, 2);
    request *r = resumed(w, "so it ends", NULL, &order);
    assert_int_equal(r->over, FINISH_LENGTH);           /* STEPS of them */
    order = order_of(w, 2, 2);
    r = resumed(w, "a stop b", "stop", &order);
    assert_int_equal(r->over, FINISH_STOP);
    assert_int_equal(request_step(r), 6);               /* up to the id that completed the stop */
    order = order_of(w, 3, 2);
    int32_t end = '.';
    order.stop_ids = &end, order.n_stop_ids = 1;
    r = resumed(w, "yes. no", NULL, &order);
    assert_int_equal(r->over, FINISH_STOP);
    assert_int_equal(request_step(r), 3);               /* an end id is not kept */
}

static void test_a_resumed_text_must_fit_the_context(void **state) {
    world *w = *state;
    failure f;
    int32_t ids[FAKE_N_CTX + 1] = {0};
    for (uint8_t more = 0; more < 2; more++) {
        request_order order = order_of(w, more, 2);
        order.max_new_tokens = 2 * FAKE_N_CTX;
        order.ignore_eos = true;
        order.ids = ids, order.n_ids = FAKE_N_CTX + (size_t)more, order.n_prompt = 1;
        request *r = add(w, &order);
        assert_int_equal(request_meet(r, w->model, &w->facts, &f), STATUS_OK);
        assert_int_equal(request_encoded(r, NULL, 0, 0, &f), more ? STATUS_TOO_LONG : STATUS_OK);
        assert_int_equal(r->over, more ? FINISH_NONE : FINISH_LENGTH);
    }
    assert_non_null(strstr(f.message, "65 ids came"));
    assert_non_null(strstr(f.message, "holds 64"));
}

static void test_ids_that_requests_brought_are_bounded(void **state) {
    world *w = *state;
    failure f;
    request *r = NULL;
    size_t n_ids = N_CTX_MAX < HELD_IDS_MAX ? N_CTX_MAX : HELD_IDS_MAX, n_added = 0;
    int32_t *ids = calloc(n_ids, sizeof *ids);
    status st = STATUS_OK;
    for (uint8_t name = 0; st == STATUS_OK; name++) {
        request_order order = order_of(w, name, 1);
        order.ids = ids, order.n_ids = order.n_prompt = n_ids;
        st = requests_add(w->table, &order, NULL, w, 0, &r, &f);
        n_added += st == STATUS_OK;
    }
    assert_int_equal(st, STATUS_BUSY);
    assert_int_equal(n_added, HELD_IDS_MAX / n_ids);
    free(ids);
}

/* ---- its model and modeld ---- */

static void test_what_a_request_holds_it_lets_go(void **state) {
    world *w = *state;
    failure f;
    const int32_t beyond = FAKE_N_VOCAB;
    request_order lost = order_of(w, 1, 1), unfit = order_of(w, 2, 1);
    request *r = running(w, &lost);
    assert_int_equal(fake_model_holders(w->model), 1);
    request_lost(r, 0);
    assert_int_equal(fake_model_holders(w->model), 1);  /* it waits for just this model */
    request_serve(r, w->modeld, 0);
    requests_remove(w->table, &r, false);
    assert_int_equal(fake_model_holders(w->model), 0);
    assert_int_equal(fake_modeld_load(w->modeld), 0);
    unfit.stop_ids = &beyond, unfit.n_stop_ids = 1;
    r = add(w, &unfit);
    assert_int_equal(request_meet(r, w->model, &w->facts, &f), STATUS_BAD_ID);
    requests_remove(w->table, &r, false);
    assert_int_equal(fake_model_holders(w->model), 0);
}

/* ---- waiting ---- */

static void test_only_who_lacks_a_worker_waits(void **state) {
    world *w = *state;
    failure f;
    int32_t prompt[8];
    request_order order = order_of(w, 1, 1);
    order.wait_ms = 0;
    request *r = add(w, &order);
    assert_int_equal(r->wait_ms, WAIT_MS);
    assert_int_equal(r->deadline_us, (uint64_t)WAIT_MS * MS);
    assert_true(request_waits(r));              /* for its served_model */
    request_meet(r, w->model, &w->facts, &f);
    assert_string_equal(r->model_name, "a");
    assert_string_equal(r->fingerprint, "f1");
    assert_false(request_waits(r));             /* it is being encoded */
    request_encoded(r, prompt, ids_of("say", prompt), 3000 * MS, &f);
    assert_true(request_waits(r));
    assert_int_equal(r->deadline_us, (uint64_t)(WAIT_MS + 3000) * MS);
    request_serve(r, w->modeld, 0);
    assert_false(request_waits(r));
}

/* ---- changes of strategy ---- */

static strategy top_k(double k) {
    failure f;
    strategy s;
    strategy_init(&s);
    assert_int_equal(strategy_append(&s, STEP_TOP_K, &k, 1, &f), STATUS_OK);
    return s;
}

static void test_a_change_is_shown_when_its_step_is_due(void **state) {
    world *w = *state;
    failure f;
    request_order order = order_of(w, 1, 1);
    request *r = running(w, &order);
    strategy s = top_k(40);
    check_draws(r, "ab", "ab");
    assert_int_equal(request_tune(r, false, &s, w, 77, &f), STATUS_OK);
    assert_int_equal(r->change, 1);
    assert_int_equal(r->strategy.n_steps, 2);   /* merged: temperature stays */
    assert_null(request_due(r));                /* its modeld has not said from where it holds */
    request_retuned(r, 1, 3);
    assert_null(request_due(r));                /* step 2 is drawn by the old one */
    check_draws(r, "c", "c");
    request_change *c = request_due(r);
    assert_non_null(c);
    assert_int_equal(c->ordinal, 1);
    assert_int_equal(c->step, 3);
    assert_int_equal(c->strategy.n_steps, 2);
    assert_null(request_acknowledged(r, 1));    /* not sent yet */
    request_change_shown(c);
    assert_null(request_due(r));
    assert_null(request_acknowledged(r, 0));
    c = request_acknowledged(r, 1);
    assert_non_null(c);
    assert_ptr_equal(c->asker, w);
    assert_int_equal(c->call, 77);
    request_change_free(&c);
    assert_null(request_acknowledged(r, 1));
}

static void test_changes_keep_their_order(void **state) {
    world *w = *state;
    failure f;
    request_order order = order_of(w, 1, 1);
    order.change = 5;
    request *r = running(w, &order);
    strategy first = top_k(40), second = top_k(7);
    assert_int_equal(request_tune(r, true, &first, w, 1, &f), STATUS_OK);
    assert_int_equal(request_tune(r, false, &second, NULL, 2, &f), STATUS_OK);
    assert_int_equal(r->change, 7);
    assert_int_equal(r->strategy.n_steps, 1);   /* replaced, then merged */
    assert_true(r->strategy.steps[0].numbers[0] == 7);
    request_retuned(r, 7, 0);                   /* the later one implies the earlier one */
    for (uint32_t ordinal = 6; ordinal <= 7; ordinal++) {
        request_change *c = request_due(r);
        assert_int_equal(c->ordinal, ordinal);
        assert_true(c->strategy.steps[0].numbers[0] == (ordinal == 6 ? 40 : 7));
        request_change_shown(c);
    }
    for (uint32_t ordinal = 6; ordinal <= 7; ordinal++) {
        request_change *c = request_acknowledged(r, 7);
        assert_int_equal(c->ordinal, ordinal);
        request_change_free(&c);
    }
}

static void test_a_waiting_request_is_changed_at_once(void **state) {
    world *w = *state;
    failure f;
    request_order order = order_of(w, 1, 1);
    request *r = add(w, &order);
    strategy s = top_k(40);
    assert_int_equal(request_tune(r, false, &s, w, 1, &f), STATUS_OK);
    assert_null(request_due(r));                /* Started comes first */
    int32_t prompt[8];
    request_meet(r, w->model, &w->facts, &f);
    request_encoded(r, prompt, ids_of("say", prompt), 0, &f);
    request_change *c = request_due(r);
    assert_non_null(c);
    assert_int_equal(c->step, 0);
}

static void test_a_lost_modeld_lets_changes_hold_at_the_next_step(void **state) {
    world *w = *state;
    failure f;
    request_order order = order_of(w, 1, 1);
    request *r = running(w, &order);
    strategy s = top_k(40);
    check_draws(r, "ab", "ab");
    request_tune(r, false, &s, w, 1, &f);
    request_tune(r, false, &s, w, 2, &f);
    request_retuned(r, 1, 3);
    request_lost(r, 0);
    for (uint32_t ordinal = 1; ordinal <= 2; ordinal++) {
        request_change *c = request_due(r);
        assert_int_equal(c->ordinal, ordinal);
        assert_int_equal(c->step, 2);
        request_change_shown(c);
    }
}

static void test_changes_that_cannot_be_made_change_nothing(void **state) {
    world *w = *state;
    failure f;
    request_order order = order_of(w, 1, 1);
    request *r = running(w, &order);
    strategy s = top_k(40), biased;
    strategy_init(&biased);
    strategy_append_biases(&biased, &(int32_t){FAKE_N_VOCAB}, &(double){1}, 1, &f);
    assert_int_equal(request_tune(r, false, &biased, w, 1, &f), STATUS_BAD_ID);
    assert_int_equal(r->change, 0);
    assert_true(strategy_equal(&r->strategy, &w->plain));
    strategy_clear(&biased);
    for (uint32_t i = 0; i < CHANGES_MAX; i++)
        assert_int_equal(request_tune(r, false, &s, w, i, &f), STATUS_OK);
    assert_int_equal(request_tune(r, false, &s, w, 9, &f), STATUS_BUSY);
    request_end(r);
    assert_int_equal(request_tune(r, false, &s, w, 9, &f), STATUS_UNKNOWN_REQUEST);
}

static void test_changes_before_the_model_is_known_must_fit_it(void **state) {
    world *w = *state;
    failure f;
    request_order order = order_of(w, 1, 1);
    request *r = add(w, &order);
    strategy s = top_k(40), biased;
    strategy_init(&biased);
    strategy_append_biases(&biased, &(int32_t){FAKE_N_VOCAB}, &(double){1}, 1, &f);
    assert_int_equal(request_tune(r, false, &biased, w, 1, &f), STATUS_OK);
    assert_int_equal(request_tune(r, false, &s, w, 2, &f), STATUS_OK);  /* holds the bias, too */
    assert_int_equal(request_tune(r, true, &s, w, 3, &f), STATUS_OK);
    assert_int_equal(request_tune(r, false, &w->plain, w, 4, &f), STATUS_OK);
    assert_int_equal(request_meet(r, w->model, &w->facts, &f), STATUS_OK);
    for (uint64_t call = 1; call <= 2; call++) {
        request_change *c = request_unfit_change(r, &f);
        assert_int_equal(c->call, call);
        assert_int_equal(f.code, STATUS_BAD_ID);
        request_change_free(&c);
    }
    assert_null(request_unfit_change(r, &f));
    assert_int_equal(r->n_changes, 2);
    assert_true(strategy_equal(&r->strategy, &w->plain));
    assert_int_equal(request_adopt_changes(r, &f), STATUS_OK);
    assert_int_equal(r->strategy.n_steps, 2);
    assert_int_equal(r->change, 4);
    strategy_clear(&biased);
}

static void test_who_asked_may_be_gone(void **state) {
    world *w = *state;
    failure f;
    request_order order = order_of(w, 1, 1);
    request *r = waiting(w, &order);
    strategy s = top_k(40);
    request_tune(r, false, &s, w, 1, &f);
    request_forget_asker(r, w);
    request_end(r);
    request_change *c = request_drop_change(r);
    assert_non_null(c);
    assert_null(c->asker);
    request_change_free(&c);
    assert_null(request_drop_change(r));
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(test_the_transitions_are_those_of_the_protocol),
        CASE(test_a_higher_attempt_takes_over_and_others_do_not),
        CASE(test_an_ended_request_is_not_opened_again),
        CASE(test_a_refused_attempt_counts_as_ended),
        CASE(test_a_rival_stays_until_it_is_removed),
        CASE(test_the_memory_of_ended_requests_is_a_ring),
        CASE(test_a_prefix_names_one_request),
        CASE(test_a_full_table_is_busy),
        CASE(test_orders_out_of_range_are_refused),
        CASE(test_ids_of_an_order_must_lie_in_the_vocabulary),
        CASE(test_a_prompt_must_leave_room_in_the_context),
        CASE(test_a_token_is_recorded_with_what_chose_it),
        CASE(test_only_the_step_that_is_due_counts),
        CASE(test_a_modeld_that_breaks_the_rules_is_found_out),
        CASE(test_end_ids_are_no_part_of_the_text),
        CASE(test_ignore_eos_keeps_the_models_end_ids_silently),
        CASE(test_a_stop_string_ends_the_text_before_it),
        CASE(test_what_was_held_back_is_let_go_at_the_end),
        CASE(test_more_tokens_than_asked_for_end_the_text),
        CASE(test_a_lost_modeld_leaves_all_that_another_needs),
        CASE(test_losses_in_a_row_are_counted_until_a_token_comes),
        CASE(test_a_text_that_has_begun_waits_for_room),
        CASE(test_a_text_that_is_full_needs_no_other_modeld),
        CASE(test_a_resumed_text_goes_on_with_the_first_byte_not_shown),
        CASE(test_a_resumed_text_may_be_over_already),
        CASE(test_a_resumed_text_must_fit_the_context),
        CASE(test_ids_that_requests_brought_are_bounded),
        CASE(test_what_a_request_holds_it_lets_go),
        CASE(test_only_who_lacks_a_worker_waits),
        CASE(test_a_change_is_shown_when_its_step_is_due),
        CASE(test_changes_keep_their_order),
        CASE(test_a_waiting_request_is_changed_at_once),
        CASE(test_a_lost_modeld_lets_changes_hold_at_the_next_step),
        CASE(test_changes_that_cannot_be_made_change_nothing),
        CASE(test_changes_before_the_model_is_known_must_fit_it),
        CASE(test_who_asked_may_be_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
