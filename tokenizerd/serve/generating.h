/* Generations, from Generate to Done: text or messages to ids, ids to a modeld, its tokens back as text. Each request
 * has one state (requests/request.h); here its messages are mapped to that, and what it decides is carried
 * out. */
#ifndef TRIVIUM_GENERATING_H
#define TRIVIUM_GENERATING_H

#include "leaving.h"
#include "rendering.h"
#include "tokenizerd/links/client_link.h"
#include "tokenizerd/links/modeld_link.h"
#include "tokenizerd/requests/requests.h"
#include "tokenizerd/requests/watches.h"
#include "tokenizerd/route/models.h"
#include "tokenizerd/text/encode_queue.h"

typedef struct generating {         /* what it needs: filled in by its owner, all borrowed */
    client_link *clients;
    modeld_link *modelds;
    const models *models;
    requests *requests;
    watches *watches;               /* read for what Open asks for; told when a request ends or goes on */
    encode_queue *encode_queue;
    wakeup *turn;
    renderer *renderer;
    leaving *leaving;               /* told of each end */
} generating;

/* ---- what clients ask ---- */

void generating_generate(generating *g, const sender *who, const generate_order *order);
/* Nothing is computed from step n_steps on, until a higher attempt goes on with it. */
void generating_pause(generating *g, const peer *client, const uint8_t id[REQUEST_BYTES],
                      uint32_t attempt, uint32_t n_steps);
void generating_cancel(generating *g, const sender *who, uint64_t number, const uint8_t *id,
                       size_t n_id_bytes);
void generating_client_left(generating *g, const peer *client);

/* ---- what modelds say ---- */

void generating_token(generating *g, const modeld *d, named_text name, const request_token *token,
                      const Trivium__Drawn *drawn);
void generating_retuned(generating *g, const modeld *d, named_text name, uint32_t change, uint32_t from_step);
void generating_queued(generating *g, const modeld *d, named_text name, bool over);
void generating_closed(generating *g, const modeld *d, named_text name, request_finish finish,
                       const request_closing *closing, const failure *why);
bool generating_awaits(const generating *g, const served_model *m);     /* has a text met it, and is not at a modeld? */
void generating_modeld_left(generating *g, const modeld *d);    /* they go on elsewhere in the next turn */
/* Modelds of this model have others than before: a text whose modeld has none for it goes where there is one. */
void generating_samplers_changed(generating *g, const served_model *m);

/* ---- from the loop, and from other modules ---- */

void generating_go_on(generating *g);       /* models have come: what waits for one goes on */
/* What waited too long ends; what is to be tried again is tried. */
void generating_sweep(generating *g, uint64_t now_us);
/* The one Done of a live request: everybody is told, then it is gone. `why` is told for FINISH_ERROR, and logged;
 * NULL: there is nothing to say. */
void generating_end(generating *g, request *r, request_finish finish, const failure *why);

#endif
