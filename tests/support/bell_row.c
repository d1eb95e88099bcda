#include "tests/support/bell_row.h"

enum { N_LIKELY = 40, STRIDE = 7919 };

static double next_uniform(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-53;
}

void bell_row_fill(float *logits, uint32_t n_vocab, uint64_t seed) {
    uint64_t state = seed;
    for (uint32_t i = 0; i < n_vocab; i++) {
        double bell = -6.0;
        for (int k = 0; k < 12; k++) bell += next_uniform(&state);
        logits[i] = (float)(bell * 2.5);
    }
    for (int k = 0; k < N_LIKELY; k++) logits[(uint32_t)(next_uniform(&state) * n_vocab)] = (float)(18.0 - 0.3 * k);
}

void bell_row_history(int32_t *ids, uint32_t n_ids, uint32_t n_vocab) {
    for (uint32_t i = 0; i < n_ids; i++) ids[i] = (int32_t)((uint64_t)i * STRIDE % n_vocab);
}
