/* A whole modeld with a tiny model, between a tokenizerd and a samplerd that have joined. */
#ifndef TRIVIUM_TESTS_WHOLE_MODELD_H
#define TRIVIUM_TESTS_WHOLE_MODELD_H

#include "tests/fuzz/input/link_input.h"

/* Once. Fills in who speaks as the tokenizerd and who as the samplerd, where they are kept. An input of the samplerd's
 * names tickets that are out: before one is named that was named already, the modeld has its turns. An input of the
 * tokenizerd's names the text below: before it is named, the modeld has its turns and the samplerd answers. */
void whole_modeld_begin(link_speaker *tokenizerd, link_speaker *samplerd);

/* The tokenizerd, which has just joined, has a text written, ids scored and a row probed, and all three are at the
 * samplerd. */
void whole_modeld_works(void);

#endif
