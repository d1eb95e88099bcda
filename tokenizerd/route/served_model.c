#include "models_parts.h"

served_model *models_first(const models *ms) {
    return ms->first;
}

served_model *models_next(const served_model *m) {
    return m->next;
}

modeld *served_model_modelds(const served_model *m) {
    return m->modelds;
}

modeld *modeld_next(const modeld *d) {
    return d->next;
}

const char *served_model_name(const served_model *m) {
    return m->name;
}

const char *served_model_fingerprint(const served_model *m) {
    return m->fingerprint;
}

const char *served_model_vocabulary(const served_model *m) {
    return shared_vocab_hash(m->vocabulary);
}

const tokenizer *served_model_tokenizer(const served_model *m) {
    return shared_vocab_tokenizer(m->vocabulary);
}

const vocab *served_model_vocab(const served_model *m) {
    const tokenizer *t = served_model_tokenizer(m);
    return t ? tokenizer_vocab(t) : NULL;
}

const chat_template *served_model_template(const served_model *m) {
    return shared_vocab_template(m->vocabulary);
}

uint32_t served_model_n_vocab(const served_model *m) {
    return m->n_vocab;
}

uint32_t served_model_n_ctx(const served_model *m) {
    return m->n_ctx;
}

uint64_t served_model_kv_tokens(const served_model *m) {
    uint64_t least = 0;
    for (const modeld *d = m->modelds; d; d = d->next)
        if (d->kv_tokens > 0 && (least == 0 || d->kv_tokens < least)) least = d->kv_tokens;
    return least;
}

model_facts served_model_facts(const served_model *m) {
    return (model_facts){.name = m->name,
                         .fingerprint = m->fingerprint,
                         .vocab = served_model_vocab(m),
                         .n_vocab = m->n_vocab,
                         .n_ctx = m->n_ctx};
}

served_model *modeld_model(const modeld *d) {
    return d->model;
}

void *modeld_peer(const modeld *d) {
    return d->peer;
}

uint32_t modeld_load(const modeld *d) {
    return d->load;
}

bool modeld_is_draining(const modeld *d) {
    return d->is_draining;
}
