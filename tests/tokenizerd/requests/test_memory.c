/* PROTOCOL.md, "Memory": the numbers of the page are those of limits.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/limits.h"
#include "tokenizerd/requests/calls.h"
#include "tokenizerd/requests/requests.h"
#include "tokenizerd/requests/watches.h"
#include "tokenizerd/tokenizer/bpe.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { MIB = 1 << 20, TERMS_MAX = 32, ENDING_BYTES = 48, PEER_BYTES = 2048, SAMPLER_BYTES = 512 };

/* In the order of the page; 0 at the end. */
static const uint64_t tokenizerd_bytes[] = {
    8 * MIB,
    (uint64_t)CONNECTIONS_MAX * CONNECTION_BYTES,
    2 * (uint64_t)RECEIVED_BYTES_MAX,
    2 * (uint64_t)MESSAGE_BYTES_MAX + UNPACKED_BYTES_MAX,
    PIECES_BYTES_MAX,
    OUTBOXES_BYTES_MAX,
    (uint64_t)CONNECTIONS_MAX * HIGH_WATER_MESSAGES * SMALL_MESSAGE_BYTES_MAX,
    TEXTS_BYTES_MAX,
    ((uint64_t)TEXT_BYTES_MAX + BRIEF_OPEN_BYTES_MAX) * BPE_RUN_BYTES_A_BYTE +
        sizeof(int32_t) * ((uint64_t)TOKENIZE_IDS_MAX + BRIEF_OPEN_BYTES_MAX),
    RAW_BYTES_MAX,
    CALLS_BYTES_MAX,
    REQUESTS_BYTES_MAX,
    REQUESTS_MAX * sizeof(request) + CALLS_MAX * sizeof(call) + WATCHES_MAX * sizeof(watch) +
        (uint64_t)ENDED_MAX * ENDING_BYTES +
        (uint64_t)(REQUESTS_MAX + CALLS_MAX + 2 * WATCHES_MAX + ENDED_MAX) * sizeof(owner),
    VOCABULARIES_BYTES_MAX,
    2 * (uint64_t)PEERS_MAX * PEER_BYTES + REPORTS_BYTES_MAX + (uint64_t)SAMPLERS_REPORTED_MAX * SAMPLER_BYTES,
    0,
};

/* The numbers in the first column of the table below this heading. How many; 0: there is no such table. */
static size_t page_column(const char *heading, uint64_t out[TERMS_MAX]) {
    char line[1024];
    size_t n = 0;
    bool here = false;
    FILE *page = fopen("proto/PROTOCOL.md", "r");
    assert_non_null(page);
    while (n < TERMS_MAX && fgets(line, sizeof line, page)) {
        if (line[0] == '#') here = strcmp(line, heading) == 0;
        if (here && sscanf(line, "| %lu |", &out[n]) == 1) n++;
    }
    fclose(page);
    return n;
}

static void check(const char *heading, const uint64_t *bytes, uint64_t sum_max) {
    uint64_t page[TERMS_MAX], sum = 0;
    size_t n = page_column(heading, page), i = 0;
    for (; bytes[i]; i++) {
        assert_true(i < n);
        uint64_t n_mib = (bytes[i] + MIB - 1) / MIB;
        if (page[i] != n_mib) print_error("term %zu of the page is %lu, not %lu\n", i, page[i], n_mib);
        assert_int_equal(page[i], n_mib);
        sum += n_mib;
    }
    assert_int_equal(i + 1, n);
    assert_int_equal(page[i], sum);
    assert_true(sum <= sum_max);
}

static void test_tokenizerd(void **state) {
    (void)state;
    if (TINY_LIMITS) skip();
    check("### tokenizerd\n", tokenizerd_bytes, 512);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokenizerd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
