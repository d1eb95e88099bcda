/* The parts of a set follow it: after any change of the set. */
#ifndef TRIVIUM_KEY_SPREAD_H
#define TRIVIUM_KEY_SPREAD_H

#include "key_part.h"

/* The parts of all hosts get the public server keys of the set, the secret ones where they had one, and in
 * authorised/, where they have one, exactly what the set has there. */
status key_spread(const key_set *set, failure *f);

#endif
