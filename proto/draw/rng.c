#include "rng.h"

static const uint32_t MULTIPLIER_0 = 0xD2511F53, MULTIPLIER_1 = 0xCD9E8D57;
static const uint32_t WEYL_0 = 0x9E3779B9, WEYL_1 = 0xBB67AE85;    /* golden ratio, √3 − 1 */
enum { ROUNDS = 10 };

void rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t x0 = counter[0], x1 = counter[1], x2 = counter[2], x3 = counter[3];
    uint32_t key_0 = key[0], key_1 = key[1];
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t product_0 = (uint64_t)MULTIPLIER_0 * x0, product_1 = (uint64_t)MULTIPLIER_1 * x2;
        x0 = (uint32_t)(product_1 >> 32) ^ x1 ^ key_0;
        x2 = (uint32_t)(product_0 >> 32) ^ x3 ^ key_1;
        x1 = (uint32_t)product_1;
        x3 = (uint32_t)product_0;
        key_0 += WEYL_0;
        key_1 += WEYL_1;
    }
    out[0] = x0, out[1] = x1, out[2] = x2, out[3] = x3;
}

uint64_t rng_bits53(uint64_t seed, uint32_t step, rng_stream stream) {
    const uint32_t counter[4] = {step, (uint32_t)stream, 0, 0};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t x[4];
    rng_philox(counter, key, x);
    return ((uint64_t)x[0] << 32 | x[1]) >> 11;
}

double rng_uniform(uint64_t seed, uint32_t step, rng_stream stream) {
    return (double)rng_bits53(seed, step, stream) * 0x1p-53;
}
