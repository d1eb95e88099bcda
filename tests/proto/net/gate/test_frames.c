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

static void greet(void) {
    memset(stream, 0, 64);
    stream[0] = 0xff;
    stream[9] = 0x7f;
    stream[10] = 3;
    n_stream = 64;
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
        if (!command) expected += frame_weight(n);
    }
    add(0, 0);
    expected += frame_weight(0);
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
    size_t expected = frame_weight(300) + frame_weight(0) + frame_weight(1000) - 1;
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
    } cases[] = {{0, 'G'}, {9, 0}, {10, 0}, {10, 1}};
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

int main(void) {
    srand(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_do_not_depend_on_the_pieces),
        cmocka_unit_test(a_message_under_way_is_open),
        cmocka_unit_test(other_protocols_and_endless_commands_are_alien),
        cmocka_unit_test(names_that_zeromq_gives_itself_are_alien),
        cmocka_unit_test(commands_that_come_out_as_messages_are_alien),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
