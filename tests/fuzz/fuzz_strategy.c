/* libFuzzer: any text as a strategy in JSON, as bytes of one on the wire, and as an endpoint's address. What is read is
 * written and read again as the same. (The first byte of the input chooses, the rest is the text.) */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/json.h"
#include "proto/chain/strategy_json.h"
#include "proto/chain/strategy_wire.h"
#include "proto/net/endpoint/endpoint.h"
#include "tests/fuzz/input/target.h"

static void must(bool holds) {
    if (!holds) abort();
}

static void check_json(const char *text, size_t n_bytes) {
    failure f;
    json_t *object = json_read_object(text, n_bytes, &f);
    if (!object) return;
    strategy s, again;
    strategy_init(&s);
    strategy_init(&again);
    json_t *array = json_object_get(object, "chain");
    if (strategy_from_json(&s, array, &f) == STATUS_OK) {
        json_t *written = strategy_to_json(&s);
        must(written && strategy_from_json(&again, written, &f) == STATUS_OK && strategy_equal(&s, &again));
        json_decref(written);
    } else {
        must(f.message[0] != '\0');
    }
    strategy_clear(&s);
    strategy_clear(&again);
    json_decref(object);
}

static void check_wire(const uint8_t *bytes, size_t n_bytes) {
    Trivium__Strategy *m = trivium__strategy__unpack(NULL, n_bytes, bytes), *back;
    if (!m) return;
    failure f;
    strategy s, again;
    strategy_init(&s);
    strategy_init(&again);
    if (strategy_from_wire(&s, m, &f) == STATUS_OK) {
        must((back = strategy_to_wire(&s)) != NULL);
        must(strategy_from_wire(&again, back, &f) == STATUS_OK && strategy_equal(&s, &again));
        trivium__strategy__free_unpacked(back, NULL);
    } else {
        must(f.message[0] != '\0');
    }
    strategy_clear(&s);
    strategy_clear(&again);
    trivium__strategy__free_unpacked(m, NULL);
}

static void check_endpoint(const char *address, bool binds) {
    failure f;
    if (endpoint_check(address, binds, &f) != STATUS_OK) must(f.message[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    char *text = malloc(size);
    must(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (data[0] % 3 == 0) check_json(text, size - 1);
    if (data[0] % 3 == 1) check_wire(data + 1, size - 1);
    if (data[0] % 3 == 2) check_endpoint(text, data[0] & 0x80);
    free(text);
    return 0;
}
