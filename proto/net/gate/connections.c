#include "connections.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frames.h"
#include "gate.h"
#include "proto/base/limits.h"
#include "proto/base/log.h"

enum {
    OPEN_FRAMES_MAX = 64,           /* of one message: more are no mistake */
    LATE_MAX = 32,                  /* cut, and not closed yet, beyond the bound of connections */
    RESERVE_DESCRIPTORS = 128,      /* for all that is no connection */
    READ_BYTES_MAX = 256 * 1024,    /* at once */
    FRAME_OVERHEAD_BYTES_MAX = 16 * 1024,
};

typedef enum connection_kind {
    KIND_NONE,                      /* of this descriptor the gate knows nothing */
    KIND_LISTENER,
    KIND_OPEN,
    KIND_CLOSED,                    /* nothing but the number, until what came is taken */
} connection_kind;

/* Its kind changes with the lock held. The frames are those of ZeroMQ's thread. */
typedef struct connection {
    _Atomic connection_kind kind;
    atomic_bool joined, cut;
    atomic_bool taken;              /* something was, since the last sweep */
    atomic_size_t n_bytes;          /* received and not taken */
    int listener;
    size_t message_bytes_max;       /* of KIND_LISTENER, and of those that came there */
    uint64_t number;                /* in order of coming; the rest by DESCRIPTORS_MAX is its descriptor */
    uint32_t n_silent_sweeps, n_still_sweeps;
    uint64_t closed_at;             /* of KIND_CLOSED: in order of closing */
    frames frames;
} connection;

/* Why connections were cut or refused since the last word about it: strangers must not fill the log. */
typedef struct counts {
    atomic_size_t alien, still, silent, crowded, refused, unread;
} counts;

static connection table[DESCRIPTORS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_size_t n_received;            /* the sum of all n_bytes */
static atomic_size_t n_open, n_joined, n_max;
static uint64_t n_ever;
static atomic_uint_fast64_t n_closings;     /* so many were closed before what they sent was taken, */
static atomic_size_t n_closed;              /* and these still are */
static counts n_cut;
static int placeholder = -1;                /* what a number stands for when its connection was closed */

static connection *find(int fd, connection_kind kind) {
    if (fd < 0 || fd >= DESCRIPTORS_MAX) return NULL;
    return atomic_load_explicit(&table[fd].kind, memory_order_acquire) == kind ? &table[fd] : NULL;
}

static int descriptor_of(const connection *c) {
    return (int)(c - table);
}

/* ---- listening ---- */

/* What the limit of descriptors leaves, once and for all: it was raised at start. */
static size_t room(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > DESCRIPTORS_MAX) limit.rlim_cur = DESCRIPTORS_MAX;
    size_t n = (size_t)limit.rlim_cur;
    n -= n / 2 < RESERVE_DESCRIPTORS ? n / 2 : RESERVE_DESCRIPTORS;
    return n < CONNECTIONS_MAX ? n : CONNECTIONS_MAX;
}

void connections_listen(int fd, size_t message_bytes_max) {
    if (fd < 0 || fd >= DESCRIPTORS_MAX) return;
    pthread_mutex_lock(&lock);
    if (n_max == 0) n_max = room();
    if (placeholder < 0) placeholder = eventfd(0, EFD_CLOEXEC);
    table[fd].message_bytes_max = message_bytes_max;
    atomic_store(&table[fd].kind, KIND_LISTENER);
    pthread_mutex_unlock(&lock);
}

bool connections_listening(int fd) {
    return find(fd, KIND_LISTENER) != NULL;
}

/* ---- coming and going ---- */

static void set_joined(connection *c, bool joined) {
    if (atomic_exchange(&c->joined, joined) == joined) return;
    if (joined) atomic_fetch_add(&n_joined, 1);
    else atomic_fetch_sub(&n_joined, 1);
}

/* With the lock held, so that the number is still that of this connection. ZeroMQ reads the end of the file. */
static void cut(connection *c, atomic_size_t *count) {
    atomic_fetch_add(count, 1);
    atomic_store(&c->cut, true);
    shutdown(descriptor_of(c), SHUT_RDWR);
}

static connection *oldest_stranger(void) {
    connection *oldest = NULL;
    for (connection *c = table; c < table + DESCRIPTORS_MAX; c++) {
        if (c->kind != KIND_OPEN || c->joined || c->cut) continue;
        if (!oldest || c->number < oldest->number) oldest = c;
    }
    return oldest;
}

/* Field by field: others may look at its kind meanwhile. */
static void begin(connection *c, int listener) {
    atomic_store(&c->joined, false);
    atomic_store(&c->cut, false);
    atomic_store(&c->taken, false);
    atomic_store(&c->n_bytes, 0);
    c->listener = listener;
    c->message_bytes_max = table[listener].message_bytes_max;
    c->number = ++n_ever * DESCRIPTORS_MAX + (uint64_t)descriptor_of(c);
    c->n_silent_sweeps = c->n_still_sweeps = 0;
    c->frames = (frames){0};
    atomic_store(&c->kind, KIND_OPEN);
}

bool connections_admit(int fd, int listener) {
    if (fd >= DESCRIPTORS_MAX) return false;
    pthread_mutex_lock(&lock);
    bool fits = n_open < n_max;
    if (!fits && n_open < n_max + LATE_MAX) {
        connection *oldest = oldest_stranger();
        if (oldest) cut(oldest, &n_cut.crowded);
        fits = oldest != NULL;
    }
    if (fits) {
        connection *c = &table[fd];
        begin(c, listener);
        n_open++;
    }
    pthread_mutex_unlock(&lock);
    if (!fits) atomic_fetch_add(&n_cut.refused, 1);
    return fits;
}

static void forget(connection *c) {
    atomic_fetch_sub(&n_received, atomic_exchange(&c->n_bytes, 0));
    atomic_store(&c->kind, KIND_NONE);
    n_open--;
}

/* The number is free for another one. With the lock held. */
static void give_back(connection *c) {
    forget(c);
    n_closed--;
    close(descriptor_of(c));
}

uint64_t gate_moment(void) {
    return n_closings;
}

void gate_all_taken(int listener, uint64_t moment) {
    if (n_closed == 0) return;
    pthread_mutex_lock(&lock);
    for (connection *c = table; c < table + DESCRIPTORS_MAX; c++)
        if (c->kind == KIND_CLOSED && c->listener == listener && c->closed_at <= moment) give_back(c);
    pthread_mutex_unlock(&lock);
}

/* If all that it had sent is taken by now. */
static void give_back_empty(connection *c) {
    pthread_mutex_lock(&lock);
    if (c->kind == KIND_CLOSED && c->n_bytes == 0) give_back(c);
    pthread_mutex_unlock(&lock);
}

/* A message that is not whole goes with its connection. */
static void drop_open(connection *c) {
    size_t n = c->frames.open_bytes, n_there = c->n_bytes;
    if (n > n_there) n = n_there;
    atomic_fetch_sub(&c->n_bytes, n);
    atomic_fetch_sub(&n_received, n);
}

static bool close_connection(int fd) {
    connection *c = &table[fd];
    pthread_mutex_lock(&lock);
    set_joined(c, false);
    drop_open(c);
    bool stays = c->n_bytes > 0 && find(c->listener, KIND_LISTENER) && dup3(placeholder, fd, O_CLOEXEC) == fd;
    if (stays) {
        c->closed_at = ++n_closings;
        n_closed++;
        atomic_store(&c->kind, KIND_CLOSED);
    } else {
        forget(c);
    }
    pthread_mutex_unlock(&lock);
    if (stays) give_back_empty(c);  /* the last may have been taken meanwhile */
    return stays;
}

bool connections_close(int fd) {
    if (find(fd, KIND_OPEN)) return close_connection(fd);
    if (find(fd, KIND_LISTENER)) {
        pthread_mutex_lock(&lock);
        atomic_store(&table[fd].kind, KIND_NONE);
        pthread_mutex_unlock(&lock);
        gate_all_taken(fd, UINT64_MAX);
    }
    return false;
}

/* ---- what they send ---- */

/* Where all have used up the budget, each still has its share of one: together they hold two of them at most. */
connections_turn connections_read(int fd, size_t *n_bytes_max) {
    connection *c = find(fd, KIND_OPEN);
    if (!c) return TURN_FOREIGN;
    if (atomic_load_explicit(&c->cut, memory_order_relaxed)) return TURN_ENDS;
    *n_bytes_max = READ_BYTES_MAX;
    if (atomic_load_explicit(&n_received, memory_order_relaxed) < RECEIVED_BYTES_MAX) return TURN_READS;
    size_t share = RECEIVED_BYTES_MAX / n_open, n_bytes = c->n_bytes;
    if (n_bytes >= share) return TURN_WAITS;
    if (share - n_bytes < READ_BYTES_MAX) *n_bytes_max = share - n_bytes;
    return TURN_READS;
}

/* Frame by frame. */
static bool is_too_large(const connection *c) {
    return c->frames.open_bytes > c->message_bytes_max + OPEN_FRAMES_MAX * FRAME_OVERHEAD_BYTES_MAX;
}

bool connections_count(int fd, const void *bytes, size_t n) {
    connection *c = find(fd, KIND_OPEN);
    if (!c) return true;
    size_t n_more = frames_count(&c->frames, bytes, n);
    atomic_fetch_add(&c->n_bytes, n_more);
    atomic_fetch_add(&n_received, n_more);
    bool fine = !c->frames.alien && c->frames.n_open <= OPEN_FRAMES_MAX && !is_too_large(c);
    if (fine) return true;
    atomic_store(&c->cut, true);
    atomic_fetch_add(&n_cut.alien, 1);
    return false;
}

void gate_took(int fd, size_t n_bytes) {
    if (fd < 0 || fd >= DESCRIPTORS_MAX) return;
    connection *c = &table[fd];
    connection_kind kind = c->kind;
    if (kind != KIND_OPEN && kind != KIND_CLOSED) return;
    size_t n = frame_weight(n_bytes), n_there = c->n_bytes;
    if (n > n_there) n = n_there;   /* a stranger may send words of ZeroMQ's own that come out as a message */
    atomic_store_explicit(&c->taken, true, memory_order_relaxed);
    atomic_fetch_sub(&n_received, n);
    if (atomic_fetch_sub(&c->n_bytes, n) == n && c->kind == KIND_CLOSED) give_back_empty(c);
}

uint64_t gate_number(int fd) {
    if (fd < 0 || fd >= DESCRIPTORS_MAX) return 0;
    pthread_mutex_lock(&lock);
    connection_kind kind = table[fd].kind;
    uint64_t number = kind == KIND_OPEN || kind == KIND_CLOSED ? table[fd].number : 0;
    pthread_mutex_unlock(&lock);
    return number;
}

bool gate_unread(uint64_t number) {
    connection *c = &table[number % DESCRIPTORS_MAX];
    pthread_mutex_lock(&lock);
    bool unread = c->number == number && c->n_bytes > 0;
    pthread_mutex_unlock(&lock);
    return unread;
}

/* ---- who is there ---- */

void gate_joined(int fd) {
    connection *c = find(fd, KIND_OPEN);
    if (!c || c->joined) return;
    pthread_mutex_lock(&lock);
    if (c->kind == KIND_OPEN) set_joined(c, true);
    pthread_mutex_unlock(&lock);
}

void gate_left(int fd) {
    connection *c = find(fd, KIND_OPEN);
    if (!c) return;
    pthread_mutex_lock(&lock);
    c->n_silent_sweeps = 0;
    if (c->kind == KIND_OPEN) set_joined(c, false);
    pthread_mutex_unlock(&lock);
}

void gate_shut(uint64_t number) {
    connection *c = &table[number % DESCRIPTORS_MAX];
    pthread_mutex_lock(&lock);
    if (c->kind == KIND_OPEN && c->number == number && !c->cut) cut(c, &n_cut.unread);
    pthread_mutex_unlock(&lock);
}

bool gate_crowded(void) {
    return n_joined >= n_max - n_max / 8;
}

size_t gate_connections(void) {
    return n_open;
}

size_t gate_connections_max(void) {
    return n_max;
}

size_t gate_received_bytes(void) {
    return n_received;
}

/* ---- sweeping ---- */

static void sweep_one(connection *c) {
    c->n_silent_sweeps = c->joined ? 0 : c->n_silent_sweeps + 1;
    if (c->n_silent_sweeps >= GATE_HELLO_SWEEPS) cut(c, &n_cut.silent);
    bool taken = atomic_exchange(&c->taken, false);
    c->n_still_sweeps = c->n_bytes == 0 || taken ? 0 : c->n_still_sweeps + 1;
}

/* The one that fills the most, and of which nothing could be taken for a while. */
static connection *find_still(void) {
    connection *most = NULL;
    for (connection *c = table; c < table + DESCRIPTORS_MAX; c++) {
        if (c->kind != KIND_OPEN || c->cut || c->n_still_sweeps < GATE_STILL_SWEEPS) continue;
        if (!most || c->n_bytes > most->n_bytes) most = c;
    }
    return most;
}

static void make_room(void) {
    size_t n_left = n_received;
    for (connection *c; n_left >= RECEIVED_BYTES_MAX && (c = find_still());) {
        n_left -= c->n_bytes < n_left ? c->n_bytes : n_left;
        cut(c, &n_cut.still);
    }
}

static void tell(void) {
    size_t alien = atomic_exchange(&n_cut.alien, 0), still = atomic_exchange(&n_cut.still, 0);
    size_t silent = atomic_exchange(&n_cut.silent, 0), crowded = atomic_exchange(&n_cut.crowded, 0);
    size_t refused = atomic_exchange(&n_cut.refused, 0), unread = atomic_exchange(&n_cut.unread, 0);
    if (alien + still + silent + crowded + refused + unread == 0) return;
    log_event(LOG_INFO, "connections_cut", "no_message=%zu never_whole=%zu no_hello=%zu crowded_out=%zu refused=%zu unread=%zu",
              alien, still, silent, crowded, refused, unread);
}

void gate_sweep(int listener) {
    pthread_mutex_lock(&lock);
    for (connection *c = table; c < table + DESCRIPTORS_MAX; c++)
        if (c->kind == KIND_OPEN && c->listener == listener && !c->cut) sweep_one(c);
    make_room();
    pthread_mutex_unlock(&lock);
    tell();
}
