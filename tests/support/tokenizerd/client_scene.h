/* A text link on a socket of its own, a fake client that has joined it, and a fake of its interface that
 * writes down what it is called for (heard.h). */
#ifndef TRIVIUM_TESTS_CLIENT_SCENE_H
#define TRIVIUM_TESTS_CLIENT_SCENE_H

#include "asker.h"
#include "heard.h"
#include "tests/support/link/place.h"
#include "text.pb-c.h"
#include "tokenizerd/links/client_link.h"

typedef struct client_scene {
    loop *loop;
    client_link *link;
    modeld_link *modelds;       /* nobody joins it: for status */
    models *models;
    place meeting, other;       /* of the link, and of the modelds that do not come */
    asker client;
    peer *peer;                 /* the client as the link knows it, of the last event; NULL: it left */
    size_t n_left;
} client_scene;

void client_scene_begin(client_scene *c);
void client_scene_end(client_scene *c);

/* The client says it; what the link made of it, once it is heard. */
const char *client_scene_hears(client_scene *c, Trivium__TextRequest *m, const wire_raw *raw, size_t n_raw);
/* The next message to the client, which must be of this kind. */
const Trivium__TextReply *client_scene_says(client_scene *c, Trivium__TextReply__BodyCase kind);
void client_scene_loses_client(client_scene *c);    /* run the loop until it left */

/* ---- messages ---- */

/* A request of this kind around the message `part`. */
#define TEXT_REQUEST(KIND, field, part) \
    (Trivium__TextRequest){.base = PROTOBUF_C_MESSAGE_INIT(&trivium__text_request__descriptor), \
                           .body_case = TRIVIUM__TEXT_REQUEST__BODY_##KIND, .field = (part)}

ProtobufCBinaryData wire_text(const char *text);                    /* borrowed */

#endif
