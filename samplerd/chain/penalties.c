#include "penalties.h"

#include <math.h>

void penalty_logit_bias(row *r, const step *one) {
    bool bans = false;
    for (size_t i = 0; i < one->n_biases; i++) {
        uint32_t at = row_find(r, one->bias_ids[i]);
        if (at == r->n) continue;
        r->logits[at] += one->biases[i];
        bans |= r->logits[at] == -INFINITY;
    }
    if (bans) row_drop_banned(r);
    row_changed(r);
}

typedef double penalty_function(double logit, double penalty, uint32_t count);

static double repeated(double logit, double penalty, uint32_t count) {
    (void)count;
    return logit > 0 ? logit / penalty : logit * penalty;
}

static double present(double logit, double penalty, uint32_t count) {
    (void)count;
    return logit - penalty;
}

static double frequent(double logit, double penalty, uint32_t count) {
    return logit - penalty * count;
}

static void penalise(row *r, double penalty, penalty_function *penalised) {
    history *past = &r->past;
    history_count(past);
    for (uint32_t i = 0; i < past->n_distinct; i++) {
        uint32_t at = row_find(r, past->distinct[i]);
        if (at == r->n) continue;
        r->logits[at] = penalised(r->logits[at], penalty, past->counts[past->distinct[i]]);
    }
    row_changed(r);
}

void penalty_repetition(row *r, const step *one) {
    if (one->numbers[0] != 1.0) penalise(r, one->numbers[0], repeated);
}

void penalty_presence(row *r, const step *one) {
    if (one->numbers[0] != 0.0) penalise(r, one->numbers[0], present);
}

void penalty_frequency(row *r, const step *one) {
    if (one->numbers[0] != 0.0) penalise(r, one->numbers[0], frequent);
}
