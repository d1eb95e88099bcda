/* Several clients at once, each a process with a connection and a text of its own. */
#ifndef TRIVIUM_BENCH_CLIENTS_H
#define TRIVIUM_BENCH_CLIENTS_H

#include "bench_text.h"
#include "client/cli/flags.h"

enum { BENCH_CLIENTS_MAX = 64 };

typedef struct bench_crowd {
    uint64_t n_tokens;          /* of all clients together */
    double seconds;             /* from the first sending to the last token */
} bench_crowd;

/* All join first, then begin together. The calling process must not have opened a client before it:
 * it is copied. Returns an exit code, after the first sentence of those that failed. */
int bench_clients(const common_flags *flags, const bench_rules *rules, uint32_t n_clients,
                  bench_crowd *out);

#endif
