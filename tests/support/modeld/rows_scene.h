/* The link of modeld to samplerds between fakes: samplerds, and a server that only takes notes. What the tests
 * of modeld/links/samplerd_link.h share. */
#ifndef TRIVIUM_TESTS_ROWS_SCENE_H
#define TRIVIUM_TESTS_ROWS_SCENE_H

#include "tests/support/modeld/fake_samplerd.h"
#include "tests/support/modeld/vocabulary_model.h"
#include "modeld/links/samplerd_link.h"
#include "tests/support/link/place.h"

enum { ROW_WIDTH = 4, ROW_IDS = 3, ROW_TICKET = 5 };

extern const uint8_t ROW_REQUEST[REQUEST_BYTES + 1];
extern const float ROW[ROW_WIDTH];
extern const int32_t ROW_ID_LIST[ROW_IDS];

typedef struct rows_scene {
    loop *loop;
    place meeting;
    samplers *table;
    shared_rows *shared;        /* one row */
    garbage garbage;
    samplerd_link *link;
    fake_peer fakes[2];
    /* what was called, and with what the last time */
    size_t n_answered, n_glimpsed, n_lost, n_changed;
    sampler *from;
    uint64_t ticket;
    status failed;              /* STATUS_OK: it was drawn, and this: */
    int32_t id;
    uint32_t glimpse_step;
    char why[256];
} rows_scene;

extern rows_scene rows;

int rows_begin(void **state);
int rows_end(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, rows_begin, rows_end)

sampler *rows_join(size_t i, const char *pool, const char *semantics);  /* the fake with this number */
void rows_until(const size_t *n, size_t wanted);    /* run the loop until `*n` is reached */

sample_request rows_request(void);      /* of one row, ROW after ROW_ID_LIST, for ROW_TICKET */
const Trivium__SampleRequest *rows_heard(void);     /* by the first fake */

#endif
