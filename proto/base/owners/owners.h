/* Whose texts and calls a daemon has, how much of each of its tables every owner holds, and how much it may hold. Pure.
 *
 * An owner is known by its name ("uid:1000", "key:…", "name:…", or "" for all who come without a key), and there is one
 * record of it as long as anybody holds it: so two of them are the same owner where the pointers are equal. */
#ifndef TRIVIUM_OWNERS_H
#define TRIVIUM_OWNERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/limits.h"
#include "proto/base/status.h"

enum { HOLDINGS_MAX = 6 };

/* What owners hold of one table, or of one budget of bytes: the daemon has a row for each, known by its place. */
typedef struct holding_row {
    size_t n_max;               /* of all owners together */
    /* Sentences: "FULL n_max OVER; try again later", "OWNER has its share of the n_max SHARED", "OWNER has … THINGS here, and
     * one owner may have … LIMITED", the last of which says after a semicolon when to try again. */
    const char *full, *over, *shared, *things, *limited;
    size_t limit;               /* which of the limits counts, for the sum of all rows that have the same one */
} holding_row;

typedef struct holding_table {
    const holding_row *rows;    /* [n_rows] */
    size_t n_rows;              /* HOLDINGS_MAX at most */
} holding_table;

typedef struct owners owners;

typedef struct owner {
    char name[OWNER_BYTES_MAX + 1];
    size_t held[HOLDINGS_MAX];
    /* Of whoever goes round by owner, and written there: */
    uint64_t last_turn;         /* of owners_next_turn; whoever comes new goes before the one who had the last turn, and after
                                 * all others: they have waited for longer, however many come new */
    size_t n_active;            /* that it has in hand now */
    size_t n_ready;             /* of them, those that could go on at once */
    uint64_t last_row_turn;     /* in a queue of rows, of the latest */
    owners *home;
    size_t n_holds;
    struct owner *next_in_bucket;
} owner;

/* The table is borrowed; limits: [n_rows] that one owner may hold at most, 0: its share alone, and NULL: of all. NULL comes
 * back without memory. */
owners *owners_new(const holding_table *table, const size_t *limits);
void owners_free(owners **os);                      /* nobody may be held any more; NULL is fine */

/* What people call an owner, in the sentences of owner_take. False: by its name, and all are without one who says otherwise. */
typedef bool owner_caller(void *context, const char *name, char out[OWNER_BYTES_MAX + 1]);
void owners_call(owners *os, owner_caller *caller, void *context);

/* Others from now on, [n_rows]; what an owner has beyond them stays until it gives it back. */
void owners_limit(owners *os, const size_t *limits);

/* Its record, to be released as often as it was held. `name` has at most OWNER_BYTES_MAX bytes. NULL: no memory. */
owner *owners_hold(owners *os, const char *name);
owner *owner_hold(owner *o);                        /* the same one once more; NULL stays NULL */
void owner_release(owner **o);                      /* sets *o NULL; NULL is fine */

/* Take n more of row `what`. STATUS_BUSY with a sentence that says whose limit it is: nothing was taken then; STATUS_TOO_LONG:
 * nor will it ever be, for it is more than one owner may have. An owner that is NULL, here and below: nobody counts. */
status owner_take(owner *o, size_t what, size_t n, failure *f);
void owner_count(owner *o, size_t what, size_t n);      /* the same without asking whether there is room */
void owner_give(owner *o, size_t what, size_t n);       /* back; it had taken so much */
size_t owners_held(const owners *os, size_t what);      /* by all */
uint64_t owners_next_turn(owners *os);                  /* a number above all that came before */

#endif
