#include "scheduler.h"

#include <assert.h>
#include <stddef.h>

static uint32_t min_u32(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

void scheduler_init(scheduler *s, uint32_t n_rows_max) {
    assert(n_rows_max >= 1 && n_rows_max <= BATCH_ROWS_MAX);
    *s = (scheduler){
        .n_rows_max = n_rows_max,
        .rows_per_ms = (double)PREFILL_ROWS_FIRST / PASS_TARGET_MS,
        .rows_an_owner = UINT32_MAX,
    };
}

/* Rows of prompts beside n_decode rows: what is left of the pass's time, but at least half of it,
 * so that prompts do not stand still, and never more than the pass holds. Beside another owner's texts, few. */
static uint32_t prefill_budget(const scheduler *s, uint32_t n_decode) {
    double in_time = s->rows_per_ms * PASS_TARGET_MS;
    uint32_t fits = in_time < s->n_rows_max ? (uint32_t)in_time : s->n_rows_max;
    uint32_t budget = fits > 2 * n_decode ? fits - n_decode : fits / 2;
    if (budget < PREFILL_ROWS_MIN) budget = PREFILL_ROWS_MIN;
    budget = min_u32(budget, s->rows_an_owner > n_decode ? s->rows_an_owner : n_decode);
    return min_u32(budget, s->n_rows_max - n_decode);
}

/* Is this the first demand of its owner? */
static bool leads_owner(const demand *demands, uint32_t at) {
    for (uint32_t i = 0; i < at; i++)
        if (demands[i].owner == demands[at].owner) return false;
    return true;
}

static uint32_t count_decoding(const demand *demands, uint32_t n_demands, const void *owner) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_demands; i++) n += demands[i].decodes && demands[i].owner == owner;
    return n;
}

/* Rows that each owner may have for texts that decode. Where all owners have many such texts, they have equally many. */
static uint32_t rows_an_owner(const demand *demands, uint32_t n_demands) {
    bool is_shared = false, any_decodes = false;
    for (uint32_t i = 0; i < n_demands; i++) {
        is_shared |= demands[i].owner != demands[0].owner;
        any_decodes |= demands[i].decodes;
    }
    if (!is_shared || !any_decodes) return UINT32_MAX;
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < n_demands; i++)
        if (leads_owner(demands, i)) least = min_u32(least, count_decoding(demands, n_demands, demands[i].owner));
    return least > SHARED_ROWS ? least : SHARED_ROWS;
}

static bool waits_for_turn(const demand *d, uint32_t n_given) {
    return d->decodes && n_given < d->n_rows;
}

/* A row each to at most `budget` texts of one owner, from place `first` on, in the order in which they were in a pass. */
static uint32_t take_turns(const demand *demands, uint32_t n_demands, uint32_t first, uint32_t budget, uint32_t *n_rows) {
    for (uint32_t n_given = 0; n_given < budget; n_given++) {
        const demand *next = NULL;
        for (uint32_t i = first; i < n_demands; i++) {
            if (demands[i].owner != demands[first].owner || !waits_for_turn(&demands[i], n_rows[i])) continue;
            if (!next || demands[i].last_pass < next->last_pass) next = &demands[i];
        }
        if (!next) return n_given;
        n_rows[next - demands] = 1;
    }
    return budget;
}

/* Returns how many texts that decode are in the pass. */
static uint32_t share_decoding(const scheduler *s, const demand *demands, uint32_t n_demands, uint32_t *n_rows) {
    const bool is_bound = s->rows_an_owner < n_demands;
    uint32_t n_given = 0;
    for (uint32_t i = 0; i < n_demands; i++) {
        n_rows[i] = !is_bound && demands[i].decodes && n_given < s->n_rows_max ? demands[i].n_rows : 0;
        n_given += n_rows[i];
    }
    for (uint32_t i = 0; is_bound && i < n_demands; i++)
        if (leads_owner(demands, i))
            n_given += take_turns(demands, n_demands, i, min_u32(s->rows_an_owner, s->n_rows_max - n_given), n_rows);
    return n_given;
}

static bool is_hungry(const demand *d, uint32_t n_given) {
    return !d->decodes && n_given < d->n_rows;
}

/* Is this the first prompt of its owner, of whose prompts one is hungry? */
static bool leads_hungry_owner(const demand *demands, uint32_t n_demands, const uint32_t *n_rows, uint32_t at) {
    if (demands[at].decodes) return false;
    for (uint32_t i = 0; i < at; i++)
        if (!demands[i].decodes && demands[i].owner == demands[at].owner) return false;
    for (uint32_t i = at; i < n_demands; i++)
        if (demands[i].owner == demands[at].owner && is_hungry(&demands[i], n_rows[i])) return true;
    return false;
}

/* Equal shares of `budget` to the prompts of one owner, from place `first` on; what one prompt does not need goes to the
 * others, in further rounds. When there are more prompts than rows, the oldest go first. */
static uint32_t share_owner(const demand *demands, uint32_t n_demands, uint32_t first, uint32_t budget,
                            uint32_t *n_rows) {
    const void *owner = demands[first].owner;
    uint32_t n_given = 0;
    for (;;) {
        uint32_t n_hungry = 0;
        for (uint32_t i = first; i < n_demands; i++)
            n_hungry += demands[i].owner == owner && is_hungry(&demands[i], n_rows[i]);
        if (n_hungry == 0 || n_given == budget) return n_given;
        uint32_t share = (budget - n_given) / n_hungry;
        if (share == 0) share = 1;
        for (uint32_t i = first; i < n_demands && n_given < budget; i++) {
            if (demands[i].decodes || demands[i].owner != owner) continue;
            uint32_t more = min_u32(demands[i].n_rows - n_rows[i], share);
            more = min_u32(more, budget - n_given);
            n_rows[i] += more;
            n_given += more;
        }
    }
}

/* The same to owners, the one with the oldest prompt first. */
static uint32_t share_prefill(const demand *demands, uint32_t n_demands, uint32_t budget,
                              uint32_t *n_rows) {
    uint32_t n_given = 0;
    for (;;) {
        uint32_t n_hungry = 0;
        for (uint32_t i = 0; i < n_demands; i++) n_hungry += leads_hungry_owner(demands, n_demands, n_rows, i);
        if (n_hungry == 0 || n_given == budget) return n_given;
        uint32_t share = (budget - n_given) / n_hungry;
        if (share == 0) share = 1;
        for (uint32_t i = 0; i < n_demands && n_given < budget; i++)
            if (leads_hungry_owner(demands, n_demands, n_rows, i))
                n_given += share_owner(demands, n_demands, i, min_u32(share, budget - n_given), n_rows);
    }
}

uint32_t scheduler_share(scheduler *s, const demand *demands, uint32_t n_demands,
                         uint32_t *n_rows) {
    s->rows_an_owner = rows_an_owner(demands, n_demands);
    uint32_t n_decode = share_decoding(s, demands, n_demands, n_rows);
    return n_decode + share_prefill(demands, n_demands, prefill_budget(s, n_decode), n_rows);
}

uint64_t scheduler_gather_us(uint64_t elapsed_us) {
    return elapsed_us / 2 < GATHER_MAX_US ? elapsed_us / 2 : GATHER_MAX_US;
}

/* Passes of fewer rows are bound by reading the weights and say nothing about a row's price. Half of each
 * new figure: a pass during which others had the cores counts, but not for long. */
void scheduler_measure(scheduler *s, uint32_t n_rows, uint64_t elapsed_us) {
    if (n_rows < PREFILL_ROWS_MIN || elapsed_us == 0) return;
    s->rows_per_ms += (n_rows * 1000.0 / (double)elapsed_us - s->rows_per_ms) / 2;
}
