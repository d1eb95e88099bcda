/* A modeld link on a socket of its own, a fake modeld that has joined it, and a fake of its interface that
 * writes down what it is called for (heard.h). */
#ifndef TRIVIUM_TESTS_MODELD_SCENE_H
#define TRIVIUM_TESTS_MODELD_SCENE_H

#include "asker.h"
#include "heard.h"
#include "tests/support/link/place.h"
#include "tokens.pb-c.h"
#include "tokenizerd/links/modeld_link.h"

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

void modeld_scene_begin(modeld_scene *c);   /* nobody has joined */
void modeld_scene_join(modeld_scene *c);
void modeld_scene_end(modeld_scene *c);

/* The modeld says it; what the link made of it, once it is heard. */
const char *modeld_scene_hears(modeld_scene *c, Trivium__TokensReply *m, const wire_raw *raw, size_t n_raw);
/* The next message to the modeld, which must be of this kind. */
const Trivium__TokensRequest *modeld_scene_says(modeld_scene *c, Trivium__TokensRequest__BodyCase kind);
void modeld_scene_loses_modeld(modeld_scene *c);    /* run the loop until it left */

/* A reply of this kind around the message `part`. */
#define TOKENS_REPLY(KIND, field, part) \
    (Trivium__TokensReply){.base = PROTOBUF_C_MESSAGE_INIT(&trivium__tokens_reply__descriptor), \
                           .body_case = TRIVIUM__TOKENS_REPLY__BODY_##KIND, .field = (part)}

#endif
