/* A folder in which a test has keys made (proto/net/keys/key_set.h), and what lies there by its path below the folder. What is
 * not as it is asked for fails the test. */
#ifndef TRIVIUM_TESTS_SET_FOLDER_H
#define TRIVIUM_TESTS_SET_FOLDER_H

#include <stdbool.h>

#include "proto/net/keys/key_pair.h"

extern char set_folder[64];

/* A new one, and its end: cmocka's set-up and teardown. */
int set_folder_begin(void **state);
int set_folder_end(void **state);

const char *at(const char *name);       /* its path; valid for three calls more */
bool is_there(const char *name);
key_pair pair_of(const char *name, bool is_secret);
void assert_one_key(const char *one, const char *other);

#endif
