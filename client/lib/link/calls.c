#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"
#include "question_wire.h"

struct pending_call {
    uint64_t number;            /* names it on the wire */
    const question *asked;      /* borrowed */
    answer_handler *handler;
    void *context;
    bool sent;                  /* to the tokenizerd that is joined now */
    pending_call *next;
};

static status pending_send(client *c, pending_call *pending, failure *f) {
    status st = question_send(c, pending->asked, pending->number, f);
    pending->sent = st == STATUS_OK;
    return st;
}

/* ---- the pending ones ---- */

static void client_calls_append(client *c, pending_call *pending) {
    pending_call **end = &c->calls;
    while (*end) end = &(*end)->next;
    *end = pending;
}

/* Take it out of the list; NULL when there is none of that number. */
static pending_call *client_calls_take(client *c, uint64_t number) {
    for (pending_call **at = &c->calls; *at; at = &(*at)->next) {
        pending_call *found = *at;
        if (found->number != number) continue;
        *at = found->next;
        return found;
    }
    return NULL;
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

status client_call(client *c, const question *asked, answer_handler *handler, void *context,
                   failure *f) {
    if (c->over.code != STATUS_OK) {
        *f = c->over;
        return f->code;
    }
    pending_call *pending = malloc(sizeof *pending);
    if (!pending) return fail(f, STATUS_NO_MEMORY, "no memory for a call");
    *pending = (pending_call){++c->n_calls, asked, handler, context, false, NULL};
    status st = c->tokenizerd ? pending_send(c, pending, f) : STATUS_OK;
    if (st == STATUS_OK) client_calls_append(c, pending);
    else free(pending);
    return st;
}

void client_calls_joined(client *c) {
    for (pending_call *pending = c->calls, *next; pending; pending = next) {
        next = pending->next;
        failure f;
        if (pending->sent || pending_send(c, pending, &f) == STATUS_OK) continue;
        pending_fail(client_calls_take(c, pending->number), &f);
    }
}

/* Asking twice is harmless, except for `tune`: biases would be added twice. */
void client_calls_lost(client *c) {
    for (pending_call *pending = c->calls, *next; pending; pending = next) {
        next = pending->next;
        if (pending->sent && pending->asked->kind == CALL_TUNE) {
            failure f;
            fail(&f, STATUS_IO,
                 "tokenizerd was lost before it answered: `trivium ps` shows the strategy");
            pending_fail(client_calls_take(c, pending->number), &f);
            continue;
        }
        pending->sent = false;
    }
}

void client_calls_fail(client *c, const failure *f) {
    while (c->calls) pending_fail(client_calls_take(c, c->calls->number), f);
}

void client_calls_free(client *c) {
    while (c->calls) free(client_calls_take(c, c->calls->number));
}

/* ---- answers ---- */

void client_calls_message(client *c, const wire_message *m, const Trivium__TextReply *reply) {
    pending_call *pending = client_calls_take(c, answer_number(reply));
    if (!pending) return;       /* an answer that came twice, or to a question that was given up */
    const question *asked = pending->asked;
    answer_handler *handler = pending->handler;
    void *context = pending->context;
    free(pending);
    answer_deliver(asked, m, reply, handler, context);
}

/* ---- one call, waited for ---- */

typedef struct asking {
    client *client;
    answer_handler *handler;
    void *context;
    bool answered;
    failure why;
} asking;

static void on_asked(void *context, const answer *a) {
    asking *ask = context;
    ask->answered = true;
    if (a->code == STATUS_OK) ask->handler(ask->context, a);
    fail(&ask->why, a->code, "%s", a->message ? a->message : "");
    loop_stop(ask->client->loop);
}

status client_ask(client *c, const question *asked, answer_handler *handler, void *context,
                  failure *f) {
    asking ask = {.client = c, .handler = handler, .context = context};
    status st = client_call(c, asked, on_asked, &ask, f);
    if (st != STATUS_OK) return st;
    uint64_t number = c->n_calls;
    loop_run(c->loop);
    if (ask.answered) {
        *f = ask.why;
        return f->code;
    }
    free(client_calls_take(c, number));         /* its answer would find nobody */
    return fail(f, STATUS_CANCELLED, "interrupted");
}
