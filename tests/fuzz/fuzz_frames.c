/* libFuzzer: any bytes as what comes in on a connection, in one go and in slices: both weigh the same. (The first byte of
 * the input is the length of a slice; where it is below 0x80 a fine greeting is put in front of the rest. The second byte
 * says by its last bits: with keys; and their handshake is put there, too.) */
#include <stdlib.h>
#include <string.h>

#include "proto/net/gate/frames.h"
#include "tests/fuzz/input/target.h"

enum { GREETING_BYTES = 64, MECHANISM_AT = 12, PLAIN = 0x80, SLICE_MASK = 0x7f, WITH_KEYS = 1, HANDSHAKEN = 2 };
enum { COMMAND = 4, LONG = 2, HELLO_BYTES = 200, INITIATE_BYTES = 292 };

static void must(bool holds) {
    if (!holds) abort();
}

/* An open message weighs something as long as it is open, and all that grew is at least it. */
static void check(const frames *f, size_t grown, size_t n) {
    if (f->alien) return;
    must((f->n_open == 0) == (f->open_bytes == 0));
    must(f->open_bytes <= grown);
    must(grown <= (n + 1) * frame_weight(0, false) + n * frame_weight(UINT8_MAX, false));
}

static void greet(frames *f) {
    uint8_t greeting[GREETING_BYTES] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3};
    strcpy((char *)greeting + MECHANISM_AT, f->keys ? "CURVE" : "NULL");
    must(frames_count(f, greeting, sizeof greeting) == 0 && !f->alien);
}

static void shake_hands(frames *f) {
    uint8_t hello[2 + HELLO_BYTES] = {COMMAND, HELLO_BYTES, 5};
    uint8_t initiate[FRAME_HEAD_BYTES_MAX + INITIATE_BYTES] = {LONG | COMMAND, 0, 0, 0, 0, 0, 0, INITIATE_BYTES >> 8,
                                                               INITIATE_BYTES & 0xff, 8};
    must(frames_count(f, hello, sizeof hello) == 0 && frames_count(f, initiate, sizeof initiate) == 0 && !f->alien);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    frames whole = {.keys = data[1] & WITH_KEYS};
    if (data[0] < PLAIN) greet(&whole);
    if (data[0] < PLAIN && whole.keys && data[1] & HANDSHAKEN) shake_hands(&whole);
    frames sliced = whole;
    size_t n = size - 2, slice = 1 + (data[0] & SLICE_MASK), grown_sliced = 0;
    size_t grown = frames_count(&whole, data + 2, n);
    for (size_t at = 0; at < n; at += slice) {
        grown_sliced += frames_count(&sliced, data + 2 + at, n - at < slice ? n - at : slice);
        check(&sliced, grown_sliced, n);
    }
    check(&whole, grown, n);
    must(whole.alien == sliced.alien && grown == grown_sliced);
    must(frames_stage_of(&whole) == frames_stage_of(&sliced));
    must(whole.alien || (whole.n_open == sliced.n_open && whole.open_bytes == sliced.open_bytes && whole.n_pings == sliced.n_pings));
    return 0;
}
