/* A loop whose handlers write down that they were called, a letter each. */
#ifndef TRIVIUM_TESTS_NOTED_LOOP_H
#define TRIVIUM_TESTS_NOTED_LOOP_H

#include "proto/net/loop.h"

extern loop *noted_loop;
extern char events[256];            /* one letter a call */

/* Before and after each test; cmocka's set-up and teardown. */
int loop_make(void **state);
int loop_end(void **state);
#define ON_LOOP(test) cmocka_unit_test_setup_teardown(test, loop_make, loop_end)

void note(void *letter);            /* a text of one letter, as of the two below */
void note_and_stop(void *letter);
void stop(void *unused);

#endif
