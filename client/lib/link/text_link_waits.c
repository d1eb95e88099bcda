#include <stdio.h>
#include <string.h>

#include "proto/base/clock.h"
#include "text_link_parts.h"

/* ---- the wait for a tokenizerd ---- */

void text_link_tell(text_link *link, const char *sentence) {
    if (!link->events.waiting || strcmp(link->told, sentence) == 0) return;
    snprintf(link->told, sizeof link->told, "%s", sentence);
    link->events.waiting(link->context, sentence);
}

bool text_link_knows_drained(const text_link *link, uint64_t incarnation) {
    for (size_t i = 0; i < JOINS_MAX; i++)
        if (link->drained[i] == incarnation) return true;
    return false;
}

/* The newest comes first; the oldest is forgotten where there are too many. */
static void note_drained(text_link *link, uint64_t incarnation) {
    text_link_forget_drained(link, incarnation);
    memmove(link->drained + 1, link->drained, (JOINS_MAX - 1) * sizeof *link->drained);
    link->drained[0] = incarnation;
}

void text_link_forget_drained(text_link *link, uint64_t incarnation) {
    size_t n = 0;
    for (size_t i = 0; i < JOINS_MAX; i++)
        if (link->drained[i] != incarnation) link->drained[n++] = link->drained[i];
    while (n < JOINS_MAX) link->drained[n++] = 0;
}

static bool any_drains(const text_link *link) {
    return link->drained[0] != 0;
}

static void on_notice(void *context) {
    text_link *link = context;
    char where[SENTENCE_BYTES - 128], sentence[SENTENCE_BYTES];
    bool draining = any_drains(link);
    if (link->peers) places_reached(link->places, peers_reached(link->peers));
    (draining ? places_list : places_list_known)(link->places, where, sizeof where);
    snprintf(sentence, sizeof sentence, "waiting for %stokenizerd at %s, for up to %g s%s", draining ? "another " : "",
             where, link->wait_ms / 1000.0, draining ? "; the one there is draining and takes nothing new" : "");
    text_link_tell(link, sentence);
}

void text_link_no_tokenizerd(text_link *link) {
    failure f = link->refusal;
    if (f.code == STATUS_OK) {
        char where[sizeof f.message];
        text_link_unjoin(link);
        bool draining = any_drains(link);
        (draining ? places_list : places_explain)(link->places, where, sizeof where);
        if (draining)
            fail(&f, STATUS_DRAINING, "the tokenizerd at %.300s is draining and takes nothing new, and no other has come "
                 "within %g s", where, clock_wait_s(link->wait_ms));
        else fail(&f, STATUS_NO_TOKENIZERD, "no tokenizerd answers at %s", where);
    }
    text_link_give_up(link, &f);
}

static void on_wait_over(void *context) {
    text_link *link = context;
    if (!link->tokenizerd || link->events.waits(link->context)) text_link_no_tokenizerd(link);
}

static void notice_begin(text_link *link) {
    if (!link->events.waiting || link->wait_ms <= NOTICE_MS || timer_is_set(&link->notice_timer)) return;
    loop_once(link->loop, &link->notice_timer, NOTICE_MS, on_notice, link);
}

void text_link_await(text_link *link, uint32_t ms_min) {
    uint32_t wait_ms = link->wait_ms > ms_min ? link->wait_ms : ms_min;
    if (timer_is_set(&link->wait_timer)) return;
    loop_once(link->loop, &link->wait_timer, wait_ms, on_wait_over, link);
    notice_begin(link);
}

/* ---- a tokenizerd that drains ----
 *
 * What runs there goes on there. What is new waits: for another endpoint, to which we go once nothing runs there; or, where
 * none is known that does not drain, for the next tokenizerd, as if none were here. */

static void on_leave_turn(void *context) {
    text_link *link = context;
    if (!link->is_draining || !text_link_is_joined(link) || link->events.under_way(link->context)) return;
    bool waits = link->events.waits(link->context);
    bool goes = places_are_several(link->places) && (link->is_left_at_once || waits);
    if (waits || goes)          /* all have their turn */
        text_link_await(link, HANDSHAKE_MS_MIN + (uint32_t)places_count(link->places) * TURN_MS);
    if (!goes) return;
    link->is_draining = false;
    link->tokenizerd = NULL;
    link->events.lost(link->context);
    text_link_join_next(link);
}

/* From the loop: an event of the peers must not free them. */
void text_link_leave_if_idle(text_link *link) {
    if (!link->is_draining || !text_link_is_joined(link) || timer_is_set(&link->leave_timer)) return;
    if (link->events.under_way(link->context)) return;
    loop_once(link->loop, &link->leave_timer, link->is_left_at_once ? 0 : TURN_MS, on_leave_turn, link);
}

void text_link_hear_draining(text_link *link) {
    if (link->is_draining || !link->tokenizerd) return;
    link->is_draining = true;
    link->is_left_at_once = true;
    note_drained(link, peer_incarnation(link->tokenizerd));
    text_link_leave_if_idle(link);
}
