/* What a line of --input asks: its question and what that points to. */
#ifndef TRIVIUM_TASK_H
#define TRIVIUM_TASK_H

#include <jansson.h>

#include "client/cli/ids.h"
#include "client/lib/call.h"
#include "proto/base/limits.h"
#include "proto/chain/strategy.h"

typedef struct task {
    question question;
    const json_t *line;         /* borrowed, and its texts from it; NULL: there is none */
    id_list ids;
    float *logits;              /* owned */
    conversation_message *messages; /* [n_messages], owned */
    size_t n_messages;
    strategy chain;
} task;

void task_init(task *t);
void task_clear(task *t);

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
