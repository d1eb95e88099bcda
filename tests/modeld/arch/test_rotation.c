/* Scaled rotations: the frequencies by formulas written down here once more, the meaning of keys that
 * llama.cpp passes over for this architecture, and one set of bits on every instruction set. llama.cpp's
 * own numbers: tests/e2e/text/test_rotations.py. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "modeld/arch/rope_keys.h"
#include "modeld/blocks/rotation.h"
#include "modeld/engine/model.h"
#include "modeld/kernels/kernels.h"
#include "proto/base/limits.h"
#include "proto/numeric/fmath.h"
#include "tests/support/models/forward.h"
#include "tests/support/models/tiny_model.h"
#include "tests/support/scratch.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { DIMS = 32, N_PAIRS = DIMS / 2, N_CTX = 256, N_IDS = 200 };

static const double PI = 3.141592653589793;

static void write_model(tiny_rope rope) {
    failure f;
    tiny_model_options o = tiny_model_defaults();
    o.shape.head_dim = DIMS;
    o.rope = rope;
    assert_int_equal(tiny_model_write(scratch_path(), &o, &f), STATUS_OK);
}

/* What a file with these keys says of its rotation, and the frequencies that this makes. */
static rotation rotation_of(tiny_rope rope, double frequencies[N_PAIRS], const float *factors) {
    failure f = {0};
    gguf *g;
    model_shape s = {.head_dim = DIMS, .n_ctx_made = N_CTX, .rotation.kind = ROTATION_ADJACENT};
    write_model(rope);
    assert_int_equal(gguf_open(&g, scratch_path(), &f), STATUS_OK);
    if (rope_keys_read(&(model_keys){g, "llama"}, &s, &f) != STATUS_OK) fail_msg("%s", f.message);
    rotation_frequencies(&s.rotation, factors, frequencies);
    gguf_close(&g);
    return s.rotation;
}

static double own(int pair) {
    return pow(10000.0, -2.0 * pair / DIMS);
}

static void assert_near(double a, double b) {
    if (!(fabs(a - b) <= 1e-12 * fabs(b))) fail_msg("%.17g, not %.17g", a, b);
}

static void a_plain_rotation_has_the_bits_it_always_had(void **state) {
    (void)state;
    double got[N_PAIRS];
    float cosines[DIMS], sines[DIMS];
    rotation r = rotation_of((tiny_rope){0}, got, NULL);
    assert_true(rotation_is_plain(&r));
    rotation_at(&r, got, 77, cosines, sines);
    for (int i = 0; i < N_PAIRS; i++) {
        double frequency = fmath_pow(10000.0, -2.0 * i / DIMS);
        float c = (float)fmath_cos(77 * frequency), n = (float)fmath_sin(77 * frequency);
        assert_memory_equal(&got[i], &frequency, sizeof frequency);
        assert_memory_equal(&cosines[2 * i], &c, sizeof c);
        assert_memory_equal(&sines[2 * i + 1], &n, sizeof n);
        assert_true(cosines[2 * i + 1] == c && sines[2 * i] == -n);
    }
}

static void factors_divide_and_linear_divides(void **state) {
    (void)state;
    double got[N_PAIRS];
    float factors[N_PAIRS];
    for (int i = 0; i < N_PAIRS; i++) factors[i] = 1.0f + (float)i;
    rotation r = rotation_of((tiny_rope){.factor = 4}, got, factors);
    assert_false(rotation_is_plain(&r));
    for (int i = 0; i < N_PAIRS; i++) assert_near(got[i], own(i) / (1 + i) / 4);
}

/* Peng et al. 2023, "NTK-by-parts", in their words: λ the wavelength, r how often it fits the context. The
 * ramp of common implementations runs between whole pairs, not over r. */
static double yarn_pair(int pair, double factor, double context, double fast, double slow, double mix) {
    double per_turn = DIMS / (2 * log(10000.0));
    double first = fmax(0, floor(per_turn * log(context / (fast * 2 * PI))));
    double last = fmin(DIMS - 1, ceil(per_turn * log(context / (slow * 2 * PI))));
    double slowed = fmin(1, fmax(0, (pair - first) / (last - first)));
    double kept = (1 - slowed) * mix;
    return own(pair) * kept + own(pair) / factor * (1 - kept);
}

static void yarn_slows_slow_pairs_and_sharpens_attention(void **state) {
    (void)state;
    double got[N_PAIRS];
    tiny_rope yarn = {.type = "yarn", .factor = 8, .original_context = 64};
    rotation r = rotation_of(yarn, got, NULL);
    for (int i = 0; i < N_PAIRS; i++) assert_near(got[i], yarn_pair(i, 8, 64, 32, 1, 1));
    assert_near(got[0], own(0));
    assert_near(got[N_PAIRS - 1], own(N_PAIRS - 1) / 8);
    assert_near(r.scaling.magnitude, 1 + 0.1 * log(8));

    yarn.yarn_fast = 12, yarn.yarn_slow = 3, yarn.yarn_mix = 0.5, yarn.attention_factor = 2;
    yarn.original_context = 0;      /* the file's own context */
    r = rotation_of(yarn, got, NULL);
    for (int i = 0; i < N_PAIRS; i++) assert_near(got[i], yarn_pair(i, 8, N_CTX, 12, 3, 0.5));
    assert_near(r.scaling.magnitude, 2 * (1 + 0.1 * log(8)));

    yarn = (tiny_rope){.type = "yarn", .factor = 8, .yarn_log = 1};     /* as sharp as it should be */
    assert_near(rotation_of(yarn, got, NULL).scaling.magnitude, 1);
    yarn.yarn_log = 0.5;
    assert_near(rotation_of(yarn, got, NULL).scaling.magnitude, (1 + 0.1 * log(8)) / (1 + 0.05 * log(8)));
}

static void a_position_turns_by_its_angle_and_magnitude(void **state) {
    (void)state;
    double frequencies[N_PAIRS];
    float cosines[DIMS], sines[DIMS];
    rotation r = rotation_of((tiny_rope){.attention_factor = 1.5}, frequencies, NULL);
    rotation_at(&r, frequencies, 100, cosines, sines);
    for (int i = 0; i < N_PAIRS; i++) {
        assert_true(fabs((double)cosines[2 * i] - 1.5 * cos(100 * own(i))) < 1e-6);
        assert_true(fabs((double)sines[2 * i + 1] - 1.5 * sin(100 * own(i))) < 1e-6);
    }
}

/* Logits after N_IDS positions; the caller frees. */
static float *logits_of(tiny_rope rope, const char *isa, uint32_t n_ctx, char fingerprint[64]) {
    static batch_row rows[N_IDS];
    failure f;
    model *m;
    kv_sequence s;
    uint32_t n_cached;
    int32_t id = 20;
    write_model(rope);
    model_options o = {.n_threads = 2, .isa = isa, .n_rows_max = 8, .n_ctx = n_ctx};
    if (model_open(&m, scratch_path(), &o, &f) != STATUS_OK) fail_msg("%s", f.message);
    kv_cache *cache = kv_cache_new(model_kv_shape(m), N_IDS / PAGE_TOKENS + 1, 1);
    float *logits = malloc(model_shape_of(m)->n_vocab * sizeof *logits);
    assert_true(cache && logits);
    assert_int_equal(kv_cache_open(cache, "", &id, 1, N_IDS, &s, &n_cached), STATUS_OK);
    for (uint32_t r = 0; r < N_IDS; r++)
        rows[r] = (batch_row){s, r, (int32_t)(20 + 7 * r % 290), r == N_IDS - 1};
    for (uint32_t r = 0; r < N_IDS; r += 8) forward(m, cache, rows + r, 8, logits);
    strcpy(fingerprint, model_fingerprint(m));
    kv_cache_free(&cache);
    model_close(&m);
    return logits;
}

static bool same_logits(tiny_rope a, const char *isa_a, uint32_t n_ctx, tiny_rope b, const char *isa_b) {
    char print_a[64], print_b[64];
    float *x = logits_of(a, isa_a, n_ctx, print_a), *y = logits_of(b, isa_b, 0, print_b);
    bool same = memcmp(x, y, 320 * sizeof *x) == 0;
    free(x);
    free(y);
    return same;
}

static void bits_are_the_same_on_every_instruction_set_and_in_every_context(void **state) {
    (void)state;
    const tiny_rope yarn = {.type = "yarn", .factor = 4, .llama3_context = 32}, plain = {0};
    const tiny_rope named = {.type = "llama3", .factor = 8, .llama3_context = 32};
    const tiny_rope factors = {.llama3_context = 32}, slower = {.factor = 4};
    assert_true(same_logits(yarn, "ref", 0, yarn, "auto"));
    assert_true(same_logits(yarn, "auto", 1000, yarn, "auto"));     /* --n-ctx changes no number */
    assert_true(same_logits(named, "auto", 0, factors, "auto"));    /* the tensor says it all */
    assert_false(same_logits(factors, "auto", 0, plain, "auto"));
    assert_false(same_logits(slower, "auto", 0, plain, "auto"));
}

static void the_fingerprint_tells_scaled_from_plain_arithmetic(void **state) {
    (void)state;
    char plain[64], scaled[64];
    free(logits_of((tiny_rope){0}, "auto", 0, plain));
    free(logits_of((tiny_rope){.attention_factor = 1.5}, "auto", 0, scaled));
    assert_string_equal(plain + 32, "00000001");
    assert_string_equal(scaled + 32, "00000002");
}

static void a_context_is_as_long_as_asked_for(void **state) {
    (void)state;
    static const struct { tiny_family family; uint32_t made, asked, n_ctx; } cases[] = {
        {TINY_LLAMA, 256, 0, 256}, {TINY_LLAMA, 256, 100, 100}, {TINY_LLAMA, 256, 5000, 5000},
        {TINY_LLAMA, 4194304, 0, N_CTX_MAX}, {TINY_LLAMA, 4194304, 4096, 4096},
        {TINY_GPT2, 256, 100, 100}, {TINY_GPT2, 256, 257, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        failure f;
        model *m = NULL;
        tiny_model_options o = tiny_model_defaults();
        o.family = cases[i].family;
        o.shape.n_ctx = cases[i].made;
        assert_int_equal(tiny_model_write(scratch_path(), &o, &f), STATUS_OK);
        model_options options = {.n_threads = 1, .isa = "auto", .n_rows_max = 8, .n_ctx = cases[i].asked};
        status st = model_open(&m, scratch_path(), &options, &f);
        if (cases[i].n_ctx == 0) {
            assert_int_equal(st, STATUS_UNSUPPORTED);
            assert_non_null(strstr(f.message, "257"));
            assert_non_null(strstr(f.message, "256"));
            continue;
        }
        if (st != STATUS_OK) fail_msg("%s", f.message);
        assert_int_equal(model_shape_of(m)->n_ctx, cases[i].n_ctx);
        assert_int_equal(model_shape_of(m)->n_ctx_made, cases[i].made);
        model_close(&m);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_rotation_has_the_bits_it_always_had),
        cmocka_unit_test(factors_divide_and_linear_divides),
        cmocka_unit_test(yarn_slows_slow_pairs_and_sharpens_attention),
        cmocka_unit_test(a_position_turns_by_its_angle_and_magnitude),
        cmocka_unit_test(bits_are_the_same_on_every_instruction_set_and_in_every_context),
        cmocka_unit_test(the_fingerprint_tells_scaled_from_plain_arithmetic),
        cmocka_unit_test(a_context_is_as_long_as_asked_for),
    };
    return cmocka_run_group_tests_name("rotation", tests, NULL, NULL);
}
