#include "nomem.h"

#include <pthread.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PLACES_MAX = 1 << 14,
    SECONDS_MAX = 60,           /* of one run: whatever waits for ever is a fault */
    EXIT_REPORTED = 99,         /* a sanitizer's exit code: see the script */
    EXIT_REFUSED = 98,          /* a test failed by an assertion, as it may */
};

/* Written by the run that counts, read by the others. */
typedef struct {
    uint64_t hashes[PLACES_MAX];    /* by the hash's low bits; 0: free */
    uint64_t firsts[PLACES_MAX];    /* the ordinal of the first call from each place */
    size_t n_places;
    uint64_t n_calls;
} places;

int __real_main(int n_arguments, char **arguments);
int __wrap_main(int n_arguments, char **arguments);
void _fail(const char *file, int line);     /* cmocka's assertions end here */
void __wrap_abort(void);                    /* and what the tests' support demands, here; an assert of ours does not */

static places *seen;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t n_calls, failing;   /* calls so far; the one that fails, from 1, or 0 */

static uint64_t place_of(void *const *frame) {
    uint64_t hash = 14695981039346656037u;
    for (int i = 0; i < NOMEM_CALLERS && frame; i++) {
        hash = (hash ^ (uintptr_t)frame[1]) * 1099511628211u;
        void *const *next = *frame;
        if (next <= frame || (uintptr_t)next - (uintptr_t)frame > 1 << 20) break;
        frame = next;
    }
    return hash ? hash : 1;
}

static void note(void *const *frame) {
    uint64_t hash = place_of(frame);
    size_t i = (size_t)(hash ^ hash >> 32) % PLACES_MAX;
    while (seen->hashes[i] && seen->hashes[i] != hash) i = (i + 1) % PLACES_MAX;
    if (seen->hashes[i] || seen->n_places == PLACES_MAX - 1) return;
    seen->hashes[i] = hash;
    seen->firsts[seen->n_places++] = n_calls;
}

bool nomem_fails(void *const *frame) {
    pthread_mutex_lock(&lock);
    n_calls++;
    bool now = n_calls == failing;
    if (!failing) note(frame);
    pthread_mutex_unlock(&lock);
    if (now) {
        fputs("no memory here:\n", stderr);
        __sanitizer_print_stack_trace();
    }
    return now;
}

/* In place of cmocka's: what the test holds is still held by its stack, so that a leak is one. */
void _fail(const char *file, int line) {
    fprintf(stderr, "%s:%d: an assertion failed\n", file, line);
    if (!failing || n_calls < failing) _exit(1);
    _exit(__lsan_do_recoverable_leak_check() ? EXIT_REPORTED : EXIT_REFUSED);
}

void __wrap_abort(void) { _fail("support", 0); }

/* The exit code of a run in a process of its own; what it writes goes to `output`. */
static int run(uint64_t which, FILE *output, int n_arguments, char **arguments) {
    pid_t pid = fork();
    if (pid == 0) {
        failing = which;
        dup2(fileno(output), 1);
        dup2(fileno(output), 2);
        alarm(SECONDS_MAX);
        exit(__real_main(n_arguments, arguments));
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) < 0) return 1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void show(FILE *output) {
    char bytes[4096];
    size_t n;
    rewind(output);
    while ((n = fread(bytes, 1, sizeof bytes, output)) > 0) fwrite(bytes, 1, n, stdout);
}

int __wrap_main(int n_arguments, char **arguments) {
    FILE *output = tmpfile();
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!output || seen == MAP_FAILED) return 1;
    const char *only = getenv("NOMEM_CALL");
    if (only) return run(strtoull(only, NULL, 10), stdout, n_arguments, arguments);
    int code = run(0, output, n_arguments, arguments);
    if (code) {
        show(output);
        printf("FAILED where all memory is there: exit code %d\n", code);
        return 1;
    }
    size_t n_faults = 0;
    for (size_t i = 0; i < seen->n_places; i++) {
        rewind(output);
        if (ftruncate(fileno(output), 0)) return 1;
        code = run(seen->firsts[i], output, n_arguments, arguments);
        if (code < EXIT_REPORTED) continue;     /* passed, or a test failed */
        n_faults++;
        show(output);
        printf("FAULT of call %llu: exit code %d\n", (unsigned long long)seen->firsts[i], code);
    }
    printf("%zu places, %zu faults\n", seen->n_places, n_faults);
    return n_faults > 0;
}
