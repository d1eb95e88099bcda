#include "answering.h"

#include <stdlib.h>

#include "proto/base/clock.h"
#include "tokenizerd/route/missing.h"

/* ---- answers ---- */

static void refuse(answering *a, call *c, const failure *why) {
    client_link_failed(a->clients, c->client, c->client_number, why);
    calls_remove(a->calls, &c);
}

static void answer_tokenized(answering *a, call *c, const int32_t *ids, size_t n_ids) {
    client_link_tokenized(a->clients, c->client, c->client_number, ids, n_ids);
    calls_remove(a->calls, &c);
}

static status ids_check(const call *c, const int32_t *ids, size_t n_ids, failure *f) {
    model_facts facts = served_model_facts(c->model);
    return model_check_ids(&facts, ids, n_ids, f);
}

enum { DETOKENIZED_AT_ONCE = 16 * 1024 };   /* ids */

/* Some of its ids become text; once all are, or one of them cannot, it is answered and gone. */
static void detokenize_some(answering *a, call *c) {
    failure f;
    detokenize_call *d = call_as_detokenize(c);
    status st = d->done.n_done == 0 ? ids_check(c, d->given.ids, d->given.n_ids, &f) : STATUS_OK;
    if (st == STATUS_OK)
        st = ids_text_advance(&d->done, served_model_vocab(c->model), d->given.ids, d->given.n_ids,
                              DETOKENIZED_AT_ONCE, &f);
    if (st != STATUS_OK) {
        refuse(a, c, &f);
    } else if (d->done.whole) {
        const buffer *text = &d->done.text;
        client_link_detokenized(a->clients, c->client, c->client_number, (const uint8_t *)text->bytes, text->n_bytes);
        calls_remove(a->calls, &c);
    }
}

/* ---- to a modeld ---- */

static uint32_t samplerd_rank(const modeld *d, const void *wanted) {
    const call_errand *errand = wanted;
    return modeld_link_samplerd(d, errand->pool, "");
}

static modeld *choose(call *c) {
    return served_model_for_new(c->model, &(modeld_choice){.rank = samplerd_rank, .wanted = call_errand_of(c)});
}

static void send_to_modeld(answering *a, call *c) {
    modeld *d = choose(c);
    if (!d) return;
    failure f;
    status st = c->kind == CALL_SCORE ? modeld_link_score(a->modelds, d, c)
                                      : modeld_link_probe(a->modelds, d, c);
    if (st == STATUS_OK || st == STATUS_BUSY) {
        call_send(c, d, clock_us());    /* when it is cut, its calls come back */
        return;
    }
    fail(&f, st, "the call is too long for one message, or there is no memory for it");
    refuse(a, c, &f);
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

static void encode(answering *a, call *c, const call_text *text) {
    const tokenizer *t = served_model_tokenizer(c->model);
    c->state = CALL_ENCODING;
    queued_text_start(text->queued, t, text->bos ? vocab_meta_of(tokenizer_vocab(t))->bos : -1);
    wakeup_set(a->turn, 0);
}

/* Many ids wait for turns of their own. */
static void detokenize(answering *a, call *c) {
    if (call_as_detokenize(c)->given.n_ids <= DETOKENIZED_AT_ONCE) {
        detokenize_some(a, c);
        return;
    }
    c->state = CALL_ENCODING;
    a->is_due = true;
    wakeup_set(a->turn, 0);
}

/* Of the owner that has not had a turn for the longest time. */
static call *next_to_detokenize(const answering *a) {
    call *next = NULL;
    for (call *c = calls_first(a->calls); c; c = calls_next(c)) {
        if (c->kind != CALL_DETOKENIZE || c->state != CALL_ENCODING) continue;
        if (!next || c->owner->last_turn < next->owner->last_turn) next = c;
    }
    if (next) next->owner->last_turn = owners_next_turn(next->owner->home);
    return next;
}

bool answering_turn(answering *a) {
    if (!a->is_due) return false;
    call *c = next_to_detokenize(a);
    if (c) detokenize_some(a, c);
    a->is_due = c != NULL;
    return a->is_due;
}

static void render(call *c) {
    c->state = CALL_ENCODING;
    rendering_begin(call_as_render(c)->rendering, c->model);
}

/* Its model is here, and its ids if it needs some. */
static void carry_out(answering *a, call *c) {
    failure f;
    if (c->kind == CALL_DETOKENIZE) detokenize(a, c);
    else if (c->kind == CALL_RENDER) render(c);
    else if (c->kind == CALL_SCORE && score_check(c, &f) != STATUS_OK) refuse(a, c, &f);
    else send_to_modeld(a, c);
}

/* "": of any. */
static const char *fingerprint_of(call *c) {
    return c->kind == CALL_DETOKENIZE ? call_as_detokenize(c)->fingerprint : "";
}

static void refuse_replaced(answering *a, call *c) {
    failure f;
    fail(&f, STATUS_UNKNOWN_MODEL, "the model '%s' whose ids these are is gone: another one has its name now", c->model_name);
    refuse(a, c, &f);
}

/* It waited too long, or in vain. */
static void expire(answering *a, call *c) {
    failure f;
    const join_place where = modeld_link_place(a->modelds);
    if (c->model) missing_modeld(a->models, c->model, &where, c->wait_ms, &f);
    else missing_model(a->models, &where, c->model_name, fingerprint_of(c), c->wait_ms, &f);
    refuse(a, c, &f);
}

/* As far as it can; it may be gone afterwards. */
static void advance(answering *a, call *c) {
    if (c->state != CALL_WAITING) return;
    if (!c->model) {
        const char *fingerprint = fingerprint_of(c);
        served_model *m = call_errand_of(c) ? models_find_open(a->models, c->model_name, fingerprint)
                                            : models_find(a->models, c->model_name, fingerprint);
        if (!m && models_is_replaced(a->models, c->model_name, fingerprint)) refuse_replaced(a, c);
        else if (!m && !c->has_own_wait && models_is_unknown(a->models, c->model_name, fingerprint)) expire(a, c);
        if (!m) return;
        call_meet(c, m);
    }
    const call_text *text = call_text_of(c);
    if (text && text->queued) encode(a, c, text);
    else carry_out(a, c);
}

static void on_encoded(void *context, void *of, const failure *why) {
    answering *a = context;
    call *c = of;
    if (why) {
        refuse(a, c, why);
        return;
    }
    failure f;
    size_t n_ids;
    call_text *text = call_text_of(c);
    const int32_t *ids = queued_text_ids(text->queued, &n_ids);
    if (c->kind == CALL_TOKENIZE) {
        answer_tokenized(a, c, ids, n_ids);
        return;
    }
    if (call_set_ids(c, ids, n_ids, &f) != STATUS_OK) {
        refuse(a, c, &f);
        return;
    }
    queued_text_free(&text->queued);
    call_wait(c, clock_us());
    carry_out(a, c);
}

/* ---- what clients ask ---- */

void answering_call(answering *a, const call_order *order, const prompt_piece *text) {
    failure f;
    call *c;
    if (leaving_check(a->leaving, &f) != STATUS_OK || calls_add(a->calls, order, clock_us(), &c, &f) != STATUS_OK)
        client_link_failed(a->clients, order->client, order->client_number, &f);
    else if (text &&
             encode_queue_add(a->encode_queue, c->owner, text, 1, (queued_text_listener){on_encoded, a, c},
                              &call_text_of(c)->queued, &f) != STATUS_OK)
        refuse(a, c, &f);
    else advance(a, c);
}

static void on_rendered(void *context, void *of, const rendered_prompt *prompt, const failure *why) {
    answering *a = context;
    call *c = of;
    if (why) {
        refuse(a, c, why);
        return;
    }
    client_link_rendered(a->clients, c->client, c->client_number, prompt);
    calls_remove(a->calls, &c);
}

void answering_render(answering *a, const sender *who, const prompt_order *order) {
    const call_order of_table = {
        .kind = CALL_RENDER,
        .owner = who->owner,
        .client = who->client,
        .client_number = order->number,
        .n_unread_bytes = order->n_unread_bytes,
        .model = order->model,
        .wait_ms = order->wait_ms,
    };
    failure f;
    call *c;
    if (leaving_check(a->leaving, &f) != STATUS_OK || calls_add(a->calls, &of_table, clock_us(), &c, &f) != STATUS_OK)
        client_link_failed(a->clients, who->client, order->number, &f);
    else if (rendering_new(a->renderer, c->owner, &order->conversation, (rendering_listener){on_rendered, a, c},
                           call_as_render(c), &f) != STATUS_OK)
        refuse(a, c, &f);
    else advance(a, c);
}

/* ---- what modelds answer ---- */

static bool is_at(call *c, const modeld *d) {
    const call_errand *errand = call_errand_of(c);
    return errand && errand->modeld == d;
}

/* The call that is meant, if this modeld has it; NULL: it was answered, or has gone elsewhere. */
static call *find_of(answering *a, const modeld *d, uint64_t number) {
    call *c = calls_find(a->calls, number);
    return c && is_at(c, d) ? c : NULL;
}

static void fail_after_losses(answering *a, call *c) {
    failure f;
    fail(&f, STATUS_NO_MODELD, "%u modelds in a row were lost before they answered it", call_errand_of(c)->n_losses);
    refuse(a, c, &f);
}

static void answer_misfit(answering *a, call *c) {
    failure f;
    fail(&f, STATUS_BAD_MESSAGE, "a modeld of '%s' sent an answer that does not fit",
         served_model_name(c->model));
    refuse(a, c, &f);
}

static bool scores_fit(call *c, const modeld_scores *scores) {
    failure f;
    const score_call *asked = call_as_score(c);
    return scores->n_logprobs == asked->scored.n_ids && scores->n_top <= asked->n_top &&
           ids_check(c, scores->top_ids, scores->n_top, &f) == STATUS_OK;
}

void answering_scored(answering *a, const modeld *d, uint64_t number, const modeld_scores *scores) {
    call *c = find_of(a, d, number);
    if (!c || c->kind != CALL_SCORE) return;
    if (!scores_fit(c, scores)) {
        answer_misfit(a, c);
        return;
    }
    const call_ids *asked = &call_as_score(c)->scored;
    const scored_ids of = {.ids = asked->ids, .n_ids = asked->n_ids, .model = served_model_name(c->model),
                           .fingerprint = served_model_fingerprint(c->model)};
    client_link_scored(a->clients, c->client, c->client_number, &of, scores);
    calls_remove(a->calls, &c);
}

void answering_probed(answering *a, const modeld *d, uint64_t number, int32_t id,
                      const double *probabilities, size_t n_probabilities) {
    call *c = find_of(a, d, number);
    if (!c || c->kind != CALL_PROBE) return;
    const size_t n_row = call_as_probe(c)->n_row;
    if (n_probabilities != n_row || id < 0 || (size_t)id >= n_row) {
        answer_misfit(a, c);
        return;
    }
    client_link_probed(a->clients, c->client, c->client_number, id, probabilities, n_probabilities);
    calls_remove(a->calls, &c);
}

/* Its modeld takes nothing new any more: another one does, or it waits for one. */
static void decline(answering *a, call *c) {
    modeld_drain(call_errand_of(c)->modeld);
    if (call_lost(c, clock_us())) advance(a, c);
    else fail_after_losses(a, c);
}

void answering_failed(answering *a, const modeld *d, uint64_t number, const failure *why) {
    call *c = find_of(a, d, number);
    if (!c) return;
    if (why->code == STATUS_DRAINING) decline(a, c);
    else refuse(a, c, why);
}

/* ---- whoever is lost, or waited too long ---- */

/* Nobody wants its answer any more: the modeld that works on it is told, and what it says all the same finds
 * nobody. */
static void give_up(answering *a, call *c) {
    const call_errand *errand = call_errand_of(c);
    if (errand && errand->modeld) modeld_link_close_call(a->modelds, errand->modeld, c->number);
    calls_remove(a->calls, &c);
}

void answering_cancel(answering *a, const peer *client, uint64_t number) {
    call *c = calls_first(a->calls);
    while (c && (c->client != client || c->client_number != number)) c = calls_next(c);
    if (!c) return;             /* it was answered */
    failure f;
    fail(&f, STATUS_CANCELLED, "the call was cancelled by its client");
    client_link_failed(a->clients, c->client, c->client_number, &f);
    give_up(a, c);
}

void answering_client_left(answering *a, const peer *client) {
    for (call *c = calls_first(a->calls), *next; c; c = next) {
        next = calls_next(c);
        if (c->client == client) give_up(a, c);
    }
}

void answering_modeld_left(answering *a, const modeld *d) {
    for (call *c = calls_first(a->calls), *next; c; c = next) {
        next = calls_next(c);
        if (is_at(c, d) && !call_lost(c, clock_us())) fail_after_losses(a, c);
    }
}

bool answering_awaits(const answering *a, const served_model *m) {
    for (call *c = calls_first(a->calls); c; c = calls_next(c))
        if (c->model == m && c->state != CALL_SENT && call_errand_of(c)) return true;
    return false;
}

void answering_samplers_changed(answering *a, const served_model *m) {
    for (call *c = calls_first(a->calls), *next; c; c = next) {
        next = calls_next(c);
        call_errand *errand = call_errand_of(c);
        if (c->model != m || !errand || !call_may_move(c) || samplerd_rank(errand->modeld, errand) != SAMPLERD_ABSENT) continue;
        const modeld *other = choose(c);
        if (!other || samplerd_rank(other, errand) < SAMPLERD_DRAINS) continue;
        modeld_link_close_call(a->modelds, errand->modeld, c->number);
        call_moved(c, clock_us());
        advance(a, c);
    }
}

/* A daemon that it cannot go on without. False: there is none, or nobody knows of one. */
static bool awaited(const answering *a, call *c, char out[AWAITED_BYTES]) {
    const call_errand *errand = call_errand_of(c);
    const samplerd_seen seen = c->state == CALL_SENT ? samplerd_rank(errand->modeld, errand) : SAMPLERD_UNTOLD;
    if (c->state == CALL_WAITING && !c->model) awaited_model(a->models, c->model_name, fingerprint_of(c), c->wait_ms, out);
    else if (c->state == CALL_WAITING && errand) awaited_modeld(a->models, c->model, c->wait_ms, out);
    else if (seen == SAMPLERD_ABSENT || seen == SAMPLERD_HANGS)
        awaited_samplerd(c->model, &(samplerd_wanted){errand->pool, "", seen == SAMPLERD_HANGS}, c->wait_ms, out);
    else return false;
    return true;
}

void answering_sweep(answering *a, uint64_t now_us) {
    char sentence[AWAITED_BYTES];
    for (call *c = calls_first(a->calls), *next; c; c = next) {
        next = calls_next(c);
        if (call_notice_is_due(c, now_us) && awaited(a, c, sentence)) {
            client_link_call_waits(a->clients, c->client, c->client_number, sentence);
            call_noticed(c);
        }
        if (c->state != CALL_WAITING || c->deadline_us > now_us) continue;
        expire(a, c);
    }
}

void answering_go_on(answering *a) {
    for (call *c = calls_first(a->calls), *next; c; c = next) {
        next = calls_next(c);
        advance(a, c);
    }
}
