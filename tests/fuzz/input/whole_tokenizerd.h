/* A whole tokenizerd between a client and a modeld, whose vocabulary it has. */
#ifndef TRIVIUM_TESTS_WHOLE_TOKENIZERD_H
#define TRIVIUM_TESTS_WHOLE_TOKENIZERD_H

#include "tests/fuzz/input/link_input.h"

/* Once. Fills in who speaks as the client and who as the modeld, where they are kept. An input of the modeld's names
 * texts and calls that it has. An input of the client's names a text; before that the modeld answers all that it was
 * asked. */
void whole_tokenizerd_begin(link_speaker *client, link_speaker *modeld);

/* At the beginning of an input: the modeld joins, as a process that was never seen, and brings its vocabulary if it is asked. */
void whole_tokenizerd_has_modeld(void);

/* The client, which has just joined, has a text written, which it watches and tunes, ids scored and a row probed: all of
 * it is at the modeld. */
void whole_tokenizerd_works(void);
/* The client looks at what there is. */
void whole_tokenizerd_is_seen(void);

#endif
