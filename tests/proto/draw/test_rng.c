/* rng.h: Philox4x32-10 against the published answers, and how seed, step and stream enter it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/draw/rng.h"

/* kat_vectors of Random123, the authors' own library. */
static const struct {
    uint32_t counter[4], key[2], expected[4];
} known_answers[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

static void philox_gives_the_published_answers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof known_answers / sizeof *known_answers; i++) {
        uint32_t out[4];
        rng_philox(known_answers[i].counter, known_answers[i].key, out);
        assert_memory_equal(out, known_answers[i].expected, sizeof out);
    }
}

static void the_first_two_words_make_53_bits(void **state) {
    (void)state;
    assert_true(rng_bits53(0, 0, RNG_DRAW) == 0x6627e8d5e169c58d >> 11);
    assert_true(rng_uniform(0, 0, RNG_DRAW) == (double)(0x6627e8d5e169c58d >> 11) / 0x1p53);
}

static void seed_step_and_stream_each_have_their_place(void **state) {
    (void)state;
    const uint64_t seed = 0x0012345689abcdef;
    const uint32_t key[2] = {0x89abcdef, 0x00123456};
    for (uint32_t step = 0; step < 3; step++) {
        for (uint32_t stream = RNG_DRAW; stream <= RNG_XTC; stream++) {
            uint32_t x[4];
            rng_philox((const uint32_t[4]){step, stream, 0, 0}, key, x);
            uint64_t bits = ((uint64_t)x[0] << 32 | x[1]) >> 11;
            assert_true(rng_bits53(seed, step, (rng_stream)stream) == bits);
        }
    }
}

static void uniforms_lie_in_0_1_and_fill_it_evenly(void **state) {
    (void)state;
    int tenths[10] = {0};
    for (uint32_t step = 0; step < 100000; step++) {
        double u = rng_uniform(7, step, RNG_DRAW);
        assert_true(u >= 0 && u < 1);
        tenths[(int)(u * 10)]++;
    }
    for (int i = 0; i < 10; i++) assert_in_range(tenths[i], 9600, 10400);   /* 4 sigma */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_published_answers),
        cmocka_unit_test(the_first_two_words_make_53_bits),
        cmocka_unit_test(seed_step_and_stream_each_have_their_place),
        cmocka_unit_test(uniforms_lie_in_0_1_and_fill_it_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
