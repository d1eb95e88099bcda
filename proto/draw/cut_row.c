#include "cut_row.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "proto/draw/simd/passes.h"

void cut_row_point(cut_row *row, const void *bytes) {
    const uint8_t *at = bytes;
    row->ids = (const void *)at;
    row->raw = (const void *)(at + row->n_left * sizeof *row->ids);
    row->logits = (const void *)(at + row->n_left * (sizeof *row->ids + sizeof *row->raw));
}

void cut_row_pack(const cut_row *row, const float *whole, void *bytes) {
    uint8_t *at = bytes;
    memcpy(at, row->ids, row->n_left * sizeof *row->ids);
    at += row->n_left * sizeof *row->ids;
    for (uint32_t i = 0; i < row->n_left; i++, at += sizeof *whole) memcpy(at, &whole[row->ids[i]], sizeof *whole);
    memcpy(at, row->logits, row->n_left * sizeof *row->logits);
}

/* The largest logit has the weight WEIGHT_ONE, and none has more. */
static bool sums_agree(float raw_max, uint64_t raw_total, uint32_t n_vocab) {
    return isfinite(raw_max) && raw_total >= WEIGHT_ONE && raw_total <= n_vocab * WEIGHT_ONE;
}

status cut_row_check(const cut_row *row, uint32_t n_vocab, failure *f) {
    if (!sums_agree(row->raw_max, row->raw_total, n_vocab))
        return fail(f, STATUS_BAD_MESSAGE, "the sums of a cut row are those of no row of %u logits", n_vocab);
    for (uint32_t i = 0; i < row->n_left; i++) {
        int32_t id = row->ids[i];
        if (id < 0 || (uint32_t)id >= n_vocab)
            return fail(f, STATUS_BAD_ID, "id %d is outside the vocabulary, which has %u ids", id, n_vocab);
        if (i > 0 && id <= row->ids[i - 1])
            return fail(f, STATUS_BAD_MESSAGE, "the ids of a cut row do not ascend: %d comes after %d", id, row->ids[i - 1]);
        if (!isfinite(row->raw[i]) || row->raw[i] > row->raw_max || !isfinite(row->logits[i]))
            return fail(f, STATUS_BAD_MESSAGE, "a logit of id %d in a cut row is none that a stage leaves", id);
    }
    return STATUS_OK;
}

status scored_row_check(const scored_row *row, uint32_t n_vocab, failure *f) {
    if (sums_agree(row->raw_max, row->raw_total, n_vocab) && row->raw <= row->raw_max) return STATUS_OK;
    return fail(f, STATUS_BAD_MESSAGE, "the sums of a scored row are those of no row of %u logits", n_vocab);
}

float cut_row_raw(const cut_row *row, int32_t id) {
    uint32_t low = 0, high = row->n_left - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (row->ids[middle] < id) low = middle + 1;
        else high = middle;
    }
    assert(row->ids[low] == id);
    return row->raw[low];
}
