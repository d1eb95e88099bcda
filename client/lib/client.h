/* The connection to a tokenizerd, in plain C types: calls, and generations, which are resumed when
 * their tokenizerd is lost. Several endpoints are tried in turn. A tokenizerd that drains is left for the next one once
 * nothing is under way there; what is new waits until then. All handlers run in the loop's thread. */
#ifndef TRIVIUM_CLIENT_H
#define TRIVIUM_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "call.h"
#include "generation.h"
#include "proto/base/status.h"
#include "proto/net/loop.h"
#include "watch.h"

typedef struct client client;

typedef void client_waiting(void *context, const char *sentence, bool in_text);

typedef struct client_options {
    const char *const *endpoints;   /* [n_endpoints], borrowed for the life of the client */
    size_t n_endpoints;         /* 0: the runtime folder's */
    const char *keys_folder;    /* for endpoints over tcp; NULL: there is none */
    bool insecure;              /* tcp without keys is allowed */
    uint32_t wait_ms;           /* for a tokenizerd, and there for other missing daemons; 0: not at all */
    bool has_own_wait;          /* somebody asked for this wait: it is kept for a model that nobody knows, too */
    /* On behalf of whom all is asked, which only a client that may name owners can; borrowed as above. NULL: in its own name. */
    const char *owner;
    /* NULL, or called from the loop, once for each wait of a text, call or watch that is longer than a second:
     * `sentence` says what is waited for. in_text: in the middle of a text, some of which has come. */
    client_waiting *waiting;
    void *context;              /* of waiting */
} client_options;

/* From now on `waiting` is called for it, as that of client_options; NULL: nothing is told. */
void client_set_waiting(client *c, client_waiting *waiting, void *context);

/* Begin to join; *out is the caller's. STATUS_BAD_REQUEST for an endpoint that is none, STATUS_NO_MEMORY, or
 * why there is no runtime folder. */
status client_open(client **out, const client_options *options, failure *f);
void client_close(client **c);      /* says Leave; no handler is called from here on. NULL is fine */

loop *client_loop(const client *c); /* for timers and descriptors of one's own, and loop_stop */

/* Ask; `handler` is called once, from the loop. When no tokenizerd came within the wait, this and
 * every later call fails with STATUS_NO_TOKENIZERD. Fails at once, without the handler, for
 * STATUS_TOO_LONG, STATUS_NO_MEMORY, or when the wait is over already. */
status client_call(client *c, const question *asked, answer_handler *handler, void *context,
                   failure *f);

/* Ask and run the loop until the answer is there; `handler` sees it when it is a good one. Else its
 * code and sentence are in `f`; STATUS_CANCELLED after Ctrl-C. */
status client_ask(client *c, const question *asked, answer_handler *handler, void *context,
                  failure *f);
/* The same, but for no longer than patience_ms once a tokenizerd has been asked: then it is STATUS_TIMEOUT, and the answer
 * is not wanted any more. */
status client_ask_within(client *c, uint32_t patience_ms, const question *asked, answer_handler *handler, void *context,
                         failure *f);

/* Begin a generation; others may be under way, each with a request id of its own. The request and
 * what it points to are borrowed until `done`. Fails at once, without a `done`: STATUS_BUSY at
 * GENERATIONS_MAX, STATUS_NO_MEMORY, STATUS_TOO_LONG, or as client_call when the wait is over. */
status client_generate(client *c, const generation_request *request,
                       const generation_events *events, void *context, failure *f);

/* End the generation with this id, if it is under way; `done` comes from the loop, with what the
 * daemons say or without them after a moment. */
void client_cancel(client *c, const uint8_t request[REQUEST_BYTES]);

/* Let it rest: it is not computed, and nothing comes of it until it is resumed; then it goes on after the
 * last token that came. */
void client_pause(client *c, const uint8_t request[REQUEST_BYTES]);
void client_resume(client *c, const uint8_t request[REQUEST_BYTES]);
/* One that rests is to go on with another strategy, as strategy_change makes it. Returns the whole one, valid
 * until it is resumed; NULL: see f, codes of strategy_change. */
const strategy *client_change(client *c, const uint8_t request[REQUEST_BYTES],
                              const strategy *stages, bool replace, failure *f);

/* Begin to watch a request, one at a time. `request` is borrowed until `over`. */
status client_watch(client *c, const watch_request *request, const watch_events *events,
                    void *context, failure *f);

#endif
