/* joining.h: modelds come and go, with what they serve, with the word of which model is the default, and with their
 * vocabularies; and what status shows of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/tokenizerd/service_scene.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static asker *const first = &tokenizerd.modelds[0], *const second = &tokenizerd.modelds[1];

static void is_refused(asker *modeld, Trivium__Code code, const char *sentence) {
    assert_false(asker_joins(modeld));
    assert_int_equal(modeld->peer.control->refused->code, code);
    assert_non_null(strstr(modeld->peer.control->refused->message, sentence));
}

static void is_told_the_default(asker *modeld, const char *name, uint64_t since_ms) {
    const Trivium__DefaultModel *word = ASKED(modeld, DEFAULT_MODEL)->default_model;
    assert_string_equal(word->name, name);
    assert_true(word->since_ms == since_ms);
}

static const Trivium__StatusReport *status_told(void) {
    Trivium__StatusQuery query = TRIVIUM__STATUS_QUERY__INIT;
    client_says(ASK(STATUS, status, &query), NULL, 0);
    return TOLD(STATUS)->status;
}

static const Trivium__DaemonList *daemons_told(void) {
    status_told();
    return (const Trivium__DaemonList *)asker_list(&tokenizerd.client, &trivium__daemon_list__descriptor);
}

/* ---- what they serve ---- */

static void equal_modelds_share_a_name_and_a_vocabulary(void **state) {
    (void)state;
    modeld_joins(first);
    modeld_joins(second);       /* which is not asked for it */
    assert_true(asker_is_silent(second));
    assert_int_equal(status_told()->models[0]->loads, 2);
}

static void a_name_is_taken_until_its_modelds_are_gone(void **state) {
    (void)state;
    Trivium__ModelOffer other = tokenizerd.offer;
    other.fingerprint = "g";
    second->hello.model = &other;
    modeld_joins(first);
    is_refused(second, TRIVIUM__CODE__NAME_TAKEN, "the name 'm' is taken by a model with another fingerprint");
    modeld_leaves(first);
    first->hello.model = &other;
    assert_true(asker_joins(first));
}

static void a_vocabulary_that_cannot_be_used_is_told_at_the_next_hello(void **state) {
    (void)state;
    assert_true(asker_joins(first));
    is_told_the_default(first, "m", 1);
    ASKED(first, VOCABULARY);
    Trivium__VocabularyMeta meta = TRIVIUM__VOCABULARY_META__INIT;
    Trivium__VocabularyPiece piece = TRIVIUM__VOCABULARY_PIECE__INIT;
    meta.kind = "no-such-kind";
    piece.vocabulary = "bytes";
    piece.n_tokens_all = tokenizerd.offer.n_vocab;
    piece.meta = &meta;
    Trivium__TokensReply m = REPLY(VOCABULARY, vocabulary, &piece);
    fake_peer_send(&first->peer, &m.base, NULL, 0);
    asker_hears_leave(first);
    is_refused(first, TRIVIUM__CODE__UNSUPPORTED, "no-such-kind");
    assert_int_equal(status_told()->n_models, 0);
    modeld_joins(second);       /* another process may have a better one */
    assert_string_equal(daemons_told()->daemons[1]->state, "ready");
}

static void who_leaves_before_its_vocabulary_is_whole_is_replaced(void **state) {
    (void)state;
    assert_true(asker_joins(first));
    is_told_the_default(first, "m", 1);
    ASKED(first, VOCABULARY);
    assert_true(asker_joins(second));
    is_told_the_default(second, "m", 1);
    assert_true(asker_is_silent(second));
    assert_string_equal(daemons_told()->daemons[1]->state, "loading");
    modeld_leaves(first);
    assert_string_equal(ASKED(second, VOCABULARY)->vocabulary->vocabulary, "bytes");
}

/* ---- the default model ---- */

static void of_two_words_the_older_one_counts(void **state) {
    (void)state;
    Trivium__DefaultModel word = TRIVIUM__DEFAULT_MODEL__INIT;
    word.name = "older";
    word.since_ms = 1;
    tokenizerd.first.since_ms = 2;
    assert_true(asker_joins(first));
    is_told_the_default(first, "m", 2);
    ASKED(first, VOCABULARY);
    second->hello.default_model = &word;
    assert_true(asker_joins(second));
    is_told_the_default(second, "older", 1);
    is_told_the_default(first, "older", 1);     /* it is news to all */
    assert_string_equal(status_told()->default_model, "older");
}

static void without_a_word_the_first_to_join_counts_in_the_end(void **state) {
    (void)state;
    first->hello.default_model = NULL;
    assert_true(asker_joins(first));
    ASKED(first, VOCABULARY);
    const Trivium__DefaultModel *word = ASKED(first, DEFAULT_MODEL)->default_model;
    assert_string_equal(word->name, "m");
    assert_true(word->since_ms > 0);
    assert_string_equal(status_told()->default_model, "m");
}

/* ---- status ---- */

static void says_how_it_is(asker *modeld, Trivium__SamplerReport *sampler, uint32_t n_sequences) {
    Trivium__ModelReport report = TRIVIUM__MODEL_REPORT__INIT;
    Trivium__Heartbeat beat = TRIVIUM__HEARTBEAT__INIT;
    Trivium__Control control = TRIVIUM__CONTROL__INIT;
    report.samplers = &sampler;
    report.n_samplers = 1;
    report.sequences = n_sequences;
    beat.report = &report;
    control.word_case = TRIVIUM__CONTROL__WORD_HEARTBEAT;
    control.heartbeat = &beat;
    fake_peer_say(&modeld->peer, control);
    asker_is_heard(modeld);
}

static void status_sums_what_the_modelds_of_a_model_report(void **state) {
    (void)state;
    Trivium__SamplerReport sampler = TRIVIUM__SAMPLER_REPORT__INIT;
    sampler.name = "s";
    sampler.pid = 99;
    sampler.outstanding = 2;
    sampler.steps = 10;
    modeld_joins(first);
    modeld_joins(second);
    says_how_it_is(first, &sampler, 3);
    says_how_it_is(second, &sampler, 4);
    const Trivium__StatusReport *report = status_told();
    assert_int_equal(report->clients, 1);
    assert_int_equal(report->requests, 0);
    assert_int_equal(report->garbage, 0);
    assert_int_equal(report->n_models, 1);
    assert_string_equal(report->models[0]->name, "m");
    assert_int_equal(report->models[0]->report->sequences, 7);
    assert_int_equal(report->models[0]->report->n_samplers, 2);
    const Trivium__DaemonList *list = daemons_told();
    assert_int_equal(list->n_daemons, 4);       /* itself, two modelds, one samplerd of both */
    size_t n_samplers = 0;
    for (size_t i = 0; i < list->n_daemons; i++) {
        const Trivium__DaemonReport *d = list->daemons[i];
        if (d->role != TRIVIUM__ROLE__SAMPLERD) continue;
        n_samplers++;
        assert_int_equal(d->outstanding, 4);
        assert_int_equal(d->steps, 20);
        assert_string_equal(d->model, "m");
    }
    assert_int_equal(n_samplers, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(equal_modelds_share_a_name_and_a_vocabulary),
        TEST(a_name_is_taken_until_its_modelds_are_gone),
        TEST(a_vocabulary_that_cannot_be_used_is_told_at_the_next_hello),
        TEST(who_leaves_before_its_vocabulary_is_whole_is_replaced),
        TEST(of_two_words_the_older_one_counts),
        TEST(without_a_word_the_first_to_join_counts_in_the_end),
        TEST(status_sums_what_the_modelds_of_a_model_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
