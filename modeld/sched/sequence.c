#include "sequence.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/carried/traceparent.h"
#include "proto/base/text.h"

/* ---- the state table ---- */

sequence_state sequence_after(sequence_state state, sequence_event event) {
    static const sequence_state table[SEQUENCE_STATES][SEQUENCE_EVENTS] = {
        [SEQUENCE_QUEUED] = {[EVENT_PAGES] = SEQUENCE_PREFILL,
                             [EVENT_ROWS] = SEQUENCE_SAMPLING,
                             [EVENT_CLOSE] = SEQUENCE_CLOSED},
        [SEQUENCE_PREFILL] = {[EVENT_ROWS] = SEQUENCE_SAMPLING, [EVENT_CLOSE] = SEQUENCE_CLOSED},
        [SEQUENCE_SAMPLING] = {[EVENT_RETRY] = SEQUENCE_SAMPLING,
                               [EVENT_DRAWN] = SEQUENCE_DECODE,
                               [EVENT_DRAWN_UNCACHED] = SEQUENCE_PREFILL,
                               [EVENT_SCORED] = SEQUENCE_PREFILL,
                               [EVENT_CLOSE] = SEQUENCE_CLOSED},
        [SEQUENCE_DECODE] = {[EVENT_ROWS] = SEQUENCE_SAMPLING, [EVENT_CLOSE] = SEQUENCE_CLOSED},
    };
    assert(state < SEQUENCE_STATES && event < SEQUENCE_EVENTS);
    return table[state][event];
}

void sequence_turn(sequence *s, sequence_event event) {
    sequence_state next = sequence_after(s->state, event);
    assert(next != SEQUENCE_NOWHERE);
    s->owner->n_ready += next == SEQUENCE_DECODE;
    s->owner->n_ready -= s->state == SEQUENCE_DECODE;
    s->state = next;
}

/* ---- what its kind has ---- */

text_sequence *sequence_text(const sequence *s) {
    assert(s->kind == SEQUENCE_TEXT);
    return (text_sequence *)&s->text;
}

score_sequence *sequence_score(const sequence *s) {
    assert(s->kind == SEQUENCE_SCORE);
    return (score_sequence *)&s->score;
}

probe_sequence *sequence_probe(const sequence *s) {
    assert(s->kind == SEQUENCE_PROBE);
    return (probe_sequence *)&s->probe;
}

sequence_pages *sequence_pages_of(const sequence *s) {
    return s->kind == SEQUENCE_TEXT ? &sequence_text(s)->pages : &sequence_score(s)->pages;
}

uint64_t sequence_call(const sequence *s) {
    return s->kind == SEQUENCE_SCORE ? sequence_score(s)->call : sequence_probe(s)->call;
}

const strategy *sequence_strategy(const sequence *s) {
    static const strategy none;
    switch (s->kind) {
    case SEQUENCE_TEXT: return &sequence_text(s)->chain.now;
    case SEQUENCE_SCORE: return &none;
    case SEQUENCE_PROBE: break;
    }
    return &sequence_probe(s)->strategy;
}

const char *sequence_semantics(const sequence *s) {
    return s->kind == SEQUENCE_TEXT ? sequence_text(s)->semantics : "";
}

bool sequence_in_shared(const sequence *s) {
    return s->kind == SEQUENCE_TEXT && sequence_text(s)->shared.taken;
}

bool sequence_caches(const sequence *s) {
    return s->kind == SEQUENCE_TEXT && !sequence_text(s)->no_cache;
}

/* ---- its life ---- */

static void clear_text(text_sequence *text) {
    strategy_clear(&text->chain.now);
    strategy_clear(&text->chain.next);
}

void sequence_free(sequence *s) {
    if (!sequence_in_shared(s)) free(s->rows.logits);
    switch (s->kind) {
    case SEQUENCE_TEXT: clear_text(sequence_text(s)); break;
    case SEQUENCE_SCORE: free(sequence_score(s)->logprobs); break;
    case SEQUENCE_PROBE: strategy_clear(&sequence_probe(s)->strategy); break;
    }
    free(s->ids);
    free(s);
}

static status copy_chain(strategy *to, const strategy *asked) {
    strategy_init(to);
    return asked ? strategy_copy(to, asked) : STATUS_OK;
}

/* False, as below: no memory. */
static bool take_common(sequence *s, const job *asked, uint32_t n_positions) {
    size_t n_room = n_positions > asked->n_ids ? n_positions : asked->n_ids;
    s->ids = malloc((n_room ? n_room : 1) * sizeof *s->ids);
    if (!s->ids) return false;
    if (asked->n_ids) memcpy(s->ids, asked->ids, asked->n_ids * sizeof *s->ids);
    s->n_ids = (uint32_t)asked->n_ids;
    s->ids_capacity = (uint32_t)n_room;
    strcpy(s->pool, asked->pool[0] ? asked->pool : DEFAULT_POOL);
    traceparent_copy(s->traceparent, asked->traceparent);
    s->sending.wait_ms = asked->wait_ms > 0 ? asked->wait_ms : WAIT_MS;
    return true;
}

/* Without a session, or where nothing is to be found again, its keys and values are its own. With its length before it, an
 * owner's name cannot be taken for a part of a session's. */
static void name_pages(text_sequence *text, const char *whose, const char *session) {
    char hex[2 * REQUEST_BYTES + 1];
    text_hex(text->request, REQUEST_BYTES, hex);
    bool named = session[0] && !text->no_cache; /* else it would take a session's cache */
    const char *kind = text->no_cache ? "uncached" : named ? "session" : "request";
    snprintf(text->pages.key, sizeof text->pages.key, "%s/%zu:%s/%s", kind, strlen(whose), whose, named ? session : hex);
}

static bool take_text(text_sequence *text, const char *whose, const text_job *asked, uint32_t n_positions) {
    memcpy(text->request, asked->request, REQUEST_BYTES);
    text->attempt = asked->attempt;
    text->number = asked->number;
    text->n_prompt = asked->n_prompt;
    text->seed = asked->seed;
    text->max_new_tokens = asked->max_new_tokens;
    text->no_cache = asked->no_cache;
    text->priority = asked->priority;
    text->n_candidates = asked->n_candidates;
    text->n_watched = asked->n_watched;
    strcpy(text->semantics, asked->semantics);
    if (asked->n_sampler_state_bytes)
        memcpy(text->sampler_state, asked->sampler_state, asked->n_sampler_state_bytes);
    text->n_sampler_state_bytes = (uint32_t)asked->n_sampler_state_bytes;
    if (asked->n_end_ids)
        memcpy(text->end_ids, asked->end_ids, asked->n_end_ids * sizeof *text->end_ids);
    text->n_end_ids = (uint32_t)asked->n_end_ids;
    text->pages.n_positions_max = n_positions;
    name_pages(text, whose, asked->session);
    text->chain.change = asked->change;
    strategy_init(&text->chain.next);
    return copy_chain(&text->chain.now, asked->strategy) == STATUS_OK;
}

static bool take_score(score_sequence *score, const score_job *asked, uint32_t n_ids,
                       uint64_t number) {
    score->call = asked->call;
    score->n_candidates = asked->n_candidates;
    score->pages.n_positions_max = n_ids;
    snprintf(score->pages.key, sizeof score->pages.key, "score/%llu", (unsigned long long)number);
    score->logprobs = malloc(n_ids * sizeof *score->logprobs);
    if (score->logprobs) score->logprobs[0] = NAN;
    return score->logprobs;
}

static bool take_probe(sequence *s, const probe_job *asked) {
    probe_sequence *probe = sequence_probe(s);
    probe->call = asked->call;
    probe->step = asked->step;
    probe->seed = asked->seed;
    s->rows.logits = malloc(asked->row_width * sizeof *s->rows.logits);
    if (s->rows.logits) memcpy(s->rows.logits, asked->row, asked->row_width * sizeof *asked->row);
    s->rows.n = 1;
    return copy_chain(&probe->strategy, asked->strategy) == STATUS_OK && s->rows.logits;
}

static bool take(sequence *s, const job *asked, uint32_t n_positions, uint64_t number) {
    if (!take_common(s, asked, n_positions)) return false;
    switch (s->kind) {
    case SEQUENCE_TEXT: return take_text(sequence_text(s), asked->owner ? asked->owner : "", &asked->text, n_positions);
    case SEQUENCE_SCORE: return take_score(sequence_score(s), &asked->score, s->n_ids, number);
    case SEQUENCE_PROBE: break;
    }
    return take_probe(s, &asked->probe);
}

sequence *sequence_new(const job *asked, owner *whose, uint32_t n_positions, uint32_t row_width, uint64_t number) {
    sequence *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->kind = asked->kind;
    s->state = SEQUENCE_QUEUED;
    s->from = asked->from;
    s->owner = whose;
    s->rows.width = row_width;
    if (take(s, asked, n_positions, number)) return s;
    sequence_free(s);
    return NULL;
}

static size_t bytes_of_kind(const sequence *s) {
    switch (s->kind) {
    case SEQUENCE_TEXT: {
        const text_chain *chain = &sequence_text(s)->chain;
        return strategy_bytes(&chain->now) + strategy_bytes(&chain->next);
    }
    case SEQUENCE_SCORE: return s->n_ids * sizeof(double);
    case SEQUENCE_PROBE: break;
    }
    return s->rows.width * sizeof(double) + strategy_bytes(&sequence_probe(s)->strategy); /* its answer is larger than its row */
}

size_t sequence_bytes(const sequence *s) {
    return sizeof *s + s->ids_capacity * sizeof *s->ids + bytes_of_kind(s);
}

/* ---- the forward pass ---- */

uint32_t sequence_step(const sequence *s) {
    switch (s->kind) {
    case SEQUENCE_TEXT: return s->n_ids - sequence_text(s)->n_prompt;
    case SEQUENCE_SCORE: return 0;
    case SEQUENCE_PROBE: break;
    }
    return sequence_probe(s)->step;
}

sequence_end sequence_over(const sequence *s) {
    const text_sequence *text = sequence_text(s);
    uint32_t n_drawn = s->n_ids - text->n_prompt;
    for (uint32_t i = 0; n_drawn > 0 && i < text->n_end_ids; i++)
        if (s->ids[s->n_ids - 1] == text->end_ids[i]) return END_ID;
    bool full = n_drawn >= text->max_new_tokens || s->n_ids >= text->pages.n_positions_max;
    return full ? END_LENGTH : END_NONE;
}

uint64_t sequence_expected_us(const sequence *s) {
    bool out = s->kind == SEQUENCE_TEXT && s->state == SEQUENCE_SAMPLING && s->sending.sampler;
    return out ? s->sending.sent_us + sequence_text(s)->timing.answer_us : UINT64_MAX;
}

uint32_t sequence_n_wanted(const sequence *s) {
    if (s->state != SEQUENCE_PREFILL && s->state != SEQUENCE_DECODE) return 0;
    uint32_t n_left = s->n_ids - sequence_pages_of(s)->n_computed;
    return s->kind == SEQUENCE_SCORE ? (n_left < SCORE_ROWS ? n_left : SCORE_ROWS) : n_left;
}

uint32_t sequence_batch(const sequence *s, uint32_t n_rows, batch_row *rows) {
    assert(n_rows <= sequence_n_wanted(s));
    const sequence_pages *pages = sequence_pages_of(s);
    uint32_t n_logits = 0;
    for (uint32_t i = 0; i < n_rows; i++) {
        uint32_t pos = pages->n_computed + i;
        rows[i] = (batch_row){
            .sequence = pages->kv,
            .pos = pos,
            .id = s->ids[pos],
            .wants_logits = s->kind == SEQUENCE_SCORE || pos == s->n_ids - 1,
        };
        n_logits += rows[i].wants_logits;
    }
    return n_logits;
}

/* ---- the sampler ---- */

void sequence_settle(sequence *s, bool given_up) {
    if (s->sending.sampler) sampler_released(s->sending.sampler, s->sending.n_bytes, given_up);
    s->sending.sampler = NULL;
    s->sending.ticket = 0;
}

static void next_strategy(text_chain *chain) {
    strategy_clear(&chain->now);
    chain->now = chain->next;
    chain->change = chain->next_change;
    chain->retuned = false;
    strategy_init(&chain->next);
}

void sequence_drawn(sequence *s, int32_t id, const uint8_t *sampler_state,
                    size_t n_sampler_state_bytes, const char *semantics, uint64_t now_us) {
    text_sequence *text = sequence_text(s);
    assert(s->n_ids < text->pages.n_positions_max && n_sampler_state_bytes <= STATE_BYTES_MAX);
    sequence_turn(s, text->no_cache ? EVENT_DRAWN_UNCACHED : EVENT_DRAWN);
    text->timing.answer_us = now_us - s->sending.sent_us;
    sequence_settle(s, false);
    s->ids[s->n_ids++] = id;
    if (n_sampler_state_bytes) memcpy(text->sampler_state, sampler_state, n_sampler_state_bytes);
    text->n_sampler_state_bytes = (uint32_t)n_sampler_state_bytes;
    snprintf(text->semantics, sizeof text->semantics, "%s", semantics);
    text->timing.forward_ms = 0;
    if (text->chain.retuned) next_strategy(&text->chain);
}

/* The position whose id row `i` of a score's rows is asked about. */
static uint32_t position_after(const sequence *s, uint32_t i) {
    return sequence_score(s)->pages.n_computed - s->rows.n + i + 1;
}

void sequence_given(const sequence *s, int32_t *given) {
    for (uint32_t i = 0; i < s->rows.n; i++) {
        uint32_t next = position_after(s, i);
        given[i] = next < s->n_ids ? s->ids[next] : -1;
    }
}

void sequence_scored(sequence *s, const double *logprobs) {
    sequence_turn(s, EVENT_SCORED);
    sequence_settle(s, false);
    for (uint32_t i = 0; i < s->rows.n; i++) {
        uint32_t next = position_after(s, i);
        if (next < s->n_ids) sequence_score(s)->logprobs[next] = logprobs[i];
    }
}

bool sequence_all_scored(const sequence *s) {
    return s->state == SEQUENCE_PREFILL && sequence_score(s)->pages.n_computed == s->n_ids;
}

status sequence_retune(sequence *s, uint32_t change, const strategy *wanted, uint32_t *from_step,
                       failure *f) {
    text_chain *chain = &sequence_text(s)->chain;
    if (change <= (chain->retuned ? chain->next_change : chain->change))
        return fail(f, STATUS_BAD_REQUEST, "strategy %u is not newer than the one that is there",
                    change);
    if (strategy_check_ids(wanted, s->rows.width, f) != STATUS_OK) return f->code;
    /* A row that has been sent once stays with its strategy: a retry must draw the same id. */
    bool sent = s->state == SEQUENCE_SAMPLING && s->sending.n_sent > 0;
    if (strategy_copy(sent ? &chain->next : &chain->now, wanted) != STATUS_OK)
        return fail(f, STATUS_NO_MEMORY, "no memory for a strategy");
    if (sent) chain->next_change = change;
    else chain->change = change;
    chain->retuned = sent;
    *from_step = sequence_step(s) + sent;
    return STATUS_OK;
}
