/* A modeld that joined a table of models, with the vocabulary of tiny_vocabulary.h. */
#ifndef TRIVIUM_TESTS_MODEL_AT_HAND_H
#define TRIVIUM_TESTS_MODEL_AT_HAND_H

#include "tokenizerd/route/models.h"

enum { SERVED_N_CTX = 64, SERVED_N_VOCAB = 300 };

/* What such a modeld offers; the texts are borrowed. */
model_offer served_offer(const char *name, const char *fingerprint, const char *hash);

/* Its vocabulary in pieces of n_items tokens and as many merges: the status of the last one sent.
 * Stops at the first that is not taken. */
status served_bring(modeld *d, const char *hash, size_t n_items, failure *f);

/* Joined, its vocabulary not here yet unless that is known. Never NULL: a test in which it is refused ends there. */
modeld *served_join(models *ms, const char *name, const char *fingerprint, const char *hash);

/* Joined and ready. Never NULL, as above. */
modeld *model_at_hand(models *ms, const char *name, const char *fingerprint);

/* Id of a byte's token. */
int32_t served_id(uint8_t byte);

#endif
