/* modeld between its two links, without its main.c: a fake tokenizerd has asked, fake samplerds draw, and the test computes. */
#ifndef TRIVIUM_TESTS_SAMPLING_SCENE_H
#define TRIVIUM_TESTS_SAMPLING_SCENE_H

#include "modeld/serve/sampling.h"
#include "tests/support/modeld/fake_samplerd.h"
#include "tests/support/modeld/sequence_world.h"
#include "tests/support/modeld/tokens_scene.h"

enum { LONG_MS = WAIT_MS_MAX, SHORT_MS = 30, DRAWING_PATIENCE_S = 600 };

typedef struct sampling_scene {
    world *world;
    place meeting;              /* where samplerds join */
    samplers *table;
    endings endings;
    uint64_t n_texts;
    departing *departing;
    wakeup turn;
    size_t n_turns;
    tokenizerds *tokenizerds;   /* none: what is told goes to tokens.fakes[0] */
    sampling *sampling;
    fake_peer fakes[STEP_LOSSES_MAX + 1];
} sampling_scene;

extern sampling_scene drawing;

/* Before and after each test, of a group that opens the model of vocabulary_model.h. */
int drawing_begin(void **state);
int drawing_end(void **state);
void drawing_open(uint32_t step_deadline_ms);   /* in place of one with LONG_MS, which was freed */

void drawing_join(size_t i);                    /* the samplerd with this number: "fake", of "rules/1" */
sequence *drawing_text(uint32_t wait_ms);       /* a prompt of two ids and at most three new ones, computed: its row waits */
uint64_t drawing_ticket(size_t i);              /* of the next row that this samplerd hears of */

/* What the tokenizerd hears next, which must be of this kind. */
const Trivium__TokensReply *drawing_told(Trivium__TokensReply__BodyCase body);
#define TOLD(body) drawing_told(TRIVIUM__TOKENS_REPLY__BODY_##body)
void drawing_closed_by_error(Trivium__Code code, const char *word);     /* the last of all sequences */

#endif
