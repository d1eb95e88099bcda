#include "call_batch.h"

#include <stdlib.h>

#include "batch.h"
#include "client/cli/ask.h"
#include "client/cli/outcome.h"

typedef struct call_batch {
    const call_rules *rules;
    const void *flags;
    client *client;
} call_batch;

/* A line's call, under way. */
typedef struct line_call {
    const call_batch *of;
    batch_line *line;
    task task;
} line_call;

static void on_answer(void *context, const answer *a) {
    line_call *call = context;
    if (a->code == STATUS_OK) {
        batch_line_answer(call->line, call->of->rules->show(a));
        return;
    }
    failure f;
    fail(&f, a->code, "%s", a->message);
    batch_line_fail(call->line, &f);
}

static status on_line(void *context, batch_line *line, const json_t *object, failure *f) {
    const call_batch *b = context;
    line_call *call = calloc(1, sizeof *call);
    if (!call) return fail(f, STATUS_NO_MEMORY, "no memory for a line of the input");
    *call = (line_call){.of = b, .line = line};
    task_init(&call->task);
    call->task.line = object;
    batch_line_keep(line, call);
    status st = b->rules->read(b->flags, &call->task, f);
    if (st != STATUS_OK) return st;
    return client_call(b->client, &call->task.question, on_answer, call, f);
}

static void on_drop(void *context, void *work) {
    (void)context;
    line_call *call = work;
    task_clear(&call->task);
    free(call);
}

int call_batch_run(const common_flags *common, const char *path, const call_rules *rules, const void *flags) {
    static const batch_events events = {.begin = on_line, .drop = on_drop};
    const batch_options how = {.path = path, .n_under_way_max = BATCH_LINES_MAX};
    call_batch all = {.rules = rules, .flags = flags};
    failure f;
    int code = ask_open(&all.client, common);
    if (code != EXIT_FINE) return code;
    batch *b = batch_new(all.client, &how, &events, &all, &f);
    code = b ? batch_run(b) : outcome_failed(&f);
    batch_free(&b);
    client_close(&all.client);
    return code;
}
