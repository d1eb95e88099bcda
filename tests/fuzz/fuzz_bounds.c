/* libFuzzer: any bytes as a header of each kind of message. What bounds.h lets through unpacks in the memory that it
 * measured, or is no message; it never needs more. (The first byte of the input chooses the kind, the rest is the header.) */
#include <stdlib.h>

#include "logits.pb-c.h"
#include "proto/base/limits.h"
#include "proto/net/bounds/bounds.h"
#include "tests/fuzz/input/target.h"
#include "text.pb-c.h"
#include "tokens.pb-c.h"

enum { ROUND_BYTES = 8 };

static void must(bool holds) {
    if (!holds) abort();
}

/* What is left of what was measured. */
static void *take(void *n_left, size_t n_bytes) {
    size_t *left = n_left, rounded = (n_bytes + ROUND_BYTES - 1) & ~(size_t)(ROUND_BYTES - 1);
    must(rounded >= n_bytes && rounded <= *left);
    *left -= rounded;
    return malloc(n_bytes > 0 ? n_bytes : 1);
}

static void give_back(void *n_left, void *memory) {
    (void)n_left;       /* none of it can be had again */
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const ProtobufCMessageDescriptor *const kinds[] = {
        &trivium__text_request__descriptor,  &trivium__text_reply__descriptor,    &trivium__tokens_request__descriptor,
        &trivium__tokens_reply__descriptor,  &trivium__logits_request__descriptor, &trivium__logits_reply__descriptor,
        &trivium__envelope__descriptor};
    if (size == 0) return 0;
    const ProtobufCMessageDescriptor *kind = kinds[data[0] % (sizeof kinds / sizeof *kinds)];
    size_t n_left;
    if (bounds_measure(kind, data + 1, size - 1, &n_left) != STATUS_OK || n_left > UNPACKED_BYTES_MAX) return 0;
    ProtobufCAllocator allocator = {take, give_back, &n_left};
    ProtobufCMessage *m = protobuf_c_message_unpack(kind, &allocator, size - 1, data + 1);
    if (m) protobuf_c_message_free_unpacked(m, &allocator);
    return 0;
}
