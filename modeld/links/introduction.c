#include "introduction.h"

#include <stdlib.h>

struct introduction {
    Trivium__ModelOffer offer;
    Trivium__Hello hello;
};

status introduction_new(introduction **out, const model *m, const char *name, failure *f) {
    introduction *i = *out = calloc(1, sizeof *i);
    if (!i) return fail(f, STATUS_NO_MEMORY, "no memory for our own Hello");
    trivium__model_offer__init(&i->offer);
    i->offer.fingerprint = (char *)model_fingerprint(m);
    i->offer.vocabulary = (char *)model_vocabulary_of(m)->hash;
    i->offer.n_vocab = model_shape_of(m)->n_vocab;
    i->offer.n_ctx = model_shape_of(m)->n_ctx;
    trivium__hello__init(&i->hello);
    i->hello.role = TRIVIUM__ROLE__MODELD;
    i->hello.name = (char *)name;
    i->hello.model = &i->offer;
    return STATUS_OK;
}

void introduction_free(introduction **i) {
    free(*i);
    *i = NULL;
}

const Trivium__Hello *introduction_hello(const introduction *i) {
    return &i->hello;
}
