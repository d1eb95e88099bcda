#include "faults.h"

#include <string.h>

#include "proto/base/limits.h"

bool fault_is_news(lasting_fault *one, const failure *now) {
    bool known = one->told.code == now->code && strcmp(one->told.message, now->message) == 0;
    one->told = *now;
    return !known;
}

void fault_is_over(lasting_fault *one) {
    one->told = (failure){STATUS_OK, ""};
}

bool faults_name(fault_crowd *c, uint64_t now_ms) {
    if (c->n_named > 0 && now_ms - c->named_ms >= FAULTS_MS) c->n_named = 0;
    if (c->n_named == 0) c->named_ms = now_ms;
    if (c->n_named == FAULTS_NAMED_MAX) {
        c->n_others++;
        return false;
    }
    c->n_named++;
    return true;
}

size_t faults_take_others(fault_crowd *c, uint64_t now_ms) {
    size_t n = c->n_others;
    bool due = c->others_ms == 0 || now_ms - c->others_ms >= FAULTS_MS;
    if (n == 0 || !due) return 0;
    c->n_others = 0;
    c->others_ms = now_ms;
    return n;
}
