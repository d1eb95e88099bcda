#include "leaving.h"

#include "proto/base/clock.h"

enum { READ_MS = 1000 };        /* in which whoever asked for our end reads that it is here */

#define OWN_NUMBER (UINT64_C(1) << 63)      /* numbers of calls stay below */

/* ---- this tokenizerd's end ---- */

static void begin(void *context) {
    const leaving *l = context;
    client_link_drain(l->clients);
    modeld_link_drain(l->modelds);
}

static uint32_t count_under_way(const leaving *l) {
    uint32_t n = 0;
    for (const request *r = requests_first(l->requests); r; r = requests_next(r)) n += r->state != REQUEST_RESTING;
    return n;
}

/* Whoever asked for another one's end is to hear of it. */
static bool awaits_others(const leaving *l) {
    for (size_t i = 0; i < l->n_awaited; i++)
        if (l->awaited[i].who.role != DAEMON_TOKENIZERD) return true;
    return false;
}

static bool awaits_own(const leaving *l) {
    for (size_t i = 0; i < l->n_awaited; i++)
        if (l->awaited[i].who.role == DAEMON_TOKENIZERD) return true;
    return false;
}

static void tell_own(leaving *l) {
    for (size_t i = 0; i < l->n_awaited; i++) {
        awaited_end *end = &l->awaited[i];
        if (end->who.role != DAEMON_TOKENIZERD || end->is_told) continue;
        client_link_drained(l->clients, end->asker, end->number, &end->who, l->n_texts, count_under_way(l));
        end->is_told = true;
        l->told_ms = clock_ms();
    }
}

/* What lies unread at the other side is lost when a connection breaks: whoever asked has read it, and left, before we go. */
static bool is_idle(void *context) {
    leaving *l = context;
    if (count_under_way(l) > 0 || calls_first(l->calls) || awaits_others(l) || !client_link_has_sent(l->clients)) return false;
    tell_own(l);
    return !awaits_own(l) || clock_ms() - l->told_ms >= READ_MS;
}

status leaving_begin(leaving *l, loop *on, double patience_s, failure *f) {
    const draining_options options = {
        .loop = on,
        .patience_s = patience_s,
        .begin = begin,
        .is_idle = is_idle,
        .context = l,
    };
    l->draining = draining_new(&options);
    return l->draining ? STATUS_OK : fail(f, STATUS_NO_MEMORY, "no memory");
}

void leaving_end(leaving *l) {
    tell_own(l);
    draining_free(&l->draining);
}

status leaving_check(const leaving *l, failure *f) {
    if (!draining_has_begun(l->draining)) return STATUS_OK;
    return fail(f, STATUS_DRAINING, "this tokenizerd is draining and takes nothing new; ask another one, or the next");
}

void leaving_text_ended(leaving *l) {
    if (draining_has_begun(l->draining)) l->n_texts++;
}

/* ---- ends that are asked for ---- */

static void forget(leaving *l, awaited_end *end) {
    *end = l->awaited[--l->n_awaited];
}

/* It is waited for no longer; modeld need not either. */
static void give_up(leaving *l, awaited_end *end) {
    if (end->who.modeld) modeld_link_close_call(l->modelds, end->who.modeld, end->own_number);
    forget(l, end);
}

static void pass_on(leaving *l, const awaited_end *end) {
    const named_daemon *who = &end->who;
    switch (who->role) {
    case DAEMON_TOKENIZERD: draining_order(l->draining); return;
    case DAEMON_MODELD: modeld_link_ask_to_drain(l->modelds, who->modeld, end->own_number, NULL, 0, NULL); return;
    case DAEMON_SAMPLERD:
        modeld_link_ask_to_drain(l->modelds, who->modeld, end->own_number, who->name, who->pid, who->host);
    }
}

void leaving_order(leaving *l, peer *client, const drain_order *order) {
    failure f;
    awaited_end end = {.asker = client, .number = order->number};
    status st = daemons_find(l->clients, l->models, order, &end.who, &f);
    if (st == STATUS_OK && l->n_awaited == DRAINS_MAX) st = fail(&f, STATUS_BUSY, "%d ends are waited for already", DRAINS_MAX);
    if (st != STATUS_OK) {
        client_link_failed(l->clients, client, order->number, &f);
        return;
    }
    end.own_number = OWN_NUMBER + ++l->n_asked;
    l->awaited[l->n_awaited++] = end;
    pass_on(l, &end);
}

void leaving_cancel(leaving *l, const peer *client, uint64_t number) {
    failure f;
    fail(&f, STATUS_CANCELLED, "it is not waited for any more; it drains all the same");
    for (awaited_end *end = l->awaited + l->n_awaited; end-- > l->awaited;) {
        if (end->asker != client || end->number != number) continue;
        const bool is_answered = end->who.role == DAEMON_TOKENIZERD && end->is_told;
        if (!is_answered) client_link_failed(l->clients, end->asker, end->number, &f);
        give_up(l, end);
    }
}

void leaving_client_left(leaving *l, const peer *client) {
    for (awaited_end *end = l->awaited + l->n_awaited; end-- > l->awaited;)
        if (end->asker == client) give_up(l, end);
}

/* ---- what modelds say ---- */

static awaited_end *find(leaving *l, const modeld *d, uint64_t number) {
    for (size_t i = 0; i < l->n_awaited; i++)
        if (l->awaited[i].who.modeld == d && l->awaited[i].own_number == number) return &l->awaited[i];
    return NULL;
}

static void tell(leaving *l, awaited_end *end) {
    client_link_drained(l->clients, end->asker, end->number, &end->who, end->n_texts, end->n_left);
    forget(l, end);
}

void leaving_drained(leaving *l, const modeld *d, uint64_t number, uint32_t n_texts, uint32_t n_left) {
    awaited_end *end = find(l, d, number);
    if (!end) return;
    end->is_told = true;
    end->n_texts = n_texts;
    end->n_left = n_left;
    if (end->who.role == DAEMON_SAMPLERD) tell(l, end);
}

void leaving_failed(leaving *l, const modeld *d, uint64_t number, const failure *why) {
    awaited_end *end = find(l, d, number);
    if (!end) return;
    client_link_failed(l->clients, end->asker, end->number, why);
    forget(l, end);
}

void leaving_modeld_left(leaving *l, const modeld *d) {
    failure f;
    for (awaited_end *end = l->awaited + l->n_awaited; end-- > l->awaited;) {
        if (end->who.modeld != d) continue;
        if (end->is_told) {
            tell(l, end);
            continue;
        }
        if (end->who.role == DAEMON_MODELD)
            fail(&f, STATUS_IO, "%s was lost before it had drained; its texts go on elsewhere", end->who.name);
        else fail(&f, STATUS_IO, "the modeld of %s was lost: `trivium status` shows what is there", end->who.name);
        client_link_failed(l->clients, end->asker, end->number, &f);
        forget(l, end);
    }
}
