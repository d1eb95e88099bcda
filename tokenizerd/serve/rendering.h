/* Render: a conversation becomes the ids of a prompt, few enough of them. Each try is rendered and encoded
 * whole, because how many ids a message takes depends on what it stands beside. */
#ifndef TRIVIUM_RENDERING_H
#define TRIVIUM_RENDERING_H

#include "tokenizerd/links/client_link.h"
#include "tokenizerd/requests/calls.h"
#include "tokenizerd/route/models.h"
#include "tokenizerd/text/encode_queue.h"
#include "turn.h"

typedef struct renderer {           /* what it needs: filled in by its owner, all borrowed */
    client_link *clients;
    calls *calls;
    encode_queue *encode_queue;
    turn *turn;
} renderer;

/* Take it up as a call, or refuse it at once: NULL. */
call *renderer_take(renderer *by, peer *client, const prompt_order *order);
/* The model of this call is here; the call may be answered, and gone, afterwards. */
void renderer_begin(renderer *by, call *c);

#endif
