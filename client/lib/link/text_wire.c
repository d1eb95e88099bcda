#include "text_wire.h"

#include <stdlib.h>

char *name_or_empty(const char *name) {
    return (char *)(name ? name : "");
}

ProtobufCBinaryData bytes_of(const uint8_t *bytes, size_t n_bytes) {
    return (ProtobufCBinaryData){.len = n_bytes, .data = (uint8_t *)bytes};
}

status wire_messages_fill(wire_messages *out, const conversation_prompt *from) {
    out->messages = calloc(from->n_messages + 1, sizeof *out->messages);
    out->list = calloc(from->n_messages + 1, sizeof *out->list);
    if (!out->messages || !out->list) return STATUS_NO_MEMORY;
    for (size_t i = 0; i < from->n_messages; i++) {
        const conversation_message *said = &from->messages[i];
        Trivium__Message *m = out->list[i] = &out->messages[i];
        trivium__message__init(m);
        m->role = name_or_empty(said->role);
        m->n_bytes = (uint32_t)said->n_bytes;
        status st = buffer_add(&out->text, said->content, said->n_bytes);
        if (st != STATUS_OK) return st;
    }
    return STATUS_OK;
}

void wire_messages_clear(wire_messages *m) {
    free(m->messages);
    free(m->list);
    buffer_clear(&m->text);
}

static form_origin origin_from_wire(Trivium__TemplateOrigin origin) {
    switch (origin) {
    case TRIVIUM__TEMPLATE_ORIGIN__TEMPLATE_ASKED: return FORM_ASKED;
    case TRIVIUM__TEMPLATE_ORIGIN__TEMPLATE_OWN: return FORM_OWN;
    case TRIVIUM__TEMPLATE_ORIGIN__TEMPLATE_UNKNOWN: return FORM_IN_PLACE;
    default: return FORM_BY_DEFAULT;
    }
}

conversation_form form_from_wire(const char *form, Trivium__TemplateOrigin origin, uint32_t n_dropped, uint32_t n_cut) {
    return (conversation_form){form, origin_from_wire(origin), n_dropped, n_cut};
}

candidate *candidates_from_wire(Trivium__Candidate *const *wire, size_t n) {
    candidate *list = n ? malloc(n * sizeof *list) : NULL;
    for (size_t i = 0; list && i < n; i++) {
        const Trivium__Candidate *from = wire[i];
        list[i] = (candidate){from->id, from->logprob, from->probability, from->removed_by,
                              from->text.data, from->text.len};
    }
    return list;
}

bool token_from_wire(generation_token *out, const Trivium__Drawn *drawn, uint32_t at_step) {
    *out = (generation_token){
        .step = at_step, .id = drawn->id, .logprob = drawn->logprob,
        .text = drawn->text.data, .n_bytes = drawn->text.len,
        .candidates = candidates_from_wire(drawn->candidates, drawn->n_candidates),
        .n_candidates = drawn->n_candidates,
        .n_left = drawn->n_left,
        .n_left_items = drawn->n_n_left,
    };
    return out->candidates || drawn->n_candidates == 0;
}

void token_clear(generation_token *token) {
    free((candidate *)token->candidates);
}

generation_token *tokens_from_wire(const Trivium__Chunk *chunk) {
    generation_token *tokens = calloc(chunk->n_drawn + 1, sizeof *tokens);
    for (size_t i = 0; tokens && i < chunk->n_drawn; i++) {
        if (token_from_wire(&tokens[i], chunk->drawn[i], chunk->step + (uint32_t)i)) continue;
        tokens_free(tokens, i);
        tokens = NULL;
    }
    return tokens;
}

void tokens_free(generation_token *tokens, size_t n) {
    for (size_t i = 0; tokens && i < n; i++) token_clear(&tokens[i]);
    free(tokens);
}

finish_reason finish_reason_from_wire(Trivium__FinishReason reason) {
    switch (reason) {
    case TRIVIUM__FINISH_REASON__FINISH_STOP: return FINISHED_STOP;
    case TRIVIUM__FINISH_REASON__FINISH_LENGTH: return FINISHED_LENGTH;
    case TRIVIUM__FINISH_REASON__FINISH_CANCELLED: return FINISHED_CANCELLED;
    case TRIVIUM__FINISH_REASON__FINISH_SUPERSEDED: return FINISHED_SUPERSEDED;
    default: return FINISHED_ERROR;
    }
}

uint64_t call_number_of(const Trivium__TextReply *reply) {
    switch (reply->body_case) {
    case TRIVIUM__TEXT_REPLY__BODY_TUNED: return reply->tuned->call;
    case TRIVIUM__TEXT_REPLY__BODY_TOKENIZED: return reply->tokenized->call;
    case TRIVIUM__TEXT_REPLY__BODY_DETOKENIZED: return reply->detokenized->call;
    case TRIVIUM__TEXT_REPLY__BODY_RENDERED: return reply->rendered->call;
    case TRIVIUM__TEXT_REPLY__BODY_SCORED: return reply->scored->call;
    case TRIVIUM__TEXT_REPLY__BODY_PROBED: return reply->probed->call;
    case TRIVIUM__TEXT_REPLY__BODY_LISTED: return reply->listed->call;
    case TRIVIUM__TEXT_REPLY__BODY_STATUS: return reply->status->call;
    case TRIVIUM__TEXT_REPLY__BODY_FAILED: return reply->failed->call;
    case TRIVIUM__TEXT_REPLY__BODY_CANCELLED: return reply->cancelled->call;
    case TRIVIUM__TEXT_REPLY__BODY_DRAINED: return reply->drained->call;
    case TRIVIUM__TEXT_REPLY__BODY_WATCHED: return reply->watched->call;
    default: return 0;
    }
}
