/* The products in AVX2 with FMA and F16C: the 16 outputs of a panel are two registers of 8. */
#include <immintrin.h>
#include <string.h>

#include "int8_tile.h"
#include "lanes_avx2.h"
#include "modeld/kernels/kernels.h"

/* Activations to int8 -------------------------------------------------------------------------- */

static int32_t largest_lane(__m256i x) {
    __m128i four = _mm_max_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    __m128i two = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtsi128_si32(_mm_max_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
}

static int32_t total_of_lanes(__m256i x) {
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
}

static int32_t largest_size_bits(const float *x) {
    const __m256i size_mask = _mm256_set1_epi32(0x7fffffff);
    __m256i largest = _mm256_setzero_si256();
    for (int i = 0; i < BLOCK; i += WIDTH) {
        __m256i bits = _mm256_castps_si256(_mm256_loadu_ps(x + i));
        largest = _mm256_max_epi32(largest, _mm256_and_si256(bits, size_mask));
    }
    return largest_lane(largest);
}

static void quantize_block(int8_block *block, const float *x) {
    float largest;
    if (!block_begin(block, (uint32_t)largest_size_bits(x), &largest)) return;
    __m256 inverse = _mm256_set1_ps(127.0f / largest);
    __m256i codes[4];
    UNROLL for (int i = 0; i < 4; i++)
        codes[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + WIDTH * i), inverse));
    __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(codes[0], codes[1]),
                                       _mm256_packs_epi32(codes[2], codes[3]));
    bytes = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256((__m256i *)block->codes, bytes);
    block_end(block, largest, total_of_lanes(_mm256_add_epi32(codes[0], codes[1])),
              total_of_lanes(_mm256_add_epi32(codes[2], codes[3])));
}

static void quantize(int8_block *blocks, const float *x, uint32_t n_blocks) {
    for (uint32_t b = 0; b < n_blocks; b++) quantize_block(&blocks[b], x + (size_t)b * BLOCK);
}

/* The int8 tile -------------------------------------------------------------------------------- */

INLINE __m256i four_codes(const int8_t *codes) {
    int32_t four;
    memcpy(&four, codes, sizeof four);
    return _mm256_set1_epi32(four);
}

/* Group g of the 8 outputs whose bytes begin at `block`: unsigned codes, those of 8 bits signed. */
INLINE __m256i load_codes(const uint8_t *block, int g, code_form form) {
    if (form.bits == 8)
        return _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(block + GROUP_BYTES * g)),
                                _mm256_set1_epi8(-128));
    __m256i codes = _mm256_loadu_si256((const __m256i *)(block + GROUP_BYTES * (g % 4)));
    if (g >= 4) codes = _mm256_srli_epi16(codes, 4);
    codes = _mm256_and_si256(codes, _mm256_set1_epi8(15));
    if (form.bits == 4) return codes;
    int n_bits = (int)form.bits - 4, bit = g * n_bits, left = 4 - bit % 8;
    const uint8_t *uppers = block + panel_low_bytes(form) + GROUP_BYTES * (bit / 8);
    __m256i upper = _mm256_loadu_si256((const __m256i *)uppers);
    upper = left >= 0 ? _mm256_slli_epi16(upper, left) : _mm256_srli_epi16(upper, -left);
    upper = _mm256_and_si256(upper, _mm256_set1_epi8((char)(((1 << n_bits) - 1) << 4)));
    return _mm256_or_si256(codes, upper);
}

/* Four products of each output in two sums of 16 bits; for 8-bit codes the magnitude is multiplied by
 * the activation, which takes the code's sign. */
INLINE __m256i pair_sums(__m256i codes, __m256i x, code_form form) {
    if (form.bits == 8)
        return _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(x, codes));
    return _mm256_maddubs_epi16(codes, x);
}

/* How many pairs of products stay below 2^15 together: 8 · 2 · 15 · 127, 4 · 2 · 31 · 127,
 * 2 · 2 · 63 · 127, 2 · 128 · 127. */
INLINE int pairs_that_fit(code_form form) {
    return form.bits == 4 ? 8 : form.bits == 5 ? 4 : form.bits == 6 ? 2 : 1;
}

/* dots += the products of groups first … first + n_groups − 1. */
INLINE void add_dots(__m256i dots[TILE_ROWS], const uint8_t *block, int first, int n_groups,
                     code_form form, const int8_block *x, uint32_t n_blocks, int n_rows) {
    const __m256i ones = _mm256_set1_epi16(1);
    const int n_fit = pairs_that_fit(form);
    __m256i pairs[TILE_ROWS];
    UNROLL for (int i = 0; i < n_groups; i++) {
        int g = first + i;
        __m256i codes = load_codes(block, g, form);
        UNROLL for (int r = 0; r < n_rows; r++) {
            __m256i row = four_codes(x[(size_t)r * n_blocks].codes + 4 * g);
            __m256i sums = pair_sums(codes, row, form);
            pairs[r] = g % n_fit == 0 ? sums : _mm256_add_epi16(pairs[r], sums);
            if (g % n_fit == n_fit - 1)
                dots[r] = _mm256_add_epi32(dots[r], _mm256_madd_epi16(pairs[r], ones));
        }
    }
}

INLINE __m256 halves_to_floats(const uint8_t *halves) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)halves));
}

INLINE __m256 factors_to_floats(const uint8_t *factors, bool has_sign) {
    __m128i bytes = _mm_loadl_epi64((const __m128i *)factors);
    return _mm256_cvtepi32_ps(has_sign ? _mm256_cvtepi8_epi32(bytes)
                                       : _mm256_cvtepu8_epi32(bytes));
}

/* The exact integer of a block, as float32; below 2^24, it is exact in that, too. */
INLINE void block_dots(__m256 out[TILE_ROWS], const uint8_t *block, const uint8_t *factors,
                       code_form form, const int8_block *x, uint32_t n_blocks, int n_rows) {
    int32_t offset = form.bits == 8 ? 0 : -form.offset;
    bool halved = form.factors == FACTORS_OF_HALVES;
    __m256i dots[TILE_ROWS];
    UNROLL for (int r = 0; r < n_rows; r++) {
        const int8_block *row = &x[(size_t)r * n_blocks];
        dots[r] = _mm256_set1_epi32(offset * (halved ? row->low_sum : row->sum));
    }
    add_dots(dots, block, 0, halved ? 4 : 8, form, x, n_blocks, n_rows);
    UNROLL for (int r = 0; r < n_rows; r++) out[r] = _mm256_cvtepi32_ps(dots[r]);
    if (!halved) return;
    UNROLL for (int r = 0; r < n_rows; r++) {
        const int8_block *row = &x[(size_t)r * n_blocks];
        out[r] = _mm256_mul_ps(factors_to_floats(factors, true), out[r]);
        dots[r] = _mm256_set1_epi32(offset * (row->sum - row->low_sum));
    }
    add_dots(dots, block, 4, 4, form, x, n_blocks, n_rows);
    __m256 high = factors_to_floats(factors + PANEL, true);
    UNROLL for (int r = 0; r < n_rows; r++)
        out[r] = _mm256_fmadd_ps(high, _mm256_cvtepi32_ps(dots[r]), out[r]);
}

/* Adds one block to the sums of outputs 8 · half … 8 · half + 7. head: of the block's unit. */
INLINE void add_half_block(__m256 sums[TILE_ROWS][2], int half, const uint8_t *head,
                           const uint8_t *block, code_form form, const int8_block *x,
                           uint32_t n_blocks, int n_rows) {
    const uint8_t *factors = block + panel_code_bytes(form) + WIDTH * half;
    head += (size_t)half * WIDTH * sizeof(uint16_t);
    __m256 dots[TILE_ROWS];
    block_dots(dots, block + 4 * WIDTH * half, factors, form, x, n_blocks, n_rows);
    __m256 scale = halves_to_floats(head), minimum = _mm256_setzero_ps();
    if (form.has_minimum) minimum = halves_to_floats(head + PANEL * sizeof(uint16_t));
    if (form.factors == FACTORS_OF_BLOCK) {
        scale = _mm256_mul_ps(scale, factors_to_floats(factors, false));
        minimum = _mm256_mul_ps(minimum, factors_to_floats(factors + PANEL, false));
    }
    UNROLL for (int r = 0; r < n_rows; r++) {
        const int8_block *row = &x[(size_t)r * n_blocks];
        __m256 both = _mm256_mul_ps(scale, _mm256_set1_ps(row->scale));
        sums[r][half] = _mm256_fmadd_ps(both, dots[r], sums[r][half]);
        if (form.has_minimum)
            sums[r][half] = _mm256_fmadd_ps(minimum, _mm256_set1_ps(row->scaled_sum),
                                            sums[r][half]);
    }
}

INLINE void int8_panel(__m256 sums[TILE_ROWS][2], const uint8_t *panel, code_form form,
                       const int8_block *x, uint32_t n_blocks, int n_rows) {
    UNROLL for (int r = 0; r < n_rows; r++) sums[r][0] = sums[r][1] = _mm256_setzero_ps();
    for (uint32_t b = 0; b < n_blocks; b += form.unit_blocks) {
        const uint8_t *block = panel + panel_head_bytes(form);
        for (uint32_t k = b; k < b + form.unit_blocks; k++, block += panel_block_bytes(form)) {
            add_half_block(sums, 0, panel, block, form, x + k, n_blocks, n_rows);
            add_half_block(sums, 1, panel, block, form, x + k, n_blocks, n_rows);
        }
        panel += panel_unit_bytes(form);
    }
}

INLINE void int8_panels(const int8_call *c, tensor_type type, int n_rows) {
    const matrix *w = c->w;
    for (uint32_t p = c->first; p < c->first + c->n_panels; p++) {
        __m256 sums[TILE_ROWS][2];
        int8_panel(sums, w->panels + p * w->panel_bytes, code_form_of(type), c->x,
                   w->n_inputs / BLOCK, n_rows);
        UNROLL for (int r = 0; r < n_rows; r++)
            UNROLL for (int half = 0; half < 2; half++) {
                uint32_t output = p * PANEL + WIDTH * (uint32_t)half;
                int64_t n_left = (int64_t)w->n_outputs - output;
                float *y = c->y + (size_t)r * c->y_stride + output;
                __m256 sum = sums[r][half];
                if (c->add) sum = _mm256_add_ps(load_lanes(y, n_left), sum);
                store_lanes(y, sum, n_left);
            }
    }
}

/* 16 registers hold the sums and operands of three rows; more at once would spill. */
INLINE void int8_rows(int8_call call, tensor_type type, uint32_t n_rows) {
    size_t row_blocks = call.w->n_inputs / BLOCK;
    for (; n_rows >= 3; n_rows -= 3, call.x += 3 * row_blocks, call.y += 3 * call.y_stride)
        int8_panels(&call, type, 3);
    if (n_rows == 2) int8_panels(&call, type, 2);
    if (n_rows == 1) int8_panels(&call, type, 1);
}

static void int8_tile(float *y, size_t y_stride, const matrix *w, uint32_t first, uint32_t n_panels,
                      const int8_block *x, uint32_t n_rows, bool add) {
    int8_call call = {y, y_stride, w, first, n_panels, x, add};
    switch (w->type) {
    case TENSOR_Q4_0: int8_rows(call, TENSOR_Q4_0, n_rows); break;
    case TENSOR_Q4_1: int8_rows(call, TENSOR_Q4_1, n_rows); break;
    case TENSOR_Q5_0: int8_rows(call, TENSOR_Q5_0, n_rows); break;
    case TENSOR_Q5_1: int8_rows(call, TENSOR_Q5_1, n_rows); break;
    case TENSOR_Q4_K: int8_rows(call, TENSOR_Q4_K, n_rows); break;
    case TENSOR_Q5_K: int8_rows(call, TENSOR_Q5_K, n_rows); break;
    case TENSOR_Q6_K: int8_rows(call, TENSOR_Q6_K, n_rows); break;
    default: int8_rows(call, TENSOR_Q8_0, n_rows); break;
    }
}

/* The float tile ------------------------------------------------------------------------------- */

INLINE __m256 load_items(tensor_type type, const void *items, size_t i) {
    if (type == TENSOR_F32) return _mm256_loadu_ps((const float *)items + i);
    __m128i halves = _mm_loadu_si128((const __m128i *)((const uint16_t *)items + i));
    if (type == TENSOR_F16) return _mm256_cvtph_ps(halves);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}

/* n_parts half panels, 8 outputs each, from `panel` on. */
INLINE void float_chains(const float_tile *t, uint32_t panel, tensor_type type, int n_rows,
                         int n_parts) {
    __m256 chains[TILE_ROWS][2 * TILE_PANELS];
    float *y = t->y + panel * PANEL;
    UNROLL for (int r = 0; r < n_rows; r++)
        UNROLL for (int i = 0; i < n_parts; i++)
            chains[r][i] = t->resume ? _mm256_loadu_ps(y + (size_t)r * t->y_stride + WIDTH * i)
                                     : _mm256_setzero_ps();
    size_t item = panel * t->panel_stride;
    for (size_t k = 0; k < t->n_k; k++, item += t->k_stride) {
        __m256 w[2 * TILE_PANELS];
        UNROLL for (int i = 0; i < n_parts; i++)
            w[i] = load_items(type, t->w, item + (size_t)(i / 2) * t->panel_stride
                                              + (size_t)(WIDTH * (i % 2)));
        UNROLL for (int r = 0; r < n_rows; r++) {
            __m256 x = _mm256_set1_ps(t->x[(size_t)r * t->x_stride + k]);
            UNROLL for (int i = 0; i < n_parts; i++)
                chains[r][i] = _mm256_fmadd_ps(w[i], x, chains[r][i]);
        }
    }
    UNROLL for (int r = 0; r < n_rows; r++)
        UNROLL for (int i = 0; i < n_parts; i++) {
            float *out = y + (size_t)r * t->y_stride + WIDTH * i;
            __m256 chain = chains[r][i];
            if (!t->resume) chain = _mm256_add_ps(_mm256_loadu_ps(out), chain);
            _mm256_storeu_ps(out, chain);
        }
}

/* 16 registers hold the chains of six rows of one panel, or of one row of four panels. */
INLINE void float_rows(const float_tile *t, tensor_type type) {
    if (t->n_rows == 1 && t->n_panels == TILE_PANELS) {
        float_chains(t, 0, type, 1, 2 * TILE_PANELS);
        return;
    }
    for (uint32_t p = 0; p < t->n_panels; p++) {
        switch (t->n_rows) {
        case 1: float_chains(t, p, type, 1, 2); break;
        case 2: float_chains(t, p, type, 2, 2); break;
        case 3: float_chains(t, p, type, 3, 2); break;
        case 4: float_chains(t, p, type, 4, 2); break;
        case 5: float_chains(t, p, type, 5, 2); break;
        default: float_chains(t, p, type, 6, 2); break;
        }
    }
}

static void float_tile_chains(const float_tile *t) {
    switch (t->type) {
    case TENSOR_F32: float_rows(t, TENSOR_F32); break;
    case TENSOR_F16: float_rows(t, TENSOR_F16); break;
    default: float_rows(t, TENSOR_BF16); break;
    }
}

void kernels_fill_products_avx2(kernels *k) {
    k->quantize = quantize;
    k->int8_tile = int8_tile;
    k->float_tile = float_tile_chains;
}
