/* A whole modeld with a tiny model, between a tokenizerd and a samplerd that have joined. */
#ifndef TRIVIUM_TESTS_WHOLE_MODELD_H
#define TRIVIUM_TESTS_WHOLE_MODELD_H

#include "tests/fuzz/input/link_input.h"

/* Once. Fills in who speaks as the tokenizerd and who as the samplerd. */
void whole_modeld_begin(link_speaker *tokenizerd, link_speaker *samplerd);

#endif
