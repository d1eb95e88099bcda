/* --input of a command that is one call: each line asks, each answer is a result. */
#ifndef TRIVIUM_CALL_BATCH_H
#define TRIVIUM_CALL_BATCH_H

#include "client/cli/flags.h"
#include "task.h"

/* What one command does with lines; `flags` is the command's own. */
typedef struct call_rules {
    /* Fill t->question from t->line. On failure `f` is the line's answer. */
    status (*read)(const void *flags, task *t, failure *f);
    /* A good answer as JSON; NULL: no memory. */
    json_t *(*show)(const answer *a);
} call_rules;

/* Ask about the lines of the file at `path` ("-": stdin), to its end. Returns an exit code. */
int call_batch_run(const common_flags *common, const char *path, const call_rules *rules, const void *flags);

#endif
