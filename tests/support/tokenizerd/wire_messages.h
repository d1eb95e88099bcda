/* Messages of the two links for tests to say, and what most of them name. */
#ifndef TRIVIUM_TESTS_WIRE_MESSAGES_H
#define TRIVIUM_TESTS_WIRE_MESSAGES_H

#include "proto/net/wire.h"
#include "text.pb-c.h"
#include "tokens.pb-c.h"

/* A request of a client, or a reply of a modeld, of this kind around the message `part`. */
#define ASK(KIND, field, part) \
    (Trivium__TextRequest){.base = PROTOBUF_C_MESSAGE_INIT(&trivium__text_request__descriptor), \
                           .body_case = TRIVIUM__TEXT_REQUEST__BODY_##KIND, .field = (part)}
#define REPLY(KIND, field, part) \
    (Trivium__TokensReply){.base = PROTOBUF_C_MESSAGE_INIT(&trivium__tokens_reply__descriptor), \
                           .body_case = TRIVIUM__TOKENS_REPLY__BODY_##KIND, .field = (part)}

extern const uint8_t wire_id_bytes[REQUEST_BYTES];      /* 0xab … 0xcd */
extern const ProtobufCBinaryData wire_id;               /* of them */

extern const int32_t wire_three_ids[3];                 /* 5, 6, 7 */
extern const wire_raw wire_three, wire_odd, wire_none;  /* frames: of them, 7 bytes of them, empty */

ProtobufCBinaryData wire_text(const char *text);        /* borrowed */

enum { WIRE_MESSAGES_MAX = 8 };

/* A conversation of so many messages, at most WIRE_MESSAGES_MAX, of a user and an assistant in turns, 3 bytes each; the same
 * list each time. */
Trivium__Message **wire_conversation(size_t n_messages);

#endif
