/* Which connections were cut and which refused, until the log tells it: strangers must not fill it. */
#ifndef TRIVIUM_TALLY_H
#define TRIVIUM_TALLY_H

#include <stdint.h>

#include "refusals.h"

typedef enum cut_reason {
    CUT_ALIEN,                      /* what it sends is no message */
    CUT_STILL,                      /* nothing can be taken of much that it has sent */
    CUT_SILENT,                     /* it said no Hello in time */
    CUT_CROWDED,                    /* for a newcomer */
    CUT_REFUSED,                    /* a newcomer, for whom there was no room */
    CUT_UNREAD,                     /* it does not read */
    CUT_REVOKED,                    /* its key is authorised no more */
    N_CUT_REASONS,
} cut_reason;

void tally_cut(cut_reason why);
void tally_refused(const refused_way *way, refusal why);

/* Writes the lines that are due: one for all that were cut, one for each way that was refused. Each comes again a minute later
 * at the soonest. */
void tally_tell(uint64_t now_ms);

#endif
