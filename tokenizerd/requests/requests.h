/* The table of requests: those under way, and the memory of those that ended. Pure: no sockets.
 *
 * A request is known by its owner and its id: two owners may have the same id at once, and neither finds the other's. */
#ifndef TRIVIUM_REQUESTS_H
#define TRIVIUM_REQUESTS_H

#include "request.h"

typedef struct requests requests;

requests *requests_new(const serving_events *serving, owners *os);  /* borrowed; NULL: no memory */
void requests_free(requests **rs);                  /* with all that is in it */
request *requests_first(const requests *rs);        /* in order of coming */
request *requests_next(const request *r);
size_t requests_count(const requests *rs);

/* This owner's live request of this id, NULL: none. */
request *requests_find(const requests *rs, const char *whose, const uint8_t id[REQUEST_BYTES]);
/* The one that this client has under this id: it has each id once. NULL: none. */
request *requests_of_client(const requests *rs, const void *client, const uint8_t id[REQUEST_BYTES]);
/* The one that modelds know by this id and number, NULL: none. */
request *requests_numbered(const requests *rs, const uint8_t id[REQUEST_BYTES], uint32_t number);

/* The one live request of this owner (NULL: of anybody) whose id begins with these bytes. STATUS_UNKNOWN_REQUEST, or
 * STATUS_BAD_REQUEST when several do or n_bytes is none of 1 … REQUEST_BYTES. */
status requests_match(const requests *rs, const char *whose, const uint8_t *prefix, size_t n_bytes, request **out,
                      failure *f);

/* How a Generate with this identity ends at once: FINISH_SUPERSEDED when an equal or higher attempt
 * is or was here, FINISH_CANCELLED when the request was cancelled. FINISH_NONE: it may go on, and
 * *rival is its live lower attempt, which ends as superseded, or NULL. */
request_finish requests_admit(const requests *rs, const char *whose, const uint8_t id[REQUEST_BYTES],
                              uint32_t attempt, request **rival);

/* request_new into the table, as its owner's. Also STATUS_BUSY: there is no room, or the owner has what it may have of it
 * (owners.h); STATUS_BAD_REQUEST: this client has another owner's request of the same id. A rival (of requests_admit, or
 * NULL) does not count in that, and until it is removed requests_find finds the new one. */
status requests_add(requests *rs, const request_order *order, request *rival, void *client,
                    uint64_t now_us, request **out, failure *f);

/* A Generate was refused: its attempt is remembered as an ended one. */
void requests_refused(requests *rs, const char *whose, const uint8_t id[REQUEST_BYTES], uint32_t attempt);

/* From here on modelds know it by another number: what comes late of those that had it is dropped. */
void requests_renumber(requests *rs, request *r);

/* A request that ended leaves; its id, its attempt and whether it was cancelled are remembered. */
void requests_remove(requests *rs, request **r, bool cancelled);

#endif
