/* The parts of a set follow it: after any change of the set. */
#ifndef TRIVIUM_KEY_SPREAD_H
#define TRIVIUM_KEY_SPREAD_H

#include <stdbool.h>

#include "key_part.h"

/* Was this part of a host ever brought up to date? If not it is new, or whoever made it was interrupted. */
bool key_spread_reached(const key_part *part);

/* Bring this part up to date, a new one, too: it gets the public server keys of the set, the secret ones where it had one, and in
 * authorised/, where it has one, exactly what the set has there. */
status key_spread_to(const key_part *part, failure *f);
/* The same of the parts of all hosts, but for those that never were. */
status key_spread(const key_set *set, failure *f);

#endif
