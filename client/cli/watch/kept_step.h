/* A step that was seen, kept beyond the call that told of it: a terminal may want it drawn once more. */
#ifndef TRIVIUM_KEPT_STEP_H
#define TRIVIUM_KEPT_STEP_H

#include "client/lib/watch.h"
#include "proto/base/buffer.h"

/* All zero, but for its chain, which strategy_init makes empty, is none. */
typedef struct kept_step {
    generation_token token;     /* what it points to is in the buffers */
    strategy chain;
    buffer texts, candidates, n_left;
} kept_step;

status kept_step_set(kept_step *k, const watch_trace *trace);   /* instead of the one before. STATUS_NO_MEMORY */
void kept_step_clear(kept_step *k);

#endif
