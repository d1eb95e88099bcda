/* Another strategy in the middle of a text: from Tune to Tuned. */
#ifndef TRIVIUM_TUNING_H
#define TRIVIUM_TUNING_H

#include "generating.h"

typedef struct tuning {             /* what it needs: filled in by its owner, all borrowed */
    client_link *clients;
    modeld_link *modelds;
    requests *requests;
    generating *generating;        /* where a text ends that cannot be tuned for want of memory */
} tuning;

void tuning_tune(tuning *t, const sender *who, const tune_order *order);
/* Its client has received the changes up to this ordinal. */
void tuning_acknowledged(tuning *t, const peer *client, const uint8_t id[REQUEST_BYTES],
                         uint32_t attempt, uint32_t change);

#endif
