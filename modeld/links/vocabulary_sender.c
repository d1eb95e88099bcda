#include "vocabulary_sender.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "vocabulary_pieces.h"

enum {
    LOOK_MS_MIN = 1, LOOK_MS_MAX = 64,      /* until the next look at who has read, the longer the less they read */
    VAIN_MS_MAX = PIECES_STILL_MS,
    AHEAD_BYTES = TINY_LIMITS ? 1 : 128 << 10,  /* on their way to one: where the next look is late, the road does not lie idle */
};

typedef struct asker {
    LIST_ENTRY(asker) link;
    peers *ps;
    peer *peer;
    vocabulary_place place;         /* of the piece that is next */
    uint32_t vain_ms;               /* for which looks found nothing taken: time in which we do not look is not its fault */
} asker;

struct vocabulary_sender {
    loop *loop;
    const model *model;
    vocabulary_offer *offer;
    LIST_HEAD(, asker) askers;
    timer look_timer;
    uint32_t look_ms;
};

vocabulary_sender *vocabulary_sender_new(loop *l, const model *m, vocabulary_offer *offer) {
    vocabulary_sender *s = calloc(1, sizeof *s);
    if (s) *s = (vocabulary_sender){.loop = l, .model = m, .offer = offer, .look_ms = LOOK_MS_MIN};
    return s;
}

static void forget(asker *a) {
    LIST_REMOVE(a, link);
    free(a);
}

void vocabulary_sender_free(vocabulary_sender **s) {
    if (!*s) return;
    loop_cancel((*s)->loop, &(*s)->look_timer);
    while (!LIST_EMPTY(&(*s)->askers)) forget(LIST_FIRST(&(*s)->askers));
    free(*s);
    *s = NULL;
}

static void give_up(asker *a, const char *why) {
    peers_cut(a->ps, a->peer, why);
    forget(a);
}

/* What may leave now. True: something did. */
static bool send_one(vocabulary_sender *s, asker *a) {
    bool moved = false;
    while (peer_unread_bytes(a->peer) < AHEAD_BYTES && vocabulary_piece_exists(s->model, &a->place)) {
        vocabulary_place next = a->place;
        if (!s->offer(a->ps, a->peer, vocabulary_piece_make(s->model, &next))) break;
        a->place = next;
        moved = true;
    }
    return moved;
}

static void look_later(vocabulary_sender *s);

static void look(void *context) {
    vocabulary_sender *s = context;
    uint32_t passed_ms = s->look_ms;
    s->look_ms = s->look_ms < LOOK_MS_MAX ? 2 * s->look_ms : LOOK_MS_MAX;
    asker *a = LIST_FIRST(&s->askers), *next;
    for (; a; a = next) {
        next = LIST_NEXT(a, link);
        bool moved = send_one(s, a);
        if (moved) s->look_ms = LOOK_MS_MIN;
        a->vain_ms = moved || peer_has_taken(a->peer) ? 0 : a->vain_ms + passed_ms;
        if (!vocabulary_piece_exists(s->model, &a->place)) forget(a);
        else if (a->vain_ms >= VAIN_MS_MAX) give_up(a, "it does not read the vocabulary that it asked for");
    }
    if (!LIST_EMPTY(&s->askers)) look_later(s);
}

static void look_later(vocabulary_sender *s) {
    if (!timer_is_set(&s->look_timer)) loop_once(s->loop, &s->look_timer, s->look_ms, look, s);
}

void vocabulary_sender_begin(vocabulary_sender *s, peers *ps, peer *to) {
    vocabulary_sender_forget(s, to);
    asker *a = calloc(1, sizeof *a);
    if (!a) {
        peers_cut(ps, to, "no memory to send it the vocabulary");
        return;
    }
    a->ps = ps;
    a->peer = to;
    LIST_INSERT_HEAD(&s->askers, a, link);
    send_one(s, a);
    if (vocabulary_piece_exists(s->model, &a->place)) look_later(s);
    else forget(a);
}

void vocabulary_sender_forget(vocabulary_sender *s, const peer *to) {
    asker *a;
    LIST_FOREACH(a, &s->askers, link)
        if (a->peer == to) break;
    if (a) forget(a);
}
