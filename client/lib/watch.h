/* A request of somebody else's, seen as it goes on: what each step had to choose from. */
#ifndef TRIVIUM_WATCH_H
#define TRIVIUM_WATCH_H

#include <stdint.h>

#include "generation.h"

typedef struct watch_request {
    uint8_t id[REQUEST_BYTES];
    uint32_t n_candidates;      /* wanted of each step: 1 … CANDIDATES_MAX */
} watch_request;

typedef struct watch_start {
    const char *model;          /* "" while none serves it yet */
    uint32_t n_prompt;          /* ids */
    uint32_t step;              /* the next one */
} watch_start;

/* What one step had to choose from. Steps come in order. Some may be missing: one that would have to wait
 * somewhere is dropped. One that was seen comes again where its owner let the text rest and draws it anew by
 * another strategy. */
typedef struct watch_trace {
    generation_token token;     /* with its candidates */
    const strategy *chain;      /* that drew it */
} watch_trace;

typedef struct watch_end {
    status code;                /* not STATUS_OK: it could not be watched, `message` says why */
    const char *message;
    finish_reason reason;       /* STATUS_OK: how the request ended */
    uint32_t n_tokens;
} watch_end;

/* Called from the loop, what they get is valid for the call. `over` comes exactly once, and last.
 * `begun` comes again when another tokenizerd is asked after the first was lost. */
typedef struct watch_events {
    void (*begun)(void *context, const watch_start *start);
    void (*seen)(void *context, const watch_trace *trace);
    void (*over)(void *context, const watch_end *end);
} watch_events;

#endif
