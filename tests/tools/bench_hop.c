/* bench_hop SAMPLERD [N_VOCAB [ROUNDS]]: what a step costs on its way to a samplerd and back. Plays
 * modeld, and starts that program; prints microseconds from sending to the answer without those
 * spent sampling: of a row of five logits, of a row of N_VOCAB that is sent, and of one that is read
 * where it lies. The kinds take turns. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "logits.pb-c.h"
#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "proto/net/loop.h"
#include "proto/net/peer.h"
#include "proto/rows/shared_rows.h"
#include "tests/support/percentile.h"

enum { N_SMALL = 5, WARM_UP = 50 };

typedef enum kind { SMALL, SENT, MAPPED, KINDS } kind;
static const char *const names[KINDS] = {"a row of 5", "a row sent", "a row mapped"};

typedef struct bench {
    loop *loop;
    peers *peers;
    peer *sampler;
    shared_rows *shared;
    float *row;                 /* [n_vocab] */
    uint32_t n_vocab, n_rounds, n_done;
    uint32_t index;             /* of the shared row */
    uint64_t sent_us;
    double *us[KINDS];          /* [n_rounds] */
} bench;

static kind kind_of(uint32_t n) {
    return (kind)(n % KINDS);
}

static void send_row(void *context) {
    bench *b = context;
    kind k = kind_of(b->n_done);
    Trivium__Step greedy = TRIVIUM__STEP__INIT, *steps[] = {&greedy};
    Trivium__Strategy strategy = TRIVIUM__STRATEGY__INIT;
    Trivium__SharedRow shared = TRIVIUM__SHARED_ROW__INIT;
    Trivium__SampleRequest r = TRIVIUM__SAMPLE_REQUEST__INIT;
    greedy.name = "greedy";
    strategy.n_steps = 1;
    strategy.steps = steps;
    r.ticket = b->n_done + 1;
    r.n_rows = 1;
    r.n_vocab = k == SMALL ? N_SMALL : b->n_vocab;
    r.strategy = &strategy;
    wire_raw raw[] = {{b->row, k == MAPPED ? 0 : r.n_vocab * sizeof *b->row}, {NULL, 0}};
    b->sent_us = clock_us();
    if (k == MAPPED) {
        shared.index = b->index;
        shared.generation = shared_rows_renew(b->shared, b->index);
        r.shared = &shared;
    }
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE;
    m.sample = &r;
    peers_send(b->peers, b->sampler, &m.base, raw, 2);
}

static status on_joined(void *context, peer *p, const Trivium__Hello *hello, failure *f) {
    bench *b = context;
    (void)hello, (void)f;
    b->sampler = p;
    return STATUS_OK;
}

static void on_left(void *context, peer *p, const char *why) {
    bench *b = context;
    (void)p;
    fprintf(stderr, "bench_hop: the samplerd is gone: %s\n", why);
    loop_stop(b->loop);
}

static void on_message(void *context, peer *p, const wire_message *message) {
    bench *b = context;
    (void)p;
    const Trivium__LogitsReply *m = (const Trivium__LogitsReply *)message->header;
    if (m->body_case == TRIVIUM__LOGITS_REPLY__BODY_SAMPLE) {
        if (m->sample->error) {
            fprintf(stderr, "bench_hop: %s\n", m->sample->error->message);
            exit(1);
        }
        double us = (double)(clock_us() - b->sent_us) - m->sample->sample_ms * 1000.0;
        uint32_t round = b->n_done / KINDS;
        if (round >= WARM_UP) b->us[kind_of(b->n_done)][round - WARM_UP] = us;
        b->n_done++;
    }
    /* What follows RowsMapped, or an answer, is the next row. */
    if (b->n_done == (b->n_rounds + WARM_UP) * KINDS) loop_stop(b->loop);
    else loop_once(b->loop, 0, send_row, b);
}

static pid_t start_samplerd(const char *program, const char *address) {
    pid_t pid = fork();
    if (pid != 0) return pid;
    execl(program, program, "--join", address, "--log", "error", (char *)NULL);
    perror(program);
    _exit(127);
}

static void report(bench *b) {
    for (int k = 0; k < KINDS; k++) {
        double median = percentile_of(b->us[k], b->n_rounds, 50), low = percentile_of(b->us[k], b->n_rounds, 10),
               high = percentile_of(b->us[k], b->n_rounds, 90);
        printf("%-14s median %6.0f us, 10%% below %6.0f, 90%% below %6.0f\n", names[k], median, low, high);
    }
}

static void make_memory(bench *b, uint64_t incarnation) {
    failure f;
    if (shared_rows_new(&b->shared, incarnation, 1, b->n_vocab, &f) != STATUS_OK)
        die("bench_hop", "%s", f.message);
    shared_rows_take(b->shared, &b->index);
    b->row = malloc(b->n_vocab * sizeof *b->row);
    for (int k = 0; k < KINDS; k++) b->us[k] = calloc(b->n_rounds, sizeof *b->us[k]);
    for (uint32_t i = 0; i < b->n_vocab; i++) b->row[i] = (float)(i * 7919 % 1009) / 100.0f;
    memcpy(shared_rows_at(b->shared, b->index), b->row, b->n_vocab * sizeof *b->row);
}

static void bind_and_run(bench *b, const char *program, const char *address, uint64_t incarnation) {
    failure f;
    Trivium__SharedRows offer = TRIVIUM__SHARED_ROWS__INIT;
    Trivium__Hello hello = TRIVIUM__HELLO__INIT;
    offer.fd = shared_rows_fd(b->shared);
    hello.role = TRIVIUM__ROLE__MODELD;
    hello.name = "bench";
    hello.shared_rows = &offer;
    b->loop = loop_new();
    if (!b->loop) die("bench_hop", "no memory");
    const endpoint_options where = {address, HIGH_WATER_ROWS, false};
    const peers_options who = {
        .incoming = &trivium__logits_reply__descriptor, .hello = &hello,
        .incarnation = incarnation, .heartbeat_ms = HEARTBEAT_MS, .liveness = LIVENESS_PING,
        .events = {.joined = on_joined, .left = on_left, .message = on_message}, .context = b};
    if (peers_bind(&b->peers, b->loop, &where, &who, &f) != STATUS_OK) die("bench_hop", "%s", f.message);
    pid_t samplerd = start_samplerd(program, address);
    loop_run(b->loop);
    kill(samplerd, SIGTERM);
    waitpid(samplerd, NULL, 0);
    peers_free(&b->peers);
    loop_free(&b->loop);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: bench_hop SAMPLERD [N_VOCAB [ROUNDS]]\n");
        return 2;
    }
    bench b = {.n_vocab = argc > 2 ? (uint32_t)atoi(argv[2]) : 49152,
               .n_rounds = argc > 3 ? (uint32_t)atoi(argv[3]) : 1000};
    if (b.n_vocab < N_SMALL || b.n_vocab > N_VOCAB_MAX || b.n_rounds < 1)
        die("bench_hop", "N_VOCAB is %d to %d, ROUNDS at least 1", N_SMALL, N_VOCAB_MAX);
    char folder[] = "/tmp/bench-hop-XXXXXX", address[64];
    if (!mkdtemp(folder)) die("bench_hop", "no folder in /tmp");
    snprintf(address, sizeof address, "ipc://%s/samplers", folder);
    uint64_t incarnation = peers_incarnation();
    make_memory(&b, incarnation);
    bind_and_run(&b, argv[1], address, incarnation);
    if (b.n_done == (b.n_rounds + WARM_UP) * KINDS) report(&b);
    rmdir(folder);
    shared_rows_free(&b.shared);
    free(b.row);
    for (int k = 0; k < KINDS; k++) free(b.us[k]);
    return 0;
}
