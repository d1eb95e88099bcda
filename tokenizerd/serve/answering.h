/* Calls: tokenize, detokenize, render, score, probe. Each gets exactly one answer. */
#ifndef TRIVIUM_ANSWERING_H
#define TRIVIUM_ANSWERING_H

#include "leaving.h"
#include "rendering.h"
#include "tokenizerd/links/modeld_link.h"
#include "tokenizerd/route/models.h"

typedef struct answering {          /* what it needs: filled in by its owner, all borrowed */
    client_link *clients;
    modeld_link *modelds;
    const models *models;
    calls *calls;
    encode_queue *encode_queue;
    wakeup *turn;
    renderer *renderer;
    const leaving *leaving;
    bool is_due;                    /* its own: a call may wait for answering_turn */
} answering;

/* Take it up, with its text if it has one, or refuse it at once. */
void answering_call(answering *a, const call_order *order, const prompt_piece *text);
void answering_render(answering *a, const sender *who, const prompt_order *order);
void answering_cancel(answering *a, const peer *client, uint64_t number);  /* a call of its own; none there is fine */
void answering_client_left(answering *a, const peer *client);   /* its calls end, wherever they are */

/* What modelds answer. */
void answering_scored(answering *a, const modeld *d, uint64_t number, const modeld_scores *scores);
void answering_probed(answering *a, const modeld *d, uint64_t number, int32_t id,
                      const double *probabilities, size_t n_probabilities);
void answering_failed(answering *a, const modeld *d, uint64_t number, const failure *why);
bool answering_awaits(const answering *a, const served_model *m);   /* has a call met it that a modeld answers, and is not there? */
void answering_modeld_left(answering *a, const modeld *d);  /* they go elsewhere in the next turn */

/* Modelds of this model have others than before: a call whose modeld has none for it goes where there is one. */
void answering_samplers_changed(answering *a, const served_model *m);

bool answering_turn(answering *a);          /* answers one that takes long. Whether another turn is needed */
void answering_go_on(answering *a);         /* models have come: calls that wait for one go on */
void answering_sweep(answering *a, uint64_t now_us);        /* those that waited too long end */

#endif
