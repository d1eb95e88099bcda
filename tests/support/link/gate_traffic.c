#include "gate_traffic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "logits.pb-c.h"
#include "proto/base/clock.h"
#include "proto/net/gate/gate.h"
#include "proto/net/wire.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { SETTLED_US = 200 * 1000 };

bool traffic_becomes(size_t value(void), size_t expected) {
    for (uint64_t begun_ms = clock_ms(); clock_ms() - begun_ms < TRAFFIC_SOON_MS; usleep(1000))
        if (value() == expected) return true;
    return false;
}

size_t traffic_settles(size_t value(void)) {
    size_t before = value() + 1, now;
    for (; (now = value()) != before; usleep(SETTLED_US)) before = now;
    return now;
}

status traffic_send(void *joined, size_t n_header, size_t n_raw_bytes, size_t n_raw) {
    static uint8_t bytes[256 * 1024];
    Trivium__SampleRequest sample = TRIVIUM__SAMPLE_REQUEST__INIT;
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE;
    m.sample = &sample;
    sample.request = (ProtobufCBinaryData){n_header, bytes};
    const wire_raw raw[2] = {{bytes, n_raw_bytes}, {bytes, n_raw_bytes / 3}};
    return wire_send(joined, NULL, &m.base, raw, n_raw);
}

void traffic_send_through(void *joined, size_t n_header, size_t n_raw_bytes, size_t n_raw, size_t n_more) {
    size_t n_before = gate_received_bytes();
    for (uint64_t begun_ms = clock_ms(); traffic_send(joined, n_header, n_raw_bytes, n_raw) != STATUS_OK; usleep(1000))
        assert_true(clock_ms() - begun_ms < TRAFFIC_SOON_MS);
    while (gate_received_bytes() < n_before + n_more) usleep(1000);
}

bool traffic_receive(void *bound, int *connection) {
    wire_message m;
    status st = wire_receive(bound, &trivium__logits_request__descriptor, &m);
    if (connection) *connection = m.connection;
    wire_release(&m);
    return st != STATUS_NOT_FOUND;
}

static size_t random_size(size_t most) {
    return (size_t)rand() % (1 + (most >> rand() % 18));
}

void traffic_leaves_nothing(void *joined, void *bound, int n) {
    size_t n_before = gate_received_bytes(), most = 0;
    int n_sent = 0, n_received = 0;
    for (uint64_t begun_ms = clock_ms(); n_received < n && clock_ms() - begun_ms < TRAFFIC_SOON_MS;) {
        if (n_sent < n && traffic_send(joined, random_size(100000), random_size(200000), (size_t)rand() % 3) == STATUS_OK)
            n_sent++;
        if (gate_received_bytes() > most) most = gate_received_bytes();
        if (rand() % 3 == 0 || n_sent == n) n_received += traffic_receive(bound, NULL);
    }
    assert_int_equal(n_received, n);
    assert_true(most > n_before);
    assert_int_equal(gate_received_bytes(), n_before);
}
