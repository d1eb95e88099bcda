/* libFuzzer: any bytes as what comes in on a connection, in one go and in slices: both weigh the same. (The first byte of
 * the input is the length of a slice; where it is below 0x80 a fine greeting is put in front of the rest.) */
#include <stdlib.h>
#include <string.h>

#include "proto/net/gate/frames.h"
#include "tests/fuzz/input/target.h"

enum { GREETING_BYTES = 64, PLAIN = 0x80, SLICE_MASK = 0x7f };

static void must(bool holds) {
    if (!holds) abort();
}

/* An open message weighs something as long as it is open, and all that grew is at least it. */
static void check(const frames *f, size_t grown, size_t n) {
    if (f->alien) return;
    must((f->n_open == 0) == (f->open_bytes == 0));
    must(f->open_bytes <= grown);
    must(grown <= (n + 1) * frame_weight(0) + n * frame_weight(UINT8_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t greeting[GREETING_BYTES] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3};
    if (size == 0) return 0;
    frames whole = {0}, sliced = {0};
    if (data[0] < PLAIN) {
        must(frames_count(&whole, greeting, sizeof greeting) == 0 && !whole.alien);
        sliced = whole;
    }
    size_t n = size - 1, slice = 1 + (data[0] & SLICE_MASK), grown_sliced = 0;
    size_t grown = frames_count(&whole, data + 1, n);
    for (size_t at = 0; at < n; at += slice) {
        grown_sliced += frames_count(&sliced, data + 1 + at, n - at < slice ? n - at : slice);
        check(&sliced, grown_sliced, n);
    }
    check(&whole, grown, n);
    must(whole.alien == sliced.alien && grown == grown_sliced);
    must(whole.alien || (whole.n_open == sliced.n_open && whole.open_bytes == sliced.open_bytes));
    return 0;
}
