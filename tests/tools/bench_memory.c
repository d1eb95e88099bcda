/* bench_memory [THREADS [MIB]]: how fast threads together read a buffer far larger than the caches,
 * each its own part, front to back. Prints the median of rounds in GB/s: the bound of a decode
 * whose weights lie in memory. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "proto/base/status.h"
#include "tests/support/percentile.h"

enum { N_ROUNDS = 9, MIB_DEFAULT = 1024, MIB_MAX = 1 << 20, LANES = 32 };

typedef struct reader {
    const uint64_t *words;
    size_t n_words;             /* a multiple of LANES */
    pthread_barrier_t *gate;
    uint64_t sum;               /* so that reading cannot be left out */
} reader;

/* Independent lanes, so that additions wait for memory only. */
static uint64_t sum_of(const uint64_t *words, size_t n_words) {
    uint64_t lanes[LANES] = {0}, sum = 0;
    for (size_t i = 0; i < n_words; i += LANES) {
        for (size_t k = 0; k < LANES; k++) lanes[k] += words[i + k];
    }
    for (size_t k = 0; k < LANES; k++) sum += lanes[k];
    return sum;
}

static void *read_rounds(void *context) {
    reader *r = context;
    for (int round = 0; round < N_ROUNDS; round++) {
        pthread_barrier_wait(r->gate);
        r->sum += sum_of(r->words, r->n_words);
        pthread_barrier_wait(r->gate);
    }
    return NULL;
}

static size_t argument(int argc, char **argv, int at, size_t fallback, size_t max) {
    if (argc <= at) return fallback;
    char *end;
    unsigned long long value = strtoull(argv[at], &end, 10);
    if (*end || value == 0 || value > max) {
        die("bench_memory", "usage: bench_memory [THREADS [MIB]]: 1 to %zu, not %s", max, argv[at]);
    }
    return (size_t)value;
}

static void readers_start(reader *readers, pthread_t *threads, size_t n_threads,
                          pthread_barrier_t *gate, const uint64_t *words, size_t n_words) {
    pthread_barrier_init(gate, NULL, (unsigned)n_threads + 1);
    for (size_t i = 0; i < n_threads; i++) {
        readers[i] = (reader){.words = words + i * n_words, .n_words = n_words, .gate = gate};
        if (pthread_create(&threads[i], NULL, read_rounds, &readers[i]) != 0) {
            die("bench_memory", "cannot start a thread");
        }
    }
}

/* The median of the rounds, in GB/s, when each round reads n_bytes. */
static double rounds_time(pthread_barrier_t *gate, size_t n_bytes) {
    double rates[N_ROUNDS];
    for (int round = 0; round < N_ROUNDS; round++) {
        pthread_barrier_wait(gate);
        uint64_t begin_us = clock_us();
        pthread_barrier_wait(gate);
        rates[round] = (double)n_bytes / (double)(clock_us() - begin_us) / 1e3;
    }
    return percentile_of(rates, N_ROUNDS, 50);
}

int main(int argc, char **argv) {
    static pthread_t threads[THREADS_MAX];
    static reader readers[THREADS_MAX];
    long n_cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t fallback = n_cores > 0 && n_cores <= THREADS_MAX ? (size_t)n_cores : 1;
    size_t n_threads = argument(argc, argv, 1, fallback, THREADS_MAX);
    size_t n_bytes = argument(argc, argv, 2, MIB_DEFAULT, MIB_MAX) << 20;
    size_t n_words = n_bytes / sizeof(uint64_t) / n_threads / LANES * LANES;
    uint64_t *words = malloc(n_bytes), sum = 0;
    if (!words) die("bench_memory", "no memory for %zu MiB", n_bytes >> 20);
    memset(words, 1, n_bytes);                  /* real pages, not the one of zeros */
    pthread_barrier_t gate;
    readers_start(readers, threads, n_threads, &gate, words, n_words);
    double rate = rounds_time(&gate, n_words * n_threads * sizeof *words);
    for (size_t i = 0; i < n_threads; i++) {
        pthread_join(threads[i], NULL);
        sum += readers[i].sum;
    }
    printf("%.1f GB/s (%zu threads, %zu MiB, sum %llx)\n", rate, n_threads, n_bytes >> 20,
           (unsigned long long)sum);
    pthread_barrier_destroy(&gate);
    free(words);
    return 0;
}
