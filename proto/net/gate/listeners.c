#include "listeners.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { LISTENERS_MAX = 64 };        /* a daemon has two, and for a moment a duplicate of each */

typedef struct entry {
    int fd;
    listener what;
} entry;

static entry entries[LISTENERS_MAX];
static atomic_size_t n_entries;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

int listeners_new_endpoint(void) {
    static atomic_int n_ever;
    return atomic_fetch_add(&n_ever, 1);
}

static entry *find(int fd) {
    for (entry *e = entries; e < entries + n_entries; e++)
        if (e->fd == fd) return e;
    return NULL;
}

/* The newest. */
static entry *find_endpoint(int endpoint) {
    for (entry *e = entries + n_entries; e > entries;)
        if ((--e)->what.endpoint == endpoint) return e;
    return NULL;
}

bool listeners_add(int fd, const listener *l) {
    pthread_mutex_lock(&lock);
    entry *e = find(fd);
    if (!e && n_entries < LISTENERS_MAX) e = &entries[n_entries++];
    if (e) *e = (entry){fd, *l};
    pthread_mutex_unlock(&lock);
    return e != NULL;
}

static int copy(const entry *e, listener *out) {
    if (e) *out = e->what;
    return e ? e->fd : -1;
}

bool listeners_find(int fd, listener *out) {
    pthread_mutex_lock(&lock);
    bool found = copy(find(fd), out) >= 0;
    pthread_mutex_unlock(&lock);
    return found;
}

int listeners_find_endpoint(int endpoint, listener *out) {
    pthread_mutex_lock(&lock);
    int fd = copy(find_endpoint(endpoint), out);
    pthread_mutex_unlock(&lock);
    return fd;
}

/* Each descriptor that this process closes comes here. A child process, too, in which nobody will unlock what another thread
 * had locked; but processes that have children listen nowhere. */
int listeners_remove(int fd) {
    int last_of = -1;
    if (n_entries == 0) return last_of;
    pthread_mutex_lock(&lock);
    entry *e = find(fd);
    if (e) {
        int endpoint = e->what.endpoint;
        memmove(e, e + 1, (size_t)(entries + --n_entries - e) * sizeof *e);
        if (!find_endpoint(endpoint)) last_of = endpoint;
    }
    pthread_mutex_unlock(&lock);
    return last_of;
}
