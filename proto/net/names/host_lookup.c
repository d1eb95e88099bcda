#include "host_lookup.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct host_lookup {
    char host[ENDPOINT_BYTES_MAX], port[PORT_BYTES];
    int fd;
    atomic_bool answered;
    atomic_uint n_holders;      /* whoever asked, and the thread: the last one frees it */
    host_lookup_answer answer;
};

static atomic_uint n_under_way;

static void let_go(host_lookup *l) {
    if (atomic_fetch_sub(&l->n_holders, 1) > 1) return;
    close(l->fd);
    free(l);
}

/* ---- the thread ---- */

/* An address with its scope, "fe80::1%eth0", where it needs one. */
static bool write_address(const struct addrinfo *found, const char *port, char out[ADDRESS_BYTES]) {
    char host[INET6_ADDRSTRLEN + IF_NAMESIZE];
    if (getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST) != 0) return false;
    const char *form = found->ai_family == AF_INET6 ? "tcp://[%s]:%s" : "tcp://%s:%s";
    return snprintf(out, ADDRESS_BYTES, form, host, port) < ADDRESS_BYTES;
}

static void add_address(host_lookup_answer *a, const struct addrinfo *found, const char *port) {
    char address[ADDRESS_BYTES];
    if (a->n_addresses == NAME_ADDRESSES_MAX || !write_address(found, port, address)) return;
    for (size_t i = 0; i < a->n_addresses; i++)
        if (strcmp(a->addresses[i], address) == 0) return;
    strcpy(a->addresses[a->n_addresses++], address);
}

static host_lookup_result ask(const char *host, struct addrinfo **found) {
    const struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    switch (getaddrinfo(host, NULL, &wanted, found)) {
    case 0: return LOOKUP_FOUND;
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY: return LOOKUP_NONE;
    default: return LOOKUP_UNANSWERED;
    }
}

static void *answer(void *argument) {
    host_lookup *l = argument;
    host_lookup_answer *a = &l->answer;
    struct addrinfo *all = NULL;
    a->result = ask(l->host, &all);
    for (const struct addrinfo *one = all; one; one = one->ai_next) add_address(a, one, l->port);
    if (all) freeaddrinfo(all);
    if (a->result == LOOKUP_FOUND && a->n_addresses == 0) a->result = LOOKUP_NONE;
    atomic_store(&l->answered, true);
    eventfd_write(l->fd, 1);
    let_go(l);
    atomic_fetch_sub(&n_under_way, 1);
    return NULL;
}

/* Signals are for whoever asks. Nobody waits for the thread. */
static bool begin_thread(host_lookup *l) {
    sigset_t all, before;
    pthread_attr_t detached;
    pthread_t thread;
    if (pthread_attr_init(&detached) != 0) return false;
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool begun = pthread_create(&thread, &detached, answer, l) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
    return begun;
}

/* ---- whoever asks ---- */

host_lookup *host_lookup_begin(const char *host, const char *port) {
    if (atomic_fetch_add(&n_under_way, 1) >= LOOKUPS_MAX) {
        atomic_fetch_sub(&n_under_way, 1);
        return NULL;
    }
    host_lookup *l = calloc(1, sizeof *l);
    if (l) {
        snprintf(l->host, sizeof l->host, "%s", host);
        snprintf(l->port, sizeof l->port, "%s", port);
        atomic_init(&l->n_holders, 2);
        l->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (l->fd >= 0 && begin_thread(l)) return l;
        if (l->fd >= 0) close(l->fd);
        free(l);
    }
    atomic_fetch_sub(&n_under_way, 1);
    return NULL;
}

int host_lookup_fd(const host_lookup *l) {
    return l->fd;
}

const host_lookup_answer *host_lookup_answered(const host_lookup *l) {
    return atomic_load(&l->answered) ? &l->answer : NULL;
}

void host_lookup_free(host_lookup **l) {
    if (*l) let_go(*l);
    *l = NULL;
}
