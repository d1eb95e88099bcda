/* A link of modeld to a tokenizerd between two fakes: the tokenizerd, and those who serve what it asks, who
 * only take notes. What the tests of modeld/links/tokenizerd_link.h and tokenizerd_answer.h share. */
#ifndef TRIVIUM_TESTS_TOKENS_SCENE_H
#define TRIVIUM_TESTS_TOKENS_SCENE_H

#include "tests/support/modeld/vocabulary_model.h"
#include "tests/support/link/fake_peer.h"
#include "modeld/links/tokenizerd_link.h"
#include "tests/support/link/place.h"

enum { NOTED_IDS_MAX = 8 };

/* What was called, how often, and with what the last time. Jobs are copied, as far as they fit. */
typedef struct server_notes {
    size_t n_opened, n_retuned, n_watched, n_closed, n_called, n_calls_closed, n_over, n_refused;
    job asked;              /* its pointers lead nowhere any more, but for the owner */
    int32_t ids[NOTED_IDS_MAX], end_ids[NOTED_IDS_MAX];
    float row[NOTED_IDS_MAX];
    char pool[64], session[64], semantics[64], state[64], traceparent[64];
    uint8_t request[REQUEST_BYTES];
    uint32_t attempt, change, n_watched_asked;
    uint64_t closed_call, drained_call;
    uint64_t joined;        /* the incarnation of whoever joined last; 0: it was lost */
    size_t n_drains;
    size_t n_stages;         /* stages of the strategy; 0 where it cannot be read */
    double temperature;     /* its first number */
    status unreadable;      /* STATUS_OK: it can be read */
    tokenizerd_link *from;
    failure refusal;
} server_notes;

typedef struct tokens_scene {
    loop *loop;
    model *model;           /* a tiny one */
    report *report;         /* of FIGURE, and no samplers */
    samplers *no_samplers;
    garbage garbage;
    place meetings[2];
    fake_peer fakes[2];     /* the tokenizerds; the second one is there when tokens_second was called */
    tokenizerd_link *links[2];
    server_notes notes;
} tokens_scene;

enum { FIGURE = 7 };        /* each figure of the report */

extern tokens_scene tokens;

/* Of the model of vocabulary_model.h, which the group opens. */
int tokens_begin(void **state);          /* the link has said Hello to the first fake */
int tokens_end(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, tokens_begin, tokens_end)

void tokens_accept(void);                /* the first fake says Hello, too: they are joined */
void tokens_second(void);                /* another link to another fake, joined */
void tokens_replace(void);               /* the first link is another one, which says that it replaces a model */
void tokens_bind_again(void);            /* the first fake was killed, and another one has its place */

/* Run the loop until `*n` has reached `wanted`; a failure if it does not. */
void tokens_until(const size_t *n, size_t wanted);
/* All that the first fake has sent is taken: it closes a text that nobody has, and this comes. */
void tokens_settle(void);

void tokenizerd_says(fake_peer *f, Trivium__TokensRequest *m, const wire_raw *raw, size_t n_raw);
const Trivium__TokensReply *tokenizerd_hears(fake_peer *f); /* the next body that comes */

#endif
