/* The service loop of a daemon: a thin layer over poll. One thread; handlers run one at a time and never
 * block. What tells the program to end (signals.h) ends it cleanly. */
#ifndef TRIVIUM_LOOP_H
#define TRIVIUM_LOOP_H

#include <stdbool.h>
#include <stdint.h>

typedef struct loop loop;
typedef void loop_handler(void *context);

/* A timer, kept by whoever waits for it, so that it takes no memory to set one, and setting it cannot fail. All zeros: not
 * set. While it is set it must not move, and its loop must be there; whoever goes away cancels it before. Its fields are the
 * loop's. */
typedef struct timer {
    struct timer *next;         /* the one that is due after this one */
    uint64_t due_us;
    uint64_t interval_us;       /* 0: once */
    loop_handler *handler;      /* NULL: it is not set */
    void *context;
} timer;

loop *loop_new(void);                       /* NULL: no memory, or no room for sockets (resources.h) */
void loop_free(loop **loop);

/* Call `handler` whenever `socket` (of ZeroMQ, borrowed) has messages to read. 0, or -1: no memory. */
int loop_add_socket(loop *loop, void *socket, loop_handler *handler, void *context);
/* The same for one that is used by `handler` alone, or whoever else reads it does so until nothing is left: it costs less. */
int loop_add_socket_alone(loop *loop, void *socket, loop_handler *handler, void *context);
void loop_remove_socket(loop *loop, void *socket);

/* Call `handler` at each turn in which `socket` takes a message: on a DEALER, when it is connected and
 * its queue has room. To be removed when there is nothing to send. 0, or -1: no memory. */
int loop_add_socket_writer(loop *loop, void *socket, loop_handler *handler, void *context);
void loop_remove_socket_writer(loop *loop, void *socket);

/* Call `handler` whenever the file descriptor can be read (or written). */
int loop_add_reader(loop *loop, int fd, loop_handler *handler, void *context);
int loop_add_writer(loop *loop, int fd, loop_handler *handler, void *context);
void loop_remove_fd(loop *loop, int fd);

/* Call `handler` every `interval_ms`; what a late loop missed is left out. One that is set is set anew. */
void loop_every(loop *loop, timer *timer, uint32_t interval_ms, loop_handler *handler, void *context);
/* Call it once, after `delay_ms`; 0 is the next turn, after the sockets that are ready had theirs. It is not set any more
 * when `handler` is called. */
void loop_once(loop *loop, timer *timer, uint32_t delay_ms, loop_handler *handler, void *context);
void loop_cancel(loop *loop, timer *timer); /* one that is not set is fine */
bool timer_is_set(const timer *timer);

/* A call of the loop that is asked for many times and made once. */
typedef struct wakeup {
    loop *loop; /* borrowed */
    loop_handler *handler;
    void *context;
    timer timer;
} wakeup;

/* Call the handler after `delay_ms`, unless a call is due already; 0: in the next turn. `w` stays where it is until then. */
void wakeup_set(wakeup *w, uint32_t delay_ms);
void wakeup_cancel(wakeup *w);      /* before `w` goes away; one that is all zeros is fine */

/* Runs until loop_stop or a signal, one that was already waiting included. Returns true when a signal ended it. */
bool loop_run(loop *loop);
bool loop_was_terminated(const loop *loop); /* by a signal other than SIGINT; of the last run */
void loop_stop(loop *loop);                 /* from within a handler: leave after this turn */

/* SIGTERM or SIGHUP, from here on, calls `handler` between two others instead of ending the loop; NULL: it ends the loop
 * again. What was already waiting calls it, too, once the loop runs. */
void loop_on_signal(loop *loop, int number, loop_handler *handler, void *context);

/* From within a handler that must wait: the others are served until `fd`, which nobody else watches,
 * can be read (or written). False: the loop is to end, or there is no memory to wait. */
bool loop_wait_readable(loop *loop, int fd);
bool loop_wait_writable(loop *loop, int fd);

#endif
