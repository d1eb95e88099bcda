#include "fake_samplerd.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { DRAWN_MAX = SAMPLE_ROWS_MAX };

static void join(fake_peer *f, loop *l, const char *address, Trivium__SamplerOffer *offer) {
    static uint64_t next_incarnation = FAKE_INCARNATION;
    Trivium__Hello hello = fake_hello_of_the_silent(TRIVIUM__ROLE__SAMPLERD);
    hello.sampler = offer;
    fake_peer_join(f, address, &trivium__logits_request__descriptor);
    f->from = next_incarnation++;
    fake_peer_say_hello(f, hello);
    assert_true(fake_peer_hears(f, l, TRIVIUM__CONTROL__WORD_HELLO));
}

void fake_samplerd_join(fake_peer *f, loop *l, const char *address, const char *pool,
                        const char *semantics) {
    Trivium__SamplerOffer offer = TRIVIUM__SAMPLER_OFFER__INIT;
    offer.pool = (char *)pool;
    offer.semantics = (char *)semantics;
    join(f, l, address, &offer);
}

void fake_samplerd_join_for_cut_rows(fake_peer *f, loop *l, const char *address, const char *semantics) {
    Trivium__SamplerOffer offer = TRIVIUM__SAMPLER_OFFER__INIT;
    offer.semantics = (char *)semantics;
    offer.takes_cut_rows = true;
    join(f, l, address, &offer);
}

const Trivium__SampleRequest *fake_samplerd_hears(fake_peer *f, loop *l) {
    assert_true(fake_peer_hears(f, l, FAKE_BODY));
    const Trivium__LogitsRequest *m = (const Trivium__LogitsRequest *)f->header;
    assert_int_equal(m->body_case, TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE);
    return m->sample;
}

void fake_samplerd_says(fake_peer *f, Trivium__LogitsReply *m, const wire_raw *raw, size_t n_raw) {
    fake_peer_send(f, &m->base, raw, n_raw);
}

static void reply(fake_peer *f, Trivium__SampleReply *sample) {
    Trivium__LogitsReply m = TRIVIUM__LOGITS_REPLY__INIT;
    m.body_case = TRIVIUM__LOGITS_REPLY__BODY_SAMPLE;
    m.sample = sample;
    fake_samplerd_says(f, &m, NULL, 0);
}

void fake_samplerd_draws(fake_peer *f, uint64_t ticket, uint32_t n_rows, int32_t id) {
    Trivium__Drawn rows[DRAWN_MAX], *drawn[DRAWN_MAX];
    assert_in_range(n_rows, 0, DRAWN_MAX);
    for (uint32_t i = 0; i < n_rows; i++) {
        trivium__drawn__init(&rows[i]);
        rows[i].id = id + (int32_t)i;
        rows[i].logprob = -1;
        drawn[i] = &rows[i];
    }
    Trivium__SampleReply sample = TRIVIUM__SAMPLE_REPLY__INIT;
    sample.ticket = ticket;
    sample.n_drawn = n_rows;
    sample.drawn = drawn;
    reply(f, &sample);
}

void fake_samplerd_fails(fake_peer *f, uint64_t ticket, Trivium__Code code, const char *why) {
    Trivium__Error error = TRIVIUM__ERROR__INIT;
    error.code = code;
    error.message = (char *)why;
    Trivium__SampleReply sample = TRIVIUM__SAMPLE_REPLY__INIT;
    sample.ticket = ticket;
    sample.error = &error;
    reply(f, &sample);
}
