#include "refusals.h"

#include <string.h>

void refusals_add(refusals *r, uint64_t incarnation, const failure *why) {
    r->all[r->next].incarnation = incarnation;
    r->all[r->next].why = *why;
    r->all[r->next].n_told = 0;
    r->next = (r->next + 1) % REFUSALS_MAX;
}

status refusals_tell(refusals *r, uint64_t incarnation, failure *f) {
    size_t i = 0;
    while (i < REFUSALS_MAX && r->all[i].incarnation != incarnation) i++;
    if (i == REFUSALS_MAX) return STATUS_OK;
    *f = r->all[i].why;
    if (++r->all[i].n_told == NO_MEMORY_HELLOS && f->code == STATUS_NO_MEMORY) memset(&r->all[i], 0, sizeof r->all[i]);
    return f->code;
}
