#include "name_server.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { KNOWN_MAX = 512 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changes = PTHREAD_COND_INITIALIZER;
static const char *known[KNOWN_MAX];  /* addresses of whatever is asked for */
static size_t n_known, n_questions;
static int code;
static bool is_mute;            /* but for "quick" */

void name_server_says(int what, size_t n, const char *const *addresses) {
    pthread_mutex_lock(&mutex);
    assert_true(n <= KNOWN_MAX);
    code = what;
    n_known = n;
    for (size_t i = 0; i < n; i++) known[i] = addresses[i];
    pthread_mutex_unlock(&mutex);
}

void name_server_mute(bool whether) {
    pthread_mutex_lock(&mutex);
    is_mute = whether;
    pthread_cond_broadcast(&changes);
    pthread_mutex_unlock(&mutex);
}

size_t name_server_questions(void) {
    pthread_mutex_lock(&mutex);
    size_t n = n_questions;
    pthread_mutex_unlock(&mutex);
    return n;
}

static struct addrinfo *make(const char *address) {
    struct addrinfo *a = calloc(1, sizeof *a + sizeof(struct sockaddr_in6));
    struct sockaddr_in *v4 = (struct sockaddr_in *)(a + 1);
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(a + 1);
    char host[64];
    strcpy(host, address);
    char *scope = strchr(host, '%');
    if (scope) *scope++ = 0;
    a->ai_addr = (struct sockaddr *)(a + 1);
    a->ai_family = strchr(host, ':') ? AF_INET6 : AF_INET;
    a->ai_addrlen = a->ai_family == AF_INET6 ? sizeof *v6 : sizeof *v4;
    a->ai_addr->sa_family = (sa_family_t)a->ai_family;
    int rc = a->ai_family == AF_INET6 ? inet_pton(AF_INET6, host, &v6->sin6_addr) : inet_pton(AF_INET, host, &v4->sin_addr);
    assert_int_equal(rc, 1);
    if (scope) v6->sin6_scope_id = if_nametoindex(scope);
    return a;
}

/* Put in their places by the linker (Makefile). */
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out);
void __wrap_freeaddrinfo(struct addrinfo *all);

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out) {
    assert_null(service);
    assert_int_equal(hints->ai_family, AF_UNSPEC);
    pthread_mutex_lock(&mutex);
    n_questions++;
    while (is_mute && strcmp(host, "quick") != 0) pthread_cond_wait(&changes, &mutex);
    struct addrinfo **end = out;
    *out = NULL;
    for (size_t i = 0; code == 0 && i < n_known; i++, end = &(*end)->ai_next) *end = make(known[i]);
    int rc = code;
    pthread_mutex_unlock(&mutex);
    return rc;
}

void __wrap_freeaddrinfo(struct addrinfo *all) {
    while (all) {
        struct addrinfo *next = all->ai_next;
        free(all);
        all = next;
    }
}

void name_server_begin(void) {
    name_server_mute(false);
    pthread_mutex_lock(&mutex);
    n_questions = 0;
    pthread_mutex_unlock(&mutex);
}
