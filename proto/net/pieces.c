#include "pieces.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"

struct pieces {
    wire_message message;               /* kept; its frames are put into it */
    size_t n_frames, n_bytes[RAW_FRAMES_MAX];   /* as the header says */
    uint8_t *frames[RAW_FRAMES_MAX];    /* owned, until they are the message's */
    size_t frame, n_done;               /* the next byte's place */
    size_t n_held;                      /* bytes of it in n_held_by_all */
    uint32_t index;                     /* of the next piece */
    uint64_t moved_ms;
    bool whole;
};

static size_t n_held_by_all;            /* links are used by one thread */

/* ---- the sender ---- */

bool pieces_needed(const wire_raw *raw, size_t n_raw) {
    size_t n_bytes = 0;
    for (size_t i = 0; i < n_raw; i++) n_bytes += raw[i].n_bytes;
    return n_bytes > RAWS_BYTES_MAX;
}

bool pieces_next(pieces_cut *cut, wire_raw *piece) {
    while (cut->frame < cut->n_raw && cut->n_done == cut->raw[cut->frame].n_bytes) {
        cut->frame++;
        cut->n_done = 0;
    }
    if (cut->frame == cut->n_raw) return false;
    size_t n_left = cut->raw[cut->frame].n_bytes - cut->n_done;
    piece->bytes = (const uint8_t *)cut->raw[cut->frame].bytes + cut->n_done;
    piece->n_bytes = n_left < PIECE_BYTES_MAX ? n_left : PIECE_BYTES_MAX;
    cut->n_done += piece->n_bytes;
    return true;
}

/* ---- the receiver ---- */

static status check(const wire_message *header, const Trivium__Control *control, failure *f) {
    if (header->n_raw > 0 || control->n_more > RAW_FRAMES_MAX)
        return fail(f, STATUS_BAD_MESSAGE, "a header that pieces follow has frames that it cannot have");
    for (size_t i = 0; i < control->n_more; i++)
        if (control->more[i] > RAW_BYTES_MAX)
            return fail(f, STATUS_TOO_LONG, "%llu bytes are more than a message holds, %d",
                        (unsigned long long)control->more[i], RAW_BYTES_MAX);
    return STATUS_OK;
}

/* Frames that are full are passed over. */
static void go_on(pieces *p) {
    while (p->frame < p->n_frames && p->n_done == p->n_bytes[p->frame]) {
        p->frame++;
        p->n_done = 0;
    }
    p->whole = p->frame == p->n_frames;
}

/* They become the message's own. */
static void hand_over(pieces *p) {
    for (size_t i = 0; i < p->n_frames; i++) {
        wire_adopt_raw(&p->message, p->frames[i], p->n_bytes[i]);
        p->frames[i] = NULL;
    }
}

status pieces_begin(pieces **out, const wire_message *header, const Trivium__Control *control, failure *f) {
    *out = NULL;
    status st = check(header, control, f);
    if (st != STATUS_OK) return st;
    pieces *p = calloc(1, sizeof *p);
    if (!p) return fail(f, STATUS_NO_MEMORY, "no memory for a message in pieces");
    p->n_frames = control->n_more;
    for (size_t i = 0; i < p->n_frames; i++) p->n_bytes[i] = (size_t)control->more[i];
    p->message = wire_keep(header);
    p->moved_ms = clock_ms();
    go_on(p);
    if (p->whole) hand_over(p);
    *out = p;
    return STATUS_OK;
}

/* Memory for a piece that follows what the frame has. */
static status make_room(pieces *p, size_t n_bytes, failure *f) {
    if (n_bytes > PIECES_BYTES_MAX - n_held_by_all)
        return fail(f, STATUS_BUSY, "all messages in pieces together hold %d MiB already; later there may be room",
                    PIECES_BYTES_MAX >> 20);
    uint8_t *grown = realloc(p->frames[p->frame], p->n_done + n_bytes);
    if (!grown) return fail(f, STATUS_NO_MEMORY, "no memory for a message in pieces");
    p->frames[p->frame] = grown;
    p->n_held += n_bytes;
    n_held_by_all += n_bytes;
    return STATUS_OK;
}

status pieces_take(pieces *p, const wire_message *piece, uint32_t index, failure *f) {
    size_t n_bytes = piece->n_raw == 1 ? piece->raw[0].n_bytes : 0;
    if (p->whole || index != p->index || n_bytes == 0 || n_bytes > PIECE_BYTES_MAX ||
        n_bytes > p->n_bytes[p->frame] - p->n_done)
        return fail(f, STATUS_BAD_MESSAGE, "piece %u of a message was due, not piece %u of %zu bytes", p->index, index,
                    n_bytes);
    status st = make_room(p, n_bytes, f);
    if (st != STATUS_OK) return st;
    memcpy(p->frames[p->frame] + p->n_done, piece->raw[0].bytes, n_bytes);
    p->n_done += n_bytes;
    p->index++;
    p->moved_ms = clock_ms();
    go_on(p);
    if (p->whole) hand_over(p);
    return STATUS_OK;
}

bool pieces_whole(const pieces *p) {
    return p->whole;
}

const wire_message *pieces_message(const pieces *p) {
    return &p->message;
}

uint64_t pieces_moved_ms(const pieces *p) {
    return p->moved_ms;
}

void pieces_free(pieces **out) {
    pieces *p = *out;
    *out = NULL;
    if (!p) return;
    n_held_by_all -= p->n_held;
    for (size_t i = 0; i < RAW_FRAMES_MAX; i++) free(p->frames[i]);
    wire_release(&p->message);
    free(p);
}
