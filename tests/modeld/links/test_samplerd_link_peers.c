/* The link to samplerds: how they join, are refused, live, leave, and are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "modeld/links/report.h"
#include "tests/support/modeld/rows_scene.h"
#include "tests/support/link/turns.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

/* ---- joining ---- */

static void who_joins_is_in_the_table(void **state) {
    (void)state;
    sampler *one = rows_join(0, "careful", "rules/1");
    assert_string_equal(one->pool, "careful");
    assert_string_equal(one->semantics, "rules/1");
    assert_int_equal(rows.n_changed, 1);
    assert_string_equal(samplerd_link_name(one), "fake");
    assert_ptr_equal(samplers_choose(rows.table, "careful", "", NULL), one);
    const Trivium__Hello *ours = rows.fakes[0].control->hello;
    assert_int_equal(ours->shared_rows->fd, shared_rows_fd(rows.shared));
}

static void is_refused(Trivium__Hello hello, const char *word) {
    fake_peer_join(&rows.fakes[0], rows.meeting.address, &trivium__logits_request__descriptor);
    fake_peer_say_hello(&rows.fakes[0], hello);
    assert_true(fake_peer_hears(&rows.fakes[0], rows.loop, TRIVIUM__CONTROL__WORD_REFUSED));
    assert_int_equal(rows.fakes[0].control->refused->code, TRIVIUM__CODE__BAD_REQUEST);
    assert_non_null(strstr(rows.fakes[0].control->refused->message, word));
    fake_peer_close(&rows.fakes[0]);
    assert_null(samplers_first(rows.table));
    assert_int_equal(rows.n_changed, 0);
}

static void others_than_samplerds_are_refused(void **state) {
    (void)state;
    Trivium__SamplerOffer offer = TRIVIUM__SAMPLER_OFFER__INIT;
    Trivium__Hello hello = fake_hello(TRIVIUM__ROLE__CLIENT);
    offer.semantics = (char *)"rules/1";
    hello.sampler = &offer;
    is_refused(hello, "samplerds");
    is_refused(fake_hello(TRIVIUM__ROLE__SAMPLERD), "samplerds");
    hello.role = TRIVIUM__ROLE__SAMPLERD;
    offer.semantics = (char *)"";
    is_refused(hello, "semantics");
}

static void take_figures(void *context, report_figures *out) {
    (void)context;
    *out = (report_figures){.kv_pages_used = 1, .kv_pages = 2, .n_sequences = 3, .n_queued = 4,
                            .n_garbage = 5};
}

static void the_report_lists_them_after_the_figures(void **state) {
    (void)state;
    report *r = report_new(rows.table, take_figures, NULL);
    assert_non_null(r);
    sampler *one = rows_join(0, "", "rules/1");
    rows_join(1, "careful", "rules/2");
    one->n_outstanding = 2;
    one->n_steps = 3;
    const Trivium__ModelReport *m = report_fill(r);
    assert_true(m->kv_pages_used == 1 && m->kv_pages == 2 && m->kv_page_tokens == PAGE_TOKENS);
    assert_true(m->sequences == 3 && m->waiting == 4 && m->garbage == 5);
    assert_int_equal(m->n_samplers, 2);
    assert_string_equal(m->samplers[0]->name, "fake");
    assert_string_equal(m->samplers[0]->pool, DEFAULT_POOL);
    assert_string_equal(m->samplers[0]->semantics, "rules/1");
    assert_true(m->samplers[0]->outstanding == 2 && m->samplers[0]->steps == 3);
    assert_string_equal(m->samplers[1]->pool, "careful");
    one->n_outstanding = 0;
    fake_peer_say_leave(&rows.fakes[0]);
    rows_until(&rows.n_changed, 3);
    m = report_fill(r);
    assert_int_equal(m->n_samplers, 1);
    assert_string_equal(m->samplers[0]->semantics, "rules/2");
    report_free(&r);
}

static void one_that_drains_is_known_and_reported(void **state) {
    (void)state;
    sampler *one = rows_join(0, "", "rules/1");
    Trivium__SamplerReport told;
    samplerd_link_describe(one, &told);
    assert_false(one->draining || told.draining);
    fake_peer_say_draining(&rows.fakes[0]);
    fake_peer_say_draining(&rows.fakes[0]);
    rows_until(&rows.n_changed, 2);     /* what the others are told has changed */
    samplerd_link_describe(one, &told);
    assert_true(one->draining && told.draining);
    const sample_request request = rows_request();      /* it takes what it is given */
    assert_int_equal(samplerd_link_send(rows.link, one, &request), STATUS_OK);
    rows_heard();
    assert_int_equal(rows.n_changed, 2);
    assert_int_equal(rows.n_lost, 0);
}

static const Trivium__LogitsRequest *heard_by(size_t i) {
    assert_true(fake_peer_hears(&rows.fakes[i], rows.loop, FAKE_BODY));
    return (const Trivium__LogitsRequest *)rows.fakes[i].header;
}

static void one_may_be_asked_to_drain_and_be_released(void **state) {
    (void)state;
    failure f;
    sampler *one = rows_join(0, "", "rules/1");
    rows_join(1, "", "rules/1");
    assert_null(samplerd_link_find(rows.link, "fake", 0, "", &f));
    assert_int_equal(f.code, STATUS_BAD_REQUEST);       /* there are two */
    assert_null(samplerd_link_find(rows.link, "other", 0, "", &f));
    assert_int_equal(f.code, STATUS_NOT_FOUND);
    samplerd_link_ask_to_drain(rows.link, one);
    assert_int_equal(heard_by(0)->body_case, TRIVIUM__LOGITS_REQUEST__BODY_DRAIN);
    assert_true(one->draining && samplers_serve(rows.table, "", "rules/1"));
    assert_false(samplers_need(rows.table, one, "", "rules/1"));
    samplerd_link_release(rows.link, one);
    assert_int_equal(heard_by(0)->body_case, TRIVIUM__LOGITS_REQUEST__BODY_RELEASED);
    fake_peer_say_leave(&rows.fakes[1]);
    rows_until(&rows.n_lost, 1);
    assert_false(samplers_serve(rows.table, "", "rules/1"));    /* it is given nothing any more */
}

/* ---- leaving ---- */

static void who_leaves_is_lost_and_then_out_of_the_table(void **state) {
    (void)state;
    sampler *one = rows_join(0, "", "rules/1");
    fake_peer_say_leave(&rows.fakes[0]);
    rows_until(&rows.n_changed, 2);
    assert_int_equal(rows.n_lost, 1);
    assert_ptr_equal(rows.from, one);
    assert_non_null(strstr(rows.why, "fake is gone"));
    assert_null(samplers_first(rows.table));
}

static void who_does_not_read_is_cut(void **state) {
    (void)state;
    sampler *one = rows_join(0, "", "rules/1");
    const sample_request request = rows_request();
    size_t n_sent = 0;
    while (n_sent < 1000000 && samplerd_link_send(rows.link, one, &request) == STATUS_OK) n_sent++;
    assert_in_range(n_sent, OUTBOX_MESSAGES_MAX, 999999);
    assert_true(one->lost); /* nobody chooses it any more, though the event is still to come */
    assert_int_equal(rows.n_lost, 0);
    rows_until(&rows.n_changed, 2);
    assert_int_equal(rows.n_lost, 1);
    assert_null(samplers_first(rows.table));
}

/* A sampler that has rows may be silent, one that has none is asked for a sign of life. */
static void only_a_sampler_without_rows_must_speak(void **state) {
    (void)state;
    sampler *one = rows_join(0, "", "rules/1");
    sampler_took(one, 1);
    samplerd_link_mark_busy(rows.link);
    turns_for_ms(rows.loop, 2 * HEARTBEAT_MS);
    assert_false(fake_peer_take(&rows.fakes[0]));
    sampler_released(one, 1, false);
    samplerd_link_mark_busy(rows.link);
    assert_true(fake_peer_hears(&rows.fakes[0], rows.loop, TRIVIUM__CONTROL__WORD_HEARTBEAT));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(who_joins_is_in_the_table),
        TEST(others_than_samplerds_are_refused),
        TEST(the_report_lists_them_after_the_figures),
        TEST(one_that_drains_is_known_and_reported),
        TEST(one_may_be_asked_to_drain_and_be_released),
        TEST(who_leaves_is_lost_and_then_out_of_the_table),
        TEST(who_does_not_read_is_cut),
        TEST(only_a_sampler_without_rows_must_speak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
