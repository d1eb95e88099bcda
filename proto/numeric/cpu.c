/* What may be used is asked of the processor (cpuid) and of the system (xgetbv: which registers it
 * saves), so that emulators and valgrind answer for themselves. */
#include "cpu.h"

#include <stdbool.h>
#include <string.h>

#ifdef __x86_64__
#include <cpuid.h>

static bool has(unsigned bits, unsigned wanted) {
    return (bits & wanted) == wanted;
}

/* Extended control register 0: the bits of 6 are the AVX state, those of 0xe6 the AVX-512 state as well. */
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
    if (!has(saved, 0x06) || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return ISA_REF;
    if (!has(b, bit_AVX2)) return ISA_REF;
    const unsigned wide = bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ;
    return has(saved, 0xe6) && has(b, wide) && has(c, bit_AVX512VNNI) ? ISA_AVX512 : ISA_AVX2;
}
#else
static isa machine_isa(void) {
    return ISA_REF;
}
#endif

static const char *const NAMES[] = {"ref", "avx2", "avx512"};

const char *isa_name(isa i) {
    return NAMES[i];
}

status cpu_isa(isa *out, const char *name, failure *f) {
    isa machine = machine_isa();
    if (strcmp(name, "auto") == 0) {
        *out = machine;
        return STATUS_OK;
    }
    for (isa i = ISA_REF; i <= ISA_AVX512; i++) {
        if (strcmp(name, NAMES[i]) != 0) continue;
        if (i > machine) {
            return fail(f, STATUS_UNSUPPORTED, "this machine lacks the instructions of \"%s\"; "
                        "its best is \"%s\"", name, NAMES[machine]);
        }
        *out = i;
        return STATUS_OK;
    }
    return fail(f, STATUS_BAD_REQUEST, "\"%s\" is no instruction set: auto, ref, avx2 or avx512",
                name);
}
