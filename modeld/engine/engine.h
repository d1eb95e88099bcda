/* The thread that computes. Whoever serves hands it one pass at a time and goes on serving; a descriptor that
 * becomes readable tells when the pass is done. */
#ifndef TRIVIUM_ENGINE_H
#define TRIVIUM_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "model.h"

typedef struct engine engine;

/* What is to be computed, as model_forward takes it. What it points to is the engine's alone until the pass is
 * done. */
typedef struct engine_pass {
    const batch_row *rows;      /* [n_rows] */
    uint32_t n_rows;
    float *const *logits;       /* [rows that want them] places of [n_vocab] */
} engine_pass;

/* Model and cache are borrowed. STATUS_NO_MEMORY: no thread, or no descriptor. */
status engine_new(engine **out, model *m, kv_cache *cache, failure *f);
void engine_free(engine **e);           /* a pass that runs is cut short, and the model stopped. NULL is fine */

int engine_fd(const engine *e);         /* readable from the end of a pass until engine_end */
bool engine_runs(const engine *e);      /* between begin and end */

void engine_begin(engine *e, const engine_pass *p);     /* none runs */
/* After engine_fd became readable; before that it waits. Returns how long the pass took, in µs. */
uint64_t engine_end(engine *e);

#endif
