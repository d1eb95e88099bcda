/* The products in AVX-512 (F, BW, VL, DQ, VNNI): 16 lanes, one for each output of a panel. */
#include <immintrin.h>
#include <string.h>

#include "int8_tile.h"
#include "lanes_avx512.h"
#include "modeld/kernels/kernels.h"

/* Activations to int8 -------------------------------------------------------------------------- */

static void quantize_block(int8_block *block, const float *x) {
    __m512 low = _mm512_loadu_ps(x), high = _mm512_loadu_ps(x + 16);
    __m512i size_mask = _mm512_set1_epi32(0x7fffffff);
    __m512i largest_bits = _mm512_max_epi32(_mm512_and_si512(_mm512_castps_si512(low), size_mask),
                                            _mm512_and_si512(_mm512_castps_si512(high), size_mask));
    float largest;
    if (!block_begin(block, (uint32_t)_mm512_reduce_max_epi32(largest_bits), &largest)) return;
    __m512 inverse = _mm512_set1_ps(127.0f / largest);
    __m512i codes_low = _mm512_cvtps_epi32(_mm512_mul_ps(low, inverse));
    __m512i codes_high = _mm512_cvtps_epi32(_mm512_mul_ps(high, inverse));
    _mm_storeu_si128((__m128i *)block->codes, _mm512_cvtepi32_epi8(codes_low));
    _mm_storeu_si128((__m128i *)(block->codes + 16), _mm512_cvtepi32_epi8(codes_high));
    block_end(block, largest, _mm512_reduce_add_epi32(codes_low), _mm512_reduce_add_epi32(codes_high));
}

static void quantize(int8_block *blocks, const float *x, uint32_t n_blocks) {
    for (uint32_t b = 0; b < n_blocks; b++) quantize_block(&blocks[b], x + (size_t)b * BLOCK);
}

/* The int8 tile -------------------------------------------------------------------------------- */

/* Weights stream from memory once a pass; prefetching by the processor stops at each 4 KiB page. */
enum { PREFETCH_BYTES = 8192, LINE_BYTES = 64 };

/* Puts the upper bits of codes where they belong, from bit 4 on. */
INLINE void add_upper_bits(__m512i codes[8], const uint8_t *uppers, uint32_t n_bits) {
    enum { A_OR_B_AND_C = 0xf8 };
    const __m512i kept = _mm512_set1_epi8((char)(((1 << n_bits) - 1) << 4));
    UNROLL for (uint32_t g = 0; g < 8; g++) {
        uint32_t bit = g * n_bits % 8;
        __m512i plane = _mm512_loadu_si512(uppers + LINE_BYTES * (g * n_bits / 8));
        plane = bit <= 4 ? _mm512_slli_epi32(plane, 4 - bit) : _mm512_srli_epi32(plane, bit - 4);
        codes[g] = _mm512_ternarylogic_epi32(codes[g], plane, kept, A_OR_B_AND_C);
    }
}

/* codes[g]: inputs 4·g … 4·g + 3 of 16 outputs, unsigned. */
INLINE void unpack(__m512i codes[8], const uint8_t *block, code_form form) {
    if (form.bits == 8) {
        UNROLL for (int g = 0; g < 8; g++) codes[g] = _mm512_loadu_si512(block + LINE_BYTES * g);
        return;
    }
    const __m512i four_bits = _mm512_set1_epi8(15);
    UNROLL for (int v = 0; v < 4; v++) {
        __m512i both = _mm512_loadu_si512(block + LINE_BYTES * v);
        codes[v] = _mm512_and_si512(both, four_bits);
        codes[v + 4] = _mm512_and_si512(_mm512_srli_epi16(both, 4), four_bits);
    }
    if (form.bits > 4) add_upper_bits(codes, block + panel_low_bytes(form), form.bits - 4);
}

INLINE __m512 halves_to_floats(const uint8_t *halves) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)halves));
}

INLINE __m512 factors_to_floats(const uint8_t *factors, bool has_sign) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)factors);
    return _mm512_cvtepi32_ps(has_sign ? _mm512_cvtepi8_epi32(bytes)
                                       : _mm512_cvtepu8_epi32(bytes));
}

INLINE __m512i four_codes(const int8_t *codes) {
    int32_t four;
    memcpy(&four, codes, sizeof four);
    return _mm512_set1_epi32(four);
}

/* What is added for the 16 outputs of a panel, a block at a time. */
typedef struct block_scales {
    __m512 scale, minimum, halves[2];
} block_scales;

INLINE block_scales load_scales(const uint8_t *head, const uint8_t *block, code_form form) {
    const uint8_t *factors = block + panel_code_bytes(form);
    block_scales s = {.scale = halves_to_floats(head)};
    if (form.has_minimum) s.minimum = halves_to_floats(head + PANEL * sizeof(uint16_t));
    if (form.factors == FACTORS_OF_BLOCK) {
        s.scale = _mm512_mul_ps(s.scale, factors_to_floats(factors, false));
        s.minimum = _mm512_mul_ps(s.minimum, factors_to_floats(factors + PANEL, false));
    }
    if (form.factors == FACTORS_OF_HALVES) {
        s.halves[0] = factors_to_floats(factors, true);
        s.halves[1] = factors_to_floats(factors + PANEL, true);
    }
    return s;
}

INLINE __m512i half_dots(const __m512i codes[4], const int8_t *x, int32_t offset) {
    __m512i dots = offset ? _mm512_set1_epi32(offset) : _mm512_setzero_si512();
    UNROLL for (int g = 0; g < 4; g++)
        dots = _mm512_dpbusd_epi32(dots, codes[g], four_codes(x + 4 * g));
    return dots;
}

/* The exact integer of a block, as float32; below 2^24, it is exact in that, too. */
INLINE __m512 block_dots(const __m512i codes[8], const int8_block *x, const block_scales *s,
                         code_form form) {
    int32_t offset = -form.offset;
    if (form.factors == FACTORS_OF_HALVES) {
        __m512i low = half_dots(codes, x->codes, offset * x->low_sum);
        __m512i high = half_dots(codes + 4, x->codes + 16, offset * (x->sum - x->low_sum));
        return _mm512_fmadd_ps(s->halves[1], _mm512_cvtepi32_ps(high),
                               _mm512_mul_ps(s->halves[0], _mm512_cvtepi32_ps(low)));
    }
    return _mm512_cvtepi32_ps(_mm512_add_epi32(half_dots(codes, x->codes, offset * x->sum),
                                               half_dots(codes + 4, x->codes + 16, 0)));
}

/* Adds one block to the sums; x: its activations in the first row. head: of the block's unit. */
INLINE void add_block(__m512 sums[TILE_ROWS], const uint8_t *head, const uint8_t *block,
                      code_form form, const int8_block *x, uint32_t n_blocks, int n_rows) {
    __m512i codes[8];
    unpack(codes, block, form);
    block_scales s = load_scales(head, block, form);
    UNROLL for (int r = 0; r < n_rows; r++) {
        const int8_block *row = &x[(size_t)r * n_blocks];
        __m512 both = _mm512_mul_ps(s.scale, _mm512_set1_ps(row->scale));
        sums[r] = _mm512_fmadd_ps(both, block_dots(codes, row, &s, form), sums[r]);
        if (form.has_minimum)
            sums[r] = _mm512_fmadd_ps(s.minimum, _mm512_set1_ps(row->scaled_sum), sums[r]);
    }
}

INLINE void int8_panel(__m512 sums[TILE_ROWS], const uint8_t *panel, code_form form,
                       const int8_block *x, uint32_t n_blocks, int n_rows) {
    size_t block_bytes = panel_block_bytes(form);
    UNROLL for (int r = 0; r < n_rows; r++) sums[r] = _mm512_setzero_ps();
    for (uint32_t b = 0; b < n_blocks; b += form.unit_blocks) {
        const uint8_t *head = panel, *block = panel + panel_head_bytes(form);
        for (uint32_t k = 0; k < form.unit_blocks; k++, block += block_bytes) {
            UNROLL for (size_t line = 0; line < block_bytes; line += LINE_BYTES)
                _mm_prefetch((const char *)block + PREFETCH_BYTES + line, _MM_HINT_T0);
            add_block(sums, head, block, form, x + b + k, n_blocks, n_rows);
        }
        panel += panel_unit_bytes(form);
    }
}

INLINE void int8_panels(const int8_call *c, tensor_type type, int n_rows) {
    const matrix *w = c->w;
    for (uint32_t p = c->first; p < c->first + c->n_panels; p++) {
        __m512 sums[TILE_ROWS];
        int8_panel(sums, w->panels + p * w->panel_bytes, code_form_of(type), c->x,
                   w->n_inputs / BLOCK, n_rows);
        __mmask16 lanes = lane_mask(w->n_outputs - p * PANEL);
        UNROLL for (int r = 0; r < n_rows; r++) {
            float *y = c->y + (size_t)r * c->y_stride + p * PANEL;
            __m512 sum = sums[r];
            if (c->add) sum = _mm512_add_ps(_mm512_maskz_loadu_ps(lanes, y), sum);
            _mm512_mask_storeu_ps(y, lanes, sum);
        }
    }
}

INLINE void int8_rows(const int8_call *c, tensor_type type, uint32_t n_rows) {
    switch (n_rows) {
    case 1: int8_panels(c, type, 1); break;
    case 2: int8_panels(c, type, 2); break;
    case 3: int8_panels(c, type, 3); break;
    case 4: int8_panels(c, type, 4); break;
    case 5: int8_panels(c, type, 5); break;
    default: int8_panels(c, type, 6); break;
    }
}

static void int8_tile(float *y, size_t y_stride, const matrix *w, uint32_t first, uint32_t n_panels,
                      const int8_block *x, uint32_t n_rows, bool add) {
    int8_call call = {y, y_stride, w, first, n_panels, x, add};
    switch (w->type) {
    case TENSOR_Q4_0: int8_rows(&call, TENSOR_Q4_0, n_rows); break;
    case TENSOR_Q4_1: int8_rows(&call, TENSOR_Q4_1, n_rows); break;
    case TENSOR_Q5_0: int8_rows(&call, TENSOR_Q5_0, n_rows); break;
    case TENSOR_Q5_1: int8_rows(&call, TENSOR_Q5_1, n_rows); break;
    case TENSOR_Q4_K: int8_rows(&call, TENSOR_Q4_K, n_rows); break;
    case TENSOR_Q5_K: int8_rows(&call, TENSOR_Q5_K, n_rows); break;
    case TENSOR_Q6_K: int8_rows(&call, TENSOR_Q6_K, n_rows); break;
    default: int8_rows(&call, TENSOR_Q8_0, n_rows); break;
    }
}

/* The float tile ------------------------------------------------------------------------------- */

INLINE __m512 load_items(tensor_type type, const void *items, size_t i) {
    if (type == TENSOR_F32) return _mm512_loadu_ps((const float *)items + i);
    __m256i halves = _mm256_loadu_si256((const __m256i *)((const uint16_t *)items + i));
    if (type == TENSOR_F16) return _mm512_cvtph_ps(halves);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

INLINE void float_chains(const float_tile *t, uint32_t panel, tensor_type type, int n_rows,
                         int n_panels) {
    __m512 chains[TILE_ROWS][TILE_PANELS];
    float *y = t->y + panel * PANEL;
    UNROLL for (int r = 0; r < n_rows; r++)
        UNROLL for (int p = 0; p < n_panels; p++)
            chains[r][p] = t->resume ? _mm512_loadu_ps(y + (size_t)r * t->y_stride + p * PANEL)
                                     : _mm512_setzero_ps();
    size_t item = panel * t->panel_stride;
    for (size_t k = 0; k < t->n_k; k++, item += t->k_stride) {
        __m512 w[TILE_PANELS];
        UNROLL for (int p = 0; p < n_panels; p++)
            w[p] = load_items(type, t->w, item + (size_t)p * t->panel_stride);
        UNROLL for (int r = 0; r < n_rows; r++) {
            __m512 x = _mm512_set1_ps(t->x[(size_t)r * t->x_stride + k]);
            UNROLL for (int p = 0; p < n_panels; p++)
                chains[r][p] = _mm512_fmadd_ps(w[p], x, chains[r][p]);
        }
    }
    UNROLL for (int r = 0; r < n_rows; r++)
        UNROLL for (int p = 0; p < n_panels; p++) {
            float *out = y + (size_t)r * t->y_stride + p * PANEL;
            __m512 chain = chains[r][p];
            if (!t->resume) chain = _mm512_add_ps(_mm512_loadu_ps(out), chain);
            _mm512_storeu_ps(out, chain);
        }
}

INLINE void float_panels(const float_tile *t, tensor_type type, int n_rows) {
    if (t->n_panels == TILE_PANELS) {
        float_chains(t, 0, type, n_rows, TILE_PANELS);
    } else {
        for (uint32_t p = 0; p < t->n_panels; p++) float_chains(t, p, type, n_rows, 1);
    }
}

INLINE void float_rows(const float_tile *t, tensor_type type) {
    switch (t->n_rows) {
    case 1: float_panels(t, type, 1); break;
    case 2: float_panels(t, type, 2); break;
    case 3: float_panels(t, type, 3); break;
    case 4: float_panels(t, type, 4); break;
    case 5: float_panels(t, type, 5); break;
    default: float_panels(t, type, 6); break;
    }
}

static void float_tile_chains(const float_tile *t) {
    switch (t->type) {
    case TENSOR_F32: float_rows(t, TENSOR_F32); break;
    case TENSOR_F16: float_rows(t, TENSOR_F16); break;
    default: float_rows(t, TENSOR_BF16); break;
    }
}

void kernels_fill_products_avx512(kernels *k) {
    k->quantize = quantize;
    k->int8_tile = int8_tile;
    k->float_tile = float_tile_chains;
}
