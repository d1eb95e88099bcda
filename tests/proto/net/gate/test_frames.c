/* Frames in the bytes of a connection: what they weigh, however they are cut into pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/net/gate/frames.h"

#include <cmocka.h>

enum { MORE = 1, LONG = 2, COMMAND = 4, STREAM_BYTES = 1 << 20 };

static uint8_t stream[STREAM_BYTES];
static size_t n_stream;

static void greet_as(const char *mechanism) {
    memset(stream, 0, 64);
    stream[0] = 0xff;
    stream[9] = 0x7f;
    stream[10] = 3;
    memcpy(stream + 12, mechanism, strlen(mechanism));
    n_stream = 64;
}

static void greet(void) {
    greet_as("NULL");
}

static size_t random_below(size_t n) {
    return (size_t)rand() % n;
}

static void add(uint8_t flags, size_t n_bytes) {
    stream[n_stream++] = flags;
    if (flags & LONG)
        for (int shift = 56; shift >= 0; shift -= 8) stream[n_stream++] = (uint8_t)((uint64_t)n_bytes >> shift);
    else stream[n_stream++] = (uint8_t)n_bytes;
    memset(stream + n_stream, 0xff, n_bytes);
    if (flags & COMMAND) stream[n_stream] = 4 + (uint8_t)random_below(2);   /* the length of its name */
    n_stream += n_bytes;
}

/* In pieces of at most n_max bytes. */
static size_t count_all(frames *f, size_t n_max) {
    size_t grown = 0;
    for (size_t i = 0; i < n_stream;) {
        size_t n = 1 + random_below(n_max);
        if (n > n_stream - i) n = n_stream - i;
        grown += frames_count(f, stream + i, n);
        i += n;
    }
    return grown;
}

static void weights_do_not_depend_on_the_pieces(void **state) {
    (void)state;
    greet();
    add(COMMAND, 28);
    size_t expected = 0;
    while (n_stream < STREAM_BYTES / 2) {
        bool command = random_below(10) == 0;
        size_t n = command ? 1 + random_below(512) : random_below(4) ? random_below(256) : random_below(20000);
        uint8_t flags = (uint8_t)((n > 255 ? LONG : 0) | (command ? COMMAND : random_below(2) ? MORE : 0));
        add(flags, n);
        if (!command) expected += frame_weight(n, false);
    }
    add(0, 0);
    expected += frame_weight(0, false);
    const size_t pieces[] = {1, 2, 3, 64, 8192, STREAM_BYTES};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        frames f = {0};
        assert_int_equal(count_all(&f, pieces[i]), expected);
        assert_int_equal(f.open_bytes, 0);
        assert_int_equal(f.n_open, 0);
        assert_false(f.alien);
    }
}

static void a_message_under_way_is_open(void **state) {
    (void)state;
    greet();
    add(COMMAND, 28);
    add(LONG | MORE, 300);
    add(MORE, 0);
    add(LONG, 1000);
    n_stream -= 1;
    frames f = {0};
    size_t expected = frame_weight(300, false) + frame_weight(0, false) + frame_weight(1000, false) - 1;
    assert_int_equal(count_all(&f, 7), expected);
    assert_int_equal(f.open_bytes, expected);
    assert_int_equal(f.n_open, 3);
    assert_int_equal(frames_count(&f, stream + n_stream, 1), 1);
    assert_int_equal(f.open_bytes, 0);
}

static void other_protocols_and_endless_commands_are_alien(void **state) {
    (void)state;
    const struct {
        size_t at;
        uint8_t byte;
    } cases[] = {{0, 'G'}, {9, 0}, {10, 0}, {10, 1}, {12, 'P'}, {16, 'X'}, {31, 'X'}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        greet();
        stream[cases[i].at] = cases[i].byte;
        frames f = {0};
        count_all(&f, 5);
        assert_true(f.alien);
    }
    greet();
    add(LONG | COMMAND, 513);
    frames f = {0};
    count_all(&f, 1000);
    assert_true(f.alien);
}

/* Of these ZeroMQ makes parts of messages, which nobody would have counted. */
static void commands_that_come_out_as_messages_are_alien(void **state) {
    (void)state;
    const char *const names[] = {"\x09SUBSCRIBE", "\x06" "CANCEL"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        greet();
        add(COMMAND | MORE, 100);
        memcpy(stream + n_stream - 100, names[i], strlen(names[i]));
        frames f = {0};
        count_all(&f, 5);
        assert_true(f.alien);
    }
}

static bool alien_ready(const char *property, size_t n_bytes, uint8_t flags) {
    greet();
    add(flags, 60 + n_bytes);
    memcpy(stream + n_stream - n_bytes, property, n_bytes);
    frames f = {0};
    count_all(&f, 3);
    return f.alien;
}

static void names_that_zeromq_gives_itself_are_alien(void **state) {
    (void)state;
    assert_true(alien_ready("\x08Identity\0\0\0\5\0abcd", 18, COMMAND));
    assert_true(alien_ready("\x08\x08Identity\0\0\0\1\0", 15, COMMAND));
    assert_false(alien_ready("\x08Identity\0\0\0\5abcd\0", 18, COMMAND));
    assert_false(alien_ready("\x08Identity\0\0\0\0", 13, COMMAND));
    assert_true(alien_ready("\x08Identity\0\0\0\0", 13, 0));   /* ZeroMQ would take it as READY, too */
}

/* ---- With keys ---- */

enum { HELLO_BYTES = 200, INITIATE_BYTES = 292, PING_BYTES = 7 };

/* A command of a handshake, with its name. */
static void add_command(const char *name, size_t n_bytes) {
    add(n_bytes > UINT8_MAX ? LONG | COMMAND : COMMAND, n_bytes);
    memcpy(stream + n_stream - n_bytes, name, strlen(name));
}

static void shake_hands(void) {
    greet_as("CURVE");
    add_command("\x05HELLO", HELLO_BYTES);
    add_command("\x08INITIATE", INITIATE_BYTES);
}

/* A box with a frame of so many bytes in it. */
static void add_box(size_t n_bytes) {
    n_bytes += BOX_BYTES;
    add(n_bytes > UINT8_MAX ? LONG : 0, n_bytes);
}

static void boxes_weigh_what_their_frames_will(void **state) {
    (void)state;
    shake_hands();
    size_t expected = 0;
    while (n_stream < STREAM_BYTES / 2) {
        size_t n = random_below(4) ? random_below(256) : random_below(20000);
        add_box(n);
        expected += frame_weight(n, true);
    }
    const size_t pieces[] = {1, 2, 3, 64, 8192, STREAM_BYTES};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        frames f = {.keys = true};
        assert_int_equal(count_all(&f, pieces[i]), expected);
        assert_int_equal(f.open_bytes, 0);
        assert_int_equal(f.n_open, 0);
        assert_false(f.alien);
    }
}

/* It may be a PING, out of which no message comes. */
static void a_box_as_large_as_a_ping_weighs_nothing(void **state) {
    (void)state;
    shake_hands();
    for (int i = 0; i < 5; i++) add_box(PING_BYTES);
    frames f = {.keys = true};
    assert_int_equal(count_all(&f, 9), 0);
    assert_int_equal(f.n_pings, 5);
    assert_int_equal(frame_weight(PING_BYTES, true), 0);
    assert_false(f.alien);
}

static bool alien_box(uint8_t flags, size_t n_bytes) {
    shake_hands();
    add(flags, n_bytes);
    frames f = {.keys = true};
    count_all(&f, 3);
    return f.alien;
}

static void what_is_no_box_is_alien(void **state) {
    (void)state;
    assert_false(alien_box(0, BOX_BYTES));
    assert_true(alien_box(0, BOX_BYTES - 1));
    assert_true(alien_box(MORE, BOX_BYTES));
    assert_true(alien_box(COMMAND, BOX_BYTES));
}

static bool alien_handshake(const char *mechanism, const char *first, size_t n_first, const char *second, size_t n_second) {
    greet_as(mechanism);
    add_command(first, n_first);
    add_command(second, n_second);
    frames f = {.keys = true};
    count_all(&f, 3);
    return f.alien;
}

static void handshakes_of_other_sizes_and_names_are_alien(void **state) {
    (void)state;
    const char *hello = "\x05HELLO", *initiate = "\x08INITIATE";
    assert_false(alien_handshake("CURVE", hello, HELLO_BYTES, initiate, INITIATE_BYTES));
    assert_true(alien_handshake("NULL", hello, HELLO_BYTES, initiate, INITIATE_BYTES));
    assert_true(alien_handshake("PLAIN", hello, HELLO_BYTES, initiate, INITIATE_BYTES));
    assert_true(alien_handshake("CURVE", hello, HELLO_BYTES + 1, initiate, INITIATE_BYTES));
    assert_true(alien_handshake("CURVE", "\x07WELCOME", HELLO_BYTES, initiate, INITIATE_BYTES));
    assert_true(alien_handshake("CURVE", hello, HELLO_BYTES, initiate, 256));
    assert_true(alien_handshake("CURVE", hello, HELLO_BYTES, initiate, 513));
    assert_true(alien_handshake("CURVE", hello, HELLO_BYTES, "\x05READY", INITIATE_BYTES));
}

static frames_stage stage_after(bool keys, size_t n_bytes) {
    frames f = {.keys = keys};
    frames_count(&f, stream, n_bytes);
    return frames_stage_of(&f);
}

static void it_is_known_how_far_a_handshake_came(void **state) {
    (void)state;
    greet();
    add(COMMAND, 28);
    for (size_t n = 0; n <= n_stream; n++)
        assert_int_equal(stage_after(false, n), n == 0 ? STAGE_SILENT : n < n_stream ? STAGE_GREETS : STAGE_TALKS);
    assert_int_equal(stage_after(true, n_stream), STAGE_GREETS);    /* its mechanism is another one */
    shake_hands();
    size_t n_handshake = n_stream;
    add_box(100);
    for (size_t n = 1; n <= n_stream; n++)
        assert_int_equal(stage_after(true, n), n < n_handshake + 2 ? STAGE_GREETS : STAGE_TALKS);
    assert_int_equal(stage_after(false, n_stream), STAGE_GREETS);
    stream[0] = 'G';
    assert_int_equal(stage_after(true, n_stream), STAGE_ALIEN);
}

static void properties_tell_a_name_that_zeromq_gives_itself(void **state) {
    (void)state;
    const char claims[] = "\x0bSocket-Type\0\0\0\x06" "DEALER\x08Identity\0\0\0\5\0abcd", *fine = "\x08Identity\0\0\0\5abcd\0";
    assert_true(frames_claim_identity((const uint8_t *)claims, sizeof claims - 1));
    assert_false(frames_claim_identity((const uint8_t *)fine, 18));
    assert_false(frames_claim_identity((const uint8_t *)claims, sizeof claims - 6));
}

int main(void) {
    srand(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_do_not_depend_on_the_pieces),
        cmocka_unit_test(a_message_under_way_is_open),
        cmocka_unit_test(other_protocols_and_endless_commands_are_alien),
        cmocka_unit_test(names_that_zeromq_gives_itself_are_alien),
        cmocka_unit_test(commands_that_come_out_as_messages_are_alien),
        cmocka_unit_test(boxes_weigh_what_their_frames_will),
        cmocka_unit_test(a_box_as_large_as_a_ping_weighs_nothing),
        cmocka_unit_test(what_is_no_box_is_alien),
        cmocka_unit_test(handshakes_of_other_sizes_and_names_are_alien),
        cmocka_unit_test(it_is_known_how_far_a_handshake_came),
        cmocka_unit_test(properties_tell_a_name_that_zeromq_gives_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
