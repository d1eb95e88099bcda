/* Messages that are readable but make no sense: counted, never a reason to stop. */
#ifndef TRIVIUM_MODELD_GARBAGE_H
#define TRIVIUM_MODELD_GARBAGE_H

#include <stdint.h>

typedef struct garbage {
    uint64_t n_messages;
} garbage;

void garbage_count(garbage *g, const char *message); /* the first one is logged, by this name */

#endif
