#include "byte_bpe.h"

#include <stdlib.h>

#include "bpe.h"
#include "pretokenize.h"

struct byte_bpe {
    const vocab *v;
    pretokenizer *split;
    bpe *rules;
    bool *whole;                /* [n_tokens] merges make just this token of its text; NULL: they are ignored */
};

/* ---- the rules of a vocabulary ---- */

/* A normal token's id; -1: none. */
static int32_t find_normal(const vocab *v, const uint8_t *bytes, size_t n_bytes) {
    int32_t id = vocab_find(v, bytes, n_bytes);
    return id >= 0 && vocab_type(v, id) == TOKEN_NORMAL ? id : -1;
}

static status build_rules(byte_bpe *b, const byte_strings *merges, failure *f) {
    int32_t byte_ids[256];
    uint32_t n_merges = (uint32_t)(byte_strings_count(merges) / 2);
    for (unsigned i = 0; i < 256; i++) byte_ids[i] = find_normal(b->v, &(uint8_t){(uint8_t)i}, 1);
    b->rules = bpe_new(byte_ids, n_merges);
    if (!b->rules) return fail(f, STATUS_NO_MEMORY, "no memory for a vocabulary's merges");
    for (size_t rank = 0; rank < n_merges; rank++) {
        size_t n_left, n_right;
        const uint8_t *left = byte_strings_at(merges, rank * 2, &n_left);
        const uint8_t *right = byte_strings_at(merges, rank * 2 + 1, &n_right);
        if (n_left == 0) continue;
        int32_t left_id = find_normal(b->v, left, n_left), right_id = find_normal(b->v, right, n_right);
        int32_t merged = find_normal(b->v, left, n_left + n_right); /* the two are contiguous */
        if (left_id < 0 || right_id < 0 || merged < 0)
            return fail(f, STATUS_BAD_MESSAGE,
                        "merge %zu of the vocabulary needs a text that is no token", rank);
        bpe_add(b->rules, left_id, right_id, merged);
    }
    return STATUS_OK;
}

bool byte_bpe_makes(const byte_bpe *b, int32_t id) {
    vocab_bytes token = vocab_token(b->v, id);
    int32_t ids[BPE_SHORT_BYTES];
    if (vocab_type(b->v, id) != TOKEN_NORMAL || token.n_bytes == 0) return false;
    if (token.n_bytes > BPE_SHORT_BYTES) return false;  /* rare; merging it gives the same */
    return bpe_short(b->rules, token.bytes, token.n_bytes, ids) == 1 && ids[0] == id;
}

static status find_whole(byte_bpe *b, failure *f) {
    if (pretokenizer_ignores_merges(b->split)) return STATUS_OK;
    uint32_t n_tokens = vocab_size(b->v);
    b->whole = calloc(n_tokens, sizeof *b->whole);
    if (!b->whole) return fail(f, STATUS_NO_MEMORY, "no memory for a tokenizer");
    for (uint32_t id = 0; id < n_tokens; id++) b->whole[id] = byte_bpe_makes(b, (int32_t)id);
    return STATUS_OK;
}

status byte_bpe_new(byte_bpe **out, const vocab *v, const byte_strings *merges, failure *f) {
    *out = NULL;
    byte_bpe *b = calloc(1, sizeof *b);
    if (!b) return fail(f, STATUS_NO_MEMORY, "no memory for a tokenizer");
    b->v = v;
    status st = pretokenizer_new(&b->split, vocab_meta_of(v)->split, f);
    if (st == STATUS_OK) st = build_rules(b, merges, f);
    if (st == STATUS_OK) st = find_whole(b, f);
    if (st != STATUS_OK) byte_bpe_free(&b);
    *out = b;
    return st;
}

void byte_bpe_free(byte_bpe **b) {
    if (!*b) return;
    pretokenizer_free(&(*b)->split);
    bpe_free(&(*b)->rules);
    free((*b)->whole);
    free(*b);
    *b = NULL;
}

int32_t byte_bpe_whole(const byte_bpe *b, const uint8_t *piece, size_t n_bytes) {
    int32_t id = vocab_find(b->v, piece, n_bytes);
    if (id < 0) return -1;
    return (b->whole ? b->whole[id] : vocab_type(b->v, id) == TOKEN_NORMAL) ? id : -1;
}

/* ---- stretches ---- */

struct byte_bpe_stretch {
    const byte_bpe *b;
    splitter *split;
    bpe_run *run;               /* a long piece that is being merged; NULL: none */
    bool merged;                /* all of it: its ids are taken */
};

byte_bpe_stretch *byte_bpe_stretch_new(const byte_bpe *b) {
    byte_bpe_stretch *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->b = b;
    s->split = splitter_new(b->split);
    if (s->split) byte_bpe_stretch_start(s, NULL, 0);
    else byte_bpe_stretch_free(&s);
    return s;
}

void byte_bpe_stretch_free(byte_bpe_stretch **s) {
    if (!*s) return;
    splitter_free(&(*s)->split);
    bpe_run_free(&(*s)->run);
    free(*s);
    *s = NULL;
}

void byte_bpe_stretch_start(byte_bpe_stretch *s, const uint8_t *text, size_t n_bytes) {
    splitter_start(s->split, text, n_bytes);
}

static status encode_short(const bpe *rules, const uint8_t *piece, size_t n_bytes, token_ids *ids,
                           failure *f) {
    status st = token_ids_room(ids, n_bytes, f);
    if (st != STATUS_OK) return st;
    size_t n = bpe_short(rules, piece, n_bytes, ids->ids + ids->n_ids);
    st = token_ids_fit(ids, n, f);
    ids->n_ids += n;
    return st;
}

static status encode_piece(byte_bpe_stretch *s, const uint8_t *piece, size_t n_bytes, token_ids *ids,
                           failure *f) {
    int32_t whole = byte_bpe_whole(s->b, piece, n_bytes);
    if (whole >= 0) return token_ids_add(ids, whole, f);
    if (n_bytes <= BPE_SHORT_BYTES) return encode_short(s->b->rules, piece, n_bytes, ids, f);
    s->run = bpe_run_new(s->b->rules, piece, n_bytes);
    s->merged = false;
    return s->run ? STATUS_OK : fail(f, STATUS_NO_MEMORY, "no memory for a word of %zu bytes", n_bytes);
}

/* Some ids of a piece that is merged; after the last of them it is gone. */
static status run_take(byte_bpe_stretch *s, size_t n_ids_max, token_ids *ids, size_t *n_spent, failure *f) {
    if (n_ids_max > bpe_run_count(s->run)) n_ids_max = bpe_run_count(s->run) + 1;
    status st = token_ids_room(ids, n_ids_max, f);
    if (st != STATUS_OK) return st;
    size_t n = bpe_run_ids(s->run, ids->ids + ids->n_ids, n_ids_max);
    ids->n_ids += n;
    *n_spent += n;
    if (n < n_ids_max) bpe_run_free(&s->run);
    return STATUS_OK;
}

static status run_advance(byte_bpe_stretch *s, size_t n_steps_max, token_ids *ids, size_t *n_spent, failure *f) {
    if (s->merged) return run_take(s, n_steps_max, ids, n_spent, f);
    size_t n_steps = bpe_run_advance(s->run, n_steps_max);
    *n_spent += n_steps;
    s->merged = n_steps < n_steps_max;
    return s->merged ? token_ids_fit(ids, bpe_run_count(s->run), f) : STATUS_OK;
}

status byte_bpe_stretch_step(byte_bpe_stretch *s, size_t n_bytes_max, token_ids *ids, size_t *n_spent,
                             bool *done, failure *f) {
    *done = false;
    if (s->run) return run_advance(s, n_bytes_max, ids, n_spent, f);
    const uint8_t *piece;
    size_t n_bytes;
    status st = splitter_next(s->split, &piece, &n_bytes, f);
    if (st != STATUS_OK) return st;
    bool paused = splitter_paused(s->split);
    *n_spent += paused ? n_bytes_max : n_bytes > 0 ? n_bytes : 1;
    *done = n_bytes == 0 && !paused;
    return n_bytes == 0 ? STATUS_OK : encode_piece(s, piece, n_bytes, ids, f);
}
