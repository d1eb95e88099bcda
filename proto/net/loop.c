/* zmq_poll waits; signals come to it as a file descriptor, timers as its timeout. What handlers
 * change in the set of sources holds from the next turn on. */
#include "loop.h"

#include <assert.h>
#include <czmq.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
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
    int fd;
    short events;               /* ZMQ_POLLIN or ZMQ_POLLOUT */
    loop_handler *handler;      /* NULL: removed, to be freed before the next turn */
    void *context;
} loop_source;

typedef struct timer {
    struct timer *next;         /* the one that is due after this one */
    int id;
    uint64_t due_us;
    uint64_t interval_us;       /* 0: once */
    loop_handler *handler;
    void *context;
} timer;

struct loop {
    loop_source *sources;       /* the newest first */
    size_t n_sources;           /* removed ones, too */
    bool changed;               /* `items` are not what is to be polled any more */
    zmq_pollitem_t *items;      /* [n_items] */
    loop_source **polled;      /* [n_items]: whose item each is */
    size_t n_items, items_capacity, polled_capacity;   /* both hold all sources */
    uint64_t n_turns;
    timer *timers;
    int last_timer;
    int signal_fd;
    int signal;                 /* the number of the one that ends this run; 0: none yet */
    bool stopping;
};

/* ---- Signals ---- */

static void take_signal(void *context) {
    loop *l = context;
    uint64_t n;
    ssize_t ignored = read(l->signal_fd, &n, sizeof n);
    (void)ignored;
    int number = signals_take();
    if (number != 0) l->signal = number;
}

/* A signal that was caught counts before whatever else is ready: what was typed after a Ctrl-C came later. */
static bool ends(loop *l) {
    if (signals_waiting()) take_signal(l);
    return l->stopping || l->signal != 0;
}

/* ---- Watches ---- */

static bool make_room(loop *l) {
    size_t n = l->n_sources + 1;
    zmq_pollitem_t *items = grow(l->items, &l->items_capacity, n, sizeof *items);
    if (items) l->items = items;
    loop_source **polled = grow(l->polled, &l->polled_capacity, n, sizeof *polled);
    if (polled) l->polled = polled;
    return items && polled;
}

static int source_add(loop *l, loop_source what) {
    loop_source *w = make_room(l) ? malloc(sizeof *w) : NULL;
    if (!w) return -1;
    *w = what;
    w->next = l->sources;
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
        l->items[--i] = (zmq_pollitem_t){.socket = w->socket, .fd = w->fd, .events = w->events};
        l->polled[i] = w;
    }
    l->changed = false;
}

int loop_add_socket(loop *l, void *socket, loop_handler *handler, void *context) {
    return source_add(l, (loop_source){.socket = socket, .fd = -1, .events = ZMQ_POLLIN,
                                .handler = handler, .context = context});
}

int loop_add_socket_writer(loop *l, void *socket, loop_handler *handler, void *context) {
    return source_add(l, (loop_source){.socket = socket, .fd = -1, .events = ZMQ_POLLOUT,
                                .handler = handler, .context = context});
}

int loop_add_reader(loop *l, int fd, loop_handler *handler, void *context) {
    return source_add(l, (loop_source){.fd = fd, .events = ZMQ_POLLIN,
                                .handler = handler, .context = context});
}

int loop_add_writer(loop *l, int fd, loop_handler *handler, void *context) {
    return source_add(l, (loop_source){.fd = fd, .events = ZMQ_POLLOUT,
                                .handler = handler, .context = context});
}

/* Forget the sources of a socket or descriptor whose events are among `events`. */
static void watches_remove(loop *l, void *socket, int fd, short events) {
    for (loop_source *w = l->sources; w; w = w->next) {
        if (w->socket != socket || w->fd != fd || !(w->events & events)) continue;
        w->handler = NULL;
        l->changed = true;
    }
}

void loop_remove_socket(loop *l, void *socket) {
    watches_remove(l, socket, -1, ZMQ_POLLIN | ZMQ_POLLOUT);
}

void loop_remove_socket_writer(loop *l, void *socket) {
    watches_remove(l, socket, -1, ZMQ_POLLOUT);
}

void loop_remove_fd(loop *l, int fd) {
    watches_remove(l, NULL, fd, ZMQ_POLLIN | ZMQ_POLLOUT);
}

/* ---- Timers ---- */

static void timer_insert(loop *l, timer *t) {
    timer **at = &l->timers;
    while (*at && (*at)->due_us <= t->due_us) at = &(*at)->next;
    t->next = *at;
    *at = t;
}

static timer **timer_find(loop *l, int id) {
    timer **at = &l->timers;
    while (*at && (*at)->id != id) at = &(*at)->next;
    return at;
}

static int timer_add(loop *l, uint64_t delay_us, uint64_t interval_us, loop_handler *handler,
                     void *context) {
    timer *t = malloc(sizeof *t);
    if (!t) return -1;
    do l->last_timer = l->last_timer == INT_MAX ? 1 : l->last_timer + 1;
    while (*timer_find(l, l->last_timer)); /* the numbers come round: one in use stays unique */
    /* At least 1 µs ahead: a timer set by a timer's handler waits for the next turn. */
    *t = (timer){.id = l->last_timer, .due_us = clock_us() + (delay_us > 0 ? delay_us : 1),
                 .interval_us = interval_us, .handler = handler, .context = context};
    timer_insert(l, t);
    return t->id;
}

int loop_every(loop *l, uint32_t interval_ms, loop_handler *handler, void *context) {
    uint64_t interval_us = (uint64_t)(interval_ms > 0 ? interval_ms : 1) * 1000;
    return timer_add(l, interval_us, interval_us, handler, context);
}

int loop_once(loop *l, uint32_t delay_ms, loop_handler *handler, void *context) {
    return timer_add(l, (uint64_t)delay_ms * 1000, 0, handler, context);
}

void loop_cancel(loop *l, int id) {
    timer **at = timer_find(l, id), *t = *at;
    if (!t) return;
    *at = t->next;
    free(t);
}

/* Call what is due by now, each timer once: what a late loop missed is not made up for. A timer has
 * its next place, or is gone, before its handler runs, so that the handler may cancel it. */
static void take_timers(loop *l) {
    uint64_t now_us = clock_us();
    while (l->timers && l->timers->due_us <= now_us && !ends(l)) {
        timer *t = l->timers, due = *t;
        l->timers = t->next;
        if (t->interval_us > 0) {
            t->due_us += t->interval_us;
            if (t->due_us <= now_us) t->due_us = now_us + t->interval_us;
            timer_insert(l, t);
        } else {
            free(t);
        }
        due.handler(due.context);
    }
}

/* How long a poll may wait, in ms: rounded up, so that it is not repeated for parts of one. What is
 * due within a microsecond is due. -1: no timer is set. */
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
    while (l->timers) {
        timer *t = l->timers;
        l->timers = t->next;
        free(t);
    }
    free(l->items);
    free(l->polled);
    if (l->signal_fd >= 0) close(l->signal_fd);
    free(l);
}

/* Wait, then call whoever is ready (a descriptor with an error is: its handler reads the error and
 * decides), then the timers that are due. A handler that waits takes turns of its own, and what was
 * ready before them is polled anew. False: the poll fails for good. */
static bool take_turn(loop *l) {
    const uint64_t turn = ++l->n_turns;
    if (l->changed) watches_settle(l);
    int n_ready = zmq_poll(l->items, (int)l->n_items, patience_ms(l));
    /* Any signal interrupts the poll: a resized window is no reason to end. */
    if (n_ready < 0) return zmq_errno() == EINTR;
    for (size_t i = 0; n_ready > 0 && i < l->n_items && l->n_turns == turn && !ends(l); i++) {
        if (!l->items[i].revents) continue;
        n_ready--;
        const loop_source *w = l->polled[i]; /* removed by a handler before it: no longer called */
        if (w->handler) w->handler(w->context);
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
    if (!fine) log_event(LOG_ERROR, "loop_failed", "error=\"%s\"", zmq_strerror(zmq_errno()));

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
    return wait_for(l, (loop_source){.fd = fd, .events = ZMQ_POLLIN, .handler = wake_up}, POLLIN);
}

bool loop_wait_writable(loop *l, int fd) {
    return wait_for(l, (loop_source){.fd = fd, .events = ZMQ_POLLOUT, .handler = wake_up}, POLLOUT);
}
