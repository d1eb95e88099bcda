/* A client link on a socket of its own, a fake client that has joined it, and a fake of its interface that
 * writes down what it is called for (heard.h). */
#ifndef TRIVIUM_TESTS_CLIENT_SCENE_H
#define TRIVIUM_TESTS_CLIENT_SCENE_H

#include "asker.h"
#include "heard.h"
#include "tests/support/link/place.h"
#include "tokenizerd/links/client_link.h"
#include "wire_messages.h"

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

extern client_scene clients;

/* Before and after each test; cmocka's set-up and teardown. */
int client_scene_begin(void **state);
int client_scene_end(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, client_scene_begin, client_scene_end)

/* The client says it; what the link made of it, once it is heard. */
const char *client_scene_hears(Trivium__TextRequest *m, const wire_raw *raw, size_t n_raw);
/* The next message to the client, which must be of this kind. */
const Trivium__TextReply *client_scene_says(Trivium__TextReply__BodyCase kind);
void client_scene_loses_client(void);    /* run the loop until it left */

#endif
