#include "pieces.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "proto/base/clock.h"

/* So that no message is much larger than a piece. */
enum { SENT_WHOLE_BYTES = SENT_PIECE_BYTES < RAWS_BYTES_MAX ? SENT_PIECE_BYTES : RAWS_BYTES_MAX };

struct pieces {
    LIST_ENTRY(pieces) link;            /* of all */
    pieces_owner owner;
    wire_message message;               /* kept; its frames are put into it */
    size_t n_frames, n_bytes[RAW_FRAMES_MAX];   /* as the header says */
    uint8_t *frames[RAW_FRAMES_MAX];    /* owned, until they are the message's */
    size_t frame, n_done;               /* the next byte's place */
    size_t n_held;                      /* bytes of it in n_held_by_all: the header, and those that came */
    size_t n_come;
    uint32_t index;                     /* of the next piece */
    uint64_t begun_ms, moved_ms;
    bool whole;
};

static LIST_HEAD(, pieces) all_ones;    /* links are used by one thread */
static size_t n_held_by_all;

/* ---- the sender ---- */

bool pieces_needed(const wire_raw *raw, size_t n_raw) {
    size_t n_bytes = 0;
    for (size_t i = 0; i < n_raw; i++) n_bytes += raw[i].n_bytes;
    return n_bytes > SENT_WHOLE_BYTES;
}

bool pieces_next(pieces_cut *cut, wire_raw *piece) {
    while (cut->frame < cut->n_raw && cut->n_done == cut->raw[cut->frame].n_bytes) {
        cut->frame++;
        cut->n_done = 0;
    }
    if (cut->frame == cut->n_raw) return false;
    size_t n_left = cut->raw[cut->frame].n_bytes - cut->n_done;
    piece->bytes = (const uint8_t *)cut->raw[cut->frame].bytes + cut->n_done;
    piece->n_bytes = n_left < SENT_PIECE_BYTES ? n_left : SENT_PIECE_BYTES;
    cut->n_done += piece->n_bytes;
    return true;
}

/* ---- room ---- */

/* By how much what came of it is later than it would be at a pace that harms nobody. */
static uint64_t late_ms(const pieces *p, uint64_t now_ms) {
    uint64_t due_ms = p->begun_ms + PIECES_SLACK_MS + p->n_come / PIECES_BYTES_A_MS;
    return now_ms > due_ms ? now_ms - due_ms : 0;
}

static pieces *find_latest(void) {
    uint64_t now_ms = clock_ms(), most_ms = 0;
    pieces *latest = NULL, *p;
    LIST_FOREACH(p, &all_ones, link) {
        if (p->whole || late_ms(p, now_ms) <= most_ms) continue;
        latest = p;
        most_ms = late_ms(p, now_ms);
    }
    return latest;
}

static void give_up(pieces *p) {
    failure why;
    fail(&why, STATUS_BUSY, "it came slowly, and others needed its room; later there may be some");
    p->owner.give_up(p->owner.context, p->owner.sender, &why);
}

/* Nobody later than `p` holds what it needs. */
static status take_room(pieces *p, size_t n_bytes, failure *f) {
    pieces *latest;
    while (n_bytes > PIECES_BYTES_MAX - n_held_by_all && (latest = find_latest()) && latest != p) give_up(latest);
    if (n_bytes > PIECES_BYTES_MAX - n_held_by_all)
        return fail(f, STATUS_BUSY, "all messages in pieces together hold %d MiB already; later there may be room",
                    PIECES_BYTES_MAX >> 20);
    p->n_held += n_bytes;
    n_held_by_all += n_bytes;
    return STATUS_OK;
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

status pieces_begin(pieces **out, const pieces_owner *owner, const wire_message *header, const Trivium__Control *control,
                    failure *f) {
    *out = NULL;
    status st = check(header, control, f);
    if (st != STATUS_OK) return st;
    pieces *p = calloc(1, sizeof *p);
    if (!p) return fail(f, STATUS_NO_MEMORY, "no memory for a message in pieces");
    p->owner = *owner;
    p->n_frames = control->n_more;
    for (size_t i = 0; i < p->n_frames; i++) p->n_bytes[i] = (size_t)control->more[i];
    p->message = wire_keep(header);
    p->begun_ms = p->moved_ms = clock_ms();
    LIST_INSERT_HEAD(&all_ones, p, link);
    st = take_room(p, wire_header_bytes(header), f);
    if (st != STATUS_OK) {
        pieces_free(&p);
        return st;
    }
    go_on(p);
    if (p->whole) hand_over(p);
    *out = p;
    return STATUS_OK;
}

/* Memory for a piece that follows what the frame has. */
static status grow(pieces *p, size_t n_bytes, failure *f) {
    status st = take_room(p, n_bytes, f);
    if (st != STATUS_OK) return st;
    p->n_come += n_bytes;
    uint8_t *grown = realloc(p->frames[p->frame], p->n_done + n_bytes);
    if (!grown) return fail(f, STATUS_NO_MEMORY, "no memory for a message in pieces");
    p->frames[p->frame] = grown;
    return STATUS_OK;
}

status pieces_take(pieces *p, const wire_message *piece, uint32_t index, failure *f) {
    size_t n_bytes = piece->n_raw == 1 ? piece->raw[0].n_bytes : 0;
    status st = pieces_check(p, p->moved_ms, f);
    if (st != STATUS_OK) return st;
    assert(!p->whole);
    if (index != p->index)
        return fail(f, STATUS_BAD_MESSAGE, "piece %u of a message was due, not piece %u of %zu bytes", p->index, index,
                    n_bytes);
    size_t n_due = p->n_bytes[p->frame] - p->n_done;
    if (n_bytes == 0 || n_bytes > PIECE_BYTES_MAX || n_bytes > n_due)
        return fail(f, STATUS_BAD_MESSAGE, "piece %u of a message has %zu bytes, and 1 to %zu were due", index, n_bytes,
                    n_due < PIECE_BYTES_MAX ? n_due : PIECE_BYTES_MAX);
    st = grow(p, n_bytes, f);
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

status pieces_check(const pieces *p, uint64_t listened_ms, failure *f) {
    if (p->moved_ms + PIECES_STILL_MS > listened_ms) return STATUS_OK;
    return fail(f, STATUS_TIMEOUT, "its next piece did not come within %g s", PIECES_STILL_MS / 1000.0);
}

void pieces_free(pieces **out) {
    pieces *p = *out;
    *out = NULL;
    if (!p) return;
    LIST_REMOVE(p, link);
    n_held_by_all -= p->n_held;
    for (size_t i = 0; i < RAW_FRAMES_MAX; i++) free(p->frames[i]);
    wire_release(&p->message);
    free(p);
}
