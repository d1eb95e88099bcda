/* Tokenize, detokenize, score, probe: each call gets exactly one answer. Render is one of them;
 * what is its own stands in service_render.c. */
#include <stdlib.h>

#include "service_parts.h"
#include "tokenizerd/route/missing.h"
#include "tokenizerd/text/stream.h"

/* ---- answers ---- */

void call_answer(service *s, call *c, Trivium__TextReply *m, const wire_raw *raw, size_t n_raw) {
    client_answer(s, c->client, c->client_number, m, raw, n_raw);
    calls_remove(s->calls, &c);
}

void call_refuse(service *s, call *c, const failure *why) {
    client_fail(s, c->client, c->client_number, why);
    calls_remove(s->calls, &c);
}

static void answer_tokenized(service *s, call *c, const int32_t *ids, size_t n_ids) {
    Trivium__Tokenized tokenized = TRIVIUM__TOKENIZED__INIT;
    tokenized.call = c->client_number;
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_TOKENIZED;
    m.tokenized = &tokenized;
    call_answer(s, c, &m, &(wire_raw){ids, n_ids * sizeof *ids}, 1);
}

static status ids_check(const call *c, const int32_t *ids, size_t n_ids, failure *f) {
    model_facts facts = served_model_facts(c->model);
    return model_check_ids(&facts, ids, n_ids, f);
}

static status text_check(const call *c, const call_ids *given, failure *f) {
    size_t n_bytes = 0;
    status st = ids_check(c, given->ids, given->n_ids, f);
    for (size_t i = 0; st == STATUS_OK && i < given->n_ids; i++) {
        n_bytes += vocab_token(served_model_vocab(c->model), given->ids[i]).n_bytes;
        if (n_bytes > TEXT_BYTES_MAX)
            st = fail(f, STATUS_TOO_LONG, "the text of these ids is longer than %d bytes",
                      TEXT_BYTES_MAX);
    }
    return st;
}

static void answer_detokenized(service *s, call *c) {
    failure f;
    size_t n_bytes = 0;
    uint8_t *text = NULL;
    const call_ids *given = &call_as_detokenize(c)->given;
    status st = text_check(c, given, &f);
    if (st == STATUS_OK) {
        text = stream_detokenize(served_model_vocab(c->model), given->ids, given->n_ids, &n_bytes);
        if (!text) st = fail(&f, STATUS_NO_MEMORY, "no memory for the text of %zu ids", given->n_ids);
    }
    if (st != STATUS_OK) {
        call_refuse(s, c, &f);
        return;
    }
    Trivium__Detokenized detokenized = TRIVIUM__DETOKENIZED__INIT;
    detokenized.call = c->client_number;
    detokenized.text = bytes_to_wire(text, n_bytes);
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_DETOKENIZED;
    m.detokenized = &detokenized;
    call_answer(s, c, &m, NULL, 0);
    free(text);
}

/* ---- to a modeld ---- */

static status send_score(service *s, call *c, const modeld *d) {
    score_call *from = call_as_score(c);
    Trivium__ScoreIds score = TRIVIUM__SCORE_IDS__INIT;
    score.call = c->number;
    score.pool = from->errand.pool;
    score.n_top = from->n_top;
    score.wait_ms = c->wait_ms;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_SCORE;
    m.score = &score;
    return modeld_send(s, d, &m, &(wire_raw){from->scored.ids, from->scored.n_ids * sizeof(int32_t)}, 1);
}

static status send_probe(service *s, call *c, const modeld *d) {
    probe_call *from = call_as_probe(c);
    Trivium__ProbeRow probe = TRIVIUM__PROBE_ROW__INIT;
    probe.call = c->number;
    probe.pool = from->errand.pool;
    probe.seed = from->seed;
    probe.step = from->step;
    probe.wait_ms = c->wait_ms;
    probe.strategy = strategy_to_wire(&from->strategy);
    if (!probe.strategy) return STATUS_NO_MEMORY;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_PROBE;
    m.probe = &probe;
    const wire_raw raw[] = {{from->row, from->n_row * sizeof *from->row},
                            {from->history.ids, from->history.n_ids * sizeof(int32_t)}};
    status st = modeld_send(s, d, &m, raw, 2);
    trivium__strategy__free_unpacked(probe.strategy, NULL);
    return st;
}

static void send_to_modeld(service *s, call *c) {
    modeld *d = served_model_least_loaded(c->model, NULL);
    if (!d) return;
    failure f;
    status st = c->kind == CALL_SCORE ? send_score(s, c, d) : send_probe(s, c, d);
    if (st == STATUS_OK || st == STATUS_BUSY) {
        call_send(c, d);        /* when it is cut, its calls come back */
        return;
    }
    fail(&f, st, "the call is too long for one message, or there is no memory for it");
    call_refuse(s, c, &f);
}

/* ---- its way ---- */

static status score_check(call *c, failure *f) {
    const call_ids *scored = &call_as_score(c)->scored;
    if (scored->n_ids == 0)
        return fail(f, STATUS_EMPTY_PROMPT, "there is nothing to score: the text is empty");
    if (scored->n_ids > served_model_n_ctx(c->model))
        return fail(f, STATUS_TOO_LONG, "the text has %zu tokens, the model's context holds %u",
                    scored->n_ids, served_model_n_ctx(c->model));
    return ids_check(c, scored->ids, scored->n_ids, f);
}

static void encode(service *s, call *c, const call_text *text) {
    failure f;
    const tokenizer *t = served_model_tokenizer(c->model);
    c->state = CALL_ENCODING;
    const int32_t bos = text->bos ? vocab_meta_of(tokenizer_vocab(t))->bos : -1;
    if (passage_start(text->passage, t, bos, &f) == STATUS_OK)
        service_wake(s);
    else call_refuse(s, c, &f);
}

/* Its model is here, and its ids if it needs some. */
static void carry_out(service *s, call *c) {
    failure f;
    if (c->kind == CALL_DETOKENIZE) answer_detokenized(s, c);
    else if (c->kind == CALL_RENDER) render_begin(s, c);
    else if (c->kind == CALL_SCORE && score_check(c, &f) != STATUS_OK) call_refuse(s, c, &f);
    else send_to_modeld(s, c);
}

void call_advance(service *s, call *c) {
    if (c->state != CALL_WAITING) return;
    if (!c->model) {
        served_model *m = models_find(s->models, c->model_name, "");
        if (!m) return;
        call_meet(c, m);
    }
    const call_text *text = call_text_of(c);
    if (text && text->passage) encode(s, c, text);
    else carry_out(s, c);
}

void call_encoded(void *context, void *owner, const failure *why) {
    service *s = context;
    call *c = owner;
    if (why) {
        call_refuse(s, c, why);
        return;
    }
    failure f;
    size_t n_ids;
    call_text *text = call_text_of(c);
    const int32_t *ids = passage_ids(text->passage, &n_ids);
    if (c->kind == CALL_TOKENIZE) {
        answer_tokenized(s, c, ids, n_ids);
        return;
    }
    if (call_set_ids(s->calls, c, ids, n_ids, &f) != STATUS_OK) {
        call_refuse(s, c, &f);
        return;
    }
    passage_free(&text->passage);
    call_wait(c, clock_us());
    carry_out(s, c);
}

/* ---- what clients ask ---- */

void call_take(service *s, const call_order *order, const passage_segment *text) {
    failure f;
    call *c;
    if (calls_add(s->calls, order, clock_us(), &c, &f) != STATUS_OK)
        client_fail(s, order->client, order->client_number, &f);
    else if (text &&
             passages_add(s->passages, text, 1, call_encoded, c, &call_text_of(c)->passage, &f) != STATUS_OK)
        call_refuse(s, c, &f);
    else call_advance(s, c);
}

void tokenize_asked(service *s, peer *client, const Trivium__Tokenize *m) {
    call_order order = {
        .kind = CALL_TOKENIZE,
        .client = client,
        .client_number = m->call,
        .model = m->model,
        .wait_ms = m->wait_ms,
        .tokenize = {.bos = m->bos},
    };
    call_take(s, &order, &(passage_segment){m->text.data, m->text.len, m->special});
}

static void frame_missing(service *s, peer *client, uint64_t number, const char *what) {
    failure f;
    fail(&f, STATUS_BAD_MESSAGE, "the frame of %s is missing or has a wrong length", what);
    client_fail(s, client, number, &f);
}

void detokenize_asked(service *s, peer *client, const Trivium__Detokenize *m,
                      const wire_message *message) {
    call_order order = {
        .kind = CALL_DETOKENIZE,
        .client = client,
        .client_number = m->call,
        .model = m->model,
        .wait_ms = m->wait_ms,
    };
    if (ids_of(message, 0, &order.detokenize.ids, &order.detokenize.n_ids)) call_take(s, &order, NULL);
    else frame_missing(s, client, m->call, "ids");
}

void score_asked(service *s, peer *client, const Trivium__Score *m, const wire_message *message) {
    call_order order = {
        .kind = CALL_SCORE,
        .client = client,
        .client_number = m->call,
        .model = m->model,
        .wait_ms = m->wait_ms,
        .score = {.pool = m->pool, .bos = m->bos, .n_top = m->n_top},
    };
    if (m->has_ids && !ids_of(message, 0, &order.score.ids, &order.score.n_ids)) {
        frame_missing(s, client, m->call, "ids");
    } else {
        passage_segment text = {m->text.data, m->text.len, m->special};
        call_take(s, &order, m->has_ids ? NULL : &text);
    }
}

void probe_asked(service *s, peer *client, const Trivium__Probe *m, const wire_message *message) {
    failure f;
    strategy chain;
    strategy_init(&chain);
    call_order order = {
        .kind = CALL_PROBE,
        .client = client,
        .client_number = m->call,
        .model = m->model,
        .wait_ms = m->wait_ms,
        .probe = {.pool = m->pool, .strategy = &chain, .seed = m->seed, .step = m->step},
    };
    probe_order *probe = &order.probe;
    probe->row = wire_items(message, 0, sizeof *probe->row, &probe->n_row);
    if (!probe->row) frame_missing(s, client, m->call, "logits");
    else if (!ids_of(message, 1, &probe->history, &probe->n_history))
        frame_missing(s, client, m->call, "ids");
    else if (strategy_from_wire(&chain, m->strategy, &f) != STATUS_OK)
        client_fail(s, client, m->call, &f);
    else call_take(s, &order, NULL);
    strategy_clear(&chain);
}

/* ---- what modelds answer ---- */

static bool is_at(call *c, const modeld *d) {
    const call_errand *errand = call_errand_of(c);
    return errand && errand->worker == d;
}

/* The call that is meant, if this modeld has it; NULL: it was answered, or has gone elsewhere. */
static call *find_of(service *s, const modeld *d, uint64_t number) {
    call *c = calls_find(s->calls, number);
    return c && is_at(c, d) ? c : NULL;
}

static void answer_misfit(service *s, call *c) {
    failure f;
    fail(&f, STATUS_BAD_MESSAGE, "a modeld of '%s' sent an answer that does not fit",
         served_model_name(c->model));
    call_refuse(s, c, &f);
}

static bool top_fits(call *c, const Trivium__ScoredIds *m) {
    failure f;
    if (m->n_top > call_as_score(c)->n_top) return false;
    for (size_t i = 0; i < m->n_top; i++)
        if (ids_check(c, &m->top[i]->id, 1, &f) != STATUS_OK) return false;
    return true;
}

void call_scored(service *s, const modeld *d, const Trivium__ScoredIds *m,
                 const wire_message *message) {
    call *c = find_of(s, d, m->call);
    if (!c || c->kind != CALL_SCORE) return;
    const call_ids *asked = &call_as_score(c)->scored;
    const double *logprobs = wire_array(message, 0, asked->n_ids, sizeof *logprobs);
    if (!logprobs || !top_fits(c, m)) {
        answer_misfit(s, c);
        return;
    }
    Trivium__Scored scored = TRIVIUM__SCORED__INIT;
    scored.call = c->client_number;
    scored.n_top = m->n_top;
    scored.top = m->top;
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_SCORED;
    reply.scored = &scored;
    const wire_raw raw[] = {{asked->ids, asked->n_ids * sizeof *asked->ids},
                            {logprobs, asked->n_ids * sizeof *logprobs}};
    call_answer(s, c, &reply, raw, 2);
}

void call_probed(service *s, const modeld *d, const Trivium__ProbedRow *m,
                 const wire_message *message) {
    call *c = find_of(s, d, m->call);
    if (!c || c->kind != CALL_PROBE) return;
    const size_t n_row = call_as_probe(c)->n_row;
    const double *probabilities = wire_array(message, 0, n_row, sizeof *probabilities);
    if (!probabilities || m->id < 0 || (size_t)m->id >= n_row) {
        answer_misfit(s, c);
        return;
    }
    Trivium__Probed probed = TRIVIUM__PROBED__INIT;
    probed.call = c->client_number;
    probed.id = m->id;
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_PROBED;
    reply.probed = &probed;
    call_answer(s, c, &reply, &(wire_raw){probabilities, n_row * sizeof *probabilities}, 1);
}

void call_failed(service *s, const modeld *d, const Trivium__CallFailed *m) {
    call *c = find_of(s, d, m->call);
    if (!c) return;
    failure f;
    error_from_wire(m->error, "the modeld", &f);
    call_refuse(s, c, &f);
}

/* ---- who is lost, who waited too long ---- */

void calls_of_client_lost(service *s, const peer *client) {
    for (call *c = calls_first(s->calls), *next; c; c = next) {
        next = calls_next(c);
        if (c->client == client) calls_remove(s->calls, &c);
    }
}

/* They go elsewhere in the next turn. */
void calls_of_modeld_lost(service *s, const modeld *d) {
    for (call *c = calls_first(s->calls), *next; c; c = next) {
        next = calls_next(c);
        if (!is_at(c, d) || call_lost(c, clock_us())) continue;
        failure f;
        fail(&f, STATUS_NO_MODELD, "%u modelds in a row were lost before they answered it",
             call_errand_of(c)->n_losses);
        call_refuse(s, c, &f);
    }
}

void calls_expire(service *s, uint64_t now_us) {
    for (call *c = calls_first(s->calls), *next; c; c = next) {
        next = calls_next(c);
        if (c->state != CALL_WAITING || c->deadline_us > now_us) continue;
        failure f;
        if (c->model) missing_modeld(c->model, c->wait_ms, &f);
        else missing_model(s->models, c->model_name, "", c->wait_ms, &f);
        call_refuse(s, c, &f);
    }
}
