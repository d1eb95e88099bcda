#include "host_name.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host_lookup.h"
#include "proto/base/clock.h"
#include "proto/net/endpoint/address.h"

struct host_name {
    loop *loop;
    char host[ENDPOINT_BYTES_MAX], port[PORT_BYTES];    /* host: "" where there is nothing to look up */
    loop_handler *changed;
    void *context;
    host_lookup *lookup;        /* under way; NULL: none */
    timer next;
    uint64_t asked_ms;
    host_name_state state;
    size_t n_addresses;
    char (*addresses)[ENDPOINT_BYTES_MAX];      /* [n_addresses] */
};

bool host_name_needed(const char *endpoint) {
    return address_has_name(endpoint);
}

/* ---- asking ---- */

static void ask(void *context);

static void ask_after(host_name *n, uint64_t delay_ms) {
    loop_once(n->loop, &n->next, (uint32_t)delay_ms, ask, n);
}

static void drop_lookup(host_name *n) {
    if (n->lookup) loop_remove_fd(n->loop, host_lookup_fd(n->lookup));
    host_lookup_free(&n->lookup);
}

static bool same_addresses(const host_name *n, const host_lookup_answer *a) {
    if (n->n_addresses != a->n_addresses) return false;
    for (size_t i = 0; i < a->n_addresses; i++)
        if (!host_name_has(n, a->addresses[i])) return false;
    return true;
}

/* False: no memory; what was known stays. */
static bool take_addresses(host_name *n, const host_lookup_answer *a) {
    char(*addresses)[ENDPOINT_BYTES_MAX] = a->n_addresses > 0 ? malloc(a->n_addresses * sizeof *addresses) : NULL;
    if (a->n_addresses > 0 && !addresses) return false;
    for (size_t i = 0; i < a->n_addresses; i++) strcpy(addresses[i], a->addresses[i]);
    free(n->addresses);
    n->addresses = addresses;
    n->n_addresses = a->n_addresses;
    return true;
}

/* True: something is other than before. */
static bool take_answer(host_name *n, const host_lookup_answer *a) {
    static const host_name_state states[] = {
        [LOOKUP_FOUND] = NAME_FOUND, [LOOKUP_NONE] = NAME_NONE, [LOOKUP_UNANSWERED] = NAME_UNANSWERED,
    };
    bool changed = n->state != states[a->result];
    n->state = states[a->result];
    if (a->result == LOOKUP_UNANSWERED || same_addresses(n, a)) return changed;
    return take_addresses(n, a) || changed;
}

static void on_answer(void *context) {
    host_name *n = context;
    const host_lookup_answer *a = host_lookup_answered(n->lookup);
    if (!a) return;
    bool changed = take_answer(n, a);
    drop_lookup(n);
    ask_after(n, n->state == NAME_FOUND ? NAME_ASK_MS : NAME_ASK_MS_MIN);
    if (changed) n->changed(n->context);
}

static void ask(void *context) {
    host_name *n = context;
    if (n->lookup) return;
    n->asked_ms = clock_ms();
    n->lookup = host_lookup_begin(n->host, n->port);
    if (n->lookup && loop_add_reader(n->loop, host_lookup_fd(n->lookup), on_answer, n) != 0) host_lookup_free(&n->lookup);
    if (!n->lookup) ask_after(n, NAME_ASK_MS_MIN);
}

void host_name_ask(host_name *n) {
    if (!n->host[0] || n->lookup) return;
    uint64_t passed_ms = clock_ms() - n->asked_ms;
    ask_after(n, passed_ms < NAME_ASK_MS_MIN ? NAME_ASK_MS_MIN - passed_ms : 0);
}

/* ---- making and ending it ---- */

static bool is_address(host_name *n, const char *endpoint) {
    n->addresses = malloc(sizeof *n->addresses);
    if (!n->addresses) return false;
    snprintf(n->addresses[0], sizeof n->addresses[0], "%s", endpoint);
    n->n_addresses = 1;
    n->state = NAME_FOUND;
    return true;
}

status host_name_new(host_name **out, loop *l, const char *endpoint, loop_handler *changed, void *context, failure *f) {
    host_name *n = *out = calloc(1, sizeof *n);
    if (!n) return fail(f, STATUS_NO_MEMORY, "no memory for the addresses of %s", endpoint);
    *n = (host_name){.loop = l, .changed = changed, .context = context};
    if (host_name_needed(endpoint)) {
        address_split(endpoint, n->host, n->port);
        ask(n);
    }
    if (n->host[0] || is_address(n, endpoint)) return STATUS_OK;
    host_name_free(out);
    return fail(f, STATUS_NO_MEMORY, "no memory for the addresses of %s", endpoint);
}

void host_name_free(host_name **n) {
    if (!*n) return;
    loop_cancel((*n)->loop, &(*n)->next);
    drop_lookup(*n);
    free((*n)->addresses);
    free(*n);
    *n = NULL;
}

/* ---- what is known ---- */

host_name_state host_name_now(const host_name *n) {
    return n->state;
}

size_t host_name_n_addresses(const host_name *n) {
    return n->n_addresses;
}

const char *host_name_address(const host_name *n, size_t i) {
    return n->addresses[i];
}

bool host_name_has(const host_name *n, const char *address) {
    for (size_t i = 0; i < n->n_addresses; i++)
        if (strcmp(n->addresses[i], address) == 0) return true;
    return false;
}
