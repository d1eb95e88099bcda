/* Which processes were cut, and why: what their next Hellos are refused with. Pure. */
#ifndef TRIVIUM_REFUSALS_H
#define TRIVIUM_REFUSALS_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/limits.h"
#include "proto/base/status.h"

typedef struct refusals {           /* all zero: none */
    struct {
        uint64_t incarnation;       /* 0: empty */
        failure why;
        uint32_t n_told;
    } all[REFUSALS_MAX];
    size_t next;                    /* the oldest, which the next one replaces */
} refusals;

void refusals_add(refusals *r, uint64_t incarnation, const failure *why);

/* STATUS_OK, or why it was cut. With STATUS_NO_MEMORY it is told NO_MEMORY_HELLOS times, and then it may try again:
 * memory that was missing may be there later; whatever else was wrong will be wrong again. */
status refusals_tell(refusals *r, uint64_t incarnation, failure *f);

#endif
