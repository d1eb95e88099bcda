#include "sequence_owners.h"

/* tokenizerd alone has limits by owner, below its share. */
static const holding_row rows[HOLDINGS] = {
    [HOLDING_TEXTS] = {SEQUENCES_MAX, "this modeld writes ", "texts already, its limit", "texts that this modeld writes at most",
                       "texts", "", HOLDING_TEXTS},
    [HOLDING_CALLS] = {CALLS_MAX, "this modeld has ", "calls under way, its limit", "calls that this modeld takes at most",
                       "calls", "", HOLDING_CALLS},
    [HOLDING_TEXT_BYTES] = {OPEN_TEXTS_BYTES_MAX, "the texts under way hold the ", "bytes that they may at this modeld",
                            "bytes that texts may hold at this modeld", "bytes", "", HOLDING_TEXT_BYTES},
    [HOLDING_CALL_BYTES] = {OPEN_CALLS_BYTES_MAX, "the calls under way hold the ", "bytes that they may at this modeld",
                            "bytes that calls may hold at this modeld", "bytes", "", HOLDING_CALL_BYTES},
};
_Static_assert((int)HOLDINGS <= (int)HOLDINGS_MAX, "an owner has a place for each");

owners *sequence_owners_new(void) {
    static const holding_table table = {rows, HOLDINGS};
    return owners_new(&table, NULL);
}
