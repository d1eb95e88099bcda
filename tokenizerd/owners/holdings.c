#include "holdings.h"

#define OF_BYTES HOLDING_REQUEST_BYTES      /* the limit of all rows of bytes */
#define BYTES_LIMITED "(tokenizerd --bytes-an-owner); try again later"

/* In sentences a request is a text, as in the flags. */
static const holding_row rows[HOLDINGS] = {
    [HOLDING_REQUESTS] = {REQUESTS_MAX, "", "texts are under way already", "texts that may be under way", "texts",
                          "(tokenizerd --texts-an-owner); try again when one is over", HOLDING_REQUESTS},
    [HOLDING_CALLS] = {CALLS_MAX, "", "calls are under way already", "calls that may be under way", "calls",
                       "(tokenizerd --calls-an-owner); try again when one is over", HOLDING_CALLS},
    [HOLDING_WATCHES] = {WATCHES_MAX, "", "texts are watched already", "texts that may be watched", "watched texts",
                         "(tokenizerd --watches-an-owner); try again when one is over", HOLDING_WATCHES},
    [HOLDING_REQUEST_BYTES] = {REQUESTS_BYTES_MAX, "there is no more room in the ", "bytes for texts",
                               "bytes that texts may hold", "bytes", BYTES_LIMITED, OF_BYTES},
    [HOLDING_CALL_BYTES] = {CALLS_BYTES_MAX, "there is no more room in the ", "bytes for calls", "bytes that calls may hold",
                            "bytes", BYTES_LIMITED, OF_BYTES},
    [HOLDING_TEXT_BYTES] = {TEXTS_BYTES_MAX, "there is no more room in the ", "bytes for texts that wait",
                            "bytes that texts may wait in", "bytes", BYTES_LIMITED, OF_BYTES},
};
_Static_assert((int)HOLDINGS <= (int)HOLDINGS_MAX, "an owner has a place for each");

static const holding_table table = {rows, HOLDINGS};

owners *holdings_new(const owner_limits *limits) {
    owners *os = owners_new(&table, NULL);
    if (os && limits) holdings_limit(os, limits);
    return os;
}

void holdings_limit(owners *os, const owner_limits *limits) {
    const size_t by_row[HOLDINGS] = {
        [HOLDING_REQUESTS] = limits->n_requests,
        [HOLDING_CALLS] = limits->n_calls,
        [HOLDING_WATCHES] = limits->n_watches,
        [OF_BYTES] = limits->n_bytes,
    };
    owners_limit(os, by_row);
}
