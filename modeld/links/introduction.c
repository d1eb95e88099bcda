#include "introduction.h"

void introduction_fill(introduction *i, const model *m, uint64_t kv_tokens, const char *name) {
    trivium__model_offer__init(&i->offer);
    i->offer.fingerprint = (char *)model_fingerprint(m);
    i->offer.vocabulary = (char *)model_vocabulary_of(m)->hash;
    i->offer.n_vocab = model_shape_of(m)->n_vocab;
    i->offer.n_ctx = model_shape_of(m)->n_ctx;
    i->offer.kv_tokens = kv_tokens;
    trivium__hello__init(&i->hello);
    i->hello.role = TRIVIUM__ROLE__MODELD;
    i->hello.name = (char *)name;
    i->hello.model = &i->offer;
}
