/* --input: JSON lines in, JSON lines out, in order, with many calls under way at once. */
#ifndef TRIVIUM_BATCH_H
#define TRIVIUM_BATCH_H

#include <jansson.h>

#include "client/cli/flags.h"
#include "client/cli/ids.h"
#include "client/lib/call.h"
#include "proto/base/limits.h"
#include "proto/chain/strategy.h"

/* A line's question and what it points to. */
typedef struct task {
    question question;
    json_t *line;               /* its texts are borrowed from here */
    id_list ids;
    float *logits;              /* owned */
    conversation_message *messages; /* [n_messages], owned */
    size_t n_messages;
    strategy chain;
} task;

void task_init(task *t);
void task_clear(task *t);

/* What one command does with lines; `flags` is the command's own. */
typedef struct batch_rules {
    /* Fill t->question from t->line, an object. On failure `f` is the line's answer. */
    status (*read)(const void *flags, task *t, failure *f);
    /* A good answer as JSON; NULL: no memory. */
    json_t *(*show)(const answer *a);
} batch_rules;

/* Read lines from the file at `path` ("-": stdin) to its end. Returns an exit code. */
int batch_run(const common_flags *common, const char *path, const batch_rules *rules,
              const void *flags);

/* ---- for `read` ---- */

/* The string under `key` as the bytes of `out`, borrowed from the line. */
status task_text(const task *t, const char *key, question_text *out, failure *f);

/* The ids under `key` into t->ids. */
status task_ids(task *t, const char *key, failure *f);

/* The conversation under `key`, [{"role": "user", "content": "…"}, …], into t->messages. */
status task_messages(task *t, const char *key, failure *f);

/* A whole number from 0 to `max` under `key`; `fallback` when there is none. */
status task_uint(const task *t, const char *key, uint64_t max, uint64_t fallback, uint64_t *out,
                 failure *f);

#endif
