#include "key_set.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "key_spread.h"
#include "key_write.h"
#include "proto/base/process/lockfile.h"

static bool is_server(key_role role) {
    return role == ROLE_TOKENIZERD || role == ROLE_MODELD;
}

/* The link that a role's own key joins; false: tokenizerd joins none. */
static bool joins(key_role role, key_link *out) {
    for (key_link link = 0; link < KEY_LINKS; link++)
        if (key_link_joiner(link) == role) {
            *out = link;
            return true;
        }
    return false;
}

/* ---- the set's own host ---- */

static status make_folders(const key_part *part, const bool roles[KEY_ROLES], failure *f) {
    status st = key_part_folder(part, "", f);
    if (st == STATUS_OK) st = key_part_folder(part, "server", f);
    if (st == STATUS_OK) st = key_part_folder(part, "own", f);
    for (key_link link = 0; st == STATUS_OK && link < KEY_LINKS; link++) {
        char name[32];
        if (!roles[key_link_server(link)]) continue;
        snprintf(name, sizeof name, "authorised/%s", key_link_name(link));
        st = key_part_folder(part, "authorised", f);
        if (st == STATUS_OK) st = key_part_folder(part, name, f);
    }
    return st;
}

/* Keys do not go among other things: `trivium keygen .` is a slip more often than not. */
static status check_purpose(const key_part *part, failure *f) {
    char server[KEY_PATH_BYTES + 8];
    struct dirent **list;
    snprintf(server, sizeof server, "%s/server", part->folder);
    if (key_exists(server)) return STATUS_OK;
    int n = scandir(part->folder, &list, NULL, NULL), n_others = 0;
    for (int i = 0; i < n; i++) {
        n_others += list[i]->d_name[0] != '.';
        free(list[i]);
    }
    if (n >= 0) free(list);
    if (n_others == 0) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST, "%s has other things in it: keys want a folder of their own", part->folder);
}

/* Have the link's joining end, with this public key, under a name. */
static status authorise(const key_part *part, key_link link, const char *name, const key_pair *pair,
                        const key_host *how, failure *f) {
    char path[KEY_PATH_BYTES];
    key_pair authorised = {.rights = how->rights}, there;
    status st = key_authorised_path(path, part->folder, link, name, f);
    if (st != STATUS_OK) return st;
    memcpy(authorised.public_key, pair->public_key, sizeof authorised.public_key);
    if (!key_exists(path)) return key_part_put(part, &authorised, path, false, f);
    st = key_pair_read_public(&there, path, f);
    if (st == STATUS_OK && strcmp(there.public_key, pair->public_key) != 0)
        return fail(f, STATUS_BAD_REQUEST, "%s is another key under that name: %s", path,
                    strcmp(name, KEY_ADMIN) == 0 ? "is this folder the part of another host?"
                                                 : "revoke it first, or take another name");
    if (st != STATUS_OK) return st;
    authorised.rights = key_rights_of_both(authorised.rights, there.rights);
    return key_part_put(part, &authorised, path, false, f);
}

static status own_keys(const key_part *root, const key_part *part, const key_host *host, failure *f) {
    status st = STATUS_OK;
    for (key_role role = 0; st == STATUS_OK && role < KEY_ROLES; role++) {
        key_link link;
        char path[KEY_PATH_BYTES];
        key_pair pair;
        if (!host->roles[role] || !joins(role, &link)) continue;
        st = key_own_path(path, part->folder, role, f);
        if (st == STATUS_OK) st = key_part_pair(part, path, &pair, f);
        if (st == STATUS_OK) st = authorise(root, link, host->name, &pair, host, f);
    }
    return st;
}

static status make(const key_set *set, failure *f) {
    static const key_host here = {.name = KEY_ADMIN, .roles = {true, true, true, true},
                                  .rights = {.is_operator = true}};
    key_part root;
    status st = key_part_open(&root, set, NULL, f);
    if (st == STATUS_OK) st = make_folders(&root, here.roles, f);
    for (key_role role = 0; st == STATUS_OK && role < KEY_ROLES; role++) {
        char path[KEY_PATH_BYTES];
        key_pair pair;
        if (!is_server(role)) continue;
        st = key_server_path(path, root.folder, role, false, f);
        if (st == STATUS_OK) st = key_part_pair(&root, path, &pair, f);
    }
    if (st == STATUS_OK) st = own_keys(&root, &root, &here, f);
    return st == STATUS_OK ? key_spread(set, f) : st;
}

/* ---- another host ---- */

static status roles_there(const key_part *part, bool roles[KEY_ROLES], failure *f) {
    for (key_role role = 0; role < KEY_ROLES; role++) {
        char path[KEY_PATH_BYTES], secret[KEY_PATH_BYTES];
        bool serves = is_server(role);
        status st = serves ? key_server_path(path, part->folder, role, false, f)
                           : key_own_path(path, part->folder, role, f);
        if (st == STATUS_OK) st = key_secret_path(secret, path, f);
        if (st != STATUS_OK) return st;
        roles[role] = key_exists(secret);
    }
    return STATUS_OK;
}

static status rights_there(const key_part *root, const char *name, key_rights *rights, failure *f) {
    status st = STATUS_OK;
    for (key_link link = 0; st == STATUS_OK && link < KEY_LINKS; link++) {
        char path[KEY_PATH_BYTES];
        key_pair pair;
        st = key_authorised_path(path, root->folder, link, name, f);
        if (st != STATUS_OK || !key_exists(path)) continue;
        st = key_pair_read_public(&pair, path, f);
        if (st == STATUS_OK) *rights = key_rights_of_both(*rights, pair.rights);
    }
    return st;
}

static status find_kept(const key_part *root, const key_part *part, const key_host *host, key_kept *kept, failure *f) {
    status st = roles_there(part, kept->roles, f);
    if (st == STATUS_OK) st = rights_there(root, host->name, &kept->rights, f);
    for (key_role role = 0; role < KEY_ROLES; role++) kept->roles[role] &= host->has_roles && !host->roles[role];
    kept->rights.is_operator &= !host->rights.is_operator;
    kept->rights.is_gateway &= !host->rights.is_gateway;
    return st;
}

/* What it has already, and those that were asked for; where none were, all of a new one, or of one that never was whole. */
static status choose_roles(const key_part *part, const key_host *host, bool roles[KEY_ROLES], failure *f) {
    status st = roles_there(part, roles, f);
    bool some = host->has_roles || key_spread_reached(part);
    for (key_role role = 0; role < KEY_ROLES; role++) roles[role] |= !some || (host->has_roles && host->roles[role]);
    return st;
}

/* A host that runs a role has its server key; key_spread keeps it the same as the set's. */
static status server_keys(const key_part *root, const key_part *part, const bool roles[KEY_ROLES], failure *f) {
    status st = STATUS_OK;
    for (key_role role = 0; st == STATUS_OK && role < KEY_ROLES; role++) {
        char path[KEY_PATH_BYTES], ours[KEY_PATH_BYTES], theirs[KEY_PATH_BYTES];
        key_pair pair;
        if (!roles[role] || !is_server(role)) continue;
        st = key_server_path(path, root->folder, role, false, f);
        if (st == STATUS_OK) st = key_secret_path(ours, path, f);
        if (st == STATUS_OK) st = key_server_path(path, part->folder, role, false, f);
        if (st == STATUS_OK) st = key_secret_path(theirs, path, f);
        if (st == STATUS_OK) st = key_pair_read_secret(&pair, ours, NULL, f);
        if (st == STATUS_OK) st = key_part_put(part, &pair, theirs, true, f);
    }
    return st;
}

static status make_host(const key_set *set, const key_host *host, key_kept *kept, failure *f) {
    key_part root, part;
    key_host whole = *host;
    status st = make(set, f);
    if (st == STATUS_OK) st = key_part_open(&root, set, NULL, f);
    if (st == STATUS_OK) st = key_part_folder(&root, KEY_HOSTS, f);
    if (st == STATUS_OK) st = key_part_open(&part, set, host->name, f);
    if (st == STATUS_OK) st = find_kept(&root, &part, host, kept, f);
    if (st == STATUS_OK) st = choose_roles(&part, host, whole.roles, f);
    if (st == STATUS_OK) st = make_folders(&part, whole.roles, f);
    if (st == STATUS_OK) st = server_keys(&root, &part, whole.roles, f);
    if (st == STATUS_OK) st = own_keys(&root, &part, &whole, f);
    if (st == STATUS_OK) st = key_spread_to(&part, f);
    return st == STATUS_OK ? key_spread(set, f) : st;
}

/* ---- taking away ---- */

/* Of keygen's own, one that was never whole included. */
static bool is_ours(const char *file) {
    const char *dot = strrchr(file, '.');
    return dot && (strcmp(dot, KEY_SUFFIX) == 0 || strcmp(dot, KEY_SECRET_SUFFIX) == 0 ||
                   (file[0] == '.' && strcmp(dot, KEY_PARTIAL_SUFFIX) == 0));
}

/* The files of its part, then folders that are empty. What somebody else put there stays. The keys of servers come last: as
 * long as they are there, a revocation that was interrupted says again that they are to be changed. */
static status remove_part(const key_part *part, failure *f) {
    static const char *const folders[] = {
        "own", "authorised/text", "authorised/tokens", "authorised/logits", "authorised", "server", ""};
    status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < sizeof folders / sizeof *folders; i++) {
        char folder[KEY_PATH_BYTES + 32], path[sizeof folder + 256];
        struct dirent **list;
        snprintf(folder, sizeof folder, "%s%s%s", part->folder, *folders[i] ? "/" : "", folders[i]);
        int n = scandir(folder, &list, NULL, alphasort);
        for (int k = 0; k < n; k++) {
            snprintf(path, sizeof path, "%s/%s", folder, list[k]->d_name);
            if (st == STATUS_OK && is_ours(list[k]->d_name)) st = key_part_remove(part, path, f);
            free(list[k]);
        }
        if (n >= 0) free(list);
        rmdir(folder);
    }
    return st;
}

static status revoke_name(const key_set *set, const char *name, bool servers[KEY_ROLES], failure *f) {
    key_part root, part;
    status st = make(set, f);
    if (st == STATUS_OK) st = key_part_open(&root, set, NULL, f);
    if (st == STATUS_OK) st = key_part_open(&part, set, name, f);
    bool is_known = st == STATUS_OK && key_exists(part.folder);
    if (is_known) st = roles_there(&part, servers, f);
    for (key_role role = 0; role < KEY_ROLES; role++) servers[role] &= is_known && is_server(role);
    for (key_link link = 0; st == STATUS_OK && link < KEY_LINKS; link++) {
        char path[KEY_PATH_BYTES];
        st = key_authorised_path(path, root.folder, link, name, f);
        is_known |= st == STATUS_OK && key_exists(path);
        if (st == STATUS_OK) st = key_part_remove(&root, path, f);
    }
    if (st == STATUS_OK && !is_known)
        return fail(f, STATUS_NOT_FOUND, "%s has no keys of the name %s", set->folder, name);
    if (st == STATUS_OK) st = remove_part(&part, f);
    return st == STATUS_OK ? key_spread(set, f) : st;
}

/* ---- another server key ---- */

/* The next one takes the place of the first: the secret half, then the public one, then it is next no more. An
 * interruption leaves the next one, and the same again ends it. */
static status replace(const key_part *root, const char *path, const char *next, const key_pair *pair, failure *f) {
    char secret[KEY_PATH_BYTES], next_secret[KEY_PATH_BYTES];
    status st = key_secret_path(secret, path, f);
    if (st == STATUS_OK) st = key_secret_path(next_secret, next, f);
    if (st == STATUS_OK) st = key_part_put(root, pair, secret, true, f);
    if (st == STATUS_OK) st = key_part_put(root, pair, path, false, f);
    if (st == STATUS_OK) st = key_part_remove(root, next, f);
    return st == STATUS_OK ? key_part_remove(root, next_secret, f) : st;
}

static status rotate(const key_set *set, key_role role, bool *is_over, failure *f) {
    key_part root;
    char path[KEY_PATH_BYTES], next[KEY_PATH_BYTES], next_secret[KEY_PATH_BYTES];
    key_pair pair;
    status st = key_part_open(&root, set, NULL, f);
    if (st == STATUS_OK) st = key_server_path(path, root.folder, role, false, f);
    if (st == STATUS_OK) st = key_server_path(next, root.folder, role, true, f);
    if (st == STATUS_OK) st = key_secret_path(next_secret, next, f);
    *is_over = st == STATUS_OK && key_exists(next_secret);
    if (st == STATUS_OK && !*is_over) st = make(set, f);
    if (st == STATUS_OK) st = key_part_pair(&root, next, &pair, f);
    if (st == STATUS_OK && *is_over) st = replace(&root, path, next, &pair, f);
    return st == STATUS_OK ? make(set, f) : st;
}

/* ---- one at a time ---- */

typedef struct held {
    char path[KEY_PATH_BYTES + 16];
    int lock;
} held;

static status hold(held *h, const key_set *set, failure *f) {
    key_part root;
    h->lock = -1;
    status st = key_part_open(&root, set, NULL, f);
    if (st == STATUS_OK) st = key_part_folder(&root, "", f);
    if (st != STATUS_OK) return st;
    snprintf(h->path, sizeof h->path, "%s/.lock", set->folder);
    st = lockfile_take(&h->lock, h->path, f);
    return st == STATUS_OK ? check_purpose(&root, f) : st;     /* another process may have been making the set until now */
}

status key_set_make(const key_set *set, failure *f) {
    held h;
    status st = hold(&h, set, f);
    if (st == STATUS_OK) st = make(set, f);
    lockfile_give(&h.lock, h.path);
    return st;
}

status key_set_check_name(const char *name, failure *f) {
    status st = key_name_check(name, f);
    if (st == STATUS_OK && strcmp(name, KEY_ADMIN) == 0)
        st = fail(f, STATUS_BAD_REQUEST, KEY_ADMIN " is the name of the host that has the set: take another one");
    return st;
}

status key_set_host(const key_set *set, const key_host *host, key_kept *kept, failure *f) {
    held h;
    *kept = (key_kept){.rights = {.is_operator = false}};
    status st = key_set_check_name(host->name, f);
    if (st != STATUS_OK) return st;
    st = hold(&h, set, f);
    if (st == STATUS_OK) st = make_host(set, host, kept, f);
    lockfile_give(&h.lock, h.path);
    return st;
}

status key_set_revoke(const key_set *set, const char *name, bool servers[KEY_ROLES], failure *f) {
    held h;
    memset(servers, 0, sizeof *servers * KEY_ROLES);
    status st = key_set_check_name(name, f);
    if (st != STATUS_OK) return st;
    st = hold(&h, set, f);
    if (st == STATUS_OK) st = revoke_name(set, name, servers, f);
    lockfile_give(&h.lock, h.path);
    return st;
}

status key_set_rotate(const key_set *set, key_role role, bool *is_over, failure *f) {
    held h;
    assert(is_server(role));
    status st = hold(&h, set, f);
    if (st == STATUS_OK) st = rotate(set, role, is_over, f);
    lockfile_give(&h.lock, h.path);
    return st;
}
