/* Linked into modeld in place of model_forward and model_stop (see the Makefile): a pass takes PASS_MS longer, or, while the
 * file that SLOW_FROM names is there, until it is gone, if that is sooner. A model that is stopped ends its pass, as it
 * would between two layers. Meanwhile another file is there, of that name with .held after it. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "modeld/engine/model.h"

enum { LOOK_MS = 2 };

static atomic_bool stopped;

/* What `down` ends is a program of that name. */
__attribute__((constructor)) static void be_called_modeld(void) {
    prctl(PR_SET_NAME, "modeld");
}

void __real_model_forward(model *m, kv_cache *cache, const batch_row *rows, uint32_t n_rows, float *const *logits);
void __wrap_model_forward(model *m, kv_cache *cache, const batch_row *rows, uint32_t n_rows, float *const *logits);
void __real_model_stop(model *m);
void __wrap_model_stop(model *m);

static void hold(long left_ms, const char *from) {
    char held[4096];
    snprintf(held, sizeof held, "%s.held", from ? from : "");
    int fd = from ? open(held, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) : -1;
    for (; left_ms > 0 && !atomic_load(&stopped) && (!from || access(from, F_OK) == 0); left_ms -= LOOK_MS)
        nanosleep(&(struct timespec){0, LOOK_MS * 1000000}, NULL);
    if (fd < 0) return;
    close(fd);
    unlink(held);
}

void __wrap_model_forward(model *m, kv_cache *cache, const batch_row *rows, uint32_t n_rows, float *const *logits) {
    const char *ms = getenv("PASS_MS"), *from = getenv("SLOW_FROM");
    if (ms && (!from || access(from, F_OK) == 0)) hold(atol(ms), from);
    __real_model_forward(m, cache, rows, n_rows, logits);
}

void __wrap_model_stop(model *m) {
    atomic_store(&stopped, true);
    __real_model_stop(m);
}
