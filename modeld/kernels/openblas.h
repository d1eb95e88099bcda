/* OpenBLAS, loaded where it is used: in a program that is linked with it, it makes its threads and tables before
 * main, and where there is no memory for them it hangs or aborts instead of failing. */
#ifndef TRIVIUM_OPENBLAS_H
#define TRIVIUM_OPENBLAS_H

#include <cblas.h>

typedef void openblas_sgemm(enum CBLAS_ORDER order, enum CBLAS_TRANSPOSE transpose_a,
                            enum CBLAS_TRANSPOSE transpose_b, blasint m, blasint n, blasint k,
                            float alpha, const float *a, blasint a_stride, const float *b,
                            blasint b_stride, float beta, float *c, blasint c_stride);

/* cblas_sgemm, computing in the thread that calls it. Stays loaded for the life of the process. NULL: it is
 * not installed; or there is a limit on this process's memory (ulimit -v, -d), under which OpenBLAS would
 * end the process in the middle of a product. Call it while no other thread looks at the environment. */
openblas_sgemm *openblas_load(void);

#endif
