#include "vocabulary_pieces.h"

#include <string.h>

_Static_assert(PIECE_BYTES_MAX + TOKEN_BYTES_MAX + CHAT_TEMPLATE_BYTES_MAX +
                       16 * VOCABULARY_PIECE_ITEMS <=
                   HEADER_BYTES_MAX,
               "a piece, the keys and lengths of its items included, fits a header frame");

status vocabulary_pieces_check(const model *m, failure *f) {
    const model_vocabulary *v = model_vocabulary_of(m);
    size_t n_bytes = 0;
    for (uint32_t i = 0; i < v->n_tokens; i++) n_bytes += model_token(m, i).n_bytes;
    for (uint32_t i = 0; i < v->n_merges; i++) n_bytes += model_merge(m, i).n_bytes;
    if (n_bytes <= VOCABULARY_BYTES_MAX && v->chat_template.n_bytes <= CHAT_TEMPLATE_BYTES_MAX)
        return STATUS_OK;
    return fail(
        f, STATUS_TOO_LONG,
        "the vocabulary has %zu bytes and its chat template %zu; at most %d and %d are supported",
        n_bytes, v->chat_template.n_bytes, VOCABULARY_BYTES_MAX, CHAT_TEMPLATE_BYTES_MAX);
}

static ProtobufCBinaryData view(model_bytes b) {
    return (ProtobufCBinaryData){b.n_bytes, (uint8_t *)b.bytes};
}

/* Room for another item of any size? */
static bool has_room(const vocabulary_pieces *p) {
    return p->n_items < VOCABULARY_PIECE_ITEMS && p->n_bytes < PIECE_BYTES_MAX;
}

static void take(vocabulary_pieces *p, ProtobufCBinaryData item) {
    p->n_items++;
    p->n_bytes += item.len;
}

static void add_tokens(vocabulary_pieces *p, uint32_t n_tokens_all) {
    p->wire.first_token = p->n_tokens;
    p->wire.tokens = p->tokens;
    for (; p->n_tokens < n_tokens_all && has_room(p); p->n_tokens++) {
        size_t i = p->wire.n_tokens++;
        p->tokens[i] = view(model_token(p->model, p->n_tokens));
        p->types[i] = model_token_type(p->model, p->n_tokens);
        take(p, p->tokens[i]);
    }
    p->wire.types = (ProtobufCBinaryData){p->wire.n_tokens, p->types};
}

static void add_merges(vocabulary_pieces *p, uint32_t n_merges_all) {
    p->wire.first_merge = p->n_merges;
    p->wire.merges = p->merges;
    for (; p->n_merges < n_merges_all && has_room(p); p->n_merges++) {
        size_t i = p->wire.n_merges++;
        p->merges[i] = view(model_merge(p->model, p->n_merges));
        take(p, p->merges[i]);
    }
}

static void add_meta(vocabulary_pieces *p, const model_vocabulary *v) {
    trivium__vocabulary_meta__init(&p->meta);
    p->meta.kind = (char *)v->kind;
    p->meta.split = (char *)v->split;
    p->meta.bos = v->bos;
    p->meta.eos = v->eos;
    p->meta.eot = v->eot;
    p->meta.eom = v->eom;
    p->meta.add_bos = v->add_bos;
    p->meta.add_bos_told = v->add_bos_told;
    p->meta.ends = (int32_t *)v->ends;
    p->meta.n_ends = v->n_ends;
    p->meta.chat_template = view(v->chat_template);
    p->wire.meta = &p->meta;
}

bool vocabulary_pieces_wanted(const model *m, const Trivium__VocabularyQuery *query) {
    return strcmp(query->vocabulary, model_vocabulary_of(m)->hash) == 0;
}

void vocabulary_pieces_begin(vocabulary_pieces *p, const model *m) {
    p->model = m;
    p->n_tokens = p->n_merges = 0;
    p->begun = false;
}

Trivium__VocabularyPiece *vocabulary_pieces_next(vocabulary_pieces *p) {
    const model_vocabulary *v = model_vocabulary_of(p->model);
    if (p->begun && p->n_tokens == v->n_tokens && p->n_merges == v->n_merges) return NULL;
    trivium__vocabulary_piece__init(&p->wire);
    p->wire.vocabulary = (char *)v->hash;
    p->wire.n_tokens_all = v->n_tokens;
    p->wire.n_merges_all = v->n_merges;
    p->n_items = p->n_bytes = 0;
    if (!p->begun) add_meta(p, v);
    p->begun = true;
    add_tokens(p, v->n_tokens);
    add_merges(p, v->n_merges);
    return &p->wire;
}
