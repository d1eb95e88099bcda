#include "transcript.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/grow.h"

typedef struct said {
    conversation_message message;       /* content owned */
    size_t n_forgotten;         /* when it was said */
} said;

typedef enum aside_kind {
    ASIDE_NONE,
    ASIDE_MESSAGE,              /* taken back, because no reply came */
    ASIDE_REPLY,                /* that another one is to replace */
} aside_kind;

struct transcript {
    said *messages;             /* [n_messages] */
    size_t n_messages, capacity;
    size_t n_forgotten;         /* after the system message */
    bool has_system;
    bool is_reopened;           /* by transcript_reopen, and no reply came yet: the last message stays */
    aside_kind aside_kind;
    said aside;
    conversation_message *seen; /* without those that are forgotten; contents borrowed */
    size_t seen_capacity;
};

/* ---- its life ---- */

static void said_clear(said *s) {
    free((uint8_t *)s->message.content);
}

static void aside_clear(transcript *c) {
    if (c->aside_kind != ASIDE_NONE) said_clear(&c->aside);
    c->aside_kind = ASIDE_NONE;
    c->is_reopened = false;
}

transcript *transcript_new(const char *system) {
    transcript *c = calloc(1, sizeof *c);
    if (!c || !system) return c;
    if (transcript_set_system(c, system, strlen(system)) != STATUS_OK) transcript_free(&c);
    return c;
}

void transcript_free(transcript **c) {
    if (!*c) return;
    aside_clear(*c);
    for (size_t i = 0; i < (*c)->n_messages; i++) said_clear(&(*c)->messages[i]);
    free((*c)->messages);
    free((*c)->seen);
    free(*c);
    *c = NULL;
}

static bool transcript_room(transcript *c) {
    said *grown = grow(c->messages, &c->capacity, c->n_messages + 1, sizeof *grown);
    if (grown) c->messages = grown;
    return grown != NULL;
}

static uint8_t *content_copy(const void *content, size_t n_bytes) {
    uint8_t *copy = malloc(n_bytes + 1);
    if (copy && n_bytes > 0) memcpy(copy, content, n_bytes);
    return copy;
}

/* ---- what is said ---- */

status transcript_add(transcript *c, const char *role, const void *content, size_t n_bytes) {
    uint8_t *copy = content_copy(content, n_bytes);
    if (!copy || !transcript_room(c)) {
        free(copy);
        return STATUS_NO_MEMORY;
    }
    c->messages[c->n_messages++] = (said){{role, copy, n_bytes}, c->n_forgotten};
    aside_clear(c);
    return STATUS_OK;
}

/* Messages that are never taken back: the system message and what the model no longer sees. */
static size_t n_fixed(const transcript *c) {
    return c->has_system + c->n_forgotten;
}

/* Take the last message off; what was forgotten since it was said is seen again. */
static said take_last(transcript *c) {
    said last = c->messages[--c->n_messages];
    c->n_forgotten = last.n_forgotten;
    return last;
}

static void drop_last(transcript *c) {
    said last = take_last(c);
    said_clear(&last);
}

/* There is room: the array never shrinks. */
static void put_aside_back(transcript *c) {
    c->messages[c->n_messages++] = c->aside;
    c->n_forgotten = c->aside.n_forgotten;
    c->aside_kind = ASIDE_NONE;
}

static bool is_said_by(const transcript *c, size_t i, const char *role) {
    return strcmp(c->messages[i].message.role, role) == 0;
}

bool transcript_reopen(transcript *c) {
    if (c->aside_kind == ASIDE_MESSAGE) {
        put_aside_back(c);
        return true;
    }
    size_t n_left = c->n_messages - n_fixed(c);
    bool has_reply = n_left > 0 && is_said_by(c, c->n_messages - 1, "assistant");
    if (n_left == (has_reply ? 1 : 0)) return false;
    if (has_reply) {
        c->aside = take_last(c);
        c->aside_kind = ASIDE_REPLY;
    }
    c->n_forgotten = c->messages[c->n_messages - 1].n_forgotten;
    c->is_reopened = true;
    return true;
}

void transcript_withdraw(transcript *c) {
    if (c->aside_kind == ASIDE_REPLY) {
        put_aside_back(c);
    } else if (!c->is_reopened && c->n_messages > n_fixed(c)) {
        assert(c->aside_kind == ASIDE_NONE);
        c->aside = take_last(c);
        c->aside_kind = ASIDE_MESSAGE;
    }
    c->is_reopened = false;
}

bool transcript_undo(transcript *c) {
    size_t last = c->n_messages;
    while (last > n_fixed(c) && !is_said_by(c, last - 1, "user")) last--;
    if (last == n_fixed(c)) return false;
    aside_clear(c);
    while (c->n_messages >= last) drop_last(c);
    return true;
}

void transcript_clear(transcript *c) {
    aside_clear(c);
    while (c->n_messages > c->has_system) drop_last(c);
    c->n_forgotten = 0;
}

status transcript_set_system(transcript *c, const void *content, size_t n_bytes) {
    uint8_t *copy = content_copy(content, n_bytes);
    if (!copy || (!c->has_system && !transcript_room(c))) {
        free(copy);
        return STATUS_NO_MEMORY;
    }
    said *first = c->messages;
    if (c->has_system) said_clear(first);
    else memmove(first + 1, first, c->n_messages++ * sizeof *first);
    *first = (said){.message = {"system", copy, n_bytes}};
    c->has_system = true;
    return STATUS_OK;
}

status transcript_replace(transcript *c, transcript **from) {
    transcript *other = *from, before = *c;
    const conversation_message *system = transcript_system(c);
    status st = other->has_system || !system
                    ? STATUS_OK
                    : transcript_set_system(other, system->content, system->n_bytes);
    if (st == STATUS_OK) {
        *c = *other;
        *other = before;
    }
    transcript_free(from);
    return st;
}

/* ---- what the model sees ---- */

void transcript_forget(transcript *c, size_t n) {
    size_t n_left = c->n_messages - n_fixed(c);
    c->n_forgotten += n < n_left ? n : n_left;
}

size_t transcript_forget_excess(transcript *c) {
    size_t n_bytes = 0, n_before = c->n_forgotten;
    const said *system = c->has_system ? c->messages : NULL;
    for (size_t i = n_fixed(c); i < c->n_messages; i++) n_bytes += c->messages[i].message.n_bytes;
    if (system) n_bytes += system->message.n_bytes;
    while (c->n_messages - n_fixed(c) > 1) {
        size_t first = n_fixed(c), n_seen = c->n_messages - c->n_forgotten;
        bool is_excess = n_seen > MESSAGES_MAX || n_bytes > TEXT_BYTES_MAX;
        bool is_lone_reply = c->n_forgotten > n_before && is_said_by(c, first, "assistant");
        if (!is_excess && !is_lone_reply) break;
        n_bytes -= c->messages[first].message.n_bytes;
        c->n_forgotten++;
    }
    return c->n_forgotten - n_before;
}

const conversation_message *transcript_seen(transcript *c, size_t *n) {
    size_t n_after = c->n_messages - n_fixed(c);
    conversation_message *seen = grow(c->seen, &c->seen_capacity, c->n_messages, sizeof *seen);
    if (!seen) return NULL;
    c->seen = seen;
    if (c->has_system) seen[0] = c->messages[0].message;
    for (size_t i = 0; i < n_after; i++)
        seen[c->has_system + i] = c->messages[n_fixed(c) + i].message;
    *n = c->has_system + n_after;
    return seen;
}

/* ---- all of it ---- */

size_t transcript_count(const transcript *c) {
    return c->n_messages - c->has_system;
}

size_t transcript_count_seen(const transcript *c) {
    return c->n_messages - n_fixed(c);
}

const conversation_message *transcript_message(const transcript *c, size_t i) {
    return i < c->n_messages ? &c->messages[i].message : NULL;
}

const conversation_message *transcript_system(const transcript *c) {
    return c->has_system ? transcript_message(c, 0) : NULL;
}
