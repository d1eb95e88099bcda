/* Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers, SC 2011): randomness as a function
 * of (seed, step, stream), so that any samplerd can take any step again. */
#ifndef TRIVIUM_RNG_H
#define TRIVIUM_RNG_H

#include <stdint.h>

typedef enum rng_stream {       /* listed in SAMPLER.md */
    RNG_DRAW = 0,
    RNG_XTC = 1,
} rng_stream;

/* One block: counter[4], key[2] → out[4]. */
void rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* key = (seed low, seed high), counter = (step, stream, 0, 0); the top 53 bits of x0·2^32 + x1. */
uint64_t rng_bits53(uint64_t seed, uint32_t step, rng_stream stream);

/* rng_bits53 · 2^-53, in [0, 1). */
double rng_uniform(uint64_t seed, uint32_t step, rng_stream stream);

#endif
