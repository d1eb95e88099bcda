/* What fmath_exp is made of, for vector code that repeats its operations lane by lane. */
#ifndef TRIVIUM_FMATH_EXP_H
#define TRIVIUM_FMATH_EXP_H

static const double MAGIC = 0x1.8p52;           /* x + MAGIC − MAGIC: the nearest integer to x */
static const double LN2_HIGH = 0x1.62e42feep-1; /* 32 bits: times an exponent it is exact */
static const double LN2_LOW = 0x1.a39ef35793c76p-33;
static const double LOG2_E = 0x1.71547652b82fep+0;

/* e^r ≈ 1 + (r + r² · q(r)), q(r) = Σ EXP_Q[i]·r^i, for |r| ≤ ln2 / 2. */
static const double EXP_Q[10] = {
    0.5,                   0x1.5555555555556p-3,  0x1.5555555553d63p-5,  0x1.11111111109b3p-7,
    0x1.6c16c1788bd90p-10, 0x1.a01a01a7c41d5p-13, 0x1.a019b90d2ae7ap-16, 0x1.71de0dae63bb3p-19,
    0x1.289185613a3d6p-22, 0x1.af38a9b0ec855p-26,
};

/* q(r), in this very order, of a double or of a vector of them. r2 = r², r4 = r⁴. */
#define EXP_SERIES(r, r2, r4)                                                          \
    (((EXP_Q[0] + (r) * EXP_Q[1]) + (r2) * (EXP_Q[2] + (r) * EXP_Q[3])) +              \
     (r4) * (((EXP_Q[4] + (r) * EXP_Q[5]) + (r2) * (EXP_Q[6] + (r) * EXP_Q[7])) +      \
             (r4) * (EXP_Q[8] + (r) * EXP_Q[9])))

#endif
