/* Messages through real sockets: what goes in comes out; what no peer of ours sends is dropped. */
#include <czmq.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "logits.pb-c.h"
#include "proto/base/limits.h"
#include "proto/net/endpoint/endpoint.h"
#include "proto/net/wire.h"
#include "text.pb-c.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { HIGH_WATER = 8, SOON_MS = 60000 };

static char folder[64];
static endpoint *bound, *joined;
static void *router, *dealer;

static int sockets_make(void **state) {
    (void)state;
    strcpy(folder, "/tmp/test_wire.XXXXXX");
    if (!mkdtemp(folder)) return -1;
    char address[128];
    snprintf(address, sizeof address, "ipc://%s/socket", folder);
    endpoint_options options = {.address = address, .high_water = HIGH_WATER};
    failure f;
    if (endpoint_bind(&bound, &options, &f) != STATUS_OK) return -1;
    if (endpoint_join(&joined, &options, &f) != STATUS_OK) return -1;
    router = endpoint_socket(bound);
    dealer = endpoint_socket(joined);
    zsock_set_sndtimeo(dealer, SOON_MS);
    return 0;
}

static int sockets_end(void **state) {
    (void)state;
    endpoint_close(&joined);
    endpoint_close(&bound);
    return rmdir(folder);
}

/* wire_receive, once something has come. */
static status receive(void *socket, const ProtobufCMessageDescriptor *type, wire_message *m) {
    zmq_pollitem_t item = {.socket = socket, .events = ZMQ_POLLIN};
    zmq_poll(&item, 1, SOON_MS);
    return wire_receive(socket, type, m);
}

/* wire_send from the DEALER, once it is connected. */
static status send_up(const ProtobufCMessage *header, const wire_raw *raw, size_t n_raw) {
    status st = STATUS_BUSY;
    for (int i = 0; i < SOON_MS && st == STATUS_BUSY; i++, usleep(1000))
        st = wire_send(dealer, NULL, header, raw, n_raw);
    return st;
}

/* Frames as they are, which need not be a message of ours. */
static void send_frames(const char *const *frames, const size_t *sizes, size_t n_frames) {
    for (size_t i = 0; i < n_frames; i++) {
        zframe_t *frame = zframe_new(frames[i], sizes[i]);
        assert_int_equal(zframe_send(&frame, dealer, i + 1 < n_frames ? ZFRAME_MORE : 0), 0);
    }
}

static void send_bytes(const void *bytes, size_t n_bytes) {
    send_frames((const char *const[]){bytes}, &n_bytes, 1);
}

static Trivium__SampleRequest sample;
static Trivium__LogitsRequest *request(uint64_t ticket) {
    static Trivium__LogitsRequest message;
    sample = (Trivium__SampleRequest)TRIVIUM__SAMPLE_REQUEST__INIT;
    sample.ticket = ticket;
    message = (Trivium__LogitsRequest)TRIVIUM__LOGITS_REQUEST__INIT;
    message.body_case = TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE;
    message.sample = &sample;
    return &message;
}

static const ProtobufCMessageDescriptor *const type = &trivium__logits_request__descriptor;

static void nothing_there(void **state) {
    (void)state;
    wire_message m;
    assert_int_equal(wire_receive(router, type, &m), STATUS_NOT_FOUND);
    assert_int_equal(wire_receive(dealer, type, &m), STATUS_NOT_FOUND);
    wire_release(&m); /* nothing in it: fine */
}

/* Sizes around ZeroMQ's own steps: within the message, within its read buffer, in a block of their
 * own. */
static void header_and_rows_arrive_aligned(void **state) {
    (void)state;
    static const size_t counts[] = {0, 1, 2, 3, 7, 8, 9, 100, 1000, 2047, 2049, 49152};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        size_t n = counts[c];
        float *row = malloc((n + 1) * sizeof *row);
        int32_t ids[] = {1, -2, 3};
        for (size_t i = 0; i < n; i++) row[i] = (float)i / 3;
        wire_raw raw[] = {{row, n * sizeof *row}, {ids, sizeof ids}};
        for (uint64_t ticket = 1; ticket <= 5; ticket++) {
            assert_int_equal(send_up(&request(ticket)->base, raw, 2), STATUS_OK);
            wire_message m;
            assert_int_equal(receive(router, type, &m), STATUS_OK);
            const Trivium__LogitsRequest *got = (const Trivium__LogitsRequest *)m.header;
            assert_int_equal(got->body_case, TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE);
            assert_int_equal(got->sample->ticket, ticket);
            assert_int_equal(m.n_raw, 2);
            assert_true(m.route.n_bytes > 0);
            for (size_t i = 0; i < 2; i++) assert_int_equal((uintptr_t)m.raw[i].bytes % 8, 0);
            assert_memory_equal(wire_array(&m, 0, n, sizeof *row), row, n * sizeof *row);
            assert_memory_equal(wire_array(&m, 1, 3, sizeof *ids), ids, sizeof ids);
            wire_release(&m);
            assert_null(m.header);
            assert_int_equal(m.n_raw, 0);
        }
        free(row);
    }
}

static void a_message_stays_for_as_long_as_somebody_holds_it(void **state) {
    (void)state;
    const int32_t ids[] = {4, 5, 6};
    const wire_raw raw = {ids, sizeof ids};
    assert_int_equal(send_up(&request(7)->base, &raw, 1), STATUS_OK);
    wire_message m;
    assert_int_equal(receive(router, type, &m), STATUS_OK);
    wire_message kept = wire_keep(&m);
    wire_release(&m);
    assert_null(m.header);
    assert_int_equal(((const Trivium__LogitsRequest *)kept.header)->sample->ticket, 7);
    assert_memory_equal(wire_array(&kept, 0, 3, sizeof *ids), ids, sizeof ids);
    wire_release(&kept);
}

static void arrays_have_exactly_their_length(void **state) {
    (void)state;
    int32_t ids[] = {1, 2, 3};
    wire_raw raw = {ids, sizeof ids};
    assert_int_equal(send_up(&request(1)->base, &raw, 1), STATUS_OK);
    wire_message m;
    assert_int_equal(receive(router, type, &m), STATUS_OK);
    size_t count = 99;
    assert_non_null(wire_items(&m, 0, 4, &count));
    assert_int_equal(count, 3);
    assert_null(wire_items(&m, 0, 8, &count));
    assert_null(wire_items(&m, 1, 4, &count));
    assert_non_null(wire_array(&m, 0, 3, 4));
    assert_null(wire_array(&m, 0, 2, 4));
    assert_null(wire_array(&m, 0, 4, 4));
    assert_null(wire_array(&m, 0, SIZE_MAX / 4 + 1, 4));
    assert_null(wire_array(&m, 1, 0, 4));
    assert_null(wire_array(&m, 7, 0, 4));
    wire_release(&m);
}

static void an_answer_goes_where_the_question_came_from(void **state) {
    (void)state;
    assert_int_equal(send_up(&request(7)->base, NULL, 0), STATUS_OK);
    wire_message m, answer;
    assert_int_equal(receive(router, type, &m), STATUS_OK);
    assert_int_equal(wire_send(router, &m.route, m.header, NULL, 0), STATUS_OK);
    assert_int_equal(receive(dealer, type, &answer), STATUS_OK);
    assert_int_equal(answer.route.n_bytes, 0);
    assert_int_equal(((Trivium__LogitsRequest *)answer.header)->sample->ticket, 7);
    wire_release(&answer);

    m.route.bytes[m.route.n_bytes - 1] ^= 0x55; /* somebody who is not there */
    assert_int_equal(wire_send(router, &m.route, m.header, NULL, 0), STATUS_NOT_FOUND);
    wire_release(&m);
}

static void a_dealer_without_a_peer_is_busy(void **state) {
    (void)state;
    failure f;
    endpoint *alone;
    endpoint_options options = {.address = "ipc:///tmp/test_wire.nobody", .high_water = HIGH_WATER};
    assert_int_equal(endpoint_join(&alone, &options, &f), STATUS_OK);
    assert_int_equal(wire_send(endpoint_socket(alone), NULL, &request(1)->base, NULL, 0),
                     STATUS_BUSY);
    endpoint_close(&alone);
}

/* Nothing vanishes: what was taken arrives, what was not taken is told, and can be sent again. */
static void a_full_queue_is_told(void **state) {
    (void)state;
    enum { N_MAX = 5000 };
    assert_int_equal(send_up(&request(1)->base, NULL, 0), STATUS_OK);
    wire_message m;
    assert_int_equal(receive(router, type, &m), STATUS_OK);
    wire_route route = m.route;
    wire_release(&m);

    static uint8_t block[4096];
    wire_raw raw = {block, sizeof block};
    wire_parcel *parcel = NULL;
    uint64_t n_sent = 0;
    status st = STATUS_OK;
    while (st == STATUS_OK && n_sent < N_MAX) {
        assert_int_equal(wire_pack(&parcel, &request(n_sent)->base, &raw, 1), STATUS_OK);
        assert_true(wire_parcel_bytes(parcel) > sizeof block);
        st = wire_send_parcel(router, &route, &parcel, NULL);
        if (st == STATUS_OK) n_sent++, assert_null(parcel);
    }
    assert_int_equal(st, STATUS_BUSY);
    assert_non_null(parcel);
    assert_int_equal(wire_send_parcel(router, &route, &parcel, NULL), STATUS_BUSY);

    for (uint64_t ticket = 0; ticket <= n_sent; ticket++) {
        if (ticket == n_sent) /* the queue empties in a thread of ZeroMQ's: soon, not at once */
            for (int i = 0; i < SOON_MS && parcel; i++, usleep(1000))
                wire_send_parcel(router, &route, &parcel, NULL);
        assert_int_equal(receive(dealer, type, &m), STATUS_OK);
        assert_int_equal(((Trivium__LogitsRequest *)m.header)->sample->ticket, ticket);
        assert_non_null(wire_array(&m, 0, sizeof block, 1));
        wire_release(&m);
    }
    assert_null(parcel);
}

static void sizes_past_their_bound_are_not_sent(void **state) {
    (void)state;
    uint8_t byte = 0;
    wire_raw raw = {&byte, (size_t)RAW_BYTES_MAX + 1};
    assert_int_equal(wire_send(dealer, NULL, &request(1)->base, &raw, 1), STATUS_TOO_LONG);
    wire_parcel *parcel;
    assert_int_equal(wire_pack(&parcel, &request(1)->base, &raw, 1), STATUS_TOO_LONG);
    assert_null(parcel);

    Trivium__LogitsRequest *m = request(1);
    sample.state.len = (size_t)HEADER_BYTES_MAX + 1;
    sample.state.data = calloc(1, sample.state.len);
    assert_non_null(sample.state.data);
    assert_int_equal(wire_send(dealer, NULL, &m->base, NULL, 0), STATUS_TOO_LONG);
    free(sample.state.data);
}

/* The bad message is gone, whole, and the next one is read. */
static void assert_bad_then_good(void) {
    wire_message m;
    assert_int_equal(receive(router, type, &m), STATUS_BAD_MESSAGE);
    assert_true(m.route.n_bytes > 0);
    assert_null(m.header);
    assert_int_equal(send_up(&request(42)->base, NULL, 0), STATUS_OK);
    assert_int_equal(receive(router, type, &m), STATUS_OK);
    assert_int_equal(((Trivium__LogitsRequest *)m.header)->sample->ticket, 42);
    assert_int_equal(m.n_raw, 0);
    wire_release(&m);
}

static void frames_of_strangers(void **state) {
    (void)state;
    static const char *const frames[] = {"\x12\x00", "raw", "raw", "raw", "raw", "raw"};
    static const size_t sizes[] = {2, 3, 3, 3, 3, 3};
    send_bytes("", 0); /* no header */
    assert_bad_then_good();
    send_bytes("\xff\xff\xff", 3);
    assert_bad_then_good();
    send_frames(frames, sizes, FRAMES_MAX + 1);
    assert_bad_then_good();
    send_frames(frames, sizes, 6);
    assert_bad_then_good();
    send_frames((const char *const[]){"\xff", "raw", "raw", "raw"}, (const size_t[]){1, 3, 3, 3},
                4);
    assert_bad_then_good();
    send_frames((const char *const[]){"", ""}, (const size_t[]){0, 0}, 2);
    assert_bad_then_good();
}

/* 800,000 bytes that ask for more than a hundred times as much: refused before that is allocated.
 */
static void a_small_header_cannot_allocate_much(void **state) {
    (void)state;
    enum { N_REPORTS = 400000, STATUS_TAG = 11 << 3 | 2, MODELS_TAG = 3 << 3 | 2 };
    uint8_t *bytes = malloc(4 + 2 * N_REPORTS), *p = bytes;
    *p++ = STATUS_TAG;
    *p++ = 0x80 | (2 * N_REPORTS & 0x7f);
    *p++ = 0x80 | (2 * N_REPORTS >> 7 & 0x7f);
    *p++ = 2 * N_REPORTS >> 14;
    for (size_t i = 0; i < N_REPORTS; i++) *p++ = MODELS_TAG, *p++ = 0;
    wire_message m;
    send_bytes(bytes, (size_t)(p - bytes));
    assert_int_equal(receive(router, &trivium__text_reply__descriptor, &m), STATUS_BAD_MESSAGE);
    free(bytes);
}

/* A list is a message in a raw frame, whose fields are bounded as those of a header. */
static void lists_come_in_a_frame(void **state) {
    (void)state;
    enum { N_REPORTS = REQUESTS_MAX };
    static Trivium__RequestReport report = TRIVIUM__REQUEST_REPORT__INIT;
    static Trivium__RequestReport *reports[N_REPORTS + 1];
    report.attempt = 7;
    for (size_t i = 0; i <= N_REPORTS; i++) reports[i] = &report;
    Trivium__RequestList list = TRIVIUM__REQUEST_LIST__INIT;
    list.requests = reports;
    for (list.n_requests = 0; list.n_requests <= N_REPORTS + 1; list.n_requests += N_REPORTS / 2 + list.n_requests / N_REPORTS) {
        wire_raw raw;
        wire_message m;
        assert_int_equal(wire_pack_raw(&list.base, &raw), STATUS_OK);
        assert_int_equal(send_up(&request(1)->base, &raw, 1), STATUS_OK);
        free((void *)raw.bytes);
        assert_int_equal(receive(router, type, &m), STATUS_OK);
        Trivium__RequestList *there = (Trivium__RequestList *)wire_unpack(&m, 0, &trivium__request_list__descriptor);
        assert_null(wire_unpack(&m, 1, &trivium__request_list__descriptor));
        assert_true((there != NULL) == (list.n_requests <= N_REPORTS));
        if (there) {
            assert_int_equal(there->n_requests, list.n_requests);
            if (there->n_requests > 0) assert_int_equal(there->requests[there->n_requests - 1]->attempt, 7);
            trivium__request_list__free_unpacked(there, NULL);
        }
        wire_release(&m);
        if (list.n_requests > N_REPORTS) break;
    }
}

/* Damaged messages are read or refused, never a crash (run under a sanitizer this says more). */
static void damaged_headers(void **state) {
    (void)state;
    Trivium__LogitsRequest *message = request(1234567);
    Trivium__Step step = TRIVIUM__STEP__INIT, *steps[] = {&step, &step};
    double numbers[] = {0.5, 1e300};
    Trivium__Strategy strategy = TRIVIUM__STRATEGY__INIT;
    step.name = "top_p", step.n_numbers = 2, step.numbers = numbers;
    strategy.n_steps = 2, strategy.steps = steps;
    int32_t given[] = {-1, 5, 300};
    sample.strategy = &strategy, sample.n_given = 3, sample.given = given;
    uint8_t whole[512], damaged[512];
    size_t n_bytes = protobuf_c_message_pack(&message->base, whole), n_read = 0;
    srand(1);
    for (int i = 0; i < 20000; i++) {
        memcpy(damaged, whole, n_bytes);
        for (int hits = 1 + rand() % 4; hits > 0; hits--)
            damaged[(size_t)rand() % n_bytes] = (uint8_t)rand();
        send_bytes(damaged, 1 + (size_t)rand() % n_bytes);
        wire_message m;
        status st = receive(router, type, &m);
        assert_true(st == STATUS_OK || st == STATUS_BAD_MESSAGE);
        n_read += st == STATUS_OK;
        wire_release(&m);
    }
    assert_in_range(n_read, 1, 19999);
}

#define ON_SOCKETS(test) cmocka_unit_test_setup_teardown(test, sockets_make, sockets_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_SOCKETS(nothing_there),
        ON_SOCKETS(header_and_rows_arrive_aligned),
        ON_SOCKETS(a_message_stays_for_as_long_as_somebody_holds_it),
        ON_SOCKETS(arrays_have_exactly_their_length),
        ON_SOCKETS(an_answer_goes_where_the_question_came_from),
        ON_SOCKETS(a_dealer_without_a_peer_is_busy),
        ON_SOCKETS(a_full_queue_is_told),
        ON_SOCKETS(sizes_past_their_bound_are_not_sent),
        ON_SOCKETS(frames_of_strangers),
        ON_SOCKETS(a_small_header_cannot_allocate_much),
        ON_SOCKETS(lists_come_in_a_frame),
        ON_SOCKETS(damaged_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
