/* Each allocation of the code under test fails once. Its calls of malloc and the like are renamed to those
 * here (see the Makefile), in the libraries alone: tests, czmq and all else keep theirs.
 *
 * The program is run once to see from where memory is asked for: a place is the last few callers, by function
 * and line, as far as they are not the test's. Then, for each place that no program before has taken, the test
 * that came there first is run in a process of its own, in which that one call gets no memory. A test may fail
 * by an assertion then, which ends the process; a signal, a sanitizer's report or a leak is a fault. */
#ifndef TRIVIUM_TESTS_NOMEM_H
#define TRIVIUM_TESTS_NOMEM_H

#include <stdbool.h>

enum { NOMEM_CALLERS = 8 };     /* that tell one place from another */

/* True: the call that is made now, by whoever is at `frame` (__builtin_frame_address(0) of the renamed
 * function), is to fail. */
bool nomem_fails(void *const *frame);

#endif
