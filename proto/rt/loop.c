/* zloop polls; signals and timers come to it as two file descriptors. zloop's own timers are not
 * used: they start anew whenever a signal interrupts its poll, and after a long handler they fire
 * in bursts. */
#include "loop.h"

#include <czmq.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

/* A handler and what wakes it: a socket (zsock not NULL) or a file descriptor. */
typedef struct watch {
    struct watch *next;
    loop *loop;
    void *zsock;
    int fd;
    short events;               /* ZMQ_POLLIN or ZMQ_POLLOUT */
    loop_handler *handler;
    void *context;
} watch;

typedef struct timer {
    struct timer *next;         /* the one that is due after this one */
    int id;
    uint64_t due_us;
    uint64_t interval_us;       /* 0: once */
    loop_handler *handler;
    void *context;
} timer;

struct loop {
    zloop_t *zloop;
    watch *watches;
    timer *timers;
    int last_timer;
    int timer_fd, signal_fd;
    bool stopping, signalled;
};

/* ---- Signals ---- */

static volatile sig_atomic_t signal_target = -1; /* signal_fd of the loop that runs */

static void on_signal(int number) {
    (void)number;
    int kept = errno;
    uint64_t one = 1;
    ssize_t ignored = write(signal_target, &one, sizeof one);
    (void)ignored;
    errno = kept;
}

static void take_signal(void *context) {
    loop *l = context;
    uint64_t n;
    if (read(l->signal_fd, &n, sizeof n) == sizeof n) l->signalled = true;
}

/* ---- Watches ---- */

static int after_handler(const loop *l) {
    return l->stopping || l->signalled ? -1 : 0;
}

/* A handler may remove its own watch, so nothing of it is touched afterwards; zloop itself leaves
 * the turn when its set has changed. */
static int on_socket(zloop_t *zloop, zsock_t *zsock, void *argument) {
    (void)zloop, (void)zsock;
    watch *w = argument;
    loop *l = w->loop;
    w->handler(w->context);
    return after_handler(l);
}

static int on_item(zloop_t *zloop, zmq_pollitem_t *item, void *argument) {
    (void)item;
    return on_socket(zloop, NULL, argument);
}

static zmq_pollitem_t item_of(const watch *w) {
    void *socket = w->zsock ? zsock_resolve(w->zsock) : NULL;
    return (zmq_pollitem_t){.socket = socket, .fd = w->fd, .events = w->events};
}

/* Tolerant: zloop takes away a watch whose descriptor has an error or was hung up, without a word;
 * here its handler is called, which reads the error and decides. */
static int watch_attach(watch *w) {
    zloop_t *zloop = w->loop->zloop;
    if (w->zsock && w->events == ZMQ_POLLIN) {
        if (zloop_reader(zloop, w->zsock, on_socket, w) != 0) return -1;
        zloop_reader_set_tolerant(zloop, w->zsock);
        return 0;
    }
    zmq_pollitem_t item = item_of(w);
    if (zloop_poller(zloop, &item, on_item, w) != 0) return -1;
    zloop_poller_set_tolerant(zloop, &item);
    return 0;
}

static int watch_add(loop *l, watch what) {
    watch *w = malloc(sizeof *w);
    if (!w) return -1;
    *w = what;
    w->loop = l;
    if (watch_attach(w) != 0) {
        free(w);
        return -1;
    }
    w->next = l->watches;
    l->watches = w;
    return 0;
}

int loop_add_socket(loop *l, void *zsock, loop_handler *handler, void *context) {
    return watch_add(l, (watch){.zsock = zsock, .fd = -1, .events = ZMQ_POLLIN,
                                .handler = handler, .context = context});
}

int loop_add_socket_writer(loop *l, void *zsock, loop_handler *handler, void *context) {
    return watch_add(l, (watch){.zsock = zsock, .fd = -1, .events = ZMQ_POLLOUT,
                                .handler = handler, .context = context});
}

int loop_add_reader(loop *l, int fd, loop_handler *handler, void *context) {
    return watch_add(l, (watch){.fd = fd, .events = ZMQ_POLLIN,
                                .handler = handler, .context = context});
}

int loop_add_writer(loop *l, int fd, loop_handler *handler, void *context) {
    return watch_add(l, (watch){.fd = fd, .events = ZMQ_POLLOUT,
                                .handler = handler, .context = context});
}

/* Forget the watches of a socket or descriptor whose events are among `events`. */
static void watches_remove(loop *l, void *zsock, int fd, short events) {
    for (watch **at = &l->watches; *at;) {
        watch *w = *at;
        if (w->zsock != zsock || w->fd != fd || !(w->events & events)) {
            at = &w->next;
            continue;
        }
        zmq_pollitem_t item = item_of(w);
        if (w->zsock && w->events == ZMQ_POLLIN)
            zloop_reader_end(l->zloop, w->zsock);
        else
            zloop_poller_end(l->zloop, &item);
        *at = w->next;
        free(w);
    }
}

void loop_remove_socket(loop *l, void *zsock) {
    watches_remove(l, zsock, -1, ZMQ_POLLIN | ZMQ_POLLOUT);
}

void loop_remove_socket_writer(loop *l, void *zsock) {
    watches_remove(l, zsock, -1, ZMQ_POLLOUT);
}

void loop_remove_fd(loop *l, int fd) {
    watches_remove(l, NULL, fd, ZMQ_POLLIN | ZMQ_POLLOUT);
}

/* ---- Timers ---- */

/* The kernel wakes the loop for the timer that is due first. */
static void timers_arm(loop *l) {
    struct itimerspec when = {0}; /* all zero: none */
    if (l->timers) {
        when.it_value.tv_sec = (time_t)(l->timers->due_us / 1000000);
        when.it_value.tv_nsec = (long)(l->timers->due_us % 1000000) * 1000;
    }
    timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

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
    if (l->timers == t) timers_arm(l);
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
static void take_timers(void *context) {
    loop *l = context;
    uint64_t n_expired; /* read only to quiet the descriptor: the list decides */
    if (read(l->timer_fd, &n_expired, sizeof n_expired) < 0) return;

    uint64_t now_us = clock_us();
    while (l->timers && l->timers->due_us <= now_us && !l->stopping) {
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
    timers_arm(l);
}

/* ---- The loop ---- */

loop *loop_new(void) {
    /* czmq would catch SIGINT and SIGTERM by itself and lose one that comes between two polls. */
    zsys_init();
    zsys_handler_set(NULL);
    signal(SIGPIPE, SIG_IGN); /* a reader that went away is an error of write(), no more */

    loop *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    l->signal_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    l->zloop = zloop_new();
    if (l->timer_fd < 0 || l->signal_fd < 0 || !l->zloop ||
        loop_add_reader(l, l->signal_fd, take_signal, l) != 0 ||
        loop_add_reader(l, l->timer_fd, take_timers, l) != 0)
        loop_free(&l);
    return l;
}

void loop_free(loop **loop_pointer) {
    loop *l = *loop_pointer;
    *loop_pointer = NULL;
    if (!l) return;
    zloop_destroy(&l->zloop);
    while (l->watches) {
        watch *w = l->watches;
        l->watches = w->next;
        free(w);
    }
    while (l->timers) {
        timer *t = l->timers;
        l->timers = t->next;
        free(t);
    }
    if (l->timer_fd >= 0) close(l->timer_fd);
    if (l->signal_fd >= 0) close(l->signal_fd);
    free(l);
}

bool loop_run(loop *l) {
    struct sigaction ours = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, old_int, old_term;
    int outer = signal_target;
    l->stopping = l->signalled = false;
    signal_target = l->signal_fd;
    sigaction(SIGINT, &ours, &old_int);
    sigaction(SIGTERM, &ours, &old_term);

    /* zloop returns 0 when any signal interrupts its poll: a resized window is no reason to end. */
    int rc;
    do rc = zloop_start(l->zloop);
    while (rc == 0 && zmq_errno() == EINTR);
    if (!l->stopping && !l->signalled)
        log_event(LOG_ERROR, "loop_failed", "error=\"%s\"", zmq_strerror(zmq_errno()));

    sigaction(SIGINT, &old_int, NULL);
    sigaction(SIGTERM, &old_term, NULL);
    signal_target = outer;
    return l->signalled;
}

void loop_stop(loop *l) {
    l->stopping = true;
}
