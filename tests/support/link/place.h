/* Where two sides of a link meet in a test: an ipc endpoint in a folder of its own. */
#ifndef TRIVIUM_TESTS_PLACE_H
#define TRIVIUM_TESTS_PLACE_H

#include <stdbool.h>

typedef struct place {
    char folder[64];
    char address[96];           /* "ipc://FOLDER/socket" */
} place;

/* A new folder; what cannot be made fails the test. */
void place_make(place *p);

/* Remove it. False: something is left in it, such as a lock that nobody gave back. The file of a socket is
 * not: ZeroMQ removes its own some time after it was closed. */
bool place_remove(place *p);

#endif
