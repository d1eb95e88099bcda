/* bench_hop SAMPLERD [N_VOCAB [ROUNDS]]: what a step costs on its way to a samplerd and back, and there. Plays
 * modeld, and starts that program; drawn are a row of five logits, a row of N_VOCAB that is sent, one that is read
 * where it lies, and by the default chain one that is sent whole, one of which is sent what the chain leaves (ours is to
 * run it), and ones that are read where they lie after histories of several lengths. The kinds take turns. Prints
 * medians a step: bytes sent, microseconds from sending to the answer without those spent sampling, those spent
 * sampling as samplerd tells them, and what both processes computed in all their threads. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "logits.pb-c.h"
#include "proto/base/limits.h"
#include "proto/chain/strategy_wire.h"
#include "proto/draw/chain.h"
#include "proto/net/loop.h"
#include "proto/net/peer.h"
#include "proto/rows/shared_rows.h"
#include "tests/support/bell_row.h"
#include "tests/support/percentile.h"

enum { N_SMALL = 5, WARM_UP = 50, N_IDS_MOST = 100000 };

typedef struct kind {
    const char *name;
    bool small, mapped, cut, by_default_chain;
    uint32_t n_ids;
} kind;

static const kind kinds[] = {
    {"a row of 5", .small = true},
    {"a row sent", .small = false},
    {"a row mapped", .mapped = true},
    {"sent whole", .by_default_chain = true, .n_ids = 100},
    {"sent cut", .cut = true, .by_default_chain = true, .n_ids = 100},
    {"after 100 ids", .mapped = true, .by_default_chain = true, .n_ids = 100},
    {"after 8,000 ids", .mapped = true, .by_default_chain = true, .n_ids = 8000},
    {"after 100,000 ids", .mapped = true, .by_default_chain = true, .n_ids = N_IDS_MOST},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

typedef struct moment {
    double clock_us, ours_us, samplerd_us;      /* the time, and what each process has computed */
} moment;

typedef enum figure { WAY_US, SAMPLE_US, SAMPLERD_US, OURS_US, FIGURES } figure;

typedef struct bench {
    loop *loop;
    timer next;                 /* row */
    peers *peers;
    peer *sampler;
    shared_rows *shared;
    float *row;                 /* [n_vocab] */
    int32_t ids[N_IDS_MOST];
    strategy strategies[2];         /* greedy, the default */
    Trivium__Strategy *chains[2];   /* the same */
    chain *cutter;
    uint8_t *left;              /* [n_vocab] candidates */
    uint32_t n_vocab, n_rounds, n_done;
    uint32_t index;             /* of the shared row */
    pid_t samplerd;
    clockid_t clock;            /* of what it computes */
    moment sent;
    uint64_t n_bytes[KINDS];
    double *figures[KINDS][FIGURES];    /* [n_rounds] */
} bench;

static uint32_t kind_of(uint32_t n) {
    return n % KINDS;
}

static double us_of(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static moment now(const bench *b) {
    return (moment){us_of(CLOCK_MONOTONIC), us_of(CLOCK_PROCESS_CPUTIME_ID), us_of(b->clock)};
}

/* What the chain leaves, in place of the row and of the ids, of which none of its stages is left to ask. */
static void cut_row_of(bench *b, Trivium__SampleRequest *r, Trivium__CutRow *cut, wire_raw raw[2]) {
    cut_row row;
    const sample_job job = {.logits = b->row, .n_vocab = r->n_vocab, .ids = b->ids, .n_ids = r->n_ids,
                            .strategy = &b->strategies[1], .given = SAMPLE_DRAWS};
    if (!chain_cut(b->cutter, &job, r->n_vocab / 8, &row)) die("bench_hop", "the chain leaves too much");
    cut_row_pack(&row, b->row, b->left);
    trivium__cut_row__init(cut);
    cut->n_stages = row.n_stages;
    cut->n_left = row.n_left;
    cut->raw_max = row.raw_max;
    cut->raw_total = row.raw_total;
    r->cut = cut;
    r->n_ids = 0;
    raw[0] = (wire_raw){b->left, row.n_left * CUT_ROW_BYTES};
    raw[1].n_bytes = 0;
}

static void send_row(void *context) {
    bench *b = context;
    const kind *k = &kinds[kind_of(b->n_done)];
    Trivium__SharedRow shared = TRIVIUM__SHARED_ROW__INIT, *only_shared = &shared;
    Trivium__SampleRequest r = TRIVIUM__SAMPLE_REQUEST__INIT;
    r.ticket = b->n_done + 1;
    r.n_rows = 1;
    r.n_vocab = k->small ? N_SMALL : b->n_vocab;
    r.n_ids = k->n_ids;
    r.strategy = b->chains[k->by_default_chain];
    wire_raw raw[] = {{b->row, k->mapped ? 0 : r.n_vocab * sizeof *b->row}, {b->ids, r.n_ids * sizeof *b->ids}};
    Trivium__CutRow cut;
    b->sent = now(b);
    if (k->cut) cut_row_of(b, &r, &cut, raw);
    if (k->mapped) {
        shared.index = b->index;
        shared.generation = shared_rows_renew(b->shared, b->index);
        r.shared = &only_shared;
        r.n_shared = 1;
    }
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE;
    m.sample = &r;
    peers_send(b->peers, b->sampler, &m.base, raw, 2);
    b->n_bytes[kind_of(b->n_done)] = protobuf_c_message_get_packed_size(&m.base) + raw[0].n_bytes + raw[1].n_bytes;
}

static void note(bench *b, double sample_us) {
    const moment then = b->sent, here = now(b);
    uint32_t round = b->n_done / KINDS;
    if (round < WARM_UP) return;
    double *const *figures = b->figures[kind_of(b->n_done)];
    round -= WARM_UP;
    figures[WAY_US][round] = here.clock_us - then.clock_us - sample_us;
    figures[SAMPLE_US][round] = sample_us;
    figures[SAMPLERD_US][round] = here.samplerd_us - then.samplerd_us;
    figures[OURS_US][round] = here.ours_us - then.ours_us;
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
        note(b, m->sample->sample_ms * 1000.0);
        b->n_done++;
    }
    /* What follows RowsMapped, or an answer, is the next row. */
    if (b->n_done == (b->n_rounds + WARM_UP) * KINDS) loop_stop(b->loop);
    else loop_once(b->loop, &b->next, 0, send_row, b);
}

static pid_t start_samplerd(const char *program, const char *address) {
    pid_t pid = fork();
    if (pid != 0) return pid;
    execl(program, program, "--join", address, "--log", "error", (char *)NULL);
    perror(program);
    _exit(127);
}

static void report(bench *b) {
    printf("%-18s %8s %6s %8s %10s %6s\n", "us, median", "bytes", "way", "sampling", "samplerd's", "ours");
    for (int k = 0; k < KINDS; k++) {
        printf("%-18s %8llu", kinds[k].name, (unsigned long long)b->n_bytes[k]);
        for (int i = 0; i < FIGURES; i++)
            printf(" %*.0f", (const int[]){6, 8, 10, 6}[i], percentile_of(b->figures[k][i], b->n_rounds, 50));
        printf("\n");
    }
}

static Trivium__Strategy *chain_of(strategy *s, bool by_default) {
    failure f;
    strategy_init(s);
    if (by_default) strategy_defaults(s);
    else if (strategy_append(s, STAGE_GREEDY, NULL, 0, &f) != STATUS_OK) die("bench_hop", "%s", f.message);
    Trivium__Strategy *stages = strategy_to_wire(s);
    if (!stages) die("bench_hop", "no memory");
    return stages;
}

static void make_memory(bench *b, uint64_t incarnation) {
    failure f;
    if (shared_rows_new(&b->shared, incarnation, 1, b->n_vocab, &f) != STATUS_OK)
        die("bench_hop", "%s", f.message);
    shared_rows_take(b->shared, &b->index);
    b->row = malloc(b->n_vocab * sizeof *b->row);
    for (int k = 0; k < KINDS * FIGURES; k++)
        b->figures[k / FIGURES][k % FIGURES] = calloc(b->n_rounds, sizeof(double));
    bell_row_fill(b->row, b->n_vocab, 1);
    bell_row_history(b->ids, N_IDS_MOST, b->n_vocab);
    for (int i = 0; i < 2; i++) b->chains[i] = chain_of(&b->strategies[i], i == 1);
    isa best;
    if (cpu_isa(&best, "auto", &f) != STATUS_OK) die("bench_hop", "%s", f.message);
    b->cutter = chain_new(best);
    b->left = malloc((size_t)b->n_vocab * CUT_ROW_BYTES);
    if (!b->row || !b->cutter || !b->left) die("bench_hop", "no memory");
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
    const endpoint_options where = {.address = address, .high_water = HIGH_WATER_ROWS};
    const peers_options who = {
        .incoming = &trivium__logits_reply__descriptor, .hello = &hello,
        .incarnation = incarnation, .heartbeat_ms = HEARTBEAT_MS, .liveness = LIVENESS_PING, .sends_whole = true,
        .events = {.joined = on_joined, .left = on_left, .message = on_message}, .context = b};
    if (peers_bind(&b->peers, b->loop, &where, &who, &f) != STATUS_OK) die("bench_hop", "%s", f.message);
    b->samplerd = start_samplerd(program, address);
    if (clock_getcpuclockid(b->samplerd, &b->clock) != 0) die("bench_hop", "no clock of another process");
    loop_run(b->loop);
    kill(b->samplerd, SIGTERM);
    waitpid(b->samplerd, NULL, 0);
    peers_free(&b->peers);
    loop_free(&b->loop);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: bench_hop SAMPLERD [N_VOCAB [ROUNDS]]\n");
        return 2;
    }
    static bench b;
    b.n_vocab = argc > 2 ? (uint32_t)atoi(argv[2]) : 49152;
    b.n_rounds = argc > 3 ? (uint32_t)atoi(argv[3]) : 1000;
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
    for (int k = 0; k < KINDS * FIGURES; k++) free(b.figures[k / FIGURES][k % FIGURES]);
    for (int i = 0; i < 2; i++) {
        trivium__strategy__free_unpacked(b.chains[i], NULL);
        strategy_clear(&b.strategies[i]);
    }
    chain_free(&b.cutter);
    free(b.left);
    return 0;
}
