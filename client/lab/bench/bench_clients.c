#include "bench_clients.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/cli/outcome.h"
#include "proto/base/process/signals.h"

/* What a client tells at its end, in one piece. */
typedef struct crowd_word {
    int code;
    failure why;
    uint64_t sent_us, last_us;
    uint32_t n_tokens;
} crowd_word;

_Static_assert(sizeof(crowd_word) <= PIPE_BUF, "a word goes through the pipe in one piece");

enum { READ_END, WRITE_END, PIPE_ENDS };

/* Clients close `ready` when they could begin (or end before it), wait for the end of `go`, and
 * write their word to `words`. */
typedef struct crowd {
    const common_flags *flags;
    const bench_rules *rules;
    int ready[PIPE_ENDS], go[PIPE_ENDS], words[PIPE_ENDS];      /* -1: closed */
    pid_t clients[BENCH_CLIENTS_MAX];       /* 0: has ended */
    uint32_t n_clients;         /* that were started */
} crowd;

static void end_close(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

/* ---- in a client ---- */

typedef struct member {
    const crowd *of;
    bench_text text;
} member;

static void on_go(void *context) {
    member *m = context;
    loop_remove_fd(client_loop(m->text.client), m->of->go[READ_END]);
    bench_text_begin(&m->text);
}

/* Begin with the others, and see the end. */
static status member_write(member *m, failure *f) {
    loop *l = client_loop(m->text.client);
    if (loop_add_reader(l, m->of->go[READ_END], on_go, m) != 0) {
        return fail(f, STATUS_NO_MEMORY, "no memory for a client");
    }
    return bench_text_wait(&m->text, f);
}

static int member_code(status st, bool opened) {
    if (st == STATUS_OK) return EXIT_FINE;
    if (st == STATUS_CANCELLED) return EXIT_INTERRUPTED;
    return st == STATUS_BAD_REQUEST && !opened ? EXIT_WRONG_USE : EXIT_FAILED;
}

static void member_run(crowd *of, uint32_t number) {
    member m = {.of = of};
    crowd_word word = {0};
    client *c = NULL;
    const client_options how = common_flags_client(of->flags);
    status st = client_open(&c, &how, &word.why);
    bool opened = st == STATUS_OK;
    if (opened) st = bench_text_prepare(&m.text, c, of->rules, number, &word.why);
    end_close(&of->ready[WRITE_END]);
    if (st == STATUS_OK) st = member_write(&m, &word.why);
    word.code = member_code(st, opened);
    word.sent_us = m.text.sent_us;
    word.last_us = m.text.last_us;
    word.n_tokens = m.text.n_tokens;
    bench_text_clear(&m.text);
    client_close(&c);
    bool told = write(of->words[WRITE_END], &word, sizeof word) == (ssize_t)sizeof word;
    _exit(told ? EXIT_FINE : EXIT_FAILED);
}

/* ---- in the process that measures ---- */

static volatile sig_atomic_t interrupted;
static const crowd *interruptible;      /* whose clients a Ctrl-C ends */

/* Ctrl-C ends the clients, and so the waiting for them. */
static void on_interrupt(int number) {
    (void)number;
    interrupted = 1;
    for (uint32_t i = 0; i < interruptible->n_clients; i++) {
        if (interruptible->clients[i] > 0) kill(interruptible->clients[i], SIGTERM);
    }
}

/* Up to n_bytes; less at the end of the pipe, when its last writer has gone. */
static size_t read_fully(int fd, void *out, size_t n_bytes) {
    size_t done = 0;
    while (done < n_bytes) {
        ssize_t n = read(fd, (char *)out + done, n_bytes - done);
        if (n <= 0) break;
        done += (size_t)n;
    }
    return done;
}

/* A Ctrl-C while a client is being started ends that client, too. In the client it stays blocked: a
 * terminal sends it to all of the group, so it would count twice, beside the SIGTERM of the process
 * that measures. */
static pid_t client_fork(crowd *all) {
    sigset_t only, before;
    sigemptyset(&only);
    sigaddset(&only, SIGINT);
    sigprocmask(SIG_BLOCK, &only, &before);
    pid_t pid = fork();
    if (pid == 0) return pid;
    if (pid > 0) all->clients[all->n_clients++] = pid;
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

static status crowd_start(crowd *all, uint32_t n_clients, failure *f) {
    const pid_t parent = getpid();
    while (all->n_clients < n_clients && !interrupted) {
        const uint32_t number = all->n_clients;
        pid_t pid = client_fork(all);
        if (pid < 0) return fail(f, STATUS_IO, "cannot start a client: %s", strerror(errno));
        if (pid > 0) continue;
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent) _exit(EXIT_FAILED);
        end_close(&all->ready[READ_END]);
        end_close(&all->go[WRITE_END]);
        end_close(&all->words[READ_END]);
        member_run(all, number);
    }
    return STATUS_OK;
}

static void word_count(const crowd_word *word, uint64_t *begin_us, uint64_t *end_us,
                       bench_crowd *out) {
    out->n_tokens += word->n_tokens;
    if (word->sent_us < *begin_us) *begin_us = word->sent_us;
    if (word->last_us > *end_us) *end_us = word->last_us;
}

/* Hear all of them. The first failure is told, the others are usually the same. */
static int crowd_hear(const crowd *all, bench_crowd *out) {
    uint64_t begin_us = UINT64_MAX, end_us = 0;
    int code = EXIT_FINE;
    *out = (bench_crowd){0};
    for (uint32_t i = 0; i < all->n_clients; i++) {
        crowd_word word;
        if (read_fully(all->words[READ_END], &word, sizeof word) != sizeof word) {
            word.code = EXIT_FAILED;
            fail(&word.why, STATUS_IO, "a client ended without a word");
        }
        if (code == EXIT_FINE && word.code != EXIT_FINE) {
            code = word.code;
            if (code != EXIT_INTERRUPTED && !interrupted) outcome_failed(&word.why);
        }
        if (code == EXIT_FINE) word_count(&word, &begin_us, &end_us, out);
    }
    out->seconds = code == EXIT_FINE ? (double)(end_us - begin_us) * 1e-6 : 0;
    return code;
}

static int crowd_run(crowd *all, uint32_t n_clients, bench_crowd *out) {
    failure f;
    char nothing;
    status st = crowd_start(all, n_clients, &f);
    if (st != STATUS_OK) {
        for (uint32_t i = 0; i < all->n_clients; i++) kill(all->clients[i], SIGTERM);
    }
    end_close(&all->ready[WRITE_END]);
    end_close(&all->words[WRITE_END]);
    if (st == STATUS_OK) read_fully(all->ready[READ_END], &nothing, 1);
    end_close(&all->go[WRITE_END]);
    int code = st == STATUS_OK ? crowd_hear(all, out) : outcome_failed(&f);
    for (uint32_t i = 0; i < all->n_clients; i++) {
        waitpid(all->clients[i], NULL, 0);
        all->clients[i] = 0;
    }
    return code;
}

static bool pipes_open(crowd *all) {
    return pipe(all->ready) == 0 && pipe(all->go) == 0 && pipe(all->words) == 0;
}

static void pipes_close(crowd *all) {
    for (int end = 0; end < PIPE_ENDS; end++) {
        end_close(&all->ready[end]);
        end_close(&all->go[end]);
        end_close(&all->words[end]);
    }
}

int bench_clients(const common_flags *flags, const bench_rules *rules, uint32_t n_clients,
                  bench_crowd *out) {
    crowd all = {.flags = flags, .rules = rules, .ready = {-1, -1}, .go = {-1, -1},
                 .words = {-1, -1}};
    struct sigaction before, during = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
    failure f;
    if (!pipes_open(&all)) {
        fail(&f, STATUS_IO, "cannot make a pipe: %s", strerror(errno));
        pipes_close(&all);
        return outcome_failed(&f);
    }
    interrupted = 0;
    interruptible = &all;
    const bool is_ignored = signals_ignored(SIGINT);
    if (!is_ignored) sigaction(SIGINT, &during, &before);
    int code = crowd_run(&all, n_clients, out);
    if (!is_ignored) sigaction(SIGINT, &before, NULL);
    pipes_close(&all);
    return interrupted ? EXIT_INTERRUPTED : code;
}
