#include "sequences.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "row_queue.h"
#include "sequence_owners.h"
#include "proto/base/text.h"

TAILQ_HEAD(sequence_list, sequence);

struct sequences {
    kv_cache *cache;
    shared_rows *shared; /* or NULL */
    uint32_t n_vocab, n_ctx;
    struct sequence_list all;
    row_queue waiting;
    owners *owners;
    slots *slots;
    uint32_t n_queued, n_scores_running;
    size_t row_bytes;
    uint64_t n_opened;
};

/* ---- the table of sequences ---- */

sequences *sequences_new(kv_cache *cache, shared_rows *shared, uint32_t n_vocab, uint32_t n_ctx) {
    sequences *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    *t = (sequences){.cache = cache, .shared = shared, .n_vocab = n_vocab, .n_ctx = n_ctx,
                     .owners = sequence_owners_new(), .slots = slots_new()};
    TAILQ_INIT(&t->all);
    row_queue_init(&t->waiting);
    if (!t->owners || !t->slots) sequences_free(&t);
    return t;
}

void sequences_free(sequences **t) {
    if (!*t) return;
    for (sequence *s = TAILQ_FIRST(&(*t)->all); s; s = TAILQ_FIRST(&(*t)->all))
        sequences_close(*t, s);
    slots_free(&(*t)->slots);
    owners_free(&(*t)->owners);
    free(*t);
    *t = NULL;
}

static bool is_text(const sequence *s, const uint8_t request[REQUEST_BYTES]) {
    return s->kind == SEQUENCE_TEXT && memcmp(sequence_text(s)->request, request, REQUEST_BYTES) == 0;
}

sequence *sequences_find(const sequences *t, const char *whose, const uint8_t request[REQUEST_BYTES]) {
    sequence *s;
    TAILQ_FOREACH (s, &t->all, link)
        if (is_text(s, request) && strcmp(s->owner->name, whose) == 0) return s;
    return NULL;
}

sequence *sequences_find_text(const sequences *t, const void *from, const uint8_t request[REQUEST_BYTES], uint32_t number) {
    sequence *s;
    TAILQ_FOREACH (s, &t->all, link)
        if (s->from == from && is_text(s, request) && sequence_text(s)->number == number) return s;
    return NULL;
}

sequence *sequences_find_call(const sequences *t, const void *from, uint64_t call) {
    sequence *s;
    TAILQ_FOREACH (s, &t->all, link)
        if (s->kind != SEQUENCE_TEXT && s->from == from && sequence_call(s) == call) return s;
    return NULL;
}

sequence *sequences_by_ticket(const sequences *t, uint64_t ticket) {
    return slots_find(t->slots, ticket);
}

bool sequences_text_of(const sequences *t, uint64_t ticket, const uint8_t request[REQUEST_BYTES], text_home *out) {
    return slots_text_of(t->slots, ticket, request, out);
}

void sequences_forget_link(sequences *t, const void *from) {
    slots_forget(t->slots, from);
}

sequence *sequences_first(const sequences *t) {
    return TAILQ_FIRST(&t->all);
}

sequence *sequences_next(const sequence *s) {
    return TAILQ_NEXT(s, link);
}

sequence *sequences_first_waiting(const sequences *t) {
    return TAILQ_FIRST(&t->waiting.rows);
}

sequence *sequences_next_waiting(const sequence *s) {
    return TAILQ_NEXT(s, sending.queue_link);
}

uint32_t sequences_count(const sequences *t) {
    return (uint32_t)(owners_held(t->owners, HOLDING_TEXTS) + owners_held(t->owners, HOLDING_CALLS));
}

uint32_t sequences_n_queued(const sequences *t) {
    return t->n_queued;
}

static uint32_t min_u32(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* ---- opening ---- */

/* Positions that must have room in the cache. */
static status check_pages(const sequences *t, const job *asked, uint32_t n_positions, failure *f) {
    unsigned long long n_there = (unsigned long long)kv_cache_pages(t->cache) * PAGE_TOKENS;
    if (n_positions <= n_there) return STATUS_OK;
    if (asked->kind == SEQUENCE_SCORE)
        return fail(f, STATUS_TOO_LONG, "a score of %u ids needs as many positions; the KV-cache holds %llu: start modeld with "
                    "more --kv-memory", n_positions, n_there);
    bool is_cut = n_positions < asked->text.n_prompt + asked->text.max_new_tokens;
    return fail(f, STATUS_TOO_LONG, "a prompt of %u ids and %u new tokens need %u positions%s; the KV-cache holds %llu: ask for "
                "fewer new tokens, or start modeld with more --kv-memory", asked->text.n_prompt, asked->text.max_new_tokens,
                n_positions, is_cut ? ", all of the context" : "", n_there);
}

static void rows_wait(sequences *t, sequence *s, uint64_t now_us, bool in_front) {
    s->sending.waiting_us = now_us;
    row_queue_join(&t->waiting, s, in_front);
}

static size_t place_of(sequence_kind kind) {
    return kind == SEQUENCE_TEXT ? HOLDING_TEXTS : HOLDING_CALLS;
}

static size_t bytes_of(sequence_kind kind) {
    return kind == SEQUENCE_TEXT ? HOLDING_TEXT_BYTES : HOLDING_CALL_BYTES;
}

/* What it holds now is counted. STATUS_BUSY: that is more than its owner may hold; it counts all the same. */
static status count_bytes(sequence *s, failure *f) {
    const size_t what = bytes_of(s->kind);
    owner_give(s->owner, what, s->bytes_counted);
    s->bytes_counted = sequence_bytes(s);
    status st = owner_take(s->owner, what, s->bytes_counted, f);
    if (st != STATUS_OK) owner_count(s->owner, what, s->bytes_counted);
    return st;
}

/* Whoever asks and reads late is not to be cut for answers that it asked for: these find room in its outbox. */
static status check_answers(const sequences *t, const job *asked, failure *f) {
    const size_t n_bytes = owners_held(t->owners, HOLDING_CALL_BYTES) + asked->n_unread_bytes;
    if (asked->kind == SEQUENCE_TEXT || n_bytes <= OPEN_CALLS_BYTES_MAX) return STATUS_OK;
    return fail(f, STATUS_BUSY, "the calls under way hold, with %zu bytes of answers that were not read yet, this modeld's limit of "
                "%d; try again later", asked->n_unread_bytes, OPEN_CALLS_BYTES_MAX);
}

static void enter(sequences *t, sequence *s, uint64_t now_us) {
    if (s->kind == SEQUENCE_TEXT) sequence_text(s)->timing.opened_us = now_us;
    s->slot = slots_take(t->slots, s);
    TAILQ_INSERT_TAIL(&t->all, s, link);
    t->n_queued++;
    if (s->kind != SEQUENCE_PROBE) return;
    t->n_queued--;
    sequence_turn(s, EVENT_ROWS);
    rows_wait(t, s, now_us, false);
}

/* KV positions that it will fill; none for a probe. */
static uint32_t positions(const sequences *t, const job *asked) {
    switch (asked->kind) {
    case SEQUENCE_TEXT: return min_u32(asked->text.n_prompt + asked->text.max_new_tokens, t->n_ctx);
    case SEQUENCE_SCORE: return (uint32_t)asked->n_ids;
    case SEQUENCE_PROBE: break;
    }
    return 0;
}

/* Room for what it holds. STATUS_BUSY, STATUS_NO_MEMORY: there is none of it. */
static status make(sequences *t, const job *asked, owner *whose, sequence **out, failure *f) {
    uint32_t n_positions = positions(t, asked);
    if (check_pages(t, asked, n_positions, f) != STATUS_OK) return f->code;
    uint32_t row_width = asked->kind == SEQUENCE_PROBE ? (uint32_t)asked->probe.row_width : t->n_vocab;
    sequence *s = sequence_new(asked, whose, n_positions, row_width, ++t->n_opened);
    if (!s) return fail(f, STATUS_NO_MEMORY, "no memory for another sequence");
    status st = count_bytes(s, f);
    if (st == STATUS_OK) st = check_answers(t, asked, f);
    if (st == STATUS_OK) {
        *out = s;
        return st;
    }
    owner_give(whose, bytes_of(s->kind), s->bytes_counted);
    sequence_free(s);
    return st;
}

status sequences_open(sequences *t, const job *asked, uint64_t now_us, sequence **out, failure *f) {
    if (job_check(asked, t->n_vocab, t->n_ctx, f) != STATUS_OK) return f->code;
    owner *whose = owners_hold(t->owners, asked->owner ? asked->owner : "");
    if (!whose) return fail(f, STATUS_NO_MEMORY, "no memory for another sequence");
    const size_t place = place_of(asked->kind);
    status st = owner_take(whose, place, 1, f);
    if (st == STATUS_OK && make(t, asked, whose, out, f) != STATUS_OK) {
        owner_give(whose, place, 1);
        st = f->code;
    }
    if (st == STATUS_OK) enter(t, *out, now_us);
    else owner_release(&whose);
    return st;
}

/* ---- pages ---- */

/* A score beyond SCORES_RUNNING_MAX lets those after it pass; missing pages hold up all, so that a
 * long text is not overtaken for ever by short ones. */
static bool may_be_next(const sequences *t, const sequence *s) {
    return s->state == SEQUENCE_QUEUED &&
           (s->kind == SEQUENCE_TEXT || t->n_scores_running < SCORES_RUNNING_MAX);
}

/* Where there is room for it, a text's row lies in shared memory. */
static float *take_shared(sequences *t, shared_place *place) {
    place->taken = t->shared && shared_rows_take(t->shared, &place->index);
    return place->taken ? shared_rows_at(t->shared, place->index) : NULL;
}

/* Room for what it will send. STATUS_BUSY: the rows of others take all there is; STATUS_NO_MEMORY. */
static status make_rows(sequences *t, sequence *s) {
    sequence_rows *rows = &s->rows;
    if (s->kind == SEQUENCE_TEXT) rows->logits = take_shared(t, &sequence_text(s)->shared);
    if (rows->logits) return STATUS_OK;
    uint32_t n_rows = s->kind == SEQUENCE_SCORE ? min_u32(SCORE_ROWS, s->n_ids) : 1;
    size_t n_bytes = (size_t)n_rows * rows->width * sizeof *rows->logits;
    if (t->row_bytes + n_bytes > ROWS_BYTES_MAX) return STATUS_BUSY;
    rows->logits = malloc(n_bytes);
    if (!rows->logits) return STATUS_NO_MEMORY;
    t->row_bytes += s->row_bytes_counted = n_bytes;
    return STATUS_OK;
}

static bool goes_before(const owner *a, const owner *b) {
    return a->n_active != b->n_active ? a->n_active < b->n_active : a->last_turn < b->last_turn;
}

/* The oldest of the owner that has the fewest with pages and, of several such, got some the longest ago; NULL: nobody may
 * be next. */
static sequence *next_to_admit(const sequences *t) {
    sequence *next = NULL, *s = t->n_queued > 0 ? TAILQ_FIRST(&t->all) : NULL;
    for (; s; s = TAILQ_NEXT(s, link))
        if (may_be_next(t, s) && (!next || goes_before(s->owner, next->owner))) next = s;
    return next;
}

status sequences_admit(sequences *t, uint64_t now_us, sequence **out) {
    sequence *s = next_to_admit(t);
    if (!s) return STATUS_NOT_FOUND;
    *out = s;
    status st = s->rows.logits ? STATUS_OK : make_rows(t, s);
    sequence_pages *pages = sequence_pages_of(s);
    if (st == STATUS_OK) st = kv_cache_open(t->cache, pages->key, s->ids, s->n_ids, pages->n_positions_max,
                              &pages->kv, &pages->n_cached);
    if (st != STATUS_OK) return st == STATUS_BUSY ? STATUS_NOT_FOUND : st;
    t->n_queued--;
    t->n_scores_running += s->kind == SEQUENCE_SCORE;
    pages->n_computed = pages->n_cached;
    s->has_pages = true;
    s->owner->n_active++;
    s->owner->last_turn = owners_next_turn(t->owners);
    if (s->kind == SEQUENCE_TEXT) {
        text_timing *timing = &sequence_text(s)->timing;
        timing->admitted_us = now_us;
        timing->queue_ms = (double)(now_us - timing->opened_us) / 1000.0;
    }
    sequence_turn(s, EVENT_PAGES);
    return STATUS_OK;
}

/* Its keys and values stay as cache, or are forgotten. */
static void give_pages(sequences *t, const sequence *s) {
    kv_sequence kv = sequence_pages_of(s)->kv;
    if (sequence_caches(s)) kv_cache_close(t->cache, kv);
    else kv_cache_drop(t->cache, kv);
    t->n_scores_running -= s->kind == SEQUENCE_SCORE;
    s->owner->n_active--;
}

void sequences_release(sequences *t, sequence *s) {
    assert(s->state == SEQUENCE_CLOSED && !s->in_pass);
    if (s->has_pages) give_pages(t, s);
    owner_give(s->owner, bytes_of(s->kind), s->bytes_counted);
    owner_release(&s->owner);
    t->row_bytes -= s->row_bytes_counted;
    if (sequence_in_shared(s)) shared_rows_give(t->shared, sequence_text(s)->shared.index);
    sequence_free(s);
}

void sequences_close(sequences *t, sequence *s) {
    t->n_queued -= s->state == SEQUENCE_QUEUED;
    sequence_turn(s, EVENT_CLOSE);
    sequence_settle(s, true);
    row_queue_leave(&t->waiting, s);
    TAILQ_REMOVE(&t->all, s, link);
    slots_give(t->slots, s->slot);
    owner_give(s->owner, place_of(s->kind), 1);
    if (!s->in_pass) sequences_release(t, s);
}

/* ---- the forward pass ---- */

void sequence_renew_rows(sequences *t, sequence *s) {
    if (!sequence_in_shared(s)) return;
    shared_place *place = &sequence_text(s)->shared;
    place->generation = shared_rows_renew(t->shared, place->index);
}

/* A text's positions were computed; true: its row is there. */
static bool text_computed(sequences *t, sequence *s, double forward_ms, uint64_t now_us) {
    text_sequence *text = sequence_text(s);
    text->timing.forward_ms += forward_ms;
    if (text->pages.n_computed < s->n_ids) return false;
    if (s->state == SEQUENCE_PREFILL && text->timing.prefill_ms <= 0) /* the first one */
        text->timing.prefill_ms = (double)(now_us - text->timing.admitted_us) / 1000.0;
    if (text->no_cache) {
        kv_cache_rewind(t->cache, text->pages.kv);
        text->pages.n_computed = 0;
    }
    return true;
}

bool sequence_computed(sequences *t, sequence *s, uint32_t n_positions, double forward_ms,
                       uint64_t now_us) {
    sequence_pages_of(s)->n_computed += n_positions;
    if (s->kind == SEQUENCE_TEXT && !text_computed(t, s, forward_ms, now_us)) return false;
    s->rows.n = s->kind == SEQUENCE_SCORE ? n_positions : 1;
    sequence_turn(s, EVENT_ROWS);
    s->sending.n_sent = s->sending.n_tries = s->sending.n_losses = 0;
    s->sending.avoided = NULL;
    rows_wait(t, s, now_us, false);
    return true;
}

/* ---- the sampler ---- */

size_t sequence_sending_bytes(const sequence *s, const sampler *to) {
    bool in_place = to->maps_rows && sequence_in_shared(s);
    return s->n_ids * sizeof *s->ids + (in_place ? 0 : (size_t)s->rows.n * s->rows.width * sizeof *s->rows.logits);
}

void sequence_sent(sequences *t, sequence *s, sampler *to, uint64_t now_us, uint64_t deadline_us) {
    assert(s->state == SEQUENCE_SAMPLING && !s->sending.sampler);
    row_queue_serve(&t->waiting, s);
    s->sending.ticket = slots_ticket(t->slots, s->slot);
    s->sending.sampler = to;
    s->sending.sent_us = now_us;
    s->sending.deadline_us = deadline_us;
    s->sending.n_sent++;
    s->sending.n_bytes = sequence_sending_bytes(s, to);
    sampler_took(to, s->sending.n_bytes);
}

status sequences_retune(sequence *s, uint32_t change, const strategy *wanted, uint32_t *from_step,
                        failure *f) {
    status st = sequence_retune(s, change, wanted, from_step, f);
    return st == STATUS_OK ? count_bytes(s, f) : st;
}

void sequence_retry(sequences *t, sequence *s, retry_cause cause, uint64_t now_us,
                    const char *why) {
    sequence_turn(s, EVENT_RETRY);
    s->sending.n_sent -= cause == RETRY_UNSENT;
    s->sending.n_losses += cause == RETRY_LOST;
    s->sending.n_tries += cause == RETRY_FAILED;
    text_sentence(why, s->sending.last_error, sizeof s->sending.last_error);
    s->sending.avoided = s->sending.sampler;
    sequence_settle(s, cause != RETRY_UNSENT);
    rows_wait(t, s, now_us, true);
}

void sequence_may_wait(sequence *s, uint64_t now_us) {
    assert(s->state == SEQUENCE_SAMPLING && !s->sending.sampler);
    s->sending.waiting_us = now_us;
}

void sequences_forget(sequences *t, const sampler *gone) {
    sequence *s;
    TAILQ_FOREACH (s, &t->all, link) {
        assert(s->sending.sampler != gone);
        if (s->sending.avoided == gone) s->sending.avoided = NULL;
    }
}
