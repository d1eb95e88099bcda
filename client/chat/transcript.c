#include "transcript.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/json.h"
#include "proto/base/grow.h"

typedef struct said {
    conversation_message message;       /* content owned */
    size_t n_forgotten;         /* when it was said */
} said;

struct transcript {
    said *messages;             /* [n_messages] */
    size_t n_messages, capacity;
    size_t n_forgotten;         /* after the system message */
    bool has_system;
    conversation_message *seen; /* without those that are forgotten; contents borrowed */
    size_t seen_capacity;
};

transcript *transcript_new(const char *system) {
    transcript *c = calloc(1, sizeof *c);
    if (!c || !system) return c;
    if (transcript_add(c, "system", system, strlen(system)) == STATUS_OK) c->has_system = true;
    else transcript_free(&c);
    return c;
}

static void said_clear(said *s) {
    free((uint8_t *)s->message.content);
}

void transcript_free(transcript **c) {
    if (!*c) return;
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

status transcript_add(transcript *c, const char *role, const void *content, size_t n_bytes) {
    uint8_t *copy = malloc(n_bytes + 1);
    if (!copy || !transcript_room(c)) {
        free(copy);
        return STATUS_NO_MEMORY;
    }
    if (n_bytes > 0) memcpy(copy, content, n_bytes);
    c->messages[c->n_messages++] = (said){{role, copy, n_bytes}, c->n_forgotten};
    return STATUS_OK;
}

/* Messages that are never taken back: the system message and what the model no longer sees. */
static size_t n_fixed(const transcript *c) {
    return c->has_system + c->n_forgotten;
}

void transcript_pop(transcript *c) {
    if (c->n_messages <= n_fixed(c)) return;
    said *last = &c->messages[--c->n_messages];
    c->n_forgotten = last->n_forgotten;
    said_clear(last);
}

bool transcript_undo(transcript *c) {
    size_t last = c->n_messages;
    while (last > n_fixed(c) && strcmp(c->messages[last - 1].message.role, "user") != 0) last--;
    if (last == n_fixed(c)) return false;
    while (c->n_messages >= last) transcript_pop(c);
    return true;
}

void transcript_forget(transcript *c, size_t n) {
    size_t n_left = c->n_messages - n_fixed(c);
    c->n_forgotten += n < n_left ? n : n_left;
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

static bool write_lines(const transcript *c, FILE *to) {
    for (size_t i = 0; i < c->n_messages; i++) {
        const conversation_message *m = &c->messages[i].message;
        char *line = json_line(json_pack("{s: s, s: o}", "role", m->role,
                                         "content", json_bytes(m->content, m->n_bytes)));
        bool written = line && fputs(line, to) >= 0;
        free(line);
        if (!written) return false;
    }
    return true;
}

status transcript_save(const transcript *c, const char *path, failure *f) {
    char *beside = NULL;
    if (asprintf(&beside, "%s.tmp", path) < 0) return fail(f, STATUS_NO_MEMORY, "no memory to save");
    FILE *to = fopen(beside, "w");
    bool written = to && write_lines(c, to);
    if (to && fclose(to) != 0) written = false;
    status st = STATUS_OK;
    if (!written || rename(beside, path) != 0) {
        st = fail(f, STATUS_IO, "cannot write %s: %s", path, strerror(errno));
        unlink(beside);
    }
    free(beside);
    return st;
}
