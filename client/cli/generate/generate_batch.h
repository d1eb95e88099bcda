/* generate --input: a text for each line. */
#ifndef TRIVIUM_GENERATE_BATCH_H
#define TRIVIUM_GENERATE_BATCH_H

#include "client/cli/flags.h"
#include "generate_flags.h"

typedef struct generate_batch_options {
    const common_flags *common;
    const generate_flags *flags;    /* of every line, where the line does not say otherwise */
    const char *path;           /* of the lines; "-": stdin */
    size_t n_parallel;          /* texts under way at once, 1 … GENERATIONS_MAX */
    bool as_completed;
    bool timings;               /* a line on stderr at the end */
} generate_batch_options;

/* Returns an exit code. */
int generate_batch_run(const generate_batch_options *how);

#endif
