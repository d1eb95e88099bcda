/* What messages of the text link have in common, in plain structs and back. */
#ifndef TRIVIUM_TEXT_WIRE_H
#define TRIVIUM_TEXT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/lib/generation.h"
#include "text.pb-c.h"

/* For fields of a message: generated code wants no const, even on what it only reads. */
char *name_or_empty(const char *name);          /* "" for NULL, which is the default on the wire */
ProtobufCBinaryData bytes_of(const uint8_t *bytes, size_t n_bytes);

/* Candidates as plain structs: [n], the caller frees; their texts stay the message's.
 * NULL: no memory, or n is 0. */
candidate *candidates_from_wire(Trivium__Candidate *const *wire, size_t n);

/* A token as a plain struct, which borrows from `drawn` except for its candidates; false: no memory. */
bool token_from_wire(generation_token *out, const Trivium__Drawn *drawn, uint32_t at_step);
void token_clear(generation_token *token);

finish_reason finish_reason_from_wire(Trivium__FinishReason reason);

#endif
