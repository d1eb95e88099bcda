/* Who watches which request. Pure: no sockets, no clock.
 *
 * A watch names a request by its owner and its id, so it outlives an attempt. When the request has ended it stays a
 * moment: the glimpse of the last token comes after the request's own end, and a client that was lost
 * may come back with the next attempt. */
#ifndef TRIVIUM_WATCHES_H
#define TRIVIUM_WATCHES_H

#include <stdint.h>

#include "proto/base/limits.h"
#include "proto/base/status.h"
#include "request.h"

typedef struct watch {
    void *watcher;                  /* the client; never NULL */
    owner *payer;                   /* in whose name it watches: the watch is one of its own. Held */
    uint64_t call;                  /* its number for it */
    owner *owner;                   /* whose request it is; held */
    uint8_t request[REQUEST_BYTES];
    uint32_t number;                /* of the request: what modelds call it */
    uint32_t n_candidates;          /* wanted of each step */
    request_finish over;            /* FINISH_NONE: the request goes on */
    uint64_t over_us;               /* when it ended, */
    uint32_t n_tokens;              /* with so many */
    served_model *model;            /* and which model it was; held. NULL: none was there yet */
    struct watch *next;
} watch;

typedef struct watches watches;

watches *watches_new(const serving_events *serving, owners *os);   /* borrowed; NULL: no memory */
void watches_free(watches **ws);

typedef struct watcher {        /* who is to see it, and in whose name */
    void *client;
    const char *owner;
    uint64_t call;
} watcher;

/* `r` is of a table. STATUS_BUSY: WATCHES_MAX are here, or the owner has what it may have of them (owners.h). STATUS_NO_MEMORY. */
status watches_add(watches *ws, const request *r, const watcher *who, uint32_t n_candidates, failure *f);
void watches_remove(watches *ws, watch **w);

watch *watches_first(const watches *ws);        /* in order of coming; NULL at the end */
watch *watches_next(const watch *w);
/* The first from `w` on that is about the request which modelds know by this id and number; NULL: none. */
watch *watches_of(watch *w, const uint8_t id[REQUEST_BYTES], uint32_t number);

/* The most candidates that anyone who watches it wants; 0: nobody watches. */
uint32_t watches_wanted(const watches *ws, const request *r);

/* The request has ended. */
void watches_over(watches *ws, const request *r, request_finish finish, uint64_t now_us);
/* A higher attempt of it is here: whoever watched the superseded one goes on watching. */
void watches_go_on(watches *ws, const request *r);

#endif
