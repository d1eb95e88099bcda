/* Vocabularies on their way to those of a link who asked. Few pieces at a time are on their way to each, AHEAD_BYTES and a
 * piece: whoever reads slowly holds no more than that and is waited for; whoever takes none for PIECES_STILL_MS is cut. */
#ifndef TRIVIUM_MODELD_VOCABULARY_SENDER_H
#define TRIVIUM_MODELD_VOCABULARY_SENDER_H

#include "modeld/engine/model.h"
#include "proto/net/loop.h"
#include "proto/net/peer.h"

typedef struct vocabulary_sender vocabulary_sender;

/* Offers a piece in a message of the link (peers_offer). */
typedef bool vocabulary_offer(peers *ps, peer *to, Trivium__VocabularyPiece *piece);

vocabulary_sender *vocabulary_sender_new(loop *l, const model *m, vocabulary_offer *offer);    /* NULL: no memory */
void vocabulary_sender_free(vocabulary_sender **s);             /* before its peers go. NULL is fine */

/* `to` asks for this model's vocabulary: it gets it from its beginning, also when it is on its way already. Without
 * memory for that the peer is cut. */
void vocabulary_sender_begin(vocabulary_sender *s, peers *ps, peer *to);
void vocabulary_sender_forget(vocabulary_sender *s, const peer *to);    /* it left */

#endif
