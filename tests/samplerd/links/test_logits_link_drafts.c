/* Drafts on the logits link of samplerd, with the sampler that really draws: whatever the chain, what is told of drafted
 * rows is, byte for byte, what is told when each of them is asked for alone, up to the first that differs. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "proto/chain/strategy_json.h"
#include "proto/chain/strategy_wire.h"
#include "tests/support/kernels/kernel_data.h"
#include "tests/support/samplerd/logits_scene.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

/* An answer and its traces are never more than ZeroMQ takes at once, so that no trace is dropped. */
enum { N_ROWS = 4, WIDTH = 12, N_PROMPT = 5, N_CASES = 100, TOLD_BYTES_MAX = 2048 };

static row_sampler *sampler;

static status draw(void *context, unsigned drawer, const sample_rows *rows, sampled_rows *out, failure *f) {
    (void)context, (void)drawer;
    return row_sampler_draw(sampler, rows, out, f);
}

static int begin(void **state) {
    if (scene_begin(state) != 0) return -1;
    sampler = row_sampler_new(ISA_REF);
    assert_non_null(sampler);
    scene_draw_with(scene.threads, (logits_calls){.draw = draw});
    return 0;
}

static int end(void **state) {
    int ended = scene_end(state);
    row_sampler_free(&sampler);
    return ended;
}

#define DRAFTS_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

/* ---- A text, and what is told of it ---- */

typedef struct text {
    float rows[N_ROWS][WIDTH];
    int32_t prompt[N_PROMPT];
    Trivium__Strategy *chain;
    uint32_t n_candidates, n_watched;
    uint64_t seed;
} text;

/* A message as it lay on the wire. */
typedef struct packed_message {
    uint8_t bytes[TOLD_BYTES_MAX];
    size_t n_bytes;
} packed_message;

typedef struct telling {
    uint32_t n_drawn;           /* rows of the text so far */
    int32_t ids[N_PROMPT + N_ROWS];
    uint8_t state[SAMPLER_STATE_BYTES];
    size_t n_state_bytes;
    packed_message drawn[N_ROWS], traces[N_ROWS];
} telling;

static void pack(packed_message *out, const ProtobufCMessage *m) {
    assert_in_range(protobuf_c_message_get_packed_size(m), 0, TOLD_BYTES_MAX);
    out->n_bytes = protobuf_c_message_pack(m, out->bytes);
}

static telling tell_nothing(const text *t) {
    telling told = {.n_drawn = 0};
    memcpy(told.ids, t->prompt, sizeof t->prompt);
    return told;
}

static order order_next(const text *t, const telling *told, uint32_t n_rows, const int32_t *drafts) {
    order o = order_good();
    o.sample.step = STEP + told->n_drawn;
    o.sample.n_rows = n_rows;
    o.sample.n_vocab = WIDTH;
    o.sample.n_ids = N_PROMPT + told->n_drawn;
    o.sample.n_prompt = N_PROMPT;
    o.sample.strategy = t->chain;
    o.sample.seed = t->seed;
    o.sample.state = (ProtobufCBinaryData){told->n_state_bytes, (uint8_t *)told->state};
    o.sample.n_candidates = t->n_candidates;
    o.sample.n_watched = t->n_watched;
    o.sample.drafts = (int32_t *)drafts;
    o.sample.n_drafts = drafts ? n_rows - 1 : 0;
    o.raw[0] = (wire_raw){t->rows[told->n_drawn], n_rows * sizeof t->rows[0]};
    o.raw[1] = (wire_raw){told->ids, o.sample.n_ids * sizeof *told->ids};
    return o;
}

static void hear_traces(telling *told, const text *t, uint32_t first) {
    if (t->n_watched == 0) return;
    for (uint32_t at = first; at < told->n_drawn; at++) {
        assert_true(fake_peer_hears(&scene.modeld, scene.loop, FAKE_BODY));
        const Trivium__LogitsReply *reply = (const Trivium__LogitsReply *)scene.modeld.header;
        assert_int_equal(reply->body_case, TRIVIUM__LOGITS_REPLY__BODY_GLIMPSE);
        assert_int_equal(reply->glimpse->step, STEP + at);
        pack(&told->traces[at], &reply->glimpse->base);
    }
}

/* Have the next rows drawn from, and note what is told of them. Returns the code of the error instead of which they are
 * told of, or OK. */
static Trivium__Code go_on(telling *told, const text *t, uint32_t n_rows, const int32_t *drafts) {
    order o = order_next(t, told, n_rows, drafts);
    const Trivium__SampleReply *reply = order_answer(&o);
    uint32_t first = told->n_drawn;
    assert_int_equal(reply->step, STEP + first);
    if (reply->error) return reply->error->code;
    assert_in_range(reply->n_drawn, 1, n_rows);
    for (size_t i = 0; i < reply->n_drawn; i++, told->n_drawn++) {
        const Trivium__Drawn *drawn = reply->drawn[i];
        told->ids[N_PROMPT + told->n_drawn] = drawn->id;
        pack(&told->drawn[told->n_drawn], &drawn->base);
        assert_in_range(drawn->state.len, 0, sizeof told->state);
        told->n_state_bytes = drawn->state.len;
        if (drawn->state.len > 0) memcpy(told->state, drawn->state.data, drawn->state.len);
    }
    hear_traces(told, t, first);
    return TRIVIUM__CODE__OK;
}

/* Each row in a request of its own, to the end or to one that cannot be drawn from. */
static Trivium__Code go_on_singly(telling *told, const text *t) {
    Trivium__Code code = TRIVIUM__CODE__OK;
    while (told->n_drawn < N_ROWS && code == TRIVIUM__CODE__OK) code = go_on(told, t, 1, NULL);
    return code;
}

static void is_packed_alike(const packed_message *a, const packed_message *b) {
    assert_int_equal(a->n_bytes, b->n_bytes);
    assert_memory_equal(a->bytes, b->bytes, a->n_bytes);
}

static void tells_the_same(const telling *a, const telling *b, uint32_t n_rows) {
    for (uint32_t at = 0; at < n_rows; at++) {
        is_packed_alike(&a->drawn[at], &b->drawn[at]);
        is_packed_alike(&a->traces[at], &b->traces[at]);
    }
}

/* ---- Random texts ---- */

static const char *const STAGES[] = {
    "{\"logit_bias\": [[3, 1.5], [7, \"-inf\"]]}", "{\"repetition_penalty\": 1.5}", "{\"presence_penalty\": 0.7}",
    "{\"frequency_penalty\": 0.5}",
    "{\"dry\": {\"multiplier\": 1, \"base\": 1.5, \"allowed_length\": 1, \"last_n\": -1}}", "{\"temperature\": 1.7}",
    "{\"dynatemp\": {\"low\": 0.5, \"high\": 2, \"exponent\": 1}}", "{\"top_n_sigma\": 2}", "{\"top_k\": 6}",
    "{\"typical_p\": 0.9}", "{\"top_p\": 0.95}", "{\"min_p\": 0.05}", "{\"xtc\": {\"probability\": 0.5, \"threshold\": 0.1}}"};
static const char *const LAST_STAGES[] = {
    "{\"mirostat\": {\"tau\": 2, \"eta\": 0.3}}", "{\"adaptive_p\": {\"target\": 0.4, \"decay\": 0.8}}",
    "{\"greedy\": true}", "{\"temperature\": 1}"};

static Trivium__Strategy *chain_of(const char *json) {
    strategy s;
    failure f;
    strategy_init(&s);
    json_t *stages = json_loads(json, 0, NULL);
    assert_int_equal(strategy_from_json(&s, stages, &f), STATUS_OK);
    Trivium__Strategy *made = strategy_to_wire(&s);
    assert_non_null(made);
    json_decref(stages);
    strategy_clear(&s);
    return made;
}

static Trivium__Strategy *random_chain(void) {
    char json[1024] = "[";
    size_t n = 1;
    for (uint32_t i = random_below(4); i > 0; i--) {
        const char *one = STAGES[random_below(sizeof STAGES / sizeof *STAGES)];
        n += (size_t)snprintf(json + n, sizeof json - n, "%s, ", one);
    }
    snprintf(json + n, sizeof json - n, "%s]", LAST_STAGES[random_below(sizeof LAST_STAGES / sizeof *LAST_STAGES)]);
    return chain_of(json);
}

static text random_text(Trivium__Strategy *chosen) {
    text t = {.chain = chosen, .n_candidates = random_below(WIDTH), .n_watched = random_below(2) * WIDTH,
              .seed = random_below(1 << 30)};
    for (uint32_t i = 0; i < N_ROWS * WIDTH; i++)
        t.rows[i / WIDTH][i % WIDTH] = (float)random_below(1 << 16) / (1 << 14);
    for (uint32_t i = 0; i < N_PROMPT; i++) t.prompt[i] = (int32_t)random_below(WIDTH);
    return t;
}

/* ---- Tests ---- */

static uint32_t smaller(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* Drafts of which the one at `wrong` is not what is drawn, or none, where it is past them. */
static void check_drafted(const text *t, const telling *singly, Trivium__Code failed, uint32_t wrong) {
    int32_t drafts[N_ROWS - 1];
    memcpy(drafts, singly->ids + N_PROMPT, sizeof drafts);
    if (wrong < N_ROWS - 1) drafts[wrong] = (drafts[wrong] + 1) % WIDTH;
    telling told = tell_nothing(t);
    Trivium__Code code = go_on(&told, t, N_ROWS, drafts);
    assert_int_equal(code, singly->n_drawn == 0 ? failed : TRIVIUM__CODE__OK);
    assert_int_equal(told.n_drawn, smaller(wrong + 1, singly->n_drawn));
    tells_the_same(&told, singly, told.n_drawn);
    assert_int_equal(go_on_singly(&told, t), failed);
    assert_int_equal(told.n_drawn, singly->n_drawn);
    tells_the_same(&told, singly, told.n_drawn);
}

/* Of one text in eight, one row cannot be drawn from. */
static void drafted_rows_are_told_as_they_are_one_by_one(void **state) {
    (void)state;
    scene_accept();
    for (int i = 0; i < N_CASES; i++) {
        text t = random_text(random_chain());
        if (random_below(8) == 0) t.rows[random_below(N_ROWS)][random_below(WIDTH)] = NAN;
        telling singly = tell_nothing(&t);
        Trivium__Code failed = go_on_singly(&singly, &t);
        for (uint32_t wrong = 0; wrong < N_ROWS; wrong++) check_drafted(&t, &singly, failed, wrong);
        trivium__strategy__free_unpacked(t.chain, NULL);
    }
}

/* Another chain, whose rule finds another's state, from the first step on that was not drawn. */
static void a_change_holds_from_the_first_step_that_was_not_drawn(void **state) {
    (void)state;
    scene_accept();
    Trivium__Strategy *first = chain_of("[{\"frequency_penalty\": 0.5}, {\"mirostat\": {\"tau\": 2, \"eta\": 0.3}}]");
    Trivium__Strategy *second = chain_of("[{\"adaptive_p\": {\"target\": 0.4, \"decay\": 0.8}}]");
    for (uint32_t n_first = 1; n_first < N_ROWS; n_first++) {
        text t = random_text(first);
        telling singly = tell_nothing(&t), drafted = tell_nothing(&t);
        while (singly.n_drawn < n_first) assert_int_equal(go_on(&singly, &t, 1, NULL), TRIVIUM__CODE__OK);
        int32_t drafts[N_ROWS - 1];
        memcpy(drafts, singly.ids + N_PROMPT, sizeof drafts);
        drafts[n_first - 1] = (drafts[n_first - 1] + 1) % WIDTH;
        assert_int_equal(go_on(&drafted, &t, N_ROWS, drafts), TRIVIUM__CODE__OK);
        assert_int_equal(drafted.n_drawn, n_first);
        t.chain = second;
        assert_int_equal(go_on_singly(&singly, &t), TRIVIUM__CODE__OK);
        memcpy(drafts, singly.ids + N_PROMPT + n_first, (N_ROWS - n_first) * sizeof *drafts);
        assert_int_equal(go_on(&drafted, &t, N_ROWS - n_first, N_ROWS - n_first > 1 ? drafts : NULL), TRIVIUM__CODE__OK);
        tells_the_same(&drafted, &singly, N_ROWS);
    }
    trivium__strategy__free_unpacked(first, NULL);
    trivium__strategy__free_unpacked(second, NULL);
}

static void drafted_rows_may_be_shared(void **state) {
    (void)state;
    enum { N_SHARED = 2 };
    failure f;
    shared_rows *rows;
    assert_int_equal(shared_rows_new(&rows, FAKE_INCARNATION, N_SHARED, WIDTH, &f), STATUS_OK);
    scene_share(rows);
    text t = random_text(random_chain());
    telling sent = tell_nothing(&t);
    while (sent.n_drawn < N_SHARED) assert_int_equal(go_on(&sent, &t, 1, NULL), TRIVIUM__CODE__OK);

    Trivium__SharedRow places[N_SHARED], *list[N_SHARED];
    for (uint32_t at = 0; at < N_SHARED; at++) {
        list[at] = &places[at];
        trivium__shared_row__init(&places[at]);
        assert_true(shared_rows_take(rows, &places[at].index));
        places[at].generation = shared_rows_renew(rows, places[at].index);
        memcpy(shared_rows_at(rows, places[at].index), t.rows[at], sizeof t.rows[at]);
    }
    telling nothing = tell_nothing(&t);
    order o = order_next(&t, &nothing, N_SHARED, &sent.ids[N_PROMPT]);
    o.sample.shared = list;
    o.sample.n_shared = N_SHARED;
    o.raw[0].n_bytes = 0;
    const Trivium__SampleReply *reply = order_answer(&o);
    assert_int_equal(reply->n_drawn, N_SHARED);
    for (uint32_t at = 0; at < N_SHARED; at++) {
        packed_message drawn;
        pack(&drawn, &reply->drawn[at]->base);
        is_packed_alike(&drawn, &sent.drawn[at]);
    }
    trivium__strategy__free_unpacked(t.chain, NULL);
    shared_rows_free(&rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        DRAFTS_TEST(drafted_rows_are_told_as_they_are_one_by_one),
        DRAFTS_TEST(a_change_holds_from_the_first_step_that_was_not_drawn),
        DRAFTS_TEST(drafted_rows_may_be_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
