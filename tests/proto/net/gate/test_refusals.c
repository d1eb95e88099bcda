/* Who was refused: one line an address, endpoint and minute, and for more of these than there are places one of all others. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "proto/net/gate/refusals.h"

#include <cmocka.h>

static refused_addresses all;

static int begin(void **state) {
    (void)state;
    all = (refused_addresses){0};
    return 0;
}

static struct sockaddr_in address4(const char *text, uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET, text, &address.sin_addr), 1);
    return address;
}

static struct sockaddr_in6 address6(const char *text, uint16_t port) {
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET6, text, &address.sin6_addr), 1);
    return address;
}

/* The port from which one comes is no part of the way. */
static refused_way way4(const char *text, uint16_t to_port) {
    refused_way way;
    struct sockaddr_in from = address4(text, to_port + 1), to = address4("10.0.0.1", to_port);
    assert_true(refusals_way((struct sockaddr *)&from, (struct sockaddr *)&to, &way));
    return way;
}

static refused_way way6(const char *from_text, const char *to_text) {
    refused_way way;
    struct sockaddr_in6 from = address6(from_text, 77), to = address6(to_text, 5555);
    assert_true(refusals_way((struct sockaddr *)&from, (struct sockaddr *)&to, &way));
    return way;
}

static void refuse(refused_way way, refusal why) {
    refusals_count(&all, &way, why);
}

/* The next line names this address, and has these counts. */
static void assert_line(uint64_t now_ms, const char *expected, size_t handshake, size_t silent, size_t no_hello, size_t no_message) {
    refused one;
    char name[REFUSED_NAME_BYTES];
    assert_true(refusals_next(&all, now_ms, &one));
    refused_name(&one, name);
    assert_string_equal(name, expected);
    assert_int_equal(one.n[REFUSAL_HANDSHAKE], handshake);
    assert_int_equal(one.n[REFUSAL_SILENT], silent);
    assert_int_equal(one.n[REFUSAL_NO_HELLO], no_hello);
    assert_int_equal(one.n[REFUSAL_NO_MESSAGE], no_message);
}

static void assert_no_line(uint64_t now_ms) {
    refused one;
    assert_false(refusals_next(&all, now_ms, &one));
}

static void an_address_has_a_line_at_once_and_then_each_minute(void **state) {
    (void)state;
    assert_no_line(1000);
    refuse(way4("10.0.0.5", 5555), REFUSAL_HANDSHAKE);
    refuse(way4("10.0.0.5", 5555), REFUSAL_HANDSHAKE);
    refuse(way4("10.0.0.5", 5555), REFUSAL_NO_MESSAGE);
    assert_line(2000, "10.0.0.5 endpoint=tcp://10.0.0.1:5555", 2, 0, 0, 1);
    assert_no_line(2000);
    refuse(way4("10.0.0.5", 5555), REFUSAL_SILENT);
    assert_no_line(2000 + REFUSAL_LINE_MS - 1);
    refuse(way4("10.0.0.5", 5555), REFUSAL_NO_HELLO);
    assert_line(2000 + REFUSAL_LINE_MS, "10.0.0.5 endpoint=tcp://10.0.0.1:5555", 0, 1, 1, 0);
    assert_no_line(2000 + 2 * REFUSAL_LINE_MS);
}

static void addresses_of_both_kinds_are_told_apart(void **state) {
    (void)state;
    refuse(way6("2001:db8::1", "2001:db8::2"), REFUSAL_NO_MESSAGE);
    refuse(way6("::ffff:10.0.0.5", "::ffff:10.0.0.1"), REFUSAL_HANDSHAKE);     /* a socket for both kinds has IPv4 so */
    refuse(way4("10.0.0.5", 5555), REFUSAL_HANDSHAKE);
    assert_line(1000, "2001:db8::1 endpoint=tcp://[2001:db8::2]:5555", 0, 0, 0, 1);
    assert_line(1000, "10.0.0.5 endpoint=tcp://10.0.0.1:5555", 2, 0, 0, 0);
    assert_no_line(1000);
}

static void endpoints_are_told_apart(void **state) {
    (void)state;
    refuse(way4("10.0.0.5", 5555), REFUSAL_HANDSHAKE);
    refuse(way4("10.0.0.5", 5556), REFUSAL_SILENT);
    assert_line(1000, "10.0.0.5 endpoint=tcp://10.0.0.1:5555", 1, 0, 0, 0);
    assert_line(1000, "10.0.0.5 endpoint=tcp://10.0.0.1:5556", 0, 1, 0, 0);
    assert_no_line(1000);
}

static void a_local_socket_has_no_address(void **state) {
    (void)state;
    struct sockaddr from = {.sa_family = AF_UNIX};
    refused_way way;
    assert_false(refusals_way(&from, &from, &way));
}

static refused_way way_of(unsigned number) {
    char text[INET_ADDRSTRLEN];
    snprintf(text, sizeof text, "10.1.%u.%u", number / 256 % 256, number % 256);
    return way4(text, 5555);
}

static void more_addresses_than_there_are_places_have_one_line(void **state) {
    (void)state;
    enum { N_MORE = 1000 };
    for (unsigned i = 0; i < REFUSED_ADDRESSES_MAX + N_MORE; i++) refuse(way_of(i), REFUSAL_NO_MESSAGE);
    refused one;
    for (unsigned i = 0; i < REFUSED_ADDRESSES_MAX; i++) assert_true(refusals_next(&all, 1000, &one));
    assert_line(1000, "others", 0, 0, 0, N_MORE);
    assert_no_line(1000);
    refuse(way_of(N_MORE), REFUSAL_SILENT);
    assert_no_line(1000 + REFUSAL_LINE_MS - 1);
    assert_line(1000 + REFUSAL_LINE_MS, "others", 0, 1, 0, 0);
}

static void an_address_that_is_heard_of_no_more_gives_up_its_place(void **state) {
    (void)state;
    refused one;
    for (unsigned i = 0; i < REFUSED_ADDRESSES_MAX; i++) refuse(way_of(i), REFUSAL_NO_MESSAGE);
    while (refusals_next(&all, 1000, &one)) {}
    assert_no_line(1000 + REFUSAL_LINE_MS);
    refuse(way4("10.0.0.5", 5555), REFUSAL_HANDSHAKE);
    assert_line(1000 + REFUSAL_LINE_MS, "10.0.0.5 endpoint=tcp://10.0.0.1:5555", 1, 0, 0, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_address_has_a_line_at_once_and_then_each_minute, begin),
        cmocka_unit_test_setup(addresses_of_both_kinds_are_told_apart, begin),
        cmocka_unit_test_setup(endpoints_are_told_apart, begin),
        cmocka_unit_test_setup(a_local_socket_has_no_address, begin),
        cmocka_unit_test_setup(more_addresses_than_there_are_places_have_one_line, begin),
        cmocka_unit_test_setup(an_address_that_is_heard_of_no_more_gives_up_its_place, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
