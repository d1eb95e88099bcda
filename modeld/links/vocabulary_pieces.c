/* The vocabulary in pieces: tokens first, then merges, each piece within items and bytes. */
#include "service_parts.h"

enum { PIECE_BYTES_MAX = 512 * 1024 };

_Static_assert(PIECE_BYTES_MAX + TOKEN_BYTES_MAX + CHAT_TEMPLATE_BYTES_MAX +
                       16 * VOCABULARY_PIECE_ITEMS <=
                   HEADER_BYTES_MAX,
               "a piece, the keys and lengths of its items included, fits a header frame");

typedef struct piece {
    Trivium__VocabularyPiece wire;
    ProtobufCBinaryData tokens[VOCABULARY_PIECE_ITEMS], merges[VOCABULARY_PIECE_ITEMS];
    uint8_t types[VOCABULARY_PIECE_ITEMS];
    size_t n_items, n_bytes;
} piece;

status vocabulary_check(const model *m, failure *f) {
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
static bool has_room(const piece *p) {
    return p->n_items < VOCABULARY_PIECE_ITEMS && p->n_bytes < PIECE_BYTES_MAX;
}

static void take(piece *p, ProtobufCBinaryData item) {
    p->n_items++;
    p->n_bytes += item.len;
}

static void add_tokens(piece *p, const model *m, uint32_t first) {
    uint32_t n_tokens = model_vocabulary_of(m)->n_tokens;
    p->wire.first_token = first;
    p->wire.tokens = p->tokens;
    for (uint32_t id = first; id < n_tokens && has_room(p); id++) {
        size_t i = p->wire.n_tokens++;
        p->tokens[i] = view(model_token(m, id));
        p->types[i] = model_token_type(m, id);
        take(p, p->tokens[i]);
    }
    p->wire.types = (ProtobufCBinaryData){p->wire.n_tokens, p->types};
}

static void add_merges(piece *p, const model *m, uint32_t first) {
    uint32_t n_merges = model_vocabulary_of(m)->n_merges;
    p->wire.first_merge = first;
    p->wire.merges = p->merges;
    for (uint32_t rank = first; rank < n_merges && has_room(p); rank++) {
        size_t i = p->wire.n_merges++;
        p->merges[i] = view(model_merge(m, rank));
        take(p, p->merges[i]);
    }
}

static void begin(piece *p, const model_vocabulary *v) {
    trivium__vocabulary_piece__init(&p->wire);
    p->wire.vocabulary = (char *)v->hash;
    p->wire.n_tokens_all = v->n_tokens;
    p->wire.n_merges_all = v->n_merges;
    p->n_items = p->n_bytes = 0;
}

static Trivium__VocabularyMeta meta_of(const model_vocabulary *v) {
    Trivium__VocabularyMeta meta = TRIVIUM__VOCABULARY_META__INIT;
    meta.kind = (char *)v->kind;
    meta.split = (char *)v->split;
    meta.bos = v->bos;
    meta.eos = v->eos;
    meta.eot = v->eot;
    meta.eom = v->eom;
    meta.add_bos = v->add_bos;
    meta.add_bos_told = v->add_bos_told;
    meta.ends = (int32_t *)v->ends;
    meta.n_ends = v->n_ends;
    meta.chat_template = view(v->chat_template);
    return meta;
}

void vocabulary_send(front *to) {
    const model *m = to->service->model;
    const model_vocabulary *v = model_vocabulary_of(m);
    Trivium__VocabularyMeta meta = meta_of(v);
    piece p;
    uint32_t n_tokens = 0, n_merges = 0;
    do {
        begin(&p, v);
        if (n_tokens == 0) p.wire.meta = &meta;
        add_tokens(&p, m, n_tokens);
        add_merges(&p, m, n_merges);
        n_tokens += (uint32_t)p.wire.n_tokens;
        n_merges += (uint32_t)p.wire.n_merges;
        Trivium__TokensReply reply = TRIVIUM__TOKENS_REPLY__INIT;
        reply.body_case = TRIVIUM__TOKENS_REPLY__BODY_VOCABULARY;
        reply.vocabulary = &p.wire;
        if (reply_send(to, &reply, NULL, 0) != STATUS_OK) return;
    } while (n_tokens < v->n_tokens || n_merges < v->n_merges);
}
