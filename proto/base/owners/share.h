/* What one owner may have of a table, or of a number of bytes, that all share: three times as much as it leaves to the
 * others. Alone it gets three quarters, of two that ask for all each gets three sevenths, and whoever comes later still
 * finds a place. */
#ifndef TRIVIUM_SHARE_H
#define TRIVIUM_SHARE_H

#include <stdbool.h>
#include <stddef.h>

enum { SHARE_FACTOR = 3 };

/* Whether an owner that has n_own may take n more of n_free: what is there, where it has nothing yet; else its share. */
static inline bool share_allows(size_t n_own, size_t n, size_t n_free) {
    if (n > n_free) return false;
    return n_own == 0 || n_own + n <= SHARE_FACTOR * (n_free - n);
}

#endif
