/* The most memory that modeld, beside the model's weights, work space and KV, and samplerd can hold: the tables of
 * PROTOCOL.md, "Memory", with models of up to MODEL_IDS ids and positions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/base/limits.h"
#include "proto/draw/candidates.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum {
    MIB = 1 << 20,
    MODEL_IDS = 256 * 1024,     /* of a vocabulary, and positions of a context */
    MODELD_BYTES = 512 * MIB,
    SAMPLERD_BYTES = 256 * MIB,
    BASE_BYTES = 8 * MIB,       /* code, tables of peers, ZeroMQ itself */
};

typedef struct term {
    const char *name;
    uint64_t n_bytes;
} term;

static const uint64_t ROW_BYTES = MODEL_IDS * sizeof(float);

/* As it was read, before it is copied: what a header packs into nine bytes each is an id and a number. */
static const uint64_t STRATEGY_BYTES = HEADER_BYTES_MAX / 9 * (sizeof(int32_t) + sizeof(double));

static void holds_no_more_than(uint64_t n_bytes_max, const term *terms, size_t n_terms) {
    uint64_t n_bytes = 0;
    for (size_t i = 0; i < n_terms; i++) {
        printf("%9.1f MiB  %s\n", (double)terms[i].n_bytes / MIB, terms[i].name);
        n_bytes += terms[i].n_bytes;
    }
    printf("%9.1f MiB  in all\n", (double)n_bytes / MIB);
    assert_in_range(n_bytes, 1, n_bytes_max);
}

#define HOLDS_NO_MORE_THAN(n_bytes_max, terms) holds_no_more_than(n_bytes_max, terms, sizeof terms / sizeof *terms)

/* What candidates.h has for each id of a vocabulary, with the counts and marks of its history. */
static uint64_t bytes_a_candidate(void) {
    const candidates *c = NULL;
    return sizeof *c->all_ids + sizeof *c->kept_ids + sizeof *c->logits + sizeof *c->weights + sizeof *c->members +
           sizeof *c->buckets + sizeof *c->keys + sizeof *c->past.counts + 1;
}

static void modeld(void **state) {
    (void)state;
    const term terms[] = {
        {"received of samplers and not yet taken", 2 * (uint64_t)RECEIVED_BYTES_MAX},
        {"received of a tokenizerd and not yet taken", (uint64_t)HIGH_WATER_MESSAGES * MESSAGE_BYTES_MAX},
        {"in pieces", PIECES_BYTES_MAX},
        {"sent and not read yet", OUTBOXES_BYTES_MAX},
        {"small messages in ZeroMQ's queues",
         ((uint64_t)CONNECTIONS_MAX * HIGH_WATER_ROWS + (uint64_t)JOINS_MAX * HIGH_WATER_TOKENS) * SMALL_MESSAGE_BYTES_MAX},
        {"connections, in ZeroMQ", (uint64_t)CONNECTIONS_MAX * CONNECTION_BYTES},
        {"the message in hand", 2 * (uint64_t)ANSWER_BYTES_MAX + UNPACKED_BYTES_MAX},
        {"its strategy", STRATEGY_BYTES},
        {"what it asks for, before it is counted", STRATEGY_BYTES + MODEL_IDS * sizeof(int32_t)},
        {"texts", OPEN_TEXTS_BYTES_MAX},
        {"calls", OPEN_CALLS_BYTES_MAX},
        {"rows of logits", ROWS_BYTES_MAX},
        {"shared rows", SHARED_ROWS_MAX * ROW_BYTES},
        {"a row that is being cut", MODEL_IDS * (bytes_a_candidate() + sizeof(uint32_t)) + ROW_BYTES / 2},
        {"rows and ids at samplers", SENT_ROWS_BYTES_MAX},
        {"the rest", BASE_BYTES},
    };
    HOLDS_NO_MORE_THAN(MODELD_BYTES, terms);
}

static void samplerd(void **state) {
    (void)state;
    assert_true(SCORE_ROWS * ROW_BYTES + MODEL_IDS * sizeof(int32_t) <= SENT_ROWS_BYTES_MAX);  /* of one, be it alone */
    const term terms[] = {
        {"received of a modeld, or in hand", SENT_ROWS_BYTES_MAX},
        {"sent and not read yet", OUTBOX_BYTES_MAX},
        {"the headers in hand", DRAWERS_DEFAULT_MAX * (uint64_t)UNPACKED_BYTES_MAX},
        {"their strategies", DRAWERS_DEFAULT_MAX * STRATEGY_BYTES},
        {"candidates", DRAWERS_DEFAULT_MAX * MODEL_IDS * bytes_a_candidate()},
        {"ids so far, and a number for each", DRAWERS_DEFAULT_MAX * MODEL_IDS * (sizeof(int32_t) + sizeof(uint32_t))},
        {"probabilities", DRAWERS_DEFAULT_MAX * MODEL_IDS * sizeof(double)},
        {"the rest", BASE_BYTES},
    };
    HOLDS_NO_MORE_THAN(SAMPLERD_BYTES, terms);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(modeld), cmocka_unit_test(samplerd)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
