#include "kept_step.h"

static void buffer_empty(buffer *b) {
    buffer_drop(b, b->n_bytes);
}

static status bytes_keep(kept_step *k, const generation_token *token) {
    status st = buffer_add(&k->texts, token->text, token->n_bytes);
    for (size_t i = 0; st == STATUS_OK && i < token->n_candidates; i++)
        st = buffer_add(&k->texts, token->candidates[i].text, token->candidates[i].n_bytes);
    if (st == STATUS_OK)
        st = buffer_add(&k->candidates, token->candidates, token->n_candidates * sizeof *token->candidates);
    return st == STATUS_OK ? buffer_add(&k->n_left, token->n_left, token->n_left_items * sizeof *token->n_left) : st;
}

/* Once no buffer moves any more. */
static void pointers_set(kept_step *k) {
    const uint8_t *text = (const uint8_t *)k->texts.bytes;
    candidate *candidates = (candidate *)(void *)k->candidates.bytes;
    k->token.text = text;
    text = text ? text + k->token.n_bytes : NULL;
    for (size_t i = 0; i < k->token.n_candidates; i++) {
        candidates[i].text = text;
        text = text ? text + candidates[i].n_bytes : NULL;
    }
    k->token.candidates = candidates;
    k->token.n_left = (const uint32_t *)(const void *)k->n_left.bytes;
}

status kept_step_set(kept_step *k, const watch_trace *trace) {
    buffer_empty(&k->texts);
    buffer_empty(&k->candidates);
    buffer_empty(&k->n_left);
    k->token = (generation_token){0};
    status st = bytes_keep(k, &trace->token);
    if (st == STATUS_OK) st = strategy_copy(&k->chain, trace->chain);
    if (st != STATUS_OK) return st;
    k->token = trace->token;
    pointers_set(k);
    return STATUS_OK;
}

void kept_step_clear(kept_step *k) {
    buffer_clear(&k->texts);
    buffer_clear(&k->candidates);
    buffer_clear(&k->n_left);
    strategy_clear(&k->chain);
    k->token = (generation_token){0};
}
