/* What a samplerd is asked about the rows of a sequence: by its kind. */
#ifndef TRIVIUM_MODELD_ROW_REQUEST_H
#define TRIVIUM_MODELD_ROW_REQUEST_H

#include "modeld/links/samplerd_link.h"
#include "modeld/sched/sequence.h"

typedef struct row_request {
    sample_request wire; /* borrows from the sequence, and from here */
    int32_t given[SCORE_ROWS];
} row_request;

/* Of the sending that is out: its ticket is the sequence's. */
void row_request_make(row_request *r, const sequence *q, uint32_t deadline_ms);

#endif
