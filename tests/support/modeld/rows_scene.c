#include "rows_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/net/peer.h"
#include "tests/support/link/turns.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

rows_scene rows;
const uint8_t ROW_REQUEST[] = "0123456789abcdef";
const float ROW[] = {1, 2, 3, 4};
const int32_t ROW_ID_LIST[] = {3, 0, 1};

/* ---- a server that takes notes ---- */

static void on_answered(void *context, sampler *from, const sample_answer *answer) {
    assert_ptr_equal(context, &rows);
    rows.from = from;
    rows.ticket = sample_answer_ticket(answer);
    failure f = {.code = STATUS_OK};
    if (!sample_answer_failed(answer, &f)) rows.id = sample_answer_id(answer);
    rows.failed = f.code;
    rows.n_answered++;
}

static void on_traced(void *context, const Trivium__Glimpse *g) {
    assert_ptr_equal(context, &rows);
    assert_memory_equal(g->request.data, ROW_REQUEST, REQUEST_BYTES);
    rows.glimpse_step = g->step;
    rows.n_glimpsed++;
}

/* It is still in the table, and nobody may choose it. */
static void on_lost(void *context, sampler *gone, const char *why) {
    assert_ptr_equal(context, &rows);
    bool there = false;
    for (sampler *one = samplers_first(rows.table); one; one = samplers_next(one))
        there = there || one == gone;
    assert_true(there && gone->lost);
    snprintf(rows.why, sizeof rows.why, "%s", why);
    rows.from = gone;
    rows.n_lost++;
}

static void on_changed(void *context) {
    assert_ptr_equal(context, &rows);
    rows.n_changed++;
}

static const samplerd_link_events events = {
    .answered = on_answered,
    .traced = on_traced,
    .lost = on_lost,
    .changed = on_changed,
};

/* ---- the rows ---- */

int rows_begin(void **state) {
    (void)state;
    failure f;
    rows = (rows_scene){0};
    rows.loop = loop_new();
    assert_non_null(rows.loop);
    rows.table = samplers_new();
    assert_non_null(rows.table);
    place_make(&rows.meeting);
    uint64_t incarnation = peers_incarnation();
    assert_int_equal(shared_rows_new(&rows.shared, incarnation, 1, ROW_WIDTH, &f), STATUS_OK);
    static Trivium__Hello hello;
    hello = fake_hello(TRIVIUM__ROLE__MODELD);
    const samplerd_link_options options = {
        .address = rows.meeting.address,
        .hello = &hello,
        .incarnation = incarnation,
        .heartbeat_ms = HEARTBEAT_MS,
        .n_vocab = ROW_WIDTH,
        .model = vocabulary_model,
        .shared = rows.shared,
        .samplers = rows.table,
        .garbage = &rows.garbage,
        .events = &events,
        .context = &rows,
    };
    assert_int_equal(samplerd_link_new(&rows.link, rows.loop, &options, &f), STATUS_OK);
    return 0;
}

int rows_end(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) fake_peer_close(&rows.fakes[i]);
    samplerd_link_free(&rows.link);
    samplers_free(&rows.table);
    shared_rows_free(&rows.shared);
    loop_free(&rows.loop);
    return place_remove(&rows.meeting) ? 0 : -1;
}

sampler *rows_join(size_t i, const char *pool, const char *semantics) {
    fake_samplerd_join(&rows.fakes[i], rows.loop, rows.meeting.address, pool, semantics);
    sampler *last = samplers_first(rows.table);
    while (samplers_next(last)) last = samplers_next(last);
    return last;
}

void rows_until(const size_t *n, size_t wanted) {
    assert_true(turns_until_count(rows.loop, n, wanted));
}

static const strategy no_steps;

sample_request rows_request(void) {
    return (sample_request){
        .ticket = ROW_TICKET,
        .rows = ROW,
        .n_rows = 1,
        .row_width = ROW_WIDTH,
        .ids = ROW_ID_LIST,
        .n_ids = ROW_IDS,
        .strategy = &no_steps,
    };
}

const Trivium__SampleRequest *rows_heard(void) {
    return fake_samplerd_hears(&rows.fakes[0], rows.loop);
}
