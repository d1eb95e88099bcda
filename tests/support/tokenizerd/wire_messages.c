#include "wire_messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

const uint8_t wire_id_bytes[REQUEST_BYTES] = {0xab, [REQUEST_BYTES - 1] = 0xcd};
const ProtobufCBinaryData wire_id = {REQUEST_BYTES, (uint8_t *)wire_id_bytes};

const int32_t wire_three_ids[3] = {5, 6, 7};
const wire_raw wire_three = {wire_three_ids, sizeof wire_three_ids}, wire_odd = {wire_three_ids, 7},
               wire_none = {wire_three_ids, 0};

ProtobufCBinaryData wire_text(const char *text) {
    return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)text};
}

Trivium__Message **wire_conversation(size_t n_messages) {
    static Trivium__Message messages[WIRE_MESSAGES_MAX], *list[WIRE_MESSAGES_MAX];
    assert_in_range(n_messages, 0, WIRE_MESSAGES_MAX);
    for (size_t i = 0; i < n_messages; i++) {
        trivium__message__init(&messages[i]);
        messages[i].role = (char *)(i % 2 == 0 ? "user" : "assistant");
        messages[i].n_bytes = 3;
        list[i] = &messages[i];
    }
    return list;
}
