/* A conversation becomes the ids of a prompt, few enough of them: for Render and for Generate. Each try is rendered and
 * encoded whole, because how many ids a message takes depends on what it stands beside. */
#ifndef TRIVIUM_RENDERING_H
#define TRIVIUM_RENDERING_H

#include "proto/net/loop.h"
#include "tokenizerd/links/client_link.h"
#include "tokenizerd/owners/holdings.h"
#include "tokenizerd/requests/kept_rendering.h"
#include "tokenizerd/route/models.h"
#include "tokenizerd/text/encode_queue.h"

typedef struct renderer {           /* what it needs: filled in by its owner, all borrowed */
    encode_queue *encode_queue;
    wakeup *turn;
} renderer;

/* The prompt is there (why NULL), borrowed for the call, or it cannot be. The rendering of `of`, a request or a
 * call, is freed in the call or later. */
typedef void rendering_ended(void *context, void *of, const rendered_prompt *prompt, const failure *why);

typedef struct rendering_listener {
    rendering_ended *ended;
    void *context, *of;             /* what it is called with */
} rendering_listener;

/* Keep a copy of a conversation until its model is here, among the bytes of its owner's calls; `out` holds it from then on.
 * Codes of chat_check, STATUS_BUSY, STATUS_NO_MEMORY. */
status rendering_new(renderer *by, owner *whose, const conversation_order *order, rendering_listener listener,
                     kept_rendering *out, failure *f);
/* Its model is here, and stays while it lives; it may have ended, and be gone, afterwards. */
void rendering_begin(rendering *r, const served_model *m);

#endif
