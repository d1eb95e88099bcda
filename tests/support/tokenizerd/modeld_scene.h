/* A modeld link on a socket of its own, a fake modeld that has joined it, and a fake of its interface that
 * writes down what it is called for (heard.h). */
#ifndef TRIVIUM_TESTS_MODELD_SCENE_H
#define TRIVIUM_TESTS_MODELD_SCENE_H

#include "asker.h"
#include "heard.h"
#include "tests/support/link/place.h"
#include "tokenizerd/links/modeld_link.h"
#include "wire_messages.h"

typedef struct modeld_scene {
    loop *loop;
    modeld_link *link;
    models *models;
    place meeting;
    asker fake;                 /* "m", with the offer */
    Trivium__ModelOffer offer;
    modeld *modeld;             /* the fake as the link knows it; NULL: it left, or has not joined */
    size_t n_left;
    status answer;              /* to a Hello, and to a piece of a vocabulary */
    const char *ask_at_once;    /* for a vocabulary, from within `joined`; NULL: do not */
} modeld_scene;

extern modeld_scene modelds;

/* Before and after each test; cmocka's set-up and teardown. */
int modeld_scene_begin(void **state);       /* nobody has joined */
int modeld_scene_begin_joined(void **state);
int modeld_scene_end(void **state);

/* The modeld says it; what the link made of it, once it is heard. */
const char *modeld_scene_hears(Trivium__TokensReply *m, const wire_raw *raw, size_t n_raw);
/* The next message to the modeld, which must be of this kind. */
const Trivium__TokensRequest *modeld_scene_says(Trivium__TokensRequest__BodyCase kind);
void modeld_scene_loses_modeld(void);    /* run the loop until it left */

#endif
