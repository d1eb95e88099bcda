#include "connections.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "frames.h"
#include "gate.h"
#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "tally.h"

enum {
    OPEN_FRAMES_MAX = 64,           /* of one message: more are no mistake */
    LATE_MAX = 32,                  /* cut, and not closed yet, beyond the bound of connections */
    RESERVE_DESCRIPTORS = 128,      /* for all that is no connection */
    READ_BYTES_MAX = 256 * 1024,    /* at once */
    FRAME_OVERHEAD_BYTES_MAX = 16 * 1024,
    PINGS_MAX = 256,                /* boxes as large as one, of a connection of which nothing is taken */
};

typedef enum connection_kind {
    KIND_NONE,                      /* of this descriptor the gate knows nothing */
    KIND_OPEN,
    KIND_CLOSED,                    /* nothing but the number, until what came is taken */
} connection_kind;

/* Its kind changes with the lock held. The frames are those of ZeroMQ's thread. */
typedef struct connection {
    _Atomic connection_kind kind;
    atomic_bool keys;
    atomic_bool joined, cut;
    atomic_bool was_joined;
    atomic_bool taken;              /* something was, since the last sweep */
    atomic_size_t n_bytes;          /* received and not taken */
    atomic_size_t n_pings;          /* boxes as large as one, since something was taken */
    int endpoint;                   /* where it came to */
    size_t message_bytes_max;
    uint64_t number;                /* in order of coming; the rest by DESCRIPTORS_MAX is its descriptor */
    uint32_t n_silent_sweeps, n_still_sweeps;
    uint64_t closed_at;             /* of KIND_CLOSED: in order of closing */
    bool has_way;
    refused_way way;                /* whence it came, and where to */
    frames frames;
} connection;

static connection table[DESCRIPTORS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_size_t n_received;            /* the sum of all n_bytes */
static atomic_size_t n_open, n_joined, n_max;
static uint64_t n_ever;
static atomic_uint_fast64_t n_closings;     /* so many were closed before what they sent was taken, */
static atomic_size_t n_closed;              /* and these still are */
static int placeholder = -1;                /* what a number stands for when its connection was closed */

static connection *find(int fd, connection_kind kind) {
    if (fd < 0 || fd >= DESCRIPTORS_MAX) return NULL;
    return atomic_load_explicit(&table[fd].kind, memory_order_acquire) == kind ? &table[fd] : NULL;
}

static int descriptor_of(const connection *c) {
    return (int)(c - table);
}

/* What the limit of descriptors leaves, once and for all: it was raised at start. */
static size_t room(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > DESCRIPTORS_MAX) limit.rlim_cur = DESCRIPTORS_MAX;
    size_t n = (size_t)limit.rlim_cur;
    n -= n / 2 < RESERVE_DESCRIPTORS ? n / 2 : RESERVE_DESCRIPTORS;
    return n < CONNECTIONS_MAX ? n : CONNECTIONS_MAX;
}

void connections_begin(void) {
    pthread_mutex_lock(&lock);
    if (n_max == 0) n_max = room();
    if (placeholder < 0) placeholder = eventfd(0, EFD_CLOEXEC);
    pthread_mutex_unlock(&lock);
}

/* ---- coming and going ---- */

static void set_joined(connection *c, bool joined) {
    if (joined) atomic_store(&c->was_joined, true);
    if (atomic_exchange(&c->joined, joined) == joined) return;
    if (joined) atomic_fetch_add(&n_joined, 1);
    else atomic_fetch_sub(&n_joined, 1);
}

/* With the lock held, so that the number is still that of this connection. ZeroMQ reads the end of the file. */
static void cut(connection *c, cut_reason why) {
    tally_cut(why);
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

static bool find_way(int fd, const struct sockaddr *from, refused_way *out) {
    struct sockaddr_storage to;
    socklen_t n_to = sizeof to;
    return getsockname(fd, (struct sockaddr *)&to, &n_to) == 0 && refusals_way(from, (const struct sockaddr *)&to, out);
}

/* Field by field: others may look at its kind meanwhile. */
static void begin(connection *c, const listener *at, const struct sockaddr *from) {
    atomic_store(&c->keys, at->keys);
    atomic_store(&c->joined, false);
    atomic_store(&c->cut, false);
    atomic_store(&c->was_joined, false);
    atomic_store(&c->taken, false);
    atomic_store(&c->n_bytes, 0);
    atomic_store(&c->n_pings, 0);
    c->endpoint = at->endpoint;
    c->message_bytes_max = at->message_bytes_max;
    c->number = ++n_ever * DESCRIPTORS_MAX + (uint64_t)descriptor_of(c);
    c->n_silent_sweeps = c->n_still_sweeps = 0;
    c->has_way = find_way(descriptor_of(c), from, &c->way);
    c->frames = (frames){.keys = at->keys};
    atomic_store(&c->kind, KIND_OPEN);
}

bool connections_admit(int fd, const listener *at, const struct sockaddr *from) {
    if (fd >= DESCRIPTORS_MAX) return false;
    pthread_mutex_lock(&lock);
    bool fits = n_open < n_max;
    if (!fits && n_open < n_max + LATE_MAX) {
        connection *oldest = oldest_stranger();
        if (oldest) cut(oldest, CUT_CROWDED);
        fits = oldest != NULL;
    }
    if (fits) {
        connection *c = &table[fd];
        begin(c, at, from);
        n_open++;
    }
    pthread_mutex_unlock(&lock);
    if (!fits) tally_cut(CUT_REFUSED);
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

void gate_all_taken(int endpoint, uint64_t moment) {
    if (n_closed == 0) return;
    pthread_mutex_lock(&lock);
    for (connection *c = table; c < table + DESCRIPTORS_MAX; c++)
        if (c->kind == KIND_CLOSED && c->endpoint == endpoint && c->closed_at <= moment) give_back(c);
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

/* With keys nobody sees whether the handshake came to an end: a peer of ours says something then. */
static refusal why_refused(const connection *c) {
    switch (frames_stage_of(&c->frames)) {
    case STAGE_SILENT: return REFUSAL_SILENT;
    case STAGE_GREETS: return REFUSAL_HANDSHAKE;
    case STAGE_TALKS: return REFUSAL_NO_HELLO;
    case STAGE_ALIEN: break;
    }
    return REFUSAL_NO_MESSAGE;
}

static bool close_connection(int fd) {
    connection *c = &table[fd];
    listener unused;
    if (c->has_way && !c->was_joined) tally_refused(&c->way, why_refused(c));
    pthread_mutex_lock(&lock);
    set_joined(c, false);
    drop_open(c);
    bool stays = c->n_bytes > 0 && listeners_find_endpoint(c->endpoint, &unused) >= 0 && dup3(placeholder, fd, O_CLOEXEC) == fd;
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
    int endpoint = listeners_remove(fd);
    if (endpoint >= 0) gate_all_taken(endpoint, UINT64_MAX);
    return false;
}

/* ---- what they send ---- */

/* The largest message, counted frame by frame. */
static size_t whole_bytes_max(const connection *c) {
    return c->message_bytes_max + OPEN_FRAMES_MAX * FRAME_OVERHEAD_BYTES_MAX;
}

static size_t share_bytes(void) {
    size_t n = n_open;
    return RECEIVED_BYTES_MAX / (n > 0 ? n : 1);
}

/* With keys: some whole message lies there to be taken, or one that is too large. */
static bool has_its_fill(const connection *c) {
    return c->keys && c->n_bytes > whole_bytes_max(c) + share_bytes();
}

/* Where all have used up the budget, each still has its share of one: together they hold two of them at most. */
connections_turn connections_read(int fd, size_t *n_bytes_max) {
    connection *c = find(fd, KIND_OPEN);
    if (!c) return TURN_FOREIGN;
    if (atomic_load_explicit(&c->cut, memory_order_relaxed)) return TURN_ENDS;
    *n_bytes_max = READ_BYTES_MAX;
    if (has_its_fill(c)) return TURN_WAITS;
    if (atomic_load_explicit(&n_received, memory_order_relaxed) < RECEIVED_BYTES_MAX) return TURN_READS;
    size_t share = share_bytes(), n_bytes = c->n_bytes;
    if (n_bytes >= share) return TURN_WAITS;
    if (share - n_bytes < READ_BYTES_MAX) *n_bytes_max = share - n_bytes;
    return TURN_READS;
}

static bool is_fine(connection *c) {
    size_t n_pings = atomic_fetch_add(&c->n_pings, c->frames.n_pings) + c->frames.n_pings;
    c->frames.n_pings = 0;
    return !c->frames.alien && c->frames.n_open <= OPEN_FRAMES_MAX && c->frames.open_bytes <= whole_bytes_max(c) &&
           n_pings <= PINGS_MAX;
}

bool connections_count(int fd, const void *bytes, size_t n) {
    connection *c = find(fd, KIND_OPEN);
    if (!c) return true;
    size_t n_more = frames_count(&c->frames, bytes, n);
    atomic_fetch_add(&c->n_bytes, n_more);
    atomic_fetch_add(&n_received, n_more);
    if (is_fine(c)) return true;
    atomic_store(&c->cut, true);
    tally_cut(CUT_ALIEN);
    return false;
}

void gate_took(int fd, size_t n_bytes) {
    if (fd < 0 || fd >= DESCRIPTORS_MAX) return;
    connection *c = &table[fd];
    connection_kind kind = c->kind;
    if (kind != KIND_OPEN && kind != KIND_CLOSED) return;
    size_t n = frame_weight(n_bytes, c->keys), n_there = c->n_bytes;
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

static void cut_number(uint64_t number, cut_reason why) {
    connection *c = &table[number % DESCRIPTORS_MAX];
    pthread_mutex_lock(&lock);
    if (c->kind == KIND_OPEN && c->number == number && !c->cut) cut(c, why);
    pthread_mutex_unlock(&lock);
}

void gate_shut(uint64_t number) {
    cut_number(number, CUT_UNREAD);
}

void gate_revoke(uint64_t number) {
    cut_number(number, CUT_REVOKED);
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
    if (c->n_silent_sweeps >= GATE_HELLO_SWEEPS) cut(c, CUT_SILENT);
    bool taken = atomic_exchange(&c->taken, false);
    if (taken) atomic_store(&c->n_pings, 0);
    c->n_still_sweeps = c->n_bytes == 0 || taken ? 0 : c->n_still_sweeps + 1;
    if (c->n_still_sweeps >= GATE_STILL_SWEEPS && has_its_fill(c) && !c->cut) cut(c, CUT_STILL);
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
        cut(c, CUT_STILL);
    }
}

void gate_sweep(int endpoint) {
    pthread_mutex_lock(&lock);
    for (connection *c = table; c < table + DESCRIPTORS_MAX; c++)
        if (c->kind == KIND_OPEN && c->endpoint == endpoint && !c->cut) sweep_one(c);
    make_room();
    pthread_mutex_unlock(&lock);
    tally_tell(clock_ms());
}
