#include "nomem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/link/turns.h"

enum {
    PLACES_MAX = 1 << 14,
    COUNTED_SECONDS_MAX = 600,  /* of the run that counts, which is all of the program */
    RUN_SECONDS_MAX = 120,      /* of one in which a call fails: whatever waits for ever is a fault */
    SOON_REFUSED_MS = 3000,     /* what has not come after so long, where a call fails, will not come */
    EXIT_REPORTED = 99,         /* a sanitizer's exit code: see the script */
    EXIT_REFUSED = 98,          /* a test failed by an assertion, as it may */
};

typedef struct {
    uint64_t hashes[PLACES_MAX];    /* by the hash's low bits; 0: free */
    size_t n;
} set;

/* A call that is to fail: the first from its place. Tests count from 1 in a program; 0: outside of them. */
typedef struct {
    uint64_t test, call;
    uintptr_t callers[NOMEM_CALLERS];
} place;

/* Written by the run that counts, read by the others. */
typedef struct {
    set known;
    place places[PLACES_MAX];
    size_t n_places;
    size_t n_refused;       /* runs that came to the call that is to fail */
} places;

int __real_main(int n_arguments, char **arguments);
int __wrap_main(int n_arguments, char **arguments);
int __real__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t n_tests,
                                   CMFixtureFunction setup, CMFixtureFunction teardown);
int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t n_tests,
                                   CMFixtureFunction setup, CMFixtureFunction teardown);
void _fail(const char *file, int line);     /* cmocka's assertions end here */
void __wrap_abort(void);                    /* and what the tests' support demands, here; an assert of ours does not */

static places *seen;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t test, n_tests_begun, n_calls;   /* the test that runs; the calls since it began */
static place failing;                           /* its call: from 1, or 0: none fails */
static bool refused;                            /* it has failed */

/* False: it was there, or there is no room. */
static bool add(set *to, uint64_t hash) {
    size_t i = (size_t)(hash ^ hash >> 32) % PLACES_MAX;
    while (to->hashes[i] && to->hashes[i] != hash) i = (i + 1) % PLACES_MAX;
    if (to->hashes[i] || to->n == PLACES_MAX - 1) return false;
    to->hashes[i] = hash;
    to->n++;
    return true;
}

static uint64_t hashed(const void *bytes, size_t n, uint64_t hash) {
    for (size_t i = 0; i < n; i++) hash = (hash ^ ((const unsigned char *)bytes)[i]) * 1099511628211u;
    return hash ? hash : 1;
}

static void note(void *const *frame) {
    place here = {.test = test, .call = n_calls};
    for (int i = 0; i < NOMEM_CALLERS; i++) {
        here.callers[i] = (uintptr_t)frame[1];
        void *const *next = *frame;
        if (next <= frame || (uintptr_t)next - (uintptr_t)frame > 1 << 20) break;
        frame = next;
    }
    if (add(&seen->known, hashed(here.callers, sizeof here.callers, 1))) seen->places[seen->n_places++] = here;
}

bool nomem_fails(void *const *frame) {
    pthread_mutex_lock(&lock);
    n_calls++;
    bool now = !refused && test == failing.test && n_calls == failing.call;
    refused = refused || now;
    if (now) seen->n_refused++;
    if (!failing.call) note(frame);
    pthread_mutex_unlock(&lock);
    return now;
}

/* Each test is a group of its own, so that whatever fails in one needs that one alone; but where the group is
 * set up, which can be done once only, it counts as one test. */
int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t n_tests,
                                   CMFixtureFunction setup, CMFixtureFunction teardown) {
    int n_failed = 0;
    size_t n_together = setup || teardown ? n_tests : 1;
    for (size_t i = 0; i < n_tests; i += n_together) {
        n_tests_begun++;
        if (failing.test && failing.test != n_tests_begun) continue;
        pthread_mutex_lock(&lock);
        test = n_tests_begun;
        n_calls = 0;
        pthread_mutex_unlock(&lock);
        n_failed += __real__cmocka_run_group_tests(name, &tests[i], n_together, setup, teardown) != 0;
    }
    return n_failed;
}

/* In place of cmocka's: what the test holds is still held by its stack, so that a leak is one. */
void _fail(const char *file, int line) {
    fprintf(stderr, "%s:%d: an assertion failed\n", file, line);
    if (!refused) _exit(1);
    _exit(__lsan_do_recoverable_leak_check() ? EXIT_REPORTED : EXIT_REFUSED);
}

void __wrap_abort(void) { _fail("support", 0); }

/* The exit code of a run in a process of its own; what it writes goes to `output`. What a test that failed has
 * started, and could not end any more, ends with it. */
static int run(place which, FILE *output, int n_arguments, char **arguments) {
    fflush(stdout);
    rewind(output);
    if (ftruncate(fileno(output), 0)) return 1;
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        failing = which;
        if (which.call) turns_soon_ms = SOON_REFUSED_MS;
        dup2(fileno(output), 1);
        dup2(fileno(output), 2);
        alarm(which.call ? RUN_SECONDS_MAX : COUNTED_SECONDS_MAX);
        exit(__real_main(n_arguments, arguments));
    }
    int status = 0;
    siginfo_t ended;
    if (pid < 0 || waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT) < 0) return 1;
    kill(-pid, SIGKILL);    /* the group is still its own: it is not waited for yet */
    if (waitpid(pid, &status, 0) < 0) return 1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void show(FILE *output) {
    char bytes[4096];
    size_t n;
    rewind(output);
    while ((n = fread(bytes, 1, sizeof bytes, output)) > 0) fwrite(bytes, 1, n, stdout);
}

/* The same in each program: functions and lines, up to the test's. */
static uint64_t name_of(const place *which) {
    uint64_t hash = 1;
    for (int i = 0; i < NOMEM_CALLERS && which->callers[i]; i++) {
        char caller[512] = "";
        __sanitizer_symbolize_pc((void *)(which->callers[i] - 1), "%s:%l %f", caller, sizeof caller);
        if (i > 0 && (strstr(caller, "tests/") || strstr(caller, " main"))) break;
        hash = hashed(caller, strlen(caller), hash);
    }
    return hash;
}

/* Its callers, into the output; symbols take too long to look up where nothing breaks. */
static void show_place(const place *which) {
    printf("no memory here:\n");
    for (int i = 0; i < NOMEM_CALLERS && which->callers[i]; i++) {
        char caller[512] = "";
        __sanitizer_symbolize_pc((void *)(which->callers[i] - 1), "%f %s:%l", caller, sizeof caller);
        printf("    %s\n", caller);
    }
}

/* The places that some program has taken, in the file that NOMEM_PLACES names; without one, this one's. */
static set *open_taken(int *descriptor) {
    const char *path = getenv("NOMEM_PLACES");
    *descriptor = path ? open(path, O_RDWR | O_CREAT, 0600) : -1;
    if (path && (*descriptor < 0 || ftruncate(*descriptor, sizeof(set)))) return MAP_FAILED;
    return mmap(NULL, sizeof(set), PROT_READ | PROT_WRITE, MAP_SHARED | (path ? 0 : MAP_ANONYMOUS), *descriptor, 0);
}

static bool take(set *taken, int descriptor, uint64_t name) {
    if (descriptor >= 0) flock(descriptor, LOCK_EX);
    bool new = add(taken, name);
    if (descriptor >= 0) flock(descriptor, LOCK_UN);
    return new;
}

/* Each place of `seen` that no program has taken yet; how many faults there were. */
static size_t refuse_each(set *taken, int descriptor, FILE *output, int n_arguments, char **arguments) {
    size_t n_run = 0, n_faults = 0;
    for (size_t i = 0; i < seen->n_places; i++) {
        const place *which = &seen->places[i];
        if (!take(taken, descriptor, name_of(which))) continue;
        n_run++;
        int code = run(*which, output, n_arguments, arguments);
        if (code < EXIT_REPORTED) continue;     /* passed, or a test failed */
        n_faults++;
        show(output);
        show_place(which);
        printf("FAULT of NOMEM_CALL=%llu:%llu: exit code %d\n", (unsigned long long)which->test,
               (unsigned long long)which->call, code);
    }
    printf("%zu places, %zu faults", n_run, n_faults);
    if (seen->n_refused < n_run) printf(", %zu places not met again", n_run - seen->n_refused);
    printf("\n");
    return n_faults;
}

int __wrap_main(int n_arguments, char **arguments) {
    FILE *output = tmpfile();
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int descriptor;
    set *taken = open_taken(&descriptor);
    if (!output || seen == MAP_FAILED || taken == MAP_FAILED) return 1;
    const char *only = getenv("NOMEM_CALL");
    place which = {0};
    if (only) {
        char *rest;
        which.test = strtoull(only, &rest, 10);
        which.call = *rest == ':' ? strtoull(rest + 1, NULL, 10) : 0;
    }
    int code = run(which, output, n_arguments, arguments);
    if (only || code) show(output);
    if (only) return code;
    if (code) {
        printf("FAILED where all memory is there: exit code %d\n", code);
        return 1;
    }
    return refuse_each(taken, descriptor, output, n_arguments, arguments) > 0;
}
