#include "whole_modeld.h"

#include <stdlib.h>

#include "logits.pb-c.h"
#include "modeld/sched/sequences.h"
#include "modeld/serve/model_service.h"
#include "proto/base/limits.h"
#include "proto/base/log.h"
#include "tests/support/modeld/fake_samplerd.h"
#include "tests/support/modeld/wire_chain.h"
#include "tests/support/models/tiny_model.h"
#include "tests/support/scratch.h"
#include "tokens.pb-c.h"

enum { PAGES = 16, BEAT_MS = 500, PASS_MS_MAX = 1000, WORK_MS = 1, N_SENT = 1 + WHICH_MAX, N_IDS = 10, ROW_WIDTH = 16 };

static place tokenizerd_at, samplerds_at;
static fake_peer tokenizerd_fake, samplerd_fake;
static Trivium__SamplerOffer offer;
static link_speaker *tokenizerd, *samplerd;
static const model *the_model;

static void must(bool holds) {
    if (!holds) abort();
}

/* ---- what the samplerd was sent ---- */

typedef struct sent_rows {
    uint64_t ticket;
    uint32_t n_rows;
    int32_t given[SCORE_ROWS];  /* to be scored */
    bool is_drawn;
} sent_rows;

static sent_rows sent[N_SENT];  /* a ring */
static size_t n_sent, n_named, n_awaited;

static void on_logits(const ProtobufCMessage *message) {
    const Trivium__LogitsRequest *m = (const Trivium__LogitsRequest *)message;
    if (m->body_case != TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE) return;
    sent_rows *rows = &sent[n_sent++ % N_SENT];
    *rows = (sent_rows){.ticket = m->sample->ticket, .n_rows = m->sample->n_rows, .is_drawn = m->sample->n_given == 0};
    for (size_t i = 0; i < m->sample->n_given && i < SCORE_ROWS; i++) rows->given[i] = m->sample->given[i];
    if (n_sent >= n_awaited) loop_stop(samplerd->loop);
}

static void await(size_t n, uint32_t ms) {
    n_awaited = n;
    if (n_sent < n) link_input_turns_ms(samplerd, ms);
}

static size_t name_vocabulary(uint8_t *out) {
    Trivium__VocabularyQuery named = TRIVIUM__VOCABULARY_QUERY__INIT;
    named.vocabulary = (char *)model_vocabulary_of(the_model)->hash;
    return trivium__vocabulary_query__pack(&named, out);
}

static size_t name_ticket(uint32_t body, unsigned which, uint8_t *out) {
    Trivium__SampleReply named = TRIVIUM__SAMPLE_REPLY__INIT;
    if (body == TRIVIUM__LOGITS_REPLY__BODY_VOCABULARY && which == 0) return name_vocabulary(out);
    if (body != TRIVIUM__LOGITS_REPLY__BODY_SAMPLE) return 0;
    if (which == 0 && n_named == n_sent) await(n_sent + 1, WORK_MS);
    n_named = n_sent;
    if (which < n_sent) named.ticket = sent[(n_sent - 1 - which) % N_SENT].ticket;
    return trivium__sample_reply__pack(&named, out);
}

/* ---- what the tokenizerd has it do ---- */

static const uint8_t text_id[REQUEST_BYTES] = {0xab, [REQUEST_BYTES - 1] = 0xcd};
static const int32_t ids[N_IDS] = {5, 6, 7, 8, 9, 10, 11, 12, 13, 14};

static void asks(Trivium__TokensRequest m, const wire_raw *raw, size_t n_raw) {
    link_input_tells(tokenizerd, &m.base, raw, n_raw);
}

static void open_text(void) {
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    Trivium__Open open = TRIVIUM__OPEN__INIT;
    open.request = (ProtobufCBinaryData){sizeof text_id, (uint8_t *)text_id};
    open.attempt = 1;
    open.n_prompt = 3;
    open.strategy = wire_temperature(0.5);
    open.max_new_tokens = 4;
    open.n_candidates = 2;
    open.n_watched = 1;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_OPEN;
    m.open = &open;
    asks(m, &(wire_raw){ids, 3 * sizeof *ids}, 1);
}

static void score_ids(void) {
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    Trivium__ScoreIds score = TRIVIUM__SCORE_IDS__INIT;
    score.call = 1;
    score.n_top = 2;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_SCORE;
    m.score = &score;
    asks(m, &(wire_raw){ids, sizeof ids}, 1);
}

static void probe_row(void) {
    static const float row[ROW_WIDTH] = {0, 1, 2, 3, 4, 5};
    const wire_raw raw[] = {{row, sizeof row}, {ids, sizeof ids}};
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    Trivium__ProbeRow probe = TRIVIUM__PROBE_ROW__INIT;
    probe.call = 2;
    probe.strategy = wire_temperature(0.5);
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_PROBE;
    m.probe = &probe;
    asks(m, raw, 2);
}

void whole_modeld_works(void) {
    size_t n_before = n_sent;
    open_text();
    score_ids();
    probe_row();
    await(n_before + 3, PASS_MS_MAX);
}

/* ---- the samplerd beside a tokenizerd under test ---- */

static void answer(const sent_rows *rows) {
    Trivium__LogitsReply m = TRIVIUM__LOGITS_REPLY__INIT;
    Trivium__SampleReply reply = TRIVIUM__SAMPLE_REPLY__INIT;
    Trivium__Drawn drawn[SCORE_ROWS], *each[SCORE_ROWS];
    reply.ticket = rows->ticket;
    for (; reply.n_drawn < rows->n_rows; reply.n_drawn++) {
        each[reply.n_drawn] = &drawn[reply.n_drawn];
        trivium__drawn__init(each[reply.n_drawn]);
        each[reply.n_drawn]->id = rows->is_drawn ? 3 : rows->given[reply.n_drawn];
    }
    reply.drawn = each;
    m.body_case = TRIVIUM__LOGITS_REPLY__BODY_SAMPLE;
    m.sample = &reply;
    link_input_tells(samplerd, &m.base, NULL, 0);
}

static size_t name_text(uint32_t body, unsigned which, uint8_t *out) {
    Trivium__Close named = TRIVIUM__CLOSE__INIT;
    await(n_sent + 1, WORK_MS);
    for (; n_named < n_sent; n_named++)
        if (n_sent - n_named <= N_SENT) answer(&sent[n_named % N_SENT]);
    if (body == TRIVIUM__TOKENS_REQUEST__BODY_VOCABULARY && which == 0) return name_vocabulary(out);
    if (body == TRIVIUM__TOKENS_REQUEST__BODY_SCORE || body == TRIVIUM__TOKENS_REQUEST__BODY_PROBE) return 0;
    named.request = (ProtobufCBinaryData){sizeof text_id, (uint8_t *)text_id};
    named.attempt = 1 + which;
    return trivium__close__pack(&named, out);
}

/* ---- the modeld ---- */

static model *tiny_model(void) {
    failure f;
    model *m = NULL;
    tiny_model_options tiny = tiny_model_defaults();
    tiny.shape.n_layers = 1;            /* a pass takes next to nothing */
    tiny.shape.n_vocab = TINY_FIRST_MERGE;
    tiny.shape.dim = 32;
    model_options o = {.n_threads = 1, .isa = "auto", .n_rows_max = BATCH_ROWS_MAX};
    must(tiny_model_write(scratch_path(), &tiny, &f) == STATUS_OK);
    must(model_open(&m, scratch_path(), &o, &f) == STATUS_OK);
    return m;
}

static void service_begin(loop *l) {
    static model_service *service;
    static const char *joins[1];
    failure f;
    model *m = tiny_model();
    the_model = m;
    joins[0] = tokenizerd_at.address;
    const model_service_options options = {.name = "tiny",
                                           .joins = joins,
                                           .n_joins = 1,
                                           .bind_samplers = samplerds_at.address,
                                           .heartbeat_ms = BEAT_MS,
                                           .step_deadline_ms = STEP_DEADLINE_MS};
    kv_cache *cache = kv_cache_new(model_kv_shape(m), PAGES, KV_SEQUENCES_MAX);
    must(cache && model_service_new(&service, l, m, cache, &options, &f) == STATUS_OK);
}

void whole_modeld_begin(link_speaker *as_tokenizerd, link_speaker *as_samplerd) {
    tokenizerd = as_tokenizerd;
    samplerd = as_samplerd;
    log_open("modeld", LOG_QUIET);
    place_make(&tokenizerd_at);
    place_make(&samplerds_at);
    link_input_removes(&tokenizerd_at);
    link_input_removes(&samplerds_at);
    loop *l = loop_new();
    must(l != NULL);
    fake_peer_bind(&tokenizerd_fake, tokenizerd_at.address, &trivium__envelope__descriptor);
    service_begin(l);
    must(fake_peer_hears(&tokenizerd_fake, l, TRIVIUM__CONTROL__WORD_HELLO));
    fake_samplerd_join(&samplerd_fake, l, samplerds_at.address, "", "rules/1");
    *tokenizerd = (link_speaker){l, 0, false, tokenizerd_fake.from, tokenizerd_fake.to,
                                 fake_hello_of_the_silent(TRIVIUM__ROLE__TOKENIZERD), name_text};
    *samplerd = (link_speaker){l, 0, true, samplerd_fake.from, samplerd_fake.to,
                               fake_hello_of_the_silent(TRIVIUM__ROLE__SAMPLERD), name_ticket};
    trivium__sampler_offer__init(&offer);
    offer.pool = (char *)"";
    offer.semantics = (char *)"rules/1";
    samplerd->hello.sampler = &offer;
    link_input_listen(samplerd, &trivium__logits_request__descriptor, on_logits);
    link_input_begin();
}
