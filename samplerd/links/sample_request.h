/* A SampleRequest, read from the wire and checked: what becomes of it may rely on every count and id. */
#ifndef TRIVIUM_SAMPLE_REQUEST_H
#define TRIVIUM_SAMPLE_REQUEST_H

#include "logits.pb-c.h"
#include "proto/base/status.h"
#include "proto/net/wire.h"
#include "proto/rows/shared_rows.h"
#include "samplerd/rows/row_sampler.h"

/* Fill `rows` with all of the request but its strategy. It borrows from the message, and from `view` (NULL: no
 * rows are shared) where the rows lie there. Refusals, each with a sentence: BAD_MESSAGE, BAD_REQUEST, BAD_ID,
 * TOO_LONG, NO_CANDIDATE (an empty row), TIMEOUT (a shared row belongs to another step by now). `rows->n_rows`
 * is 0 unless all of them were found. */
status sample_request_read(sample_rows *rows, const shared_view *view, const wire_message *m,
                           const Trivium__SampleRequest *request, failure *f);

/* After the rows were read: STATUS_TIMEOUT where a shared row has become another step's meanwhile, so that
 * nothing that was made of it is worth anything. */
status sample_request_recheck(const sample_rows *rows, const shared_view *view,
                              const Trivium__SampleRequest *request, failure *f);

#endif
