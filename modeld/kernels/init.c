/* The table of kernels for the instruction set that is asked for. */
#include "kernels.h"

#include "proto/numeric/cpu.h"

status kernels_init(kernels *k, const char *name, failure *f) {
    isa wanted;
    status st = cpu_isa(&wanted, name, f);
    if (st != STATUS_OK) return st;
    kernels_fill_ref(k);
#ifdef __x86_64__
    if (wanted >= ISA_AVX2) {
        k->name = "avx2";
        kernels_fill_products_avx2(k);
        kernels_fill_rows_avx2(k);
    }
    if (wanted >= ISA_AVX512) {
        k->name = "avx512";
        kernels_fill_products_avx512(k);
        kernels_fill_rows_avx512(k);
    }
#endif
    return STATUS_OK;
}
