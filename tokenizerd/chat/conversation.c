#include "conversation.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The numbers of messages that may be left out, in ascending order. The fewest that fit lie among
 * tries[low … high]; that at `high` fits once `high_fits`. */
struct conversation {
    chat_message *messages;
    size_t n_messages;
    uint8_t *contents;
    size_t *tries;
    size_t low, high, at;
    bool high_fits;
};

static void tries_fill(conversation *c) {
    size_t n_system = c->messages[0].role == CHAT_SYSTEM ? 1 : 0, n_tries = 1;
    for (size_t i = n_system + 1; i < c->n_messages; i++)
        if (c->messages[i].role != CHAT_ASSISTANT || i + 1 == c->n_messages)
            c->tries[n_tries++] = i - n_system;
    c->high = n_tries - 1;
}

static size_t contents_bytes(const chat_message *messages, size_t n_messages) {
    size_t n_bytes = 0;
    for (size_t i = 0; i < n_messages; i++) n_bytes += messages[i].n_bytes;
    return n_bytes;
}

size_t conversation_bytes(const chat_message *messages, size_t n_messages) {
    return contents_bytes(messages, n_messages) +
           n_messages * (sizeof(chat_message) + sizeof(size_t));
}

conversation *conversation_new(const chat_message *messages, size_t n_messages) {
    assert(n_messages > 0);
    conversation *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->messages = calloc(n_messages, sizeof *c->messages);
    c->tries = calloc(n_messages, sizeof *c->tries);
    c->contents = malloc(contents_bytes(messages, n_messages) + 1);
    if (!c->messages || !c->tries || !c->contents) {
        conversation_free(&c);
        return NULL;
    }
    c->n_messages = n_messages;
    size_t at = 0;
    for (size_t i = 0; i < n_messages; i++) {
        c->messages[i] = messages[i];
        c->messages[i].content = c->contents + at;
        size_t n_bytes = messages[i].n_bytes;
        if (n_bytes > 0) memcpy(c->contents + at, messages[i].content, n_bytes);
        at += n_bytes;
    }
    tries_fill(c);
    return c;
}

void conversation_free(conversation **c) {
    if (!*c) return;
    free((*c)->messages);
    free((*c)->tries);
    free((*c)->contents);
    free(*c);
    *c = NULL;
}

const chat_message *conversation_messages(const conversation *c, size_t *n_messages) {
    *n_messages = c->n_messages;
    return c->messages;
}

size_t conversation_n_dropped(const conversation *c) {
    return c->tries[c->at];
}

/* All of them first, because they mostly fit; then the middle of what is left to find out. */
conversation_next conversation_tried(conversation *c, bool fits) {
    size_t last = c->high;
    if (fits) {
        c->high = c->at;
        c->high_fits = true;
    } else if (c->at == last) {
        return CONVERSATION_TOO_LONG;
    } else {
        c->low = c->at + 1;
    }
    c->at = c->low < c->high ? c->low + (c->high - c->low) / 2 : c->high;
    return c->low == c->high && c->high_fits ? CONVERSATION_FITS : CONVERSATION_AGAIN;
}

/* ---- the last message ---- */

static size_t id_bytes(const vocab *v, const prompt_ids *p, size_t i) {
    return i == 0 && p->has_bos ? 0 : vocab_token(v, p->ids[i]).n_bytes;
}

static bool is_within_character(const vocab *v, int32_t id) {
    vocab_bytes token = vocab_token(v, id);
    return token.n_bytes > 0 && (token.bytes[0] & 0xC0) == 0x80;
}

/* Bytes that have no id are not in the sums. They can only make the part between head and tail
 * smaller. */
status conversation_cut(const vocab *v, const prompt_ids *p, size_t n_ids_max, size_t *begin,
                        size_t *n_cut, failure *f) {
    size_t first = 0, end = p->n_ids, n_bytes = 0;
    for (; first < p->n_ids && (n_bytes < p->n_head_bytes || (first == 0 && p->has_bos)); first++)
        n_bytes += id_bytes(v, p, first);
    for (n_bytes = 0; end > first && n_bytes < p->n_tail_bytes; end--)
        n_bytes += id_bytes(v, p, end - 1);
    size_t next = first + (p->n_ids > n_ids_max ? p->n_ids - n_ids_max : 0);
    while (next < end && is_within_character(v, p->ids[next])) next++;
    *begin = first;
    *n_cut = next - first;
    if (next < end) return STATUS_OK;
    return fail(f, STATUS_TOO_LONG,
                "the prompt has %zu ids and %zu are allowed: the system message and the form alone "
                "take %zu, and some of the last message must remain",
                p->n_ids, n_ids_max, p->n_ids - (end - first));
}
