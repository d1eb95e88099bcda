#include "whole_modeld.h"

#include <stdlib.h>

#include "modeld/sched/sequences.h"
#include "modeld/serve/model_service.h"
#include "proto/base/limits.h"
#include "proto/base/log.h"
#include "tests/support/link/place.h"
#include "tests/support/modeld/fake_samplerd.h"
#include "tests/support/models/tiny_model.h"
#include "tests/support/scratch.h"

enum { PAGES = 16, BEAT_MS = 500 };

static place tokenizerd_at, samplerds_at;
static fake_peer tokenizerd_fake, samplerd_fake;
static Trivium__SamplerOffer offer;

static void must(bool holds) {
    if (!holds) abort();
}

static model *tiny_model(void) {
    failure f;
    model *m = NULL;
    tiny_model_options tiny = tiny_model_defaults();
    model_options o = {.n_threads = 1, .isa = "ref", .n_rows_max = BATCH_ROWS_MAX};
    must(tiny_model_write(scratch_path(), &tiny, &f) == STATUS_OK);
    must(model_open(&m, scratch_path(), &o, &f) == STATUS_OK);
    return m;
}

void whole_modeld_begin(link_speaker *tokenizerd, link_speaker *samplerd) {
    static model_service *service;
    static const char *joins[1];
    failure f;
    log_open("modeld", LOG_QUIET);
    place_make(&tokenizerd_at);
    place_make(&samplerds_at);
    loop *l = loop_new();
    model *m = tiny_model();
    joins[0] = tokenizerd_at.address;
    const model_service_options options = {.name = "tiny",
                                           .joins = joins,
                                           .n_joins = 1,
                                           .bind_samplers = samplerds_at.address,
                                           .heartbeat_ms = BEAT_MS,
                                           .step_deadline_ms = STEP_DEADLINE_MS};
    kv_cache *cache = kv_cache_new(model_kv_shape(m), PAGES, KV_SEQUENCES_MAX);
    must(l && cache);
    fake_peer_bind(&tokenizerd_fake, tokenizerd_at.address, &trivium__envelope__descriptor);
    must(model_service_new(&service, l, m, cache, &options, &f) == STATUS_OK);
    must(fake_peer_hears(&tokenizerd_fake, l, TRIVIUM__CONTROL__WORD_HELLO));
    fake_samplerd_join(&samplerd_fake, l, samplerds_at.address, "", "rules/1");
    *tokenizerd = (link_speaker){l, 0, false, tokenizerd_fake.from, tokenizerd_fake.to,
                                 fake_hello_of_the_silent(TRIVIUM__ROLE__TOKENIZERD)};
    *samplerd = (link_speaker){l, 0, true, samplerd_fake.from, samplerd_fake.to,
                               fake_hello_of_the_silent(TRIVIUM__ROLE__SAMPLERD)};
    trivium__sampler_offer__init(&offer);
    offer.pool = (char *)"";
    offer.semantics = (char *)"rules/1";
    samplerd->hello.sampler = &offer;
    link_input_begin();
}
