#include "places.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/limits.h"
#include "proto/net/names/host_name.h"

struct places {
    loop_handler *changed;
    void *context;
    const char *const *endpoints;       /* [n] */
    size_t n;
    host_name *names[JOINS_MAX];        /* [n] */
    endpoint_reach reached[JOINS_MAX];  /* [n] */
    size_t at;                          /* whose turn it is, */
    char now[ENDPOINT_BYTES_MAX];       /* and which address of it; "": none */
};

/* ---- whose turn it is ---- */

/* Of the endpoint whose turn it is: the address after the one whose turn it is. */
static size_t next_index(const places *p) {
    const host_name *n = p->names[p->at];
    for (size_t i = 0; i < host_name_n_addresses(n); i++)
        if (strcmp(host_name_address(n, i), p->now) == 0) return i + 1;
    return 0;
}

static void take(places *p, size_t at, size_t i) {
    p->at = at;
    snprintf(p->now, sizeof p->now, "%s", host_name_address(p->names[at], i));
}

bool places_next(places *p) {
    char before[ENDPOINT_BYTES_MAX];
    size_t i = next_index(p), at = p->at;
    strcpy(before, p->now);
    p->now[0] = '\0';
    if (i < host_name_n_addresses(p->names[at])) take(p, at, i);
    for (size_t k = 1; !p->now[0] && k <= p->n; k++) {
        size_t other = (at + k) % p->n;
        if (host_name_n_addresses(p->names[other]) > 0) take(p, other, 0);
    }
    return p->now[0] && strcmp(p->now, before) != 0;
}

const char *places_now(const places *p) {
    return p->now[0] && host_name_has(p->names[p->at], p->now) ? p->now : NULL;
}

size_t places_count(const places *p) {
    size_t n = 0;
    for (size_t k = 0; k < p->n; k++) n += host_name_n_addresses(p->names[k]);
    return n;
}

bool places_are_several(const places *p) {
    const char *one = NULL;
    for (size_t k = 0; k < p->n; k++)
        for (size_t i = 0; i < host_name_n_addresses(p->names[k]); i++) {
            const char *address = host_name_address(p->names[k], i);
            if (one && strcmp(one, address) != 0) return true;
            one = address;
        }
    return false;
}

void places_ask(places *p) {
    for (size_t k = 0; k < p->n; k++) host_name_ask(p->names[k]);
}

bool places_none_exists(const places *p) {
    for (size_t k = 0; k < p->n; k++)
        if (host_name_now(p->names[k]) != NAME_NONE) return false;
    return true;
}

/* ---- what is said of them ---- */

void places_reached(places *p, endpoint_reach reach) {
    p->reached[p->at] = reach;
}

/* What is known, in a few words; NULL: nothing yet. */
static const char *unreached_briefly(const char *where, const host_name *n, endpoint_reach reach) {
    bool is_file = strncmp(where, "ipc:", 4) == 0;
    if (host_name_n_addresses(n) == 0)
        return host_name_now(n) == NAME_ASKED ? NULL : "the name of the host does not resolve";
    switch (reach) {
    case REACH_REFUSED: return is_file ? "nothing listens there" : "the connection was refused";
    case REACH_FORBIDDEN: return "no permission to connect";
    case REACH_NO_HANDSHAKE:
        return is_file ? "what listens there is no tokenizerd"
                       : "no handshake: its keys or ours do not fit, or one side has keys and the other none";
    case REACH_SILENT: break;
    }
    return NULL;
}

/* For whoever can do something about it: `trivium up` starts daemons on this host, which listen at a file. */
static const char *unreached_because(const char *where, const host_name *n, endpoint_reach reach) {
    bool is_file = strncmp(where, "ipc:", 4) == 0;
    if (host_name_n_addresses(n) == 0)
        return host_name_now(n) == NAME_NONE ? "the name of the host does not resolve"
                                             : "the name of the host does not resolve (no name server answers)";
    switch (reach) {
    case REACH_REFUSED:
        return is_file ? "nothing listens there; start the daemons with `trivium up`, or name others with --endpoint or "
                         "TRIVIUM_ENDPOINT"
                       : "the connection was refused (nothing listens there, or the host is out of reach)";
    case REACH_FORBIDDEN:
        return "no permission to connect: the socket or its folder lets this user not in; start daemons of your own with "
               "`trivium up`, or name others with --endpoint or TRIVIUM_ENDPOINT";
    case REACH_NO_HANDSHAKE:
        return is_file ? "what listens there is no tokenizerd"
                       : "the connection was ended before a word was said (its key is another one, ours is not known there, "
                         "one side has keys and the other none, or it is no tokenizerd)";
    case REACH_SILENT: break;
    }
    return is_file ? "what listens there says nothing" : "there is silence, from the host or from what listens there";
}

void places_list(const places *p, char *out, size_t out_bytes) {
    size_t n_bytes = 0;
    for (size_t i = 0; i < p->n && n_bytes < out_bytes; i++)
        n_bytes += (size_t)snprintf(out + n_bytes, out_bytes - n_bytes, "%s%s", i == 0 ? "" : " or ", p->endpoints[i]);
}

void places_list_known(const places *p, char *out, size_t out_bytes) {
    size_t n_bytes = 0;
    for (size_t i = 0; i < p->n && n_bytes < out_bytes; i++) {
        const char *why = unreached_briefly(p->endpoints[i], p->names[i], p->reached[i]);
        n_bytes += (size_t)snprintf(out + n_bytes, out_bytes - n_bytes, "%s%s%s%s%s", i == 0 ? "" : " or ", p->endpoints[i],
                                    why ? " (" : "", why ? why : "", why ? ")" : "");
    }
}

void places_explain(const places *p, char *out, size_t out_bytes) {
    size_t n_bytes = 0;
    for (size_t i = 0; i < p->n && n_bytes < out_bytes; i++)
        n_bytes += (size_t)snprintf(out + n_bytes, out_bytes - n_bytes, "%s%s: %s", i == 0 ? "" : "; nor at ",
                                    p->endpoints[i], unreached_because(p->endpoints[i], p->names[i], p->reached[i]));
}

/* ---- making and ending it ---- */

static void on_changed(void *context) {
    places *p = context;
    p->changed(p->context);
}

places *places_new(loop *l, const char *const *endpoints, size_t n_endpoints, loop_handler *changed, void *context) {
    assert(n_endpoints > 0 && n_endpoints <= JOINS_MAX);
    places *p = calloc(1, sizeof *p);
    failure f;
    if (!p) return NULL;
    *p = (places){.changed = changed, .context = context, .endpoints = endpoints};
    for (; p->n < n_endpoints; p->n++)
        if (host_name_new(&p->names[p->n], l, endpoints[p->n], on_changed, p, &f) != STATUS_OK) {
            places_free(&p);
            return NULL;
        }
    places_next(p);
    return p;
}

void places_free(places **p) {
    if (!*p) return;
    for (size_t k = 0; k < (*p)->n; k++) host_name_free(&(*p)->names[k]);
    free(*p);
    *p = NULL;
}
