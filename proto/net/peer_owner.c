#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "endpoint/address.h"
#include "gate/gate.h"
#include "peer_parts.h"
#include "proto/base/log.h"

#define OF_KEY "key:"       /* an owner who is a key begins so */

_Static_assert(OWNER_BYTES_MAX >= sizeof OF_KEY - 1 + KEY_TEXT_BYTES - 1, "an owner can be a key");

/* ---- Who it is ---- */

/* What the kernel says of the process at the other end of a Unix socket. */
static void find_user(peer *p) {
    struct ucred who;
    socklen_t n_bytes = sizeof who;
    struct sockaddr address;
    socklen_t n_address = sizeof address;
    if (p->connection < 0 || getsockname(p->connection, &address, &n_address) != 0) return;
    if (address.sa_family != AF_UNIX) return;
    if (getsockopt(p->connection, SOL_SOCKET, SO_PEERCRED, &who, &n_bytes) != 0) return;
    snprintf(p->owner, sizeof p->owner, "uid:%u", (unsigned)who.uid);
    p->is_operator = p->names_owners = who.uid == 0 || who.uid == geteuid();
}

static void set_rights(peer *p, key_rights rights) {
    p->is_operator = rights.is_operator;
    p->names_owners = rights.is_gateway;
}

void peer_find_owner(const peers *ps, peer *p, const wire_message *hello) {
    key_rights rights;
    if (!ps->keys) {
        find_user(p);
        return;
    }
    memcpy(p->key, hello->user, sizeof p->key);
    snprintf(p->owner, sizeof p->owner, OF_KEY "%s", p->key);
    keys_name(ps->keys, ps->link, p->key, p->key_name);
    if (keys_find(ps->keys, ps->link, p->key, &rights)) set_rights(p, rights);
}

const char *peer_owner(const peer *p) {
    return p->owner;
}

bool peers_owner_name(const peers *ps, const char *owner, char out[KEY_NAME_BYTES_MAX + 1]) {
    const size_t n = sizeof OF_KEY - 1;
    out[0] = 0;
    return ps->keys && strncmp(owner, OF_KEY, n) == 0 && keys_name(ps->keys, ps->link, owner + n, out);
}

const char *peer_place(const peer *p, char out[PEER_PLACE_BYTES]) {
    char host[PEER_PLACE_BYTES / 2];
    bool named = p->key_name[0];
    log_quote(host, sizeof host, p->hello->host);
    snprintf(out, PEER_PLACE_BYTES, "pid=%d host=\"%s\"%s%s%s", p->hello->pid, host, named ? " key=\"" : "",
             p->key_name, named ? "\"" : "");
    return out;
}

bool peer_is_operator(const peer *p) {
    return p->is_operator;
}

bool peer_names_owners(const peer *p) {
    return p->names_owners;
}

/* ---- Who may be here ---- */

/* ZeroMQ has asked already, but that may be some time ago. */
status peers_check_key(const peers *ps, const wire_message *hello, failure *f) {
    if (!ps->keys || keys_admit(ps->keys, ps->link, hello->user)) return STATUS_OK;
    return fail(f, STATUS_FORBIDDEN, "your key is not authorised for the %s link", key_link_name(ps->link));
}

/* What it has not read yet is not for it any more. */
static void end_revoked(peers *ps, peer *p, const char *why) {
    char place[PEER_PLACE_BYTES];
    log_event(LOG_INFO, "key_revoked", "link=%s peer=\"%s\" %s why=\"%s\"", key_link_name(ps->link), peer_name(p),
              peer_place(p, place), why);
    gate_revoke(p->gate_number);
    peer_doom(ps, p, why);
}

static void on_authorised_changed(void *context) {
    peers *ps = context;
    peer *p;
    key_rights rights;
    TAILQ_FOREACH(p, &ps->list, link) {
        bool was_operator = p->is_operator, named_owners = p->names_owners;
        bool found = keys_find(ps->keys, ps->link, p->key, &rights);
        set_rights(p, rights);
        if (!found) end_revoked(ps, p, "its key is authorised no longer");
        else if ((was_operator && !rights.is_operator) || (named_owners && !rights.is_gateway))
            end_revoked(ps, p, "its key has fewer rights than before");     /* what it watches by them ends, too */
    }
}

static bool on_server_key_changed(void *context) {
    peers *ps = context;
    failure f;
    bool cut, bound = endpoint_bind_anew(ps->endpoint, &cut, &f);
    if (bound) {
        log_event(LOG_INFO, "server_key_changed", "link=%s endpoint=%s", key_link_name(ps->link), peers_address(ps));
        fault_is_over(&ps->bind_fault);
    } else if (fault_is_news(&ps->bind_fault, &f)) {
        log_event(LOG_ERROR, "server_key_not_bound", "link=%s why=\"%s\"", key_link_name(ps->link), f.message);
    }
    if (cut) peers_lose_connections(ps);
    return bound;
}

status peers_guard_begin(peers *ps, const endpoint_options *where, failure *f) {
    if (!where->keys || !address_tcp(where->address)) return STATUS_OK;
    const keys_events events = {on_authorised_changed, on_server_key_changed, ps};
    status st = keys_guard(where->keys, where->link, &events, f);
    if (st != STATUS_OK) return st;
    ps->keys = where->keys;
    ps->link = where->link;
    return STATUS_OK;
}

void peers_guard_end(peers *ps) {
    if (ps->keys) keys_guard_end(ps->keys, ps->link);
}
