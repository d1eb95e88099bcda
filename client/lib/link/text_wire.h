/* What messages of the text link have in common, in plain structs and back. */
#ifndef TRIVIUM_TEXT_WIRE_H
#define TRIVIUM_TEXT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/lib/generation.h"
#include "proto/base/buffer.h"
#include "text.pb-c.h"

/* For fields of a message: generated code wants no const, even on what it only reads. */
char *name_or_empty(const char *name);          /* "" for NULL, which is the default on the wire */
ProtobufCBinaryData bytes_of(const uint8_t *bytes, size_t n_bytes);

/* Messages as the generated code wants them, and their text. Zeroed, it holds nothing. */
typedef struct wire_messages {
    Trivium__Message *messages, **list;     /* [the conversation's n_messages] */
    buffer text;
} wire_messages;
status wire_messages_fill(wire_messages *out, const conversation_prompt *from);    /* STATUS_NO_MEMORY; clear it all the same */
void wire_messages_clear(wire_messages *m);

conversation_form form_from_wire(const char *form, Trivium__TemplateOrigin origin, uint32_t n_dropped, uint32_t n_cut);

/* Candidates as plain structs: [n], the caller frees; their texts stay the message's.
 * NULL: no memory, or n is 0. */
candidate *candidates_from_wire(Trivium__Candidate *const *wire, size_t n);

/* A token as a plain struct, which borrows from `drawn` except for its candidates; false: no memory. */
bool token_from_wire(generation_token *out, const Trivium__Drawn *drawn, uint32_t at_step);
void token_clear(generation_token *token);
/* The same of all that a chunk brings: [n_drawn]. NULL: no memory. */
generation_token *tokens_from_wire(const Trivium__Chunk *chunk);
void tokens_free(generation_token *tokens, size_t n);   /* NULL is fine */

/* The number of the call that it answers; 0: it answers none, or has a body that is not known here. */
uint64_t call_number_of(const Trivium__TextReply *reply);

finish_reason finish_reason_from_wire(Trivium__FinishReason reason);

#endif
