#include "penalties.h"

#include <math.h>

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

static void penalise(candidates *c, double penalty, penalty_function *penalised) {
    history *past = &c->past;
    history_count(past);
    for (uint32_t i = 0; i < past->n_distinct; i++) {
        uint32_t at = candidates_find(c, past->distinct[i]);
        if (at == c->n) continue;
        c->logits[at] = penalised(c->logits[at], penalty, past->counts[past->distinct[i]]);
    }
    candidates_changed(c);
}

void penalty_repetition(candidates *c, const stage *one) {
    if (one->numbers[0] != 1.0) penalise(c, one->numbers[0], repeated);
}

void penalty_presence(candidates *c, const stage *one) {
    if (one->numbers[0] != 0.0) penalise(c, one->numbers[0], present);
}

void penalty_frequency(candidates *c, const stage *one) {
    if (one->numbers[0] != 0.0) penalise(c, one->numbers[0], frequent);
}
