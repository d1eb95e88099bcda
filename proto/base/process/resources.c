#include "resources.h"

#include <malloc.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "proto/base/limits.h"

enum {
    LINK_THREADS = 2,           /* ZeroMQ's own */
    DESCRIPTORS_BASE = 24,      /* ZeroMQ's threads, the loop, a file that is read, a few peers */
    DESCRIPTORS_EACH = 6,       /* of an endpoint: queue, reports, listener and lock, connection */
};

/* Of tables and queues, beside the threads' stacks. */
static const size_t MEMORY_BYTES = (size_t)80 << 20;

/* Numbers below the limit that no descriptor has, up to n_max: some may have come with the process. */
static size_t count_free(size_t limit, size_t n_max) {
    size_t n = 0;
    for (size_t fd = 0; fd < limit && n < n_max; fd++) n += fcntl((int)fd, F_GETFD) < 0;
    return n;
}

static status check_descriptors(size_t n_needed, failure *f) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return STATUS_OK;
    rlim_t before = limit.rlim_cur, most = limit.rlim_max < DESCRIPTORS_MAX ? limit.rlim_max : DESCRIPTORS_MAX;
    if (limit.rlim_cur < most) limit.rlim_cur = most;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
    size_t n_free = count_free(limit.rlim_cur, n_needed);
    if (n_free == n_needed) return STATUS_OK;
    return fail(f, STATUS_IO,
                "%zu more file descriptors are needed and only %zu may be opened: "
                "raise the limit (ulimit -n)", n_needed, n_free);
}

static void *wait_to_end(void *go) {
    while (sem_wait(go) != 0) {}
    return NULL;
}

/* As many threads at once as there will be, with the stacks that they will have. */
static status check_threads(failure *f) {
    sem_t go;
    pthread_t threads[LINK_THREADS];
    int n = 0, error = 0;
    sem_init(&go, 0, 0);
    while (n < LINK_THREADS && error == 0) {
        error = pthread_create(&threads[n], NULL, wait_to_end, &go);
        if (error == 0) n++;
    }
    for (int i = 0; i < n; i++) sem_post(&go);
    for (int i = 0; i < n; i++) pthread_join(threads[i], NULL);
    sem_destroy(&go);
    if (error == 0) return STATUS_OK;
    return fail(f, STATUS_NO_MEMORY,
                "%d threads are needed and cannot be had: raise the limit of memory or of processes "
                "(ulimit -v, ulimit -u): %s", LINK_THREADS, strerror(error));
}

status resources_check_memory(failure *f) {
    const int how = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *reserve = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, how, -1, 0);
    if (reserve == MAP_FAILED)
        return fail(f, STATUS_NO_MEMORY,
                    "%zu MB of memory are needed and cannot be had: raise the limit (ulimit -v)",
                    MEMORY_BYTES >> 20);
    status st = check_threads(f);   /* beside it */
    munmap(reserve, MEMORY_BYTES);
    return st;
}

status resources_check(size_t n_endpoints, failure *f) {
    status st = check_descriptors(DESCRIPTORS_BASE + DESCRIPTORS_EACH * n_endpoints, f);
    return st == STATUS_OK ? resources_check_memory(f) : st;
}

/* Each of these by itself stops the library from raising both as it likes. */
void resources_give_back(void) {
    mallopt(M_MMAP_THRESHOLD, RESOURCES_PIECE_BYTES);
    mallopt(M_TRIM_THRESHOLD, RESOURCES_PIECE_BYTES);
}
