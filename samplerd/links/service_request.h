/* One SampleRequest: read from the wire and checked. Only service.c includes this. */
#ifndef TRIVIUM_SAMPLERD_SERVICE_REQUEST_H
#define TRIVIUM_SAMPLERD_SERVICE_REQUEST_H

#include <stdint.h>

#include "logits.pb-c.h"
#include "proto/base/status.h"
#include "proto/net/wire.h"
#include "proto/rows/shared_rows.h"

enum { GIVEN_NONE = -1 };       /* a row of a score that is asked about no id */

/* Its rows and ids are there, its counts and ids are within their bounds. */
typedef struct request {
    const Trivium__SampleRequest *message;
    const float *rows;          /* [n_rows, n_vocab] */
    const int32_t *ids;         /* [n_ids] */
    uint32_t n_rows, n_vocab, n_ids;
} request;

/* Borrows from the message, and from `view` (NULL: no rows are shared) where the row lies there.
 * Refusals, each with a sentence: BAD_MESSAGE, BAD_REQUEST, BAD_ID, TOO_LONG, NO_CANDIDATE (an empty
 * row), TIMEOUT (the shared row belongs to another step by now). `q->rows` is NULL unless they were
 * found. */
status request_from_wire(request *q, const shared_view *view, const wire_message *m,
                         const Trivium__SampleRequest *sample, failure *f);

/* After its rows were read: STATUS_TIMEOUT where the shared row has become another step's meanwhile,
 * and nothing that was made of it is worth anything. */
status request_recheck(const request *q, const shared_view *view, failure *f);

#endif
