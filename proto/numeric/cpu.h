/* The instruction sets that have code of their own, and which of them this machine can run. */
#ifndef TRIVIUM_RT_CPU_H
#define TRIVIUM_RT_CPU_H

#include "proto/base/status.h"

typedef enum isa {
    ISA_REF,        /* plain C */
    ISA_AVX2,       /* AVX2, FMA, F16C */
    ISA_AVX512,     /* these, and AVX-512 F, BW, VL, DQ, VNNI */
} isa;

const char *isa_name(isa i);        /* "ref", "avx2", "avx512" */

/* The instruction set of that name; "auto" is the machine's best. STATUS_UNSUPPORTED: the machine
 * lacks it. STATUS_BAD_REQUEST: there is none of that name. */
status cpu_isa(isa *out, const char *name, failure *f);

#endif
