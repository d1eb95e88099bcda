#include "sequence.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    s->state = next;
}

/* ---- its life ---- */

void sequence_free(sequence *s) {
    strategy_clear(&s->strategy);
    strategy_clear(&s->next_strategy);
    free(s->ids);
    if (!s->in_shared) free(s->rows);
    free(s->logprobs);
    free(s);
}

static bool take_common(sequence *s, const job *asked) {
    size_t n_room = s->n_positions_max > asked->n_ids ? s->n_positions_max : asked->n_ids;
    s->ids = malloc((n_room ? n_room : 1) * sizeof *s->ids);
    if (!s->ids) return false;
    if (asked->n_ids) memcpy(s->ids, asked->ids, asked->n_ids * sizeof *s->ids);
    s->n_ids = (uint32_t)asked->n_ids;
    s->n_prompt = s->n_ids;
    s->call = asked->call;
    strcpy(s->pool, asked->pool[0] ? asked->pool : DEFAULT_POOL);
    s->seed = asked->seed;
    s->n_candidates = asked->n_candidates;
    s->n_watched = asked->n_watched;
    s->wait_ms = asked->wait_ms > 0 ? asked->wait_ms : WAIT_MS;
    return !asked->strategy || strategy_copy(&s->strategy, asked->strategy) == STATUS_OK;
}

static void take_text(sequence *s, const job *asked) {
    memcpy(s->request, asked->request, REQUEST_BYTES);
    s->attempt = asked->attempt;
    s->n_prompt = asked->n_prompt;
    s->change = asked->change;
    s->max_new_tokens = asked->max_new_tokens;
    s->no_cache = asked->no_cache;
    strcpy(s->semantics, asked->semantics);
    if (asked->n_memory_bytes) memcpy(s->memory, asked->memory, asked->n_memory_bytes);
    s->n_memory_bytes = (uint32_t)asked->n_memory_bytes;
    if (asked->n_end_ids) memcpy(s->end_ids, asked->end_ids, asked->n_end_ids * sizeof *s->end_ids);
    s->n_end_ids = (uint32_t)asked->n_end_ids;
    char hex[2 * REQUEST_BYTES + 1];
    text_hex(asked->request, REQUEST_BYTES, hex);
    bool named = asked->session[0] && !s->no_cache;     /* else it would take a session's cache */
    const char *kind = s->no_cache ? "uncached" : named ? "session" : "request";
    snprintf(s->key, sizeof s->key, "%s/%s", kind, named ? asked->session : hex);
}

static bool take_score(sequence *s, uint64_t number) {
    snprintf(s->key, sizeof s->key, "score/%llu", (unsigned long long)number);
    s->logprobs = malloc(s->n_ids * sizeof *s->logprobs);
    if (s->logprobs) s->logprobs[0] = NAN;
    return s->logprobs;
}

static bool take_probe(sequence *s, const job *asked) {
    s->first_step = asked->first_step;
    s->rows = malloc(asked->row_width * sizeof *s->rows);
    if (s->rows) memcpy(s->rows, asked->row, asked->row_width * sizeof *s->rows);
    s->n_rows = 1;
    return s->rows;
}

/* False: no memory. */
static bool take(sequence *s, const job *asked, uint64_t number) {
    if (!take_common(s, asked)) return false;
    switch (s->kind) {
    case SEQUENCE_TEXT: take_text(s, asked); return true;
    case SEQUENCE_SCORE: return take_score(s, number);
    case SEQUENCE_PROBE: break;
    }
    return take_probe(s, asked);
}

sequence *sequence_new(const job *asked, uint32_t n_positions, uint32_t row_width, uint64_t number) {
    sequence *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->kind = asked->kind;
    s->state = SEQUENCE_QUEUED;
    s->owner = asked->owner;
    s->row_width = row_width;
    s->n_positions_max = n_positions;
    strategy_init(&s->strategy);
    strategy_init(&s->next_strategy);
    if (take(s, asked, number)) return s;
    sequence_free(s);
    return NULL;
}

size_t sequence_call_bytes(const sequence *s) {
    if (s->kind == SEQUENCE_TEXT) return 0;
    return sizeof *s + s->n_ids * (sizeof *s->ids + sizeof *s->logprobs) +
           (s->kind == SEQUENCE_PROBE ? s->row_width * sizeof *s->rows : 0);
}

/* ---- the forward pass ---- */

uint32_t sequence_step(const sequence *s) {
    return s->kind == SEQUENCE_TEXT ? s->n_ids - s->n_prompt : s->first_step;
}

sequence_end sequence_over(const sequence *s) {
    uint32_t n_drawn = s->n_ids - s->n_prompt;
    for (uint32_t i = 0; n_drawn > 0 && i < s->n_end_ids; i++)
        if (s->ids[s->n_ids - 1] == s->end_ids[i]) return END_ID;
    return n_drawn >= s->max_new_tokens || s->n_ids >= s->n_positions_max ? END_LENGTH : END_NONE;
}

uint64_t sequence_expected_us(const sequence *s) {
    bool out = s->kind == SEQUENCE_TEXT && s->state == SEQUENCE_SAMPLING && s->sampler;
    return out ? s->sent_us + s->answer_us : UINT64_MAX;
}

uint32_t sequence_n_wanted(const sequence *s) {
    if (s->state != SEQUENCE_PREFILL && s->state != SEQUENCE_DECODE) return 0;
    uint32_t n_left = s->n_ids - s->n_computed;
    return s->kind == SEQUENCE_SCORE ? (n_left < SCORE_ROWS ? n_left : SCORE_ROWS) : n_left;
}

uint32_t sequence_batch(const sequence *s, uint32_t n_rows, batch_row *rows) {
    assert(n_rows <= sequence_n_wanted(s));
    uint32_t n_logits = 0;
    for (uint32_t i = 0; i < n_rows; i++) {
        uint32_t pos = s->n_computed + i;
        rows[i] = (batch_row){
            .sequence = s->kv,
            .pos = pos,
            .id = s->ids[pos],
            .wants_logits = s->kind == SEQUENCE_SCORE || pos == s->n_ids - 1,
        };
        n_logits += rows[i].wants_logits;
    }
    return n_logits;
}

/* ---- the sampler ---- */

void sequence_settle(sequence *s) {
    if (s->sampler) sampler_released(s->sampler);
    s->sampler = NULL;
    s->ticket = 0;
}

void sequence_drawn(sequence *s, int32_t id, const uint8_t *memory, size_t n_memory_bytes,
                    const char *semantics, uint64_t now_us) {
    assert(s->n_ids < s->n_positions_max && n_memory_bytes <= STATE_BYTES_MAX);
    sequence_turn(s, s->no_cache ? EVENT_DRAWN_UNCACHED : EVENT_DRAWN);
    s->answer_us = now_us - s->sent_us;
    sequence_settle(s);
    s->ids[s->n_ids++] = id;
    if (n_memory_bytes) memcpy(s->memory, memory, n_memory_bytes);
    s->n_memory_bytes = (uint32_t)n_memory_bytes;
    snprintf(s->semantics, sizeof s->semantics, "%s", semantics);
    s->forward_ms = 0;
    if (!s->retuned) return;
    strategy_clear(&s->strategy);
    s->strategy = s->next_strategy;
    s->change = s->next_change;
    s->retuned = false;
    strategy_init(&s->next_strategy);
}

void sequence_given(const sequence *s, int32_t *given) {
    for (uint32_t i = 0; i < s->n_rows; i++) {
        uint32_t next = s->n_computed - s->n_rows + i + 1;
        given[i] = next < s->n_ids ? s->ids[next] : -1;
    }
}

void sequence_scored(sequence *s, const double *logprobs) {
    sequence_turn(s, EVENT_SCORED);
    sequence_settle(s);
    for (uint32_t i = 0; i < s->n_rows; i++) {
        uint32_t next = s->n_computed - s->n_rows + i + 1;
        if (next < s->n_ids) s->logprobs[next] = logprobs[i];
    }
}

bool sequence_all_scored(const sequence *s) {
    return s->state == SEQUENCE_PREFILL && s->n_computed == s->n_ids;
}

status sequence_retune(sequence *s, uint32_t change, const strategy *wanted, uint32_t *from_step,
                       failure *f) {
    if (change <= (s->retuned ? s->next_change : s->change))
        return fail(f, STATUS_BAD_REQUEST, "strategy %u is not newer than the one that is there",
                    change);
    if (strategy_check_ids(wanted, s->row_width, f) != STATUS_OK) return f->code;
    /* A row that has been sent once stays with its strategy: a retry must draw the same id. */
    bool sent = s->state == SEQUENCE_SAMPLING && s->n_sent > 0;
    if (strategy_copy(sent ? &s->next_strategy : &s->strategy, wanted) != STATUS_OK)
        return fail(f, STATUS_NO_MEMORY, "no memory for a strategy");
    if (sent) s->next_change = change;
    else s->change = change;
    s->retuned = sent;
    *from_step = sequence_step(s) + sent;
    return STATUS_OK;
}
