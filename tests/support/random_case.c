#include "random_case.h"

#include <math.h>

enum { WITH_INFINITIES = CASE_MANNERS - 1 };

static uint64_t random_state;

void case_begin(uint64_t seed) {
    random_state = seed;
}

uint32_t case_below(uint32_t n) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) % n);
}

double case_unit(void) {
    return (case_below(1 << 20) + 0.5) / (1 << 20);
}

double case_share(void) {
    return case_below(3) ? case_unit() : (1 + case_below(99)) / 100.0;
}

uint64_t case_seed(void) {
    return random_state >> 11;
}

float case_logit(uint32_t manner) {
    double bell = case_unit() + case_unit() + case_unit() - 1.5;
    switch (manner) {
    case 0: return (float)(bell * 12);
    case 1: return (float)(case_below(9) / 2.0 - 2.0);
    case 2: return case_below(2) ? 0.0f : -0.0f;
    case 3: return (float)ldexp(bell, (int)case_below(250) - 145);
    default: return case_below(4) ? (float)(bell * 30) : -INFINITY;
    }
}

void case_row(float *logits, uint32_t width) {
    uint32_t manner = case_below(CASE_MANNERS);
    for (uint32_t i = 0; i < width; i++) logits[i] = case_logit(manner);
    if (manner == WITH_INFINITIES) logits[case_below(width)] = 1;
}
