/* poll waits; signals come to it as a file descriptor, timers as its timeout. What handlers change in the set of sources
 * holds from the next turn on.
 *
 * A socket of ZeroMQ wakes the poll by a descriptor (ZMQ_FD) that tells of a change alone, and whose word is lost when the
 * socket is used in between. So before each wait the sockets are asked what they have (ZMQ_EVENTS), and afterwards those
 * that woke us. zmq_poll asks all of them twice as often, and each time costs system calls. */
#include "loop.h"

#include <assert.h>
#include <czmq.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/grow.h"
#include "proto/base/log.h"
#include "proto/base/process/resources.h"
#include "proto/base/process/signals.h"

/* A handler and what wakes it: a socket (not NULL) or a file descriptor. */
typedef struct loop_source {
    struct loop_source *next;
    void *socket;
    int fd;                     /* the socket's own, of one */
    short events;               /* POLLIN or POLLOUT: what is waited for */
    bool alone;                 /* nobody but its handler uses the socket */
    bool asked;                 /* it had nothing, and has not been used since */
    bool ready;
    loop_handler *handler;      /* NULL: removed, to be freed before the next turn */
    void *context;
} loop_source;

/* Who is called for a signal, instead of its ending the loop. */
typedef struct signal_handler {
    loop_handler *handler;      /* NULL: it ends the loop */
    void *context;
} signal_handler;

struct loop {
    loop_source *sources;       /* the newest first */
    size_t n_sources;           /* removed ones, too */
    bool changed;               /* `items` are not what is to be polled any more */
    struct pollfd *items;       /* [n_items] */
    loop_source **polled;      /* [n_items]: whose item each is */
    size_t n_items, items_capacity, polled_capacity;   /* both hold all sources */
    uint64_t n_turns;
    timer *timers;              /* those that are set, the next due first */
    int signal_fd;
    signal_handler on_signal[SIGTERM + 1];  /* by its number */
    int signal;                 /* the number of the one that ends this run; 0: none yet */
    bool stopping;
};

/* ---- Signals ---- */

static void take_signal(void *context) {
    loop *l = context;
    eventfd_read(l->signal_fd, &(eventfd_t){0});
    int second, number = signals_take(&second);
    for (; number != 0; number = second, second = 0) {
        signal_handler own = l->on_signal[number];      /* that of the first may have set another one */
        if (own.handler) own.handler(own.context);
        else if (l->signal == 0) l->signal = number;
    }
}

void loop_on_signal(loop *l, int number, loop_handler *handler, void *context) {
    assert(number == SIGTERM || number == SIGHUP);
    l->on_signal[number] = (signal_handler){handler, context};
}

/* A signal that was caught counts before whatever else is ready: what was typed after a Ctrl-C came later. */
static bool ends(loop *l) {
    if (signals_waiting()) take_signal(l);
    return l->stopping || l->signal != 0;
}

/* ---- Watches ---- */

static bool make_room(loop *l) {
    size_t n = l->n_sources + 1;
    struct pollfd *items = grow(l->items, &l->items_capacity, n, sizeof *items);
    if (items) l->items = items;
    loop_source **polled = grow(l->polled, &l->polled_capacity, n, sizeof *polled);
    if (polled) l->polled = polled;
    return items && polled;
}

static int source_add(loop *l, loop_source what) {
    loop_source *w = make_room(l) ? malloc(sizeof *w) : NULL;
    if (!w) return -1;
    what.next = l->sources;
    *w = what;
    l->sources = w;
    l->n_sources++;
    l->changed = true;
    return 0;
}

/* Free what was removed, and list the rest for the next poll, the oldest first. */
static void watches_settle(loop *l) {
    for (loop_source **at = &l->sources; *at;) {
        loop_source *w = *at;
        if (w->handler) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        free(w);
        l->n_sources--;
    }
    size_t i = l->n_items = l->n_sources;
    for (loop_source *w = l->sources; w; w = w->next) {
        l->items[--i] = (struct pollfd){.fd = w->fd, .events = w->socket ? POLLIN : w->events};
        l->polled[i] = w;
    }
    l->changed = false;
}

/* An option of a socket that is there. A signal may come while ZeroMQ looks for what the socket has. */
static int socket_option(void *socket, int name) {
    int value, rc;
    size_t n_bytes = sizeof value;
    do rc = zmq_getsockopt(socket, name, &value, &n_bytes);
    while (rc < 0 && zmq_errno() == EINTR);
    assert(rc == 0);
    (void)rc;
    return value;
}

static int socket_add(loop *l, void *socket, short events, bool alone, loop_handler *handler, void *context) {
    return source_add(l, (loop_source){.socket = socket, .fd = socket_option(socket, ZMQ_FD), .events = events,
                                .alone = alone, .handler = handler, .context = context});
}

int loop_add_socket(loop *l, void *socket, loop_handler *handler, void *context) {
    return socket_add(l, socket, POLLIN, false, handler, context);
}
int loop_add_socket_alone(loop *l, void *socket, loop_handler *handler, void *context) {
    return socket_add(l, socket, POLLIN, true, handler, context);
}

int loop_add_socket_writer(loop *l, void *socket, loop_handler *handler, void *context) {
    return socket_add(l, socket, POLLOUT, false, handler, context);
}

int loop_add_reader(loop *l, int fd, loop_handler *handler, void *context) {
    return source_add(l, (loop_source){.fd = fd, .events = POLLIN, .handler = handler, .context = context});
}

int loop_add_writer(loop *l, int fd, loop_handler *handler, void *context) {
    return source_add(l, (loop_source){.fd = fd, .events = POLLOUT, .handler = handler, .context = context});
}

/* Forget the sources of a socket, or else of a descriptor, whose events are among `events`. */
static void watches_remove(loop *l, void *socket, int fd, short events) {
    for (loop_source *w = l->sources; w; w = w->next) {
        if (w->socket != socket || (!socket && w->fd != fd) || !(w->events & events)) continue;
        w->handler = NULL;
        l->changed = true;
    }
}

void loop_remove_socket(loop *l, void *socket) {
    watches_remove(l, socket, -1, POLLIN | POLLOUT);
}

void loop_remove_socket_writer(loop *l, void *socket) {
    watches_remove(l, socket, -1, POLLOUT);
}

void loop_remove_fd(loop *l, int fd) {
    watches_remove(l, NULL, fd, POLLIN | POLLOUT);
}

/* ---- Timers ---- */

static void timer_insert(loop *l, timer *t) {
    timer **at = &l->timers;
    while (*at && (*at)->due_us <= t->due_us) at = &(*at)->next;
    t->next = *at;
    *at = t;
}

/* At least 1 µs ahead: a timer set by a timer's handler waits for the next turn. */
static void timer_set(loop *l, timer *t, uint64_t delay_us, uint64_t interval_us, loop_handler *handler, void *context) {
    loop_cancel(l, t);
    *t = (timer){.due_us = clock_us() + (delay_us > 0 ? delay_us : 1), .interval_us = interval_us, .handler = handler,
                 .context = context};
    timer_insert(l, t);
}

void loop_every(loop *l, timer *t, uint32_t interval_ms, loop_handler *handler, void *context) {
    const uint64_t interval_us = (interval_ms > 0 ? interval_ms : 1) * UINT64_C(1000);
    timer_set(l, t, interval_us, interval_us, handler, context);
}

void loop_once(loop *l, timer *t, uint32_t delay_ms, loop_handler *handler, void *context) {
    timer_set(l, t, (uint64_t)delay_ms * 1000, 0, handler, context);
}

void loop_cancel(loop *l, timer *t) {
    if (!t->handler) return;
    timer **at = &l->timers;
    while (*at && *at != t) at = &(*at)->next;
    assert(*at);
    *at = t->next;
    t->handler = NULL;
}

bool timer_is_set(const timer *t) {
    return t->handler != NULL;
}

void wakeup_set(wakeup *w, uint32_t delay_ms) {
    if (!timer_is_set(&w->timer)) loop_once(w->loop, &w->timer, delay_ms, w->handler, w->context);
}

void wakeup_cancel(wakeup *w) {
    loop_cancel(w->loop, &w->timer);
}

/* Call what is due by now, each timer once: what a late loop missed is not made up for. A timer has
 * its next place, or is not set any more, before its handler runs, which may cancel it, set it or free whoever has it. */
static void take_timers(loop *l) {
    uint64_t now_us = clock_us();
    while (l->timers && l->timers->due_us <= now_us && !ends(l)) {
        timer *t = l->timers;
        const timer due = *t;
        l->timers = t->next;
        if (t->interval_us > 0) {
            t->due_us += t->interval_us;
            if (t->due_us <= now_us) t->due_us = now_us + t->interval_us;
            timer_insert(l, t);
        } else {
            t->handler = NULL;
        }
        due.handler(due.context);
    }
}

/* How long a poll may wait, in ms: rounded up. What is due within a microsecond is due. -1: no timer is set. */
static long patience_ms(const loop *l) {
    if (!l->timers) return -1;
    uint64_t now_us = clock_us();
    uint64_t left_us = l->timers->due_us > now_us + 1 ? l->timers->due_us - now_us : 0;
    uint64_t left_ms = (left_us + 999) / 1000;
    return left_ms < INT_MAX ? (long)left_ms : INT_MAX;
}

/* ---- The loop ---- */

loop *loop_new(void) {
    failure f;
    if (resources_check_memory(&f) != STATUS_OK) return NULL;
    /* czmq would catch SIGINT and SIGTERM by itself, from zsys_init on: it is told not to, before that. */
    zsys_handler_set(NULL);
    zsys_init();

    loop *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    l->signal_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (l->signal_fd < 0 || loop_add_reader(l, l->signal_fd, take_signal, l) != 0) loop_free(&l);
    return l;
}

void loop_free(loop **loop_pointer) {
    loop *l = *loop_pointer;
    *loop_pointer = NULL;
    if (!l) return;
    while (l->sources) {
        loop_source *w = l->sources;
        l->sources = w->next;
        free(w);
    }
    free(l->items);
    free(l->polled);
    if (l->signal_fd >= 0) close(l->signal_fd);
    free(l);
}

/* Has the socket what is waited for? */
static void ask(loop_source *w) {
    short events = w->events == POLLIN ? ZMQ_POLLIN : ZMQ_POLLOUT;
    w->ready = socket_option(w->socket, ZMQ_EVENTS) & events;
    w->asked = !w->ready;
}

/* True: there is a socket that is ready. */
static bool ask_sockets(loop *l) {
    bool some = false;
    for (size_t i = 0; i < l->n_items; i++) {
        loop_source *w = l->polled[i];
        w->ready = false;
        if (w->socket && !(w->alone && w->asked)) ask(w);
        some = some || w->ready;
    }
    return some;
}

/* Wait until some are ready, or a timer is due. False: there is nothing to be called, as a signal came first; `fine` is
 * false where the poll failed. */
static bool await(loop *l, bool *fine) {
    bool some = ask_sockets(l);
    int n = poll(l->items, l->n_items, some ? 0 : (int)patience_ms(l));
    *fine = n >= 0 || errno == EINTR;   /* any signal interrupts the poll: a resized window is no reason to end */
    if (n < 0) return false;
    for (size_t i = 0; n > 0 && i < l->n_items; i++) {
        loop_source *w = l->polled[i];
        if (!l->items[i].revents) continue;
        n--;
        if (!w->socket) w->ready = true;    /* or has an error, which its handler reads, and decides */
        else if (!w->ready) ask(w);
    }
    return true;
}

/* Wait, then call whoever is ready, then the timers that are due. A handler that waits takes turns of its own, and what
 * was ready before them is polled anew. False: the poll fails for good. */
static bool take_turn(loop *l) {
    const uint64_t turn = ++l->n_turns;
    bool fine;
    if (l->changed) watches_settle(l);
    if (!await(l, &fine)) return fine;
    for (size_t i = 0; i < l->n_items && l->n_turns == turn && !ends(l); i++) {
        loop_source *w = l->polled[i];
        if (!w->ready || !w->handler) continue;     /* removed by a handler before it: no longer called */
        w->asked = false;
        w->handler(w->context);
    }
    take_timers(l);
    return true;
}

bool loop_run(loop *l) {
    signals_rule before = signals_set(SIGNALS_HOLD);
    int outer = signals_wake(l->signal_fd);
    l->stopping = false;
    l->signal = 0;
    bool fine = true;
    while (fine && !ends(l)) fine = take_turn(l);
    if (!fine) log_event(LOG_ERROR, "loop_failed", "error=\"%s\"", strerror(errno));
    signals_wake(outer);
    signals_set(before);
    return l->signal != 0;
}

bool loop_was_terminated(const loop *l) {
    return l->signal != 0 && l->signal != SIGINT;
}

void loop_stop(loop *l) {
    l->stopping = true;
}

/* ---- Waiting within a handler ---- */

static void wake_up(void *unused) {
    (void)unused;
}

static bool is_ready(int fd, short events) {
    struct pollfd item = {.fd = fd, .events = events};
    return poll(&item, 1, 0) == 1;
}

static bool wait_for(loop *l, loop_source what, short events) {
    if (is_ready(what.fd, events)) return !ends(l);
    bool fine = source_add(l, what) == 0, ready = false;
    while (fine && !ready && !ends(l)) {
        fine = take_turn(l);
        ready = is_ready(what.fd, events);
    }
    watches_remove(l, NULL, what.fd, what.events);
    return fine && !ends(l);
}

bool loop_wait_readable(loop *l, int fd) {
    return wait_for(l, (loop_source){.fd = fd, .events = POLLIN, .handler = wake_up}, POLLIN);
}

bool loop_wait_writable(loop *l, int fd) {
    return wait_for(l, (loop_source){.fd = fd, .events = POLLOUT, .handler = wake_up}, POLLOUT);
}
