/* What the files of this room share; nobody else includes this.
 *
 *   service.c            the daemon's one struct, its turn, what the links say
 *   joining.c            modelds: joining, vocabularies
 *   generating.c         generations
 *   tuning.c             tune, cancel and what owners acknowledge
 *   watching.c           traces of a request for whoever watches it
 *   answering.c          tokenize, detokenize, score, probe
 *   rendering.c          render: conversations become prompts */
#ifndef TRIVIUM_TOKENIZERD_SERVICE_PARTS_H
#define TRIVIUM_TOKENIZERD_SERVICE_PARTS_H

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "service.h"
#include "tokenizerd/links/client_link.h"
#include "tokenizerd/links/modeld_link.h"
#include "tokenizerd/requests/calls.h"
#include "tokenizerd/requests/requests.h"
#include "tokenizerd/requests/watches.h"
#include "tokenizerd/route/models.h"
#include "tokenizerd/text/passages.h"

struct service {
    loop *loop;
    client_link *clients;
    modeld_link *modelds;
    models *models;
    requests *requests;
    calls *calls;
    passages *passages;
    watches *watches;
    int sweep_timer, turn_timer;    /* -1: not set */
    int return_timer;               /* -1: whoever knew a tokenizerd before this one has had time to come back */
    bool models_changed;            /* who waits may go on */
};

/* ---- service.c ---- */

/* In the next turn of the loop: ask for vocabularies, let go on who waits, encode a slice. */
void service_wake(service *s);

/* ---- joining.c ---- */
status modeld_joined(service *s, const modeld_hello *hello, void *record, modeld **out, failure *f);
void modeld_left(service *s, modeld *d);
status modeld_piece(service *s, modeld *d, const vocab_piece *piece, failure *f);
void vocabularies_ask(service *s);
void modelds_returned(void *service);       /* a timer: the time for that is over */

/* ---- generations.c ---- */
void generate_asked(service *s, peer *client, const generate_order *order);
/* It goes on as far as it can: meet its model, be opened at a modeld, or end. It may be gone
 * afterwards. */
void generation_advance(service *s, request *r);
/* Its one Done: everybody is told, then it is gone. `why` is read for FINISH_ERROR. */
void generation_end(service *s, request *r, request_finish finish, const failure *why);
/* Its owner lets it rest after so many steps: nothing is computed, and a higher attempt goes on. */
void generation_pause(service *s, request *r, uint32_t n_steps);
void generation_encoded(void *service, void *request, const failure *why);  /* a passage_encoded */
void generating_of_client_lost(service *s, const peer *client);
void generating_of_modeld_lost(service *s, const modeld *d);
/* Who waited too long ends; who is to be tried again is. */
void generating_look_after(service *s, uint64_t now_us);
/* What a modeld says about one of its requests. */
void generation_token(service *s, const modeld *d, const uint8_t id[REQUEST_BYTES],
                      uint32_t attempt, const request_token *token, const Trivium__Drawn *drawn);
void generation_retuned(service *s, const modeld *d, const uint8_t id[REQUEST_BYTES],
                        uint32_t attempt, uint32_t change, uint32_t from_step);
void generation_closed(service *s, const modeld *d, const uint8_t id[REQUEST_BYTES],
                       uint32_t attempt, request_finish finish, const request_closing *closing,
                       const failure *why);

/* ---- tuning.c ---- */
void tune_asked(service *s, peer *client, const tune_order *order);
void cancel_asked(service *s, peer *client, uint64_t number, const uint8_t *id, size_t n_id_bytes);
void acknowledged(service *s, const peer *client, const uint8_t id[REQUEST_BYTES], uint32_t attempt,
                  uint32_t change);
void paused(service *s, const peer *client, const uint8_t id[REQUEST_BYTES], uint32_t attempt,
            uint32_t n_steps);
void changes_tell(service *s, request *r);      /* its owner of what is due */
void changes_drop(service *s, request *r);      /* at its end: who asked is told */
/* Its model is here: changes that do not fit are dropped, who asked is told. Codes of
 * request_adopt_changes. */
status changes_meet(service *s, request *r, failure *f);

/* ---- watching.c ---- */
void watch_asked(service *s, peer *client, const watch_order *order);
void watch_trace(service *s, const uint8_t id[REQUEST_BYTES], const Trivium__Glimpse *trace);
void watches_of_client_lost(service *s, const peer *client);
void watches_look_after(service *s, uint64_t now_us);   /* last words that are due */

/* ---- answering.c ---- */
/* Take it up, with its text if it has one, or refuse it at once. */
void call_asked(service *s, const call_order *order, const passage_segment *text);
void call_encoded(void *service, void *call, const failure *why);   /* a passage_encoded */
void call_advance(service *s, call *c);         /* as far as it can; it may be gone afterwards */
void calls_of_client_lost(service *s, const peer *client);
void calls_of_modeld_lost(service *s, const modeld *d);
void calls_expire(service *s, uint64_t now_us);
/* What a modeld answers. */
void call_scored(service *s, const modeld *d, uint64_t number, const modeld_scores *scores);
void call_probed(service *s, const modeld *d, uint64_t number, int32_t id,
                 const double *probabilities, size_t n_probabilities);
void call_failed(service *s, const modeld *d, uint64_t number, const failure *why);
void call_end(service *s, call *c);             /* it was answered: it is gone */
void call_refuse(service *s, call *c, const failure *why);

/* ---- rendering.c ---- */
void render_asked(service *s, peer *client, const prompt_order *order);
void render_begin(service *s, call *c);         /* its model is here; it may be gone afterwards */

#endif
