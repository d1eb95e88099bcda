/* How far a batch is: a line on stderr that is drawn over and over, where that is a terminal. */
#ifndef TRIVIUM_BATCH_PROGRESS_H
#define TRIVIUM_BATCH_PROGRESS_H

#include "client/cli/batch/batch.h"
#include "client/terminal/in_place.h"

typedef struct batch_figures {
    batch_counts counts;
    uint64_t n_tokens;
    double seconds;
} batch_figures;

typedef struct batch_progress {
    in_place place;
    bool is_shown;              /* stderr is a terminal */
    bool gives_way;             /* results go to a terminal, too */
} batch_progress;

void batch_progress_begin(batch_progress *p);
void batch_progress_draw(batch_progress *p, batch_figures figures);
void batch_progress_hide(batch_progress *p);    /* before a sentence is written to stderr: until it is drawn again */
void batch_progress_hide_from_results(batch_progress *p);   /* before results are written: the same where they would meet it */

/* "200 texts, 12800 tokens, 632.1 tok/s" on stderr. */
void batch_progress_tell(batch_figures figures);

#endif
