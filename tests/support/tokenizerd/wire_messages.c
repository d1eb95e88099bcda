#include "wire_messages.h"

#include <string.h>

const uint8_t wire_id_bytes[REQUEST_BYTES] = {0xab, [REQUEST_BYTES - 1] = 0xcd};
const ProtobufCBinaryData wire_id = {REQUEST_BYTES, (uint8_t *)wire_id_bytes};

const int32_t wire_three_ids[3] = {5, 6, 7};
const wire_raw wire_three = {wire_three_ids, sizeof wire_three_ids}, wire_odd = {wire_three_ids, 7},
               wire_none = {wire_three_ids, 0};

ProtobufCBinaryData wire_text(const char *text) {
    return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)text};
}
