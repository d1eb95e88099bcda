/* A table of requests with a model and a modeld beside it, and requests as far as a test needs them. What does
 * not come as it should fails the test. */
#ifndef TRIVIUM_TESTS_REQUEST_WORLD_H
#define TRIVIUM_TESTS_REQUEST_WORLD_H

#include "tests/support/models/fake_serving.h"
#include "tokenizerd/requests/requests.h"

enum { WORLD_STEPS = 10 };      /* max_new_tokens */

typedef struct world {
    owners *owners;
    requests *table;
    modeld *modeld;
    served_model *model;
    model_facts facts;
    strategy plain;             /* temperature 0.8 */
} world;

int world_setup(void **state);      /* for cmocka; *state is the world */
int world_teardown(void **state);   /* whatever is left in the table must have let go of model and modeld */

/* A fresh order that nothing is wrong with; its id is all `name`. */
request_order world_order(const world *w, uint8_t name, uint32_t attempt);

request *world_add(world *w, const request_order *order);       /* ENCODING */
request *world_waiting(world *w, const request_order *order);   /* with the prompt "say" */
request *world_running(world *w, const request_order *order);

/* The ids of a text, byte by byte; how many. */
size_t world_ids(const char *text, int32_t *ids);

/* The next token is this byte; what is shown with it goes to `text`. */
status world_draw(request *r, uint8_t byte, char *text, bool *kept);
/* These bytes are drawn and kept, and just this is shown. */
void world_draws(request *r, const char *bytes, const char *expected);

#endif
