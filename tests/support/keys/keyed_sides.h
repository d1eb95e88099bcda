/* Two peers over tcp with keys: the sides of tests/support/link/sides.h on the logits link, each with a folder of keys. */
#ifndef TRIVIUM_TESTS_KEYED_SIDES_H
#define TRIVIUM_TESTS_KEYED_SIDES_H

#include "key_folder.h"
#include "tests/support/link/sides.h"

extern key_folder here, there;          /* of the bound side, of the joining one */
extern key_pair server, joiner;
extern keys *bound_keys, *joining_keys;
extern char bound_address[ENDPOINT_BYTES_MAX];

/* A server, and a joiner that knows it. Before and after each test; cmocka's set-up and teardown. */
int keyed_sides_begin(void **state);
int keyed_sides_end(void **state);
#define KEYS_TEST(name) cmocka_unit_test_setup_teardown(name, keyed_sides_begin, keyed_sides_end)

void authorise(const char *rights);     /* the joiner, here */
void open_bound(void);
void open_both(void);
void join_both(void);                   /* until both have joined */

bool down_is_refused(void);

#endif
