/* The logits link of samplerd between a modeld that is played by a bare socket and a sampler that notes what it is
 * asked and answers what was set. */
#ifndef TRIVIUM_TESTS_LOGITS_SCENE_H
#define TRIVIUM_TESTS_LOGITS_SCENE_H

#include <stddef.h>
#include <stdint.h>

#include "tests/support/link/fake_peer.h"
#include "logits.pb-c.h"
#include "tests/support/link/place.h"
#include "proto/base/limits.h"
#include "proto/net/loop.h"
#include "proto/rows/shared_rows.h"
#include "samplerd/links/logits_link.h"

enum { SCENE_VOCAB = 6, SCENE_ROWS = 2, SCENE_IDS = 3, TICKET = 41, STEP = 7 };
extern const float SCENE_LOGITS[SCENE_ROWS * SCENE_VOCAB];
extern const int32_t SCENE_ID_LIST[SCENE_IDS];

typedef struct noting_sampler {
    size_t n_calls;
    size_t n_orders;            /* to drain */
    sample_rows rows;           /* of the last call; what it points to is copied below */
    float logits[SCENE_ROWS * SCENE_VOCAB];
    scored_row scored[SCENE_ROWS];
    int32_t ids[SCENE_IDS], given[SCENE_ROWS];
    uint8_t state[8];
    size_t n_stages;             /* stages of its strategy */
    double temperature;         /* the first number of its first stage */

    /* to be set: */
    status answer;
    sample_result results[SCENE_ROWS];
    double probabilities[SCENE_VOCAB];
    void (*meanwhile)(void);    /* NULL, or what happens while it draws */
} noting_sampler;

/* What there is in a test. */
typedef struct logits_scene {
    loop *loop;
    threads *threads;           /* one: nothing is drawn beside anything else */
    place meeting;
    fake_peer modeld;           /* bound; the link's Hello is what it heard last */
    noting_sampler sampler;
    logits_link *link;
} logits_scene;
extern logits_scene scene;

/* Before and after each test; cmocka's set-up and teardown. */
int scene_begin(void **state);
int scene_end(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_begin, scene_end)

/* A link of this name to `address`; it maps rows where it can. */
logits_link *scene_join(const char *address, const char *name);

/* A link in place of the scene's, which draws so; its Hello was heard. */
void scene_draw_with(threads *draw_threads, logits_calls calls);

void scene_accept(void);                    /* the modeld answers Hello */
void scene_offer(const shared_rows *rows);  /* … and offers these, which this process has made */
void scene_share(const shared_rows *rows);  /* … and hears that they are mapped */

/* A request in all its parts: good as it is made, to be made wrong. */
typedef struct order {
    Trivium__SampleRequest sample;
    wire_raw raw[FRAMES_MAX + 1];
    size_t n_raw;
} order;

order order_good(void);                     /* one row of SCENE_VOCAB logits after SCENE_IDS ids */
void order_set_rows(order *o, uint32_t n_rows);     /* … of SCENE_ROWS at most */
void order_send(order *o, fake_peer *modeld);

/* Send it from the modeld and wait for the reply, which is valid until the modeld hears something else. */
const Trivium__SampleReply *order_answer(order *o);
const Trivium__SampleReply *heard_reply(fake_peer *modeld);

#endif
