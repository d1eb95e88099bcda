/* Who watches which request. Pure: no sockets, no clock.
 *
 * A watch names a request by its id, so it outlives an attempt. When the request has ended it stays a
 * moment: the glimpse of the last token comes after the request's own end, and an owner that was lost
 * may come back with the next attempt. */
#ifndef TRIVIUM_WATCHES_H
#define TRIVIUM_WATCHES_H

#include <stdint.h>

#include "proto/base/limits.h"
#include "proto/base/status.h"
#include "request.h"

typedef struct watch {
    void *watcher;                  /* the client; never NULL */
    uint64_t call;                  /* its number for it */
    uint8_t request[REQUEST_BYTES];
    uint32_t n_candidates;          /* wanted of each step */
    request_finish over;            /* FINISH_NONE: the request goes on */
    uint64_t over_us;               /* when it ended, */
    uint32_t n_tokens;              /* with so many */
    served_model *model;            /* and which model it was; held. NULL: none was there yet */
    struct watch *next;
} watch;

typedef struct watches watches;

watches *watches_new(const serving_events *serving);   /* borrowed; NULL: no memory */
void watches_free(watches **ws);

/* STATUS_BUSY: WATCHES_MAX are here, or the watcher's share of them (share.h). STATUS_NO_MEMORY. */
status watches_add(watches *ws, const uint8_t id[REQUEST_BYTES], void *watcher, uint64_t call,
                   uint32_t n_candidates, failure *f);
void watches_remove(watches *ws, watch **w);

watch *watches_first(const watches *ws);        /* in order of coming; NULL at the end */
watch *watches_next(const watch *w);
/* The first from `w` on that is about this request; NULL: none. */
watch *watches_of(watch *w, const uint8_t id[REQUEST_BYTES]);

/* The most candidates that anyone who watches it wants; 0: nobody watches. */
uint32_t watches_wanted(const watches *ws, const uint8_t id[REQUEST_BYTES]);

/* The request has ended. */
void watches_over(watches *ws, const request *r, request_finish finish, uint64_t now_us);
/* A higher attempt of it is here: whoever watched the superseded one goes on watching. */
void watches_go_on(watches *ws, const uint8_t id[REQUEST_BYTES]);

#endif
