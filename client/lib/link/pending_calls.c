#include "pending_calls.h"

#include <stdlib.h>

#include "answer_wire.h"
#include "proto/net/errors.h"
#include "question_wire.h"

typedef struct pending_call pending_call;
struct pending_call {
    uint64_t number;            /* names it on the wire */
    const question *asked;      /* borrowed */
    answer_handler *handler;
    void *context;
    bool sent;                  /* to the tokenizerd that is joined now */
    pending_call *next;
};

struct pending_calls {
    text_link *link;            /* borrowed */
    pending_call *first;        /* in order of asking */
};

pending_calls *pending_calls_new(text_link *link) {
    pending_calls *c = calloc(1, sizeof *c);
    if (c) c->link = link;
    return c;
}

static status pending_send(pending_calls *c, pending_call *pending, failure *f) {
    status st = question_send(c->link, pending->asked, pending->number, f);
    pending->sent = st == STATUS_OK;
    return st;
}

static void pending_calls_append(pending_calls *c, pending_call *pending) {
    pending_call **end = &c->first;
    while (*end) end = &(*end)->next;
    *end = pending;
}

/* Take it out of the list; NULL when there is none of that number. */
static pending_call *pending_calls_take(pending_calls *c, uint64_t number) {
    for (pending_call **at = &c->first; *at; at = &(*at)->next) {
        pending_call *found = *at;
        if (found->number != number) continue;
        *at = found->next;
        return found;
    }
    return NULL;
}

void pending_calls_free(pending_calls **c) {
    if (!*c) return;
    while ((*c)->first) free(pending_calls_take(*c, (*c)->first->number));
    free(*c);
    *c = NULL;
}

/* One that was not sent is known to nobody else; an answer that comes all the same finds nobody. */
void pending_calls_cancel(pending_calls *c, uint64_t number) {
    pending_call *pending = pending_calls_take(c, number);
    if (pending && pending->sent && text_link_is_joined(c->link)) question_cancel(c->link, number);
    free(pending);
}

static void pending_answer(pending_call *pending, const answer *a) {
    answer_handler *handler = pending->handler;
    void *context = pending->context;
    free(pending);
    handler(context, a);
}

static void pending_fail(pending_call *pending, const failure *f) {
    pending_answer(pending, &(answer){.kind = pending->asked->kind, .code = f->code,
                                      .message = f->message});
}

bool pending_calls_any(const pending_calls *c) {
    return c->first != NULL;
}

bool pending_calls_under_way(const pending_calls *c) {
    const pending_call *pending = c->first;
    while (pending && !pending->sent) pending = pending->next;
    return pending != NULL;
}

bool pending_calls_wait(const pending_calls *c) {
    const pending_call *pending = c->first;
    while (pending && pending->sent) pending = pending->next;
    return pending != NULL;
}

/* What is asked about texts goes where they are; all else begins something. */
static bool may_be_sent(const pending_calls *c, const question *asked) {
    switch (asked->kind) {
    case ASK_LIST: case ASK_STATUS: case ASK_CANCEL: case ASK_TUNE: case ASK_DRAIN: return text_link_is_joined(c->link);
    default: return text_link_takes(c->link);
    }
}

status pending_calls_ask(pending_calls *c, const question *asked, answer_handler *handler,
                         void *context, uint64_t *number, failure *f) {
    if (text_link_check(c->link, f) != STATUS_OK) return f->code;
    pending_call *pending = malloc(sizeof *pending);
    if (!pending) return fail(f, STATUS_NO_MEMORY, "no memory for a call");
    *number = text_link_new_number(c->link);
    *pending = (pending_call){*number, asked, handler, context, false, NULL};
    status st = may_be_sent(c, asked) ? pending_send(c, pending, f) : STATUS_OK;
    if (st == STATUS_OK) pending_calls_append(c, pending);
    else free(pending);
    return st;
}

void pending_calls_joined(pending_calls *c) {
    for (pending_call *pending = c->first, *next; pending; pending = next) {
        next = pending->next;
        failure f;
        if (pending->sent || !may_be_sent(c, pending->asked) || pending_send(c, pending, &f) == STATUS_OK) continue;
        pending_fail(pending_calls_take(c, pending->number), &f);
    }
}

/* Asking twice is harmless, except for `tune`: biases would be added twice; and for `drain`: the next of the name would. */
void pending_calls_lost(pending_calls *c) {
    for (pending_call *pending = c->first, *next; pending; pending = next) {
        next = pending->next;
        const question_kind kind = pending->asked->kind;
        if (pending->sent && (kind == ASK_TUNE || kind == ASK_DRAIN)) {
            failure f;
            fail(&f, STATUS_IO, "tokenizerd was lost before it answered: `trivium %s` shows %s", kind == ASK_TUNE ? "ps" : "status",
                 kind == ASK_TUNE ? "the strategy" : "what is there");
            pending_fail(pending_calls_take(c, pending->number), &f);
            continue;
        }
        pending->sent = false;
    }
}

void pending_calls_fail(pending_calls *c, const failure *f) {
    while (c->first) pending_fail(pending_calls_take(c, c->first->number), f);
}

/* Is the answer that another one is to be asked, or the next? */
static bool is_declined(const Trivium__TextReply *reply) {
    failure f;
    return reply->body_case == TRIVIUM__TEXT_REPLY__BODY_FAILED &&
           error_from_wire(reply->failed->error, "tokenizerd", &f) == STATUS_DRAINING;
}

void pending_calls_answered(pending_calls *c, uint64_t number, const wire_message *m,
                            const Trivium__TextReply *reply) {
    if (is_declined(reply)) {
        for (pending_call *pending = c->first; pending; pending = pending->next)
            if (pending->number == number) pending->sent = false;
        text_link_hear_draining(c->link);
        return;
    }
    pending_call *pending = pending_calls_take(c, number);
    if (!pending) return;       /* an answer that came twice, or to a question that was given up */
    const pending_call taken = *pending;
    free(pending);
    answer_deliver(taken.asked, m, reply, taken.handler, taken.context);
}
