#include "key_spread.h"

#include <stdio.h>

typedef struct spreading {
    const key_part *from, *to;
    key_link link;
} spreading;

/* One authorised key of the set. */
static status copy_authorised(void *context, const char *name, failure *f) {
    const spreading *s = context;
    char from[KEY_PATH_BYTES], to[KEY_PATH_BYTES];
    key_pair pair;
    status st = key_authorised_path(from, s->from->folder, s->link, name, f);
    if (st == STATUS_OK) st = key_authorised_path(to, s->to->folder, s->link, name, f);
    if (st == STATUS_OK) st = key_pair_read_public(&pair, from, f);
    return st == STATUS_OK ? key_part_put(s->to, &pair, to, false, f) : st;
}

/* One of a part, which goes where the set has it no more. */
static status drop_authorised(void *context, const char *name, failure *f) {
    const spreading *s = context;
    char from[KEY_PATH_BYTES], to[KEY_PATH_BYTES];
    status st = key_authorised_path(from, s->from->folder, s->link, name, f);
    if (st == STATUS_OK) st = key_authorised_path(to, s->to->folder, s->link, name, f);
    if (st != STATUS_OK || key_exists(from)) return st;
    return key_part_remove(s->to, to, f);
}

static status spread_link(const key_part *from, const key_part *to, key_link link, failure *f) {
    spreading s = {from, to, link};
    char ours[KEY_PATH_BYTES], theirs[KEY_PATH_BYTES];
    status st = key_authorised_path(ours, from->folder, link, NULL, f);
    if (st == STATUS_OK) st = key_authorised_path(theirs, to->folder, link, NULL, f);
    if (st != STATUS_OK || !key_exists(theirs)) return st;
    st = key_names(ours, KEY_SUFFIX, copy_authorised, &s, f);
    return st == STATUS_OK ? key_names(theirs, KEY_SUFFIX, drop_authorised, &s, f) : st;
}

/* What joiners check: the key, or the next one, which may be there or not. */
static status spread_public(const key_part *from, const key_part *to, key_role role, bool next, failure *f) {
    char ours[KEY_PATH_BYTES], theirs[KEY_PATH_BYTES];
    key_pair pair;
    status st = key_server_path(ours, from->folder, role, next, f);
    if (st == STATUS_OK) st = key_server_path(theirs, to->folder, role, next, f);
    if (st == STATUS_OK && next && !key_exists(ours)) return key_part_remove(to, theirs, f);
    if (st == STATUS_OK) st = key_pair_read_public(&pair, ours, f);
    return st == STATUS_OK ? key_part_put(to, &pair, theirs, false, f) : st;
}

/* The secret first: whoever finds the public one of a new key finds the secret one, too. */
static status spread_server(const key_part *from, const key_part *to, key_role role, failure *f) {
    char public_path[KEY_PATH_BYTES], ours[KEY_PATH_BYTES], theirs[KEY_PATH_BYTES];
    key_pair pair;
    status st = key_server_path(public_path, to->folder, role, false, f);
    if (st == STATUS_OK) st = key_secret_path(theirs, public_path, f);
    if (st == STATUS_OK) st = key_server_path(public_path, from->folder, role, false, f);
    if (st == STATUS_OK) st = key_secret_path(ours, public_path, f);
    if (st == STATUS_OK && key_exists(theirs)) {
        st = key_pair_read_secret(&pair, ours, NULL, f);
        if (st == STATUS_OK) st = key_part_put(to, &pair, theirs, true, f);
    }
    if (st == STATUS_OK) st = spread_public(from, to, role, false, f);
    return st == STATUS_OK ? spread_public(from, to, role, true, f) : st;
}

bool key_spread_reached(const key_part *part) {
    char path[KEY_PATH_BYTES];
    failure unused;
    return key_server_path(path, part->folder, ROLE_TOKENIZERD, false, &unused) == STATUS_OK && key_exists(path);
}

status key_spread_to(const key_part *part, failure *f) {
    key_part from;
    status st = key_part_open(&from, part->set, NULL, f);
    if (st == STATUS_OK) st = key_part_folder(part, "", f);
    if (st == STATUS_OK) st = key_part_folder(part, "server", f);
    if (st == STATUS_OK) st = spread_server(&from, part, ROLE_TOKENIZERD, f);
    if (st == STATUS_OK) st = spread_server(&from, part, ROLE_MODELD, f);
    for (key_link link = 0; st == STATUS_OK && link < KEY_LINKS; link++) st = spread_link(&from, part, link, f);
    return st;
}

static status spread_known(void *context, const char *host, failure *f) {
    key_part part;
    status st = key_part_open(&part, context, host, f);
    return st == STATUS_OK && key_spread_reached(&part) ? key_spread_to(&part, f) : st;
}

status key_spread(const key_set *set, failure *f) {
    char hosts[KEY_PATH_BYTES + sizeof KEY_HOSTS + 1];
    snprintf(hosts, sizeof hosts, "%s/" KEY_HOSTS, set->folder);
    return key_names(hosts, "", spread_known, (void *)set, f);
}
