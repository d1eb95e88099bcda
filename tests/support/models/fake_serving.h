/* A model and a modeld as requests, calls and watches see them: they only count what they are given. */
#ifndef TRIVIUM_TESTS_FAKE_SERVING_H
#define TRIVIUM_TESTS_FAKE_SERVING_H

#include "tokenizerd/requests/serving.h"

enum {                          /* the vocabulary of the model: each byte is a token with its own value as id, */
    FAKE_END_ID = 256,          /* and the last one ends a text */
    FAKE_N_VOCAB,
    FAKE_N_CTX = 64,
};

extern const serving_events fake_serving;

/* Never NULL. When they are freed they must be as they were: what is still held or there, or was given back
 * too often, is the end of the test. */
served_model *fake_model_new(void);
void fake_model_free(served_model **m);
modeld *fake_modeld_new(void);
void fake_modeld_free(modeld **d);

model_facts fake_model_facts(const served_model *m);    /* "a" with the fingerprint "f1" */
int fake_model_holders(const served_model *m);
int fake_modeld_load(const modeld *d);

#endif
