#include "openblas.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>

static const char LIBRARY[] = "libopenblas.so.0";

typedef void set_threads(int n_threads);

static bool memory_is_limited(void) {
    struct rlimit space, data;
    return getrlimit(RLIMIT_AS, &space) != 0 || getrlimit(RLIMIT_DATA, &data) != 0
           || space.rlim_cur != RLIM_INFINITY || data.rlim_cur != RLIM_INFINITY;
}

openblas_sgemm *openblas_load(void) {
    if (memory_is_limited()) return NULL;
    setenv("OPENBLAS_NUM_THREADS", "1", 1);     /* read as it is loaded: it starts no threads of its own */
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library) return NULL;
    /* in POSIX functions come as void pointers */
    set_threads *set = (set_threads *)(uintptr_t)dlsym(library, "openblas_set_num_threads");
    openblas_sgemm *sgemm = (openblas_sgemm *)(uintptr_t)dlsym(library, "cblas_sgemm");
    if (set) set(1);
    dlclose(library);
    return set ? sgemm : NULL;
}
