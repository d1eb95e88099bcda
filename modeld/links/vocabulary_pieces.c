#include "vocabulary_pieces.h"

#include <string.h>

enum { ITEM_BYTES = 4 };        /* its key and its length, and a token's type */

_Static_assert(SENT_PIECE_BYTES + TOKEN_BYTES_MAX + CHAT_TEMPLATE_BYTES_MAX + 16 * VOCABULARY_PIECE_ITEMS <= HEADER_BYTES_MAX,
               "a piece, with room for all else that it has, fits a header frame");

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

/* The piece that was made last. */
static struct {
    Trivium__VocabularyPiece wire;
    Trivium__VocabularyMeta meta;
    ProtobufCBinaryData tokens[VOCABULARY_PIECE_ITEMS], merges[VOCABULARY_PIECE_ITEMS];
    uint8_t types[VOCABULARY_PIECE_ITEMS];
    size_t n_items, n_bytes;
} last;

/* Room for another item of any size? */
static bool has_room(void) {
    return last.n_items < VOCABULARY_PIECE_ITEMS && last.n_bytes < SENT_PIECE_BYTES;
}

static void take(ProtobufCBinaryData item) {
    last.n_items++;
    last.n_bytes += ITEM_BYTES + item.len;
}

static void add_tokens(const model *m, vocabulary_place *at) {
    last.wire.first_token = at->n_tokens;
    last.wire.tokens = last.tokens;
    for (; at->n_tokens < last.wire.n_tokens_all && has_room(); at->n_tokens++) {
        size_t i = last.wire.n_tokens++;
        last.tokens[i] = view(model_token(m, at->n_tokens));
        last.types[i] = model_token_type(m, at->n_tokens);
        take(last.tokens[i]);
    }
    last.wire.types = (ProtobufCBinaryData){last.wire.n_tokens, last.types};
}

static void add_merges(const model *m, vocabulary_place *at) {
    last.wire.first_merge = at->n_merges;
    last.wire.merges = last.merges;
    for (; at->n_merges < last.wire.n_merges_all && has_room(); at->n_merges++) {
        size_t i = last.wire.n_merges++;
        last.merges[i] = view(model_merge(m, at->n_merges));
        take(last.merges[i]);
    }
}

static void add_meta(const model_vocabulary *v) {
    trivium__vocabulary_meta__init(&last.meta);
    last.meta.kind = (char *)v->kind;
    last.meta.split = (char *)v->split;
    last.meta.bos = v->bos;
    last.meta.eos = v->eos;
    last.meta.eot = v->eot;
    last.meta.eom = v->eom;
    last.meta.add_bos = v->add_bos;
    last.meta.add_bos_told = v->add_bos_told;
    last.meta.ends = (int32_t *)v->ends;
    last.meta.n_ends = v->n_ends;
    last.meta.chat_template = view(v->chat_template);
    last.wire.meta = &last.meta;
}

bool vocabulary_pieces_wanted(const model *m, const Trivium__VocabularyQuery *query) {
    return strcmp(query->vocabulary, model_vocabulary_of(m)->hash) == 0;
}

bool vocabulary_piece_exists(const model *m, const vocabulary_place *at) {
    const model_vocabulary *v = model_vocabulary_of(m);
    return !at->begun || at->n_tokens < v->n_tokens || at->n_merges < v->n_merges;
}

Trivium__VocabularyPiece *vocabulary_piece_make(const model *m, vocabulary_place *at) {
    const model_vocabulary *v = model_vocabulary_of(m);
    trivium__vocabulary_piece__init(&last.wire);
    last.wire.vocabulary = (char *)v->hash;
    last.wire.n_tokens_all = v->n_tokens;
    last.wire.n_merges_all = v->n_merges;
    last.n_items = last.n_bytes = 0;
    if (!at->begun) add_meta(v);
    at->begun = true;
    add_tokens(m, at);
    add_merges(m, at);
    return &last.wire;
}
