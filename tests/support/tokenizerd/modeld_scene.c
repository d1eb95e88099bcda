#include "modeld_scene.h"

#include <setjmp.h>
#include <stdarg.h>

#include "tests/support/link/turns.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

enum { BEAT_MS = 60 };

/* ---- the fake of its interface ---- */

static status on_joined(void *context, const modeld_hello *hello, void *record, modeld **out, failure *f) {
    modeld_scene *c = context;
    const model_offer *offer = &hello->offer;
    heard("joined %s fingerprint=%s vocabulary=%s n_vocab=%u n_ctx=%u kv=%llu incarnation=%llu first=%s@%llu",
          offer->name, offer->fingerprint, offer->vocabulary, offer->n_vocab, offer->n_ctx, (unsigned long long)offer->kv_tokens,
          (unsigned long long)hello->incarnation, hello->first_model ? hello->first_model : "-",
          (unsigned long long)hello->first_since_ms);
    heard_end();
    if (c->answer != STATUS_OK) return (fail)(f, c->answer, "not you");
    status st = models_join(c->models, offer, hello->incarnation, record, out, f);
    if (st != STATUS_OK) return st;
    c->modeld = *out;
    if (c->ask_at_once) modeld_link_query(c->link, c->modeld, c->ask_at_once);
    return STATUS_OK;
}

static void on_draining(void *context, modeld *d) {
    assert_true(d == ((modeld_scene *)context)->modeld);
    heard("draining");
    heard_end();
}

static void on_left(void *context, modeld *d) {
    modeld_scene *c = context;
    assert_true(d == c->modeld);
    models_leave(&d);
    c->modeld = NULL;
    c->n_left++;
}

static status on_piece(void *context, modeld *d, const vocab_piece *p, failure *f) {
    modeld_scene *c = context;
    assert_true(d == c->modeld);
    heard("piece %s of=%u+%u from=%u+%u", p->hash, p->n_tokens_all, p->n_merges_all, p->first_token,
          p->first_merge);
    for (size_t i = 0; i < p->n_tokens; i++)
        heard(" %s:%d", heard_bytes(p->tokens[i].bytes, p->tokens[i].n_bytes), p->types[i]);
    for (size_t i = 0; i < p->n_merges; i++)
        heard(" +%s", heard_bytes(p->merges[i].bytes, p->merges[i].n_bytes));
    const vocab_meta *m = p->meta;
    if (m) {
        heard(" kind=%s split=%s bos=%d eos=%d eot=%d eom=%d add=%d told=%d", m->kind, m->split, m->bos,
              m->eos, m->eot, m->eom, m->add_bos, m->add_bos_told);
        heard(" template=%s", heard_bytes(m->chat_template, m->chat_template_bytes));
        heard_ids("ends", m->ends, m->n_ends);
    }
    heard_end();
    return c->answer == STATUS_OK ? STATUS_OK : (fail)(f, c->answer, "no such vocabulary");
}

static void on_unusable(void *context, uint64_t incarnation, const failure *why) {
    (void)context;
    heard("unusable %llu: %s", (unsigned long long)incarnation, why->message);
    heard_end();
}

static void hear_text(void *context, const modeld *d, const char *what, named_text name) {
    modeld_scene *c = context;
    assert_true(d == c->modeld);
    heard("%s %02x..%02x attempt=%u", what, name.id[0], name.id[REQUEST_BYTES - 1], name.attempt);
    if (name.number > 0) heard(" number=%u", name.number);
}

static void on_token(void *context, const modeld *d, named_text name, const request_token *token, const Trivium__Drawn *drawn) {
    hear_text(context, d, "token", name);
    heard(" step=%u id=%d state=%s semantics=%s forward=%g sample=%g candidates=%zu", token->step,
          token->id, heard_bytes(token->sampler_state.bytes, token->sampler_state.n_bytes),
          token->semantics, token->forward_ms, token->sample_ms, drawn->n_candidates);
    heard_end();
}

static void on_retuned(void *context, const modeld *d, named_text name, uint32_t change, uint32_t from_step) {
    hear_text(context, d, "retuned", name);
    heard(" change=%u from=%u", change, from_step);
    heard_end();
}

static void on_closed(void *context, const modeld *d, named_text name, request_finish finish, const request_closing *closing,
                      const failure *why) {
    hear_text(context, d, "closed", name);
    heard(" finish=%d queue=%g prefill=%g cached=%u", (int)finish, closing->queue_ms,
          closing->prefill_ms, closing->n_cached);
    if (finish == FINISH_ERROR) heard(" why=%d:%s", why->code, why->message);
    heard_end();
}

static void on_trace(void *context, named_text name, const Trivium__Glimpse *trace) {
    (void)context;
    heard("trace %02x..%02x step=%u id=%d", name.id[0], name.id[REQUEST_BYTES - 1], trace->step, trace->drawn->id);
    if (name.number > 0) heard(" number=%u", name.number);
    heard_end();
}

static void hear_numbers(const double *numbers, size_t n_numbers) {
    if (!numbers) heard(" -");
    for (size_t i = 0; numbers && i < n_numbers; i++) heard(" %g", numbers[i]);
}

static void on_scored(void *context, const modeld *d, uint64_t number, const modeld_scores *scores) {
    assert_true(d == ((modeld_scene *)context)->modeld);
    heard("scored %llu", (unsigned long long)number);
    hear_numbers(scores->logprobs, scores->n_logprobs);
    heard_ids("top", scores->top_ids, scores->n_top);
    for (size_t i = 0; i < scores->n_top; i++) assert_int_equal(scores->top[i]->id, scores->top_ids[i]);
    heard_end();
}

static void on_probed(void *context, const modeld *d, uint64_t number, int32_t id,
                      const double *probabilities, size_t n_probabilities) {
    assert_true(d == ((modeld_scene *)context)->modeld);
    heard("probed %llu id=%d", (unsigned long long)number, id);
    hear_numbers(probabilities, n_probabilities);
    heard_end();
}

static void on_call_failed(void *context, const modeld *d, uint64_t number, const failure *why) {
    assert_true(d == ((modeld_scene *)context)->modeld);
    heard("failed %llu %d: %s", (unsigned long long)number, why->code, why->message);
    heard_end();
}

static void on_queued(void *context, const modeld *d, named_text name, bool over) {
    assert_true(d == ((modeld_scene *)context)->modeld);
    heard("queued %02x attempt=%u over=%d", name.id[0], name.attempt, over);
    heard_end();
}

static void on_drained(void *context, const modeld *d, uint64_t number, uint32_t n_texts, uint32_t n_left) {
    assert_true(d == ((modeld_scene *)context)->modeld);
    heard("drained %llu texts=%u left=%u", (unsigned long long)number, n_texts, n_left);
    heard_end();
}

static void on_samplers_changed(void *context, modeld *d) {
    (void)context, (void)d;
    heard("samplers changed");
    heard_end();
}

static const modeld_link_events events = {
    .samplers_changed = on_samplers_changed,
    .joined = on_joined,
    .draining = on_draining,
    .left = on_left,
    .piece = on_piece,
    .unusable = on_unusable,
    .token = on_token,
    .retuned = on_retuned,
    .queued = on_queued,
    .drained = on_drained,
    .closed = on_closed,
    .trace = on_trace,
    .scored = on_scored,
    .probed = on_probed,
    .call_failed = on_call_failed,
};

/* ---- the case ---- */

modeld_scene modelds;

int modeld_scene_begin(void **state) {
    (void)state;
    modeld_scene *c = &modelds;
    failure f;
    *c = (modeld_scene){.loop = loop_new(), .models = models_new()};
    assert_true(c->loop && c->models);
    place_make(&c->meeting);
    const link_options options = {.loop = c->loop,
                                  .name = "tokenizerd",
                                  .address = c->meeting.address,
                                  .incarnation = 43,
                                  .heartbeat_ms = BEAT_MS};
    assert_int_equal(modeld_link_new(&c->link, &options, &events, c, &f), STATUS_OK);
    asker_connect(&c->fake, c->loop, c->meeting.address, &trivium__tokens_request__descriptor,
                  TRIVIUM__ROLE__MODELD);
    c->offer = (Trivium__ModelOffer)TRIVIUM__MODEL_OFFER__INIT;
    c->offer.fingerprint = "f";
    c->offer.vocabulary = "v";
    c->offer.n_vocab = 300;
    c->offer.n_ctx = 64;
    c->offer.kv_tokens = 4096;
    c->fake.hello.name = "m";
    c->fake.hello.model = &c->offer;
    heard_all();
    return 0;
}

int modeld_scene_begin_joined(void **state) {
    modeld_scene_begin(state);
    assert_true(asker_joins(&modelds.fake));
    assert_non_null(modelds.modeld);
    heard_all();
    return 0;
}

int modeld_scene_end(void **state) {
    (void)state;
    modeld_scene *c = &modelds;
    asker_close(&c->fake);
    modeld_link_free(&c->link);
    models_free(&c->models);
    loop_free(&c->loop);
    assert_true(place_remove(&c->meeting));
    return 0;
}

const char *modeld_scene_hears(Trivium__TokensReply *m, const wire_raw *raw, size_t n_raw) {
    heard_all();
    asker_says(&modelds.fake, &m->base, raw, n_raw);
    return heard_all();
}

const Trivium__TokensRequest *modeld_scene_says(Trivium__TokensRequest__BodyCase kind) {
    const Trivium__TokensRequest *m = (const Trivium__TokensRequest *)asker_hears(&modelds.fake);
    assert_int_equal(m->body_case, kind);
    return m;
}

static bool has_left(void *context) {
    return ((modeld_scene *)context)->n_left > 0;
}

void modeld_scene_loses_modeld(void) {
    assert_true(turns_until(modelds.loop, has_left, &modelds));
}
