/* How far a batch is: on stderr, a line that is written over where that is a terminal. */
#ifndef TRIVIUM_BATCH_PROGRESS_H
#define TRIVIUM_BATCH_PROGRESS_H

#include "client/cli/batch/batch.h"

typedef struct batch_figures {
    batch_counts counts;
    uint64_t n_tokens;
    double seconds;
} batch_figures;

/* "3 done, 1 failed, 16 under way, 632 tok/s", to be written over or cleared by progress.h. */
void batch_progress_show(batch_figures figures);
void batch_progress_end(batch_figures figures);     /* the same, and it stays */

/* "200 texts, 12800 tokens, 632.1 tok/s" on stderr. */
void batch_progress_tell(batch_figures figures);

#endif
