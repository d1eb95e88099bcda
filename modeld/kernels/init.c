/* What may be used is asked of the processor (cpuid) and of the system (xgetbv: which registers it
 * saves), so that emulators and valgrind answer for themselves. */
#include "kernels.h"

#include <string.h>

typedef enum isa { ISA_REF, ISA_AVX2, ISA_AVX512 } isa;

#ifdef __x86_64__
#include <cpuid.h>

static bool has(unsigned bits, unsigned wanted) {
    return (bits & wanted) == wanted;
}

/* Extended control register 0: bits of 6 are the AVX state, of 0xe6 the AVX-512 state besides. */
static unsigned saved_registers(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static isa machine_isa(void) {
    unsigned a, b, c, d;
    const unsigned base = bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, base)) return ISA_REF;
    unsigned saved = saved_registers();
    if (!has(saved, 0x06) || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !has(b, bit_AVX2)) return ISA_REF;
    const unsigned wide = bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ;
    return has(saved, 0xe6) && has(b, wide) && has(c, bit_AVX512VNNI) ? ISA_AVX512 : ISA_AVX2;
}
#else
static isa machine_isa(void) {
    return ISA_REF;
}
#endif

static const char *const NAMES[] = {"ref", "avx2", "avx512"};

static status wanted_isa(isa *wanted, isa machine, const char *name, failure *f) {
    *wanted = machine;
    if (strcmp(name, "auto") == 0) return STATUS_OK;
    for (isa i = ISA_REF; i <= ISA_AVX512; i++) {
        if (strcmp(name, NAMES[i]) != 0) continue;
        if (i > machine)
            return fail(f, STATUS_UNSUPPORTED, "this machine lacks the instructions of \"%s\"; "
                        "its best is \"%s\"", name, NAMES[machine]);
        *wanted = i;
        return STATUS_OK;
    }
    return fail(f, STATUS_BAD_REQUEST, "\"%s\" is no instruction set: auto, ref, avx2 or avx512", name);
}

status kernels_init(kernels *k, const char *name, failure *f) {
    isa wanted;
    status st = wanted_isa(&wanted, machine_isa(), name, f);
    if (st != STATUS_OK) return st;
    kernels_fill_ref(k);
#ifdef __x86_64__
    if (wanted >= ISA_AVX2) kernels_fill_avx2(k);
    if (wanted >= ISA_AVX512) kernels_fill_avx512(k);
#endif
    return STATUS_OK;
}
