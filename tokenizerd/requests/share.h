/* What one client may have of a table that all share: three times as much as it leaves to the others. Alone it gets
 * three quarters, of two that ask for all each gets three sevenths, and whoever comes later still finds a place. */
#ifndef TRIVIUM_SHARE_H
#define TRIVIUM_SHARE_H

#include <stdbool.h>
#include <stddef.h>

enum { SHARE_FACTOR = 3 };

/* Whether a client that has n_own places may take one more of n_free. */
static inline bool share_allows(size_t n_own, size_t n_free) {
    return n_free > 0 && n_own + 1 <= SHARE_FACTOR * (n_free - 1);
}

#endif
