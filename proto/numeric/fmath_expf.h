/* The numbers of fmath_expf, for vector code that repeats its operations lane by lane. */
#ifndef TRIVIUM_FMATH_EXPF_H
#define TRIVIUM_FMATH_EXPF_H

static const float EXPF_LEAST = -0x1.5d589ep+6f;        /* ln of the smallest normal number: below it 0 */
static const float EXPF_MOST = 0x1.62e42ep+6f;          /* ln of the largest: above it infinity */
static const float EXPF_MAGIC = 0x1.8p23f;      /* x + EXPF_MAGIC − EXPF_MAGIC: the nearest integer to x */
static const float EXPF_LOG2_E = 0x1.715476p+0f;
static const float EXPF_LN2_HIGH = 0x1.62e4p-1f;        /* 16 bits: times an exponent it is exact */
static const float EXPF_LN2_LOW = 0x1.7f7d1cp-20f;

/* e^r ≈ Σ EXPF_POWERS[i]·r^i for |r| ≤ ln2 / 2, evaluated from the highest power down by fma. */
enum { EXPF_DEGREE = 6 };
static const float EXPF_POWERS[EXPF_DEGREE + 1] = {
    1.0f, 1.0f, 0.5f, 0x1.5554dcp-3f, 0x1.55551ap-5f, 0x1.120b6ep-7f, 0x1.6d110ap-10f,
};

#endif
