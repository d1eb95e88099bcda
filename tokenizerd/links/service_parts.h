/* What service.c and the service_NAME.c share; nobody else includes this.
 *
 *   service.c            the daemon's one struct, its turn, clients and what they say
 *   service_models.c     modelds: joining, vocabularies, what they say
 *   service_generate.c   generations: Generate in, Open and Close to modelds, Token and Closed back
 *   service_tell.c       what their owners are told: Started, Chunks, Done
 *   service_tune.c       tune, cancel and what owners acknowledge
 *   service_watch.c      glimpses of a request for who watches it
 *   service_calls.c      tokenize, detokenize, score, probe
 *   service_render.c     render: conversations become prompts
 *   service_report.c     ps and status */
#ifndef TRIVIUM_TOKENIZERD_SERVICE_PARTS_H
#define TRIVIUM_TOKENIZERD_SERVICE_PARTS_H

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/chain/strategy_wire.h"
#include "proto/net/errors.h"
#include "proto/net/hello.h"
#include "proto/net/peer.h"
#include "proto/net/wire.h"
#include "service.h"
#include "text.pb-c.h"
#include "tokenizerd/requests/calls.h"
#include "tokenizerd/requests/requests.h"
#include "tokenizerd/requests/watches.h"
#include "tokenizerd/route/models.h"
#include "tokenizerd/text/passages.h"
#include "tokens.pb-c.h"


struct service {
    loop *loop;
    peers *clients, *modelds;
    models *models;
    requests *requests;
    calls *calls;
    passages *passages;
    watches *watches;
    Trivium__Hello hello;
    char host[HOST_BYTES];
    uint64_t started_us;
    int sweep_timer, turn_timer;    /* -1: not set */
    int return_timer;               /* -1: whoever knew a tokenizerd before this one has had time to come back */
    bool models_changed;            /* who waits may go on */
    uint64_t refused_last;          /* incarnation of the modeld that was refused last */
    uint64_t n_garbage;             /* messages that were readable and made no sense */
};

/* The owner's record of a modeld: the user of its peer, and the peer of its modeld. */
typedef struct worker {
    peer *peer;
    modeld *modeld;
    Trivium__ModelReport *report;   /* its last one; NULL: none yet */
} worker;

/* ---- service.c ---- */

/* In the next turn of the loop: ask for vocabularies, let go on who waits, encode a slice. */
void service_wake(service *s);
/* A message that is readable and makes no sense: counted; the first is logged. */
void service_garbage(service *s, const char *what);

/* All of these take NULL for a client that is gone: nothing is sent. One that cannot take it is
 * cut, and `left` follows. */
/* A part of a text, or a last word: when it cannot be sent, the client is cut and resumes from what it has. */
void client_tell(service *s, peer *client, Trivium__TextReply *m, const wire_raw *raw,
                 size_t n_raw);
/* The answer to a call: when it cannot be sent, the client is told that. */
void client_answer(service *s, peer *client, uint64_t number, Trivium__TextReply *m,
                   const wire_raw *raw, size_t n_raw);
void client_fail(service *s, peer *client, uint64_t number, const failure *why);

ProtobufCBinaryData bytes_to_wire(const uint8_t *bytes, size_t n_bytes);    /* borrowed */

/* Ids in raw frame `index`, none when it is empty; false: it is missing, or no whole number of ids. */
bool ids_of(const wire_message *m, size_t index, const int32_t **ids, size_t *n_ids);

/* ---- service_models.c ---- */
extern const peers_events modeld_events;    /* context: the service */
void worker_free(worker *w);
void vocabularies_ask(service *s);
void modelds_returned(void *service);       /* a timer: the time for that is over */
/* To a modeld. STATUS_BUSY: it is cut, `left` follows, and what it had goes elsewhere. */
status modeld_send(service *s, const modeld *d, Trivium__TokensRequest *m, const wire_raw *raw,
                   size_t n_raw);
/* The same for what must not be missed: when it cannot be sent, the modeld is cut. */
void modeld_tell(service *s, const modeld *d, Trivium__TokensRequest *m);

/* ---- service_generate.c ---- */
void generate_asked(service *s, peer *client, const Trivium__Generate *m,
                    const wire_message *message);
/* Its Done at once, with this error; the attempt counts as ended. */
void generate_refuse(service *s, peer *client, const Trivium__Generate *m, const failure *why);
/* It goes on as far as it can: meet its model, be opened at a modeld, or end. It may be gone
 * afterwards. */
void generation_advance(service *s, request *r);
/* Its one Done: everybody is told, then it is gone. `why` is read for FINISH_ERROR. */
void generation_end(service *s, request *r, request_finish finish, const failure *why);
/* Its owner lets it rest after so many steps: nothing is computed, and a higher attempt goes on. */
void generation_pause(service *s, request *r, uint32_t n_steps);
void generation_encoded(void *service, void *request, const failure *why);  /* a passage_encoded */
void generations_of_client_lost(service *s, const peer *client);
void generations_of_modeld_lost(service *s, const modeld *d);
/* Who waited too long ends; who is to be tried again is. */
void generations_look_after(service *s, uint64_t now_us);
/* What a modeld says about one of its requests. */
void generation_token(service *s, const modeld *d, const Trivium__Token *m);
void generation_retuned(service *s, const modeld *d, const Trivium__Retuned *m);
void generation_closed(service *s, const modeld *d, const Trivium__Closed *m);

/* ---- service_tell.c ---- */
void tell_started(service *s, const request *r, bool has_own_bos);
void tell_token(service *s, const request *r, const Trivium__Token *m, const stream_text *shown);
bool tell_rest(service *s, request *r);         /* what was held back is let go; with it a stop came */
/* Its request, attempt, reason and timings are filled in; `why` is read for an error. */
void tell_done(service *s, peer *client, Trivium__Done *done, const failure *why);
/* A modeld says its share in Closed; where it was not asked or is gone, the first token's arrival
 * bounds it. */
Trivium__Timings timings_of(const request *r, uint64_t now_us);
/* The same with the text of its id and of each candidate, which `v` and the caller of this own. The caller
 * frees out->candidates alone. STATUS_NO_MEMORY. */
status drawn_with_text(const vocab *v, const Trivium__Drawn *drawn, Trivium__Drawn *out);

/* ---- service_tune.c ---- */
void tune_asked(service *s, peer *client, const Trivium__Tune *m);
void cancel_asked(service *s, peer *client, const Trivium__Cancel *m);
void acknowledged(service *s, const peer *client, const Trivium__Acknowledge *m);
void paused(service *s, const peer *client, const Trivium__Pause *m);
void changes_tell(service *s, request *r);      /* its owner of what is due */
void changes_drop(service *s, request *r);      /* at its end: who asked is told */
/* Its model is here: changes that do not fit are dropped, who asked is told. Codes of
 * request_adopt_changes. */
status changes_meet(service *s, request *r, failure *f);

/* ---- service_watch.c ---- */
void watch_asked(service *s, peer *client, const Trivium__Watch *m);
void watch_glimpse(service *s, const Trivium__Glimpse *m);
void watches_of_client_lost(service *s, const peer *client);
void watches_look_after(service *s, uint64_t now_us);   /* last words that are due */

/* ---- service_calls.c ---- */
void tokenize_asked(service *s, peer *client, const Trivium__Tokenize *m);
void detokenize_asked(service *s, peer *client, const Trivium__Detokenize *m,
                      const wire_message *message);
void score_asked(service *s, peer *client, const Trivium__Score *m, const wire_message *message);
void probe_asked(service *s, peer *client, const Trivium__Probe *m, const wire_message *message);
void call_encoded(void *service, void *call, const failure *why);   /* a passage_encoded */
void call_advance(service *s, call *c);         /* as far as it can; it may be gone afterwards */
void calls_of_client_lost(service *s, const peer *client);
void calls_of_modeld_lost(service *s, const modeld *d);
void calls_expire(service *s, uint64_t now_us);
/* What a modeld answers. */
void call_scored(service *s, const modeld *d, const Trivium__ScoredIds *m,
                 const wire_message *message);
void call_probed(service *s, const modeld *d, const Trivium__ProbedRow *m,
                 const wire_message *message);
void call_failed(service *s, const modeld *d, const Trivium__CallFailed *m);

/* Take it up, with its text if it has one, or refuse it at once. */
void call_take(service *s, const call_order *order, const passage_segment *text);
/* Its one answer; then it is gone. */
void call_answer(service *s, call *c, Trivium__TextReply *m, const wire_raw *raw, size_t n_raw);
void call_refuse(service *s, call *c, const failure *why);

/* ---- service_render.c ---- */
void render_asked(service *s, peer *client, const Trivium__Render *m);
void render_begin(service *s, call *c);         /* its model is here; it may be gone afterwards */

/* ---- service_report.c ---- */
void list_asked(service *s, peer *client, const Trivium__List *m);
void status_asked(service *s, peer *client, const Trivium__StatusQuery *m);

#endif
