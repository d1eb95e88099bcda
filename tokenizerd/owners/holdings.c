#include "holdings.h"

#define OF_BYTES HOLDING_REQUEST_BYTES      /* the limit of all rows of bytes */

static const holding_row rows[HOLDINGS] = {
    [HOLDING_REQUESTS] = {REQUESTS_MAX, "", "requests are under way already", "requests that may be under way", "requests",
                          HOLDING_REQUESTS},
    [HOLDING_CALLS] = {CALLS_MAX, "", "calls are under way already", "calls that may be under way", "calls", HOLDING_CALLS},
    [HOLDING_WATCHES] = {WATCHES_MAX, "", "texts are watched already", "texts that may be watched", "watched texts",
                         HOLDING_WATCHES},
    [HOLDING_REQUEST_BYTES] = {REQUESTS_BYTES_MAX, "there is no more room in the ", "bytes for requests",
                               "bytes that requests may hold", "bytes", OF_BYTES},
    [HOLDING_CALL_BYTES] = {CALLS_BYTES_MAX, "there is no more room in the ", "bytes for calls", "bytes that calls may hold",
                            "bytes", OF_BYTES},
    [HOLDING_TEXT_BYTES] = {TEXTS_BYTES_MAX, "there is no more room in the ", "bytes for texts that wait",
                            "bytes that texts may wait in", "bytes", OF_BYTES},
};
_Static_assert((int)HOLDINGS <= (int)HOLDINGS_MAX, "an owner has a place for each");

owners *holdings_new(const owner_limits *limits) {
    static const holding_table table = {rows, HOLDINGS};
    size_t by_row[HOLDINGS] = {0};
    if (limits) {
        by_row[HOLDING_REQUESTS] = limits->n_requests;
        by_row[HOLDING_CALLS] = limits->n_calls;
        by_row[HOLDING_WATCHES] = limits->n_watches;
        by_row[OF_BYTES] = limits->n_bytes;
    }
    return owners_new(&table, by_row);
}
