/* Folders of keys, made and changed (proto/net/keys/key_set.h), with a list of what was done to them. */
#ifndef TRIVIUM_KEYGEN_H
#define TRIVIUM_KEYGEN_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/status.h"
#include "proto/net/keys/key_set.h"

typedef enum keygen_kind { KEYGEN_MAKE, KEYGEN_HOST, KEYGEN_REVOKE, KEYGEN_ROTATE } keygen_kind;

/* What is to be done to a set. All texts are borrowed for the call. */
typedef struct keygen_order {
    const char *folder;
    keygen_kind kind;
    union {
        key_host host;
        const char *revoked;
        key_role rotated;
    };
} keygen_order;

/* A host that has more than was asked for. */
typedef struct keygen_kept {
    char *host;
    key_kept what;
} keygen_kept;

typedef struct keygen_done {
    key_change change;
    char *path;
    char *part;                 /* "", or "hosts/NAME" */
} keygen_done;

/* Of several orders, one after the other; all zero is an empty one. */
typedef struct keygen_report {
    keygen_done *done;          /* [n_done], in the order in which it was done; owned */
    size_t n_done, capacity;
    keygen_kept *kept;          /* [n_kept], owned */
    size_t n_kept, kept_capacity;
    bool to_rotate[KEY_ROLES];  /* somebody whose keys were revoked has the secret of this server key */
    bool is_rotated;            /* a rotation is over; else it has begun */
    bool lacks_memory;          /* to list all that was done */
} keygen_report;

/* Do it, and add to `report` what was done, also where it failed in the middle. Codes of key_set.h. */
status keygen_run(const keygen_order *order, keygen_report *report, failure *f);
void keygen_report_clear(keygen_report *report);

/* "tokenizerd,client": roles of a host, into bool[KEY_ROLES]. STATUS_BAD_REQUEST: another word, or none. */
status keygen_take_roles(bool roles[KEY_ROLES], const char *list, failure *f);
/* A role that has a server key, by its name. STATUS_BAD_REQUEST. */
status keygen_take_server(key_role *role, const char *name, failure *f);

#endif
