#include "engine.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/numeric/fmath.h"

/* Each side leaves what the other one has between begin and end alone: the semaphore and the descriptor hand it
 * over. */
struct engine {
    model *model;
    kv_cache *cache;
    pthread_t thread;
    sem_t begun;                /* a pass is there, or the end is */
    int done;                   /* eventfd: 1 when the pass is computed */
    engine_pass pass;
    uint64_t elapsed_us;        /* of the pass that is done */
    bool runs;                  /* the server's own knowledge */
    bool has_thread, ending;
};

static void wait_begun(engine *e) {
    while (sem_wait(&e->begun) != 0) assert(errno == EINTR);
}

static void *compute(void *context) {
    engine *e = context;
    fmath_thread_start();
    for (wait_begun(e); !e->ending; wait_begun(e)) {
        const uint64_t start_us = clock_us(), one = 1;
        model_forward(e->model, e->cache, e->pass.rows, e->pass.n_rows, e->pass.logits);
        e->elapsed_us = clock_us() - start_us;
        ssize_t n = write(e->done, &one, sizeof one);
        assert(n == sizeof one);
        (void)n;
    }
    return NULL;
}

status engine_new(engine **out, model *m, kv_cache *cache, failure *f) {
    engine *e = *out = calloc(1, sizeof *e);
    if (!e) return fail(f, STATUS_NO_MEMORY, "no memory for the engine");
    *e = (engine){.model = m, .cache = cache, .done = eventfd(0, EFD_CLOEXEC)};
    sem_init(&e->begun, 0, 0);
    e->has_thread = e->done >= 0 && pthread_create(&e->thread, NULL, compute, e) == 0;
    if (e->has_thread) return STATUS_OK;
    engine_free(out);
    return fail(f, STATUS_NO_MEMORY, "the thread that computes could not be started");
}

void engine_free(engine **out) {
    engine *e = *out;
    if (!e) return;
    if (e->runs) {
        model_stop(e->model);
        engine_end(e);
    }
    e->ending = true;
    sem_post(&e->begun);
    if (e->has_thread) pthread_join(e->thread, NULL);
    sem_destroy(&e->begun);
    if (e->done >= 0) close(e->done);
    free(e);
    *out = NULL;
}

int engine_fd(const engine *e) {
    return e->done;
}

bool engine_runs(const engine *e) {
    return e->runs;
}

void engine_begin(engine *e, const engine_pass *p) {
    assert(!e->runs && p->n_rows > 0);
    e->pass = *p;
    e->runs = true;
    sem_post(&e->begun);
}

uint64_t engine_end(engine *e) {
    assert(e->runs);
    uint64_t one;
    while (read(e->done, &one, sizeof one) != sizeof one) assert(errno == EINTR);
    e->runs = false;
    return e->elapsed_us;
}
