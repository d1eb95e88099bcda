#include "keys.h"

#include <assert.h>
#include <czmq.h>
#include <stdlib.h>
#include <string.h>

#include "authorised.h"
#include "proto/base/log.h"
#include "proto/net/faults/faults.h"
#include "zap.h"

enum { LOOK_MS = 1000 };            /* how often the folder is looked into */

/* zmq.h counts it among the options to come; ZeroMQ has it since 4.3. Without it everybody is let in while no handler answers. */
#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93
#endif

/* A link that is bound here. */
typedef struct guarded_link {
    authorised *table;              /* NULL: it is not */
    keys_events events;
    key_pair server;
    key_stamp server_stamp;
    char server_path[KEY_PATH_BYTES];
    lasting_fault server_fault;     /* it cannot be read */
    bool is_new;                    /* newcomers do not meet it yet */
} guarded_link;

/* A link that is joined from here: as it was last read. */
typedef struct joined_link {
    bool known;
    lasting_fault fault;            /* it cannot be read any more */
    key_pair own, server, next;     /* next.public_key may be "" */
} joined_link;

struct keys {
    const char *folder;
    loop *loop;
    zap *zap;                       /* these two while any link is guarded */
    timer look_timer;
    guarded_link guarded[KEY_LINKS];
    joined_link joined[KEY_LINKS];
};

status keys_choose(const char **folder, bool insecure, failure *f) {
    if (*folder && insecure)
        return fail(f, STATUS_BAD_REQUEST, "--keys and --insecure exclude each other: tcp has keys or it has none");
    if (*folder && !**folder) return fail(f, STATUS_BAD_REQUEST, "--keys must name a folder");
    const char *value = getenv("TRIVIUM_KEYS");
    if (!*folder && !insecure && value && *value) *folder = value;
    return STATUS_OK;
}

status keys_open(keys **out, const char *folder, loop *l, failure *f) {
    *out = NULL;
    if (!folder) return STATUS_OK;
    keys *k = calloc(1, sizeof *k);
    if (!k) return fail(f, STATUS_NO_MEMORY, "no memory for keys");
    *k = (keys){.folder = folder, .loop = l};
    *out = k;
    return STATUS_OK;
}

void keys_close(keys **k) {
    if (!*k) return;
    for (key_link link = 0; link < KEY_LINKS; link++) keys_guard_end(*k, link);
    explicit_bzero(*k, sizeof **k);
    free(*k);
    *k = NULL;
}

static status set_option(void *socket, int option, const void *value, size_t n_bytes, failure *f) {
    if (zmq_setsockopt(socket, option, value, n_bytes) == 0) return STATUS_OK;
    return fail(f, STATUS_IO, "ZeroMQ takes no keys: %s", zmq_strerror(zmq_errno()));
}

/* ---- the joining end ---- */

static status read_own(const keys *k, key_role role, key_pair *out, failure *f) {
    char path[KEY_PATH_BYTES], secret[KEY_PATH_BYTES];
    status st = key_folders_check(k->folder, "own", f);
    if (st == STATUS_OK) st = key_own_path(path, k->folder, role, f);
    if (st == STATUS_OK) st = key_secret_path(secret, path, f);
    if (st == STATUS_OK) st = key_pair_read_secret(out, secret, NULL, f);
    if (st != STATUS_NOT_FOUND) return st;
    failure why = *f;
    return fail(f, st, "%s: `trivium keygen` makes it, for another host with --roles %s among others", why.message,
                key_role_name(role));
}

static status read_servers(const keys *k, key_role role, joined_link *out, failure *f) {
    char path[KEY_PATH_BYTES], next[KEY_PATH_BYTES];
    status st = key_folders_check(k->folder, "server", f);
    if (st == STATUS_OK) st = key_server_path(path, k->folder, role, false, f);
    if (st == STATUS_OK) st = key_server_path(next, k->folder, role, true, f);
    if (st == STATUS_OK) st = key_pair_read_public(&out->server, path, f);
    if (st != STATUS_OK) return st;
    st = key_pair_read_public(&out->next, next, f);
    return st == STATUS_NOT_FOUND ? STATUS_OK : st;
}

static status read_joined(const keys *k, key_link link, joined_link *out, failure *f) {
    *out = (joined_link){.known = true};
    status st = read_own(k, key_link_joiner(link), &out->own, f);
    return st == STATUS_OK ? read_servers(k, key_link_server(link), out, f) : st;
}

static status refresh_joined(keys *k, key_link link, failure *f) {
    joined_link *known = &k->joined[link], now;
    status st = read_joined(k, link, &now, f);
    if (st == STATUS_OK) *known = now;
    if (st == STATUS_OK || !known->known) return st;
    if (fault_is_news(&known->fault, f)) log_event(LOG_ERROR, "key_unreadable", "why=\"%s\"", f->message);
    return STATUS_OK;
}

status keys_dress_joining(keys *k, key_link link, void *socket, uint32_t n_tries, failure *f) {
    status st = refresh_joined(k, link, f);
    if (st != STATUS_OK) return st;
    const joined_link *with = &k->joined[link];
    bool takes_next = n_tries % 2 == 1 && with->next.public_key[0];
    const char *server = takes_next ? with->next.public_key : with->server.public_key;
    st = set_option(socket, ZMQ_CURVE_SERVERKEY, server, KEY_TEXT_BYTES, f);
    if (st == STATUS_OK) st = set_option(socket, ZMQ_CURVE_PUBLICKEY, with->own.public_key, KEY_TEXT_BYTES, f);
    if (st == STATUS_OK) st = set_option(socket, ZMQ_CURVE_SECRETKEY, with->own.secret_key, KEY_TEXT_BYTES, f);
    return st;
}

/* ---- the bound end ---- */

bool keys_find(const keys *k, key_link link, const char *public_key, key_rights *rights) {
    assert(k->guarded[link].table);
    return authorised_find(k->guarded[link].table, public_key, rights);
}

bool keys_name(const keys *k, key_link link, const char *public_key, char out[KEY_NAME_BYTES_MAX + 1]) {
    assert(k->guarded[link].table);
    return authorised_name(k->guarded[link].table, public_key, out);
}

bool keys_admit(const keys *k, key_link link, const char *public_key) {
    assert(k->guarded[link].table);
    return authorised_admits(k->guarded[link].table, public_key);
}

static bool admits(void *context, const char *domain, const char *public_key) {
    const keys *k = context;
    for (key_link link = 0; link < KEY_LINKS; link++)
        if (k->guarded[link].table && strcmp(domain, key_link_name(link)) == 0) return keys_admit(k, link, public_key);
    return false;
}

/* True: it is another key than before. A file that is just being written is read when it is whole, and one that could not be
 * read as soon as it can be, though it is as it was. */
static bool refresh_server(const keys *k, guarded_link *g) {
    failure f;
    struct stat info;
    status st = key_folders_check(k->folder, "server", &f);
    if (st == STATUS_OK && stat(g->server_path, &info) == 0) {
        key_stamp stamp = key_stamp_of(&info);
        if (key_stamp_equal(&stamp, &g->server_stamp)) return false;
    }
    key_pair now;
    g->server_stamp = (key_stamp){0};
    if (st == STATUS_OK) st = key_pair_read_secret(&now, g->server_path, &g->server_stamp, &f);
    if (st != STATUS_OK) {
        if (fault_is_news(&g->server_fault, &f)) log_event(LOG_ERROR, "key_unreadable", "why=\"%s\"", f.message);
        return false;
    }
    fault_is_over(&g->server_fault);
    if (strcmp(now.public_key, g->server.public_key) == 0) return false;
    g->server = now;
    return true;
}

static void on_look(void *context) {
    keys *k = context;
    for (key_link link = 0; link < KEY_LINKS; link++) {
        guarded_link *g = &k->guarded[link];
        if (!g->table) continue;
        if (authorised_refresh(g->table)) g->events.authorised_changed(g->events.context);
        if (refresh_server(k, g)) g->is_new = true;
        if (g->is_new) g->is_new = !g->events.server_key_changed(g->events.context);
    }
}

static status read_guarded(const keys *k, key_link link, guarded_link *out, failure *f) {
    char path[KEY_PATH_BYTES];
    status st = key_folders_check(k->folder, "server", f);
    if (st == STATUS_OK) st = key_server_path(path, k->folder, key_link_server(link), false, f);
    if (st == STATUS_OK) st = key_secret_path(out->server_path, path, f);
    if (st == STATUS_OK) st = key_pair_read_secret(&out->server, out->server_path, &out->server_stamp, f);
    return st == STATUS_OK ? authorised_new(&out->table, k->folder, link, f) : st;
}

/* Answers and looks, from the first guarded link on. */
static status begin(keys *k, failure *f) {
    status st = k->zap ? STATUS_OK : zap_new(&k->zap, k->loop, admits, k, f);
    if (st == STATUS_OK && !timer_is_set(&k->look_timer)) loop_every(k->loop, &k->look_timer, LOOK_MS, on_look, k);
    return st;
}

status keys_guard(keys *k, key_link link, const keys_events *events, failure *f) {
    guarded_link *g = &k->guarded[link];
    if (g->table) return fail(f, STATUS_BUSY, "the %s link is bound already", key_link_name(link));
    *g = (guarded_link){.events = *events};
    status st = read_guarded(k, link, g, f);
    if (st == STATUS_OK) st = begin(k, f);
    if (st != STATUS_OK) keys_guard_end(k, link);
    return st;
}

void keys_guard_end(keys *k, key_link link) {
    authorised_free(&k->guarded[link].table);
    for (key_link one = 0; one < KEY_LINKS; one++)
        if (k->guarded[one].table) return;
    zap_free(&k->zap);
    loop_cancel(k->loop, &k->look_timer);
}

status keys_dress_bound(keys *k, key_link link, void *socket, failure *f) {
    const guarded_link *g = &k->guarded[link];
    const char *domain = key_link_name(link);
    const int on = 1;
    assert(g->table);
    status st = set_option(socket, ZMQ_CURVE_SERVER, &on, sizeof on, f);
    if (st == STATUS_OK) st = set_option(socket, ZMQ_CURVE_SECRETKEY, g->server.secret_key, KEY_TEXT_BYTES, f);
    if (st == STATUS_OK) st = set_option(socket, ZMQ_ZAP_DOMAIN, domain, strlen(domain), f);
    return st == STATUS_OK ? set_option(socket, ZMQ_ZAP_ENFORCE_DOMAIN, &on, sizeof on, f) : st;
}
