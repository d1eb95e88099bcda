#include "penalties.h"

#include <math.h>

typedef double pair __attribute__((vector_size(2 * sizeof(double))));
typedef int64_t pair_bits __attribute__((vector_size(2 * sizeof(int64_t))));

void penalty_logit_bias(candidates *c, const stage *one) {
    bool bans = false;
    for (size_t i = 0; i < one->n_biases; i++) {
        uint32_t at = candidates_find(c, one->bias_ids[i]);
        if (at == c->n) continue;
        c->logits[at] += one->biases[i];
        bans |= c->logits[at] == -INFINITY;
    }
    if (bans) candidates_drop_banned(c);
    candidates_changed(c);
}

/* Where `id` stands in ids[n], which ascend, or else the first larger one. `at`: where this was for an id before it, 0 at
 * first; then all of these searches together pass over each candidate once at most. Where none in between is gone it is
 * found at once. */
static uint32_t find_from(const int32_t *ids, uint32_t n, uint32_t at, int32_t id) {
    if ((uint32_t)id < n && ids[id] == id) return (uint32_t)id;
    if (at == n || ids[at] >= id) return at;
    uint32_t furthest = at + (uint32_t)(id - ids[at]);
    if (furthest < n && ids[furthest] == id) return furthest;
    while (at < n && ids[at] < id) at++;
    return at;
}

/* The members become the indices, ascending, of the candidates that stand in the text so far. Returns how many. */
static uint32_t select_past(candidates *c) {
    uint32_t *members = c->members, n_past = history_list(&c->past, members), n = 0, at = 0;
    if (c->ids == c->all_ids) return n_past;    /* an id is its own index */
    for (uint32_t k = 0; k < n_past; k++) {
        int32_t id = (int32_t)members[k];
        at = find_from(c->ids, c->n, at, id);
        if (at == c->n) break;
        members[n] = at;
        n += c->ids[at] == id;
    }
    return n;
}

/* The rule for two logits. Both quotient and product are computed: signs come in no order that could be foreseen. */
static pair repeated(pair logits, double penalty) {
    pair divided = logits / penalty, multiplied = logits * penalty;
    pair_bits positive = logits > (pair){0, 0};
    return (pair)(((pair_bits)divided & positive) | ((pair_bits)multiplied & ~positive));
}

void penalty_repetition(candidates *c, const stage *one) {
    double penalty = one->numbers[0];
    if (penalty == 1.0) return;
    uint32_t n = select_past(c);
    for (uint32_t k = 0; k < n; k += 2) {       /* the last one of an odd number is its own neighbour */
        double *first = &c->logits[c->members[k]], *second = &c->logits[c->members[k + 1 < n ? k + 1 : k]];
        pair both = repeated((pair){*first, *second}, penalty);
        *first = both[0];
        *second = both[1];
    }
    candidates_changed(c);
}

void penalty_presence(candidates *c, const stage *one) {
    double penalty = one->numbers[0];
    if (penalty == 0.0) return;
    uint32_t n = select_past(c);
    for (uint32_t k = 0; k < n; k++) c->logits[c->members[k]] -= penalty;
    candidates_changed(c);
}

void penalty_frequency(candidates *c, const stage *one) {
    double penalty = one->numbers[0];
    if (penalty == 0.0) return;
    uint32_t n = select_past(c);
    history_count(&c->past);
    for (uint32_t k = 0; k < n; k++) {
        uint32_t at = c->members[k];
        c->logits[at] -= penalty * c->past.counts[c->ids[at]];
    }
    candidates_changed(c);
}
