/* The whole of tokenizerd but its main.c, on sockets of its own, between a fake client and fake modelds: what the
 * test has each of them say, and what it is told then. */
#ifndef TRIVIUM_TESTS_SERVICE_SCENE_H
#define TRIVIUM_TESTS_SERVICE_SCENE_H

#include "asker.h"
#include "tests/support/link/place.h"
#include "tokenizerd/serve/service.h"
#include "wire_messages.h"

enum { SCENE_BYTE = 3 };        /* the id of a byte's token is this much more than the byte */

typedef struct service_scene {
    loop *loop;
    service *service;
    place clients_at, modelds_at;
    asker client;               /* it has joined */
    asker modelds[2];           /* of "m", with a vocabulary of bytes; they have not joined */
    Trivium__ModelOffer offer;
    Trivium__DefaultModel first;
    bool has_vocabulary;        /* somebody brought it */
    bool hears_waits;           /* the client's Waiting counts */
} service_scene;

extern service_scene tokenizerd;

/* Before and after each test; cmocka's set-up and teardown. */
int service_scene_begin(void **state);
int service_scene_end(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, service_scene_begin, service_scene_end)

void modeld_joins(asker *modeld);           /* and brings its vocabulary, if it is asked */
/* That vocabulary, a piece after the other; each is valid for the call. */
typedef void vocabulary_bearer(void *context, Trivium__VocabularyPiece *piece);
void scene_vocabulary(vocabulary_bearer *bring, void *context);
void modeld_reports(asker *modeld, const char *pool);   /* one samplerd, of this pool; NULL: none */
void modeld_sends_report(asker *modeld, const char *pool);      /* the same, which nobody has heard yet */
void modeld_leaves(asker *modeld);          /* it may join again */

/* ---- saying: returns when it is heard ---- */

void client_says(Trivium__TextRequest m, const wire_raw *raw, size_t n_raw);
void client_asks_to_score(uint64_t call, uint32_t wait_ms);    /* the text "a", of the model that all modelds have */
void client_asks_to_probe(uint64_t call);                       /* three logits, the same */
void modeld_says(asker *modeld, Trivium__TokensReply m, const wire_raw *raw, size_t n_raw);

/* ---- hearing: the next message, which must be of this kind; valid until the next one ---- */

const Trivium__TextReply *client_hears(Trivium__TextReply__BodyCase kind);
const Trivium__TokensRequest *modeld_hears(asker *modeld, Trivium__TokensRequest__BodyCase kind);
#define TOLD(KIND) client_hears(TRIVIUM__TEXT_REPLY__BODY_##KIND)
#define ASKED(modeld, KIND) modeld_hears((modeld), TRIVIUM__TOKENS_REQUEST__BODY_##KIND)
/* Raw frame 0 of what was heard last, as the text whose bytes it is; valid until the next call. */
const char *heard_as_text(asker *a);

#endif
