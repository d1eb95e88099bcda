#include "room.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>

enum {
    ROOM_BYTES = 64 << 20,
    N_THREADS = 2,              /* ZeroMQ's: one for input and output, one that buries sockets */
};

static void *wait_at(void *gate) {
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

/* All at once, each with its stack. */
static bool threads_can_be_had(void) {
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[N_THREADS];
    int n = 0;
    pthread_mutex_lock(&gate);
    while (n < N_THREADS && pthread_create(&threads[n], NULL, wait_at, &gate) == 0) n++;
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < n; i++) pthread_join(threads[i], NULL);
    return n == N_THREADS;
}

status room_check(failure *f) {
    void *memory = mmap(NULL, ROOM_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return fail(f, STATUS_NO_MEMORY, "no memory for sockets: %d MB more are wanted",
                    ROOM_BYTES >> 20);
    bool enough = threads_can_be_had();
    munmap(memory, ROOM_BYTES);
    return enough ? STATUS_OK
                  : fail(f, STATUS_NO_MEMORY, "no room for sockets: %d threads cannot be started",
                         N_THREADS);
}
