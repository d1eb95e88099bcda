/* One text, shown as it comes. */
#ifndef TRIVIUM_WRITING_H
#define TRIVIUM_WRITING_H

#include <stdbool.h>

#include "client/cli/flags.h"
#include "client/lib/generation.h"

typedef struct writing_options {
    const common_flags *common;
    bool verbose;               /* request, seed and model on stderr before the text */
    bool seed_matters;          /* to whoever wants the text again: it was made, and is not known otherwise */
    bool timings;               /* a line on stderr at the end */
} writing_options;

/* Have the request written, and show it. Returns an exit code. */
int writing_run(const writing_options *how, const generation_request *request);

#endif
