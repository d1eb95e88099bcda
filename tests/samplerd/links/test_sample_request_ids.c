/* The ids of a SampleRequest: one outside the vocabulary is found wherever it stands, in a text of any length, and the
 * first of several is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "samplerd/links/sample_request.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

enum { N_VOCAB = 100, LENGTH_MAX = 200 };

static const float row[N_VOCAB];

/* ids: [n_ids], which lie by themselves, so that nothing may be read after them. */
static status read_ids(const int32_t *ids, uint32_t n_ids, failure *f) {
    Trivium__SampleRequest request = TRIVIUM__SAMPLE_REQUEST__INIT;
    request.n_rows = 1;
    request.n_vocab = N_VOCAB;
    request.n_ids = n_ids;
    wire_message message = {.raw = {{row, sizeof row}, {ids, n_ids * sizeof *ids}}, .n_raw = 2};
    sample_rows rows;
    return sample_request_read(&rows, NULL, &message, &request, f);
}

static void assert_refused(const int32_t *ids, uint32_t n_ids, int32_t outside) {
    char expected[128];
    failure f = {STATUS_OK, ""};
    snprintf(expected, sizeof expected, "id %d is outside the vocabulary, which has %d ids", outside, N_VOCAB);
    assert_int_equal(read_ids(ids, n_ids, &f), STATUS_BAD_ID);
    assert_string_equal(f.message, expected);
}

static void an_id_outside_is_found_wherever_it_stands(void **state) {
    (void)state;
    static const int32_t outside[] = {-1, N_VOCAB, INT32_MIN, INT32_MAX};
    failure f;
    for (uint32_t n = 1; n <= LENGTH_MAX; n += n < 140 ? 1 : 7) {
        int32_t *ids = malloc(n * sizeof *ids);
        assert_non_null(ids);
        for (uint32_t i = 0; i < n; i++) ids[i] = i % 2 ? N_VOCAB - 1 : 0;
        assert_int_equal(read_ids(ids, n, &f), STATUS_OK);
        for (uint32_t at = 0; at < n; at++) {
            int32_t inside = ids[at];
            ids[at] = outside[at % 4];
            assert_refused(ids, n, ids[at]);
            ids[at] = inside;
        }
        free(ids);
    }
}

static void the_first_of_several_is_named(void **state) {
    (void)state;
    int32_t ids[LENGTH_MAX] = {0};
    ids[150] = -7;
    ids[199] = -8;
    assert_refused(ids, LENGTH_MAX, -7);
    ids[70] = N_VOCAB + 5;
    assert_refused(ids, LENGTH_MAX, N_VOCAB + 5);
    ids[69] = N_VOCAB;
    assert_refused(ids, LENGTH_MAX, N_VOCAB);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_outside_is_found_wherever_it_stands),
        cmocka_unit_test(the_first_of_several_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
