/* A conversation on its way to a prompt, as the call or request that it is for keeps it. */
#ifndef TRIVIUM_KEPT_RENDERING_H
#define TRIVIUM_KEPT_RENDERING_H

#include <stddef.h>

typedef struct rendering rendering;     /* only the service knows it */

typedef struct kept_rendering {
    rendering *rendering;       /* owned; NULL: none */
    void (*free)(rendering **r);
} kept_rendering;

static inline void kept_rendering_free(kept_rendering *k) {
    if (k->rendering) k->free(&k->rendering);
}

#endif
