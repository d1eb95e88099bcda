/* Linked into modeld in place of model_forward (see the Makefile): a pass takes PASS_MS longer, from the time on
 * when the file that SLOW_FROM names is there. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "modeld/engine/model.h"

void __real_model_forward(model *m, kv_cache *cache, const batch_row *rows, uint32_t n_rows, float *const *logits);
void __wrap_model_forward(model *m, kv_cache *cache, const batch_row *rows, uint32_t n_rows, float *const *logits);

void __wrap_model_forward(model *m, kv_cache *cache, const batch_row *rows, uint32_t n_rows, float *const *logits) {
    const char *ms = getenv("PASS_MS"), *from = getenv("SLOW_FROM");
    long n_ms = ms && (!from || access(from, F_OK) == 0) ? atol(ms) : 0;
    nanosleep(&(struct timespec){n_ms / 1000, n_ms % 1000 * 1000000}, NULL);
    __real_model_forward(m, cache, rows, n_rows, logits);
}
