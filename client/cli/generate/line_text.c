#include "line_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/json.h"
#include "client/lib/random.h"
#include "generation_json.h"
#include "line_keys.h"
#include "line_prompt.h"
#include "proto/base/buffer.h"
#include "proto/base/text.h"

typedef enum line_state {
    LINE_WRITING,
    LINE_WAITING,               /* for room */
} line_state;

struct line_text {
    line_text_rules *rules;
    batch_line *line;
    line_state state;
    generate_flags flags;
    strategy chain;
    line_prompt prompt;
    generation_request request;
    bool started, cancelled;
    bool broken;                /* no memory for what came */
    timer retry;                /* LINE_WAITING */
    char model[NAME_BYTES_MAX + 1];
    uint32_t n_prompt;
    uint32_t n_dropped, n_cut;  /* messages of a conversation, and ids of the last one, for which there was no room */
    buffer text;
    json_t *tokens;             /* NULL: not wanted */
};

void line_text_free(line_text *t) {
    loop_cancel(client_loop(t->rules->client), &t->retry);
    generate_flags_clear(&t->flags);
    strategy_clear(&t->chain);
    line_prompt_clear(&t->prompt);
    buffer_clear(&t->text);
    json_decref(t->tokens);
    free(t);
}

static void text_fail(line_text *t, status code, const char *message) {
    failure f;
    fail(&f, code, "%s", message);
    batch_line_fail(t->line, &f);
}

/* ---- room ---- */

static status text_begin(line_text *t, failure *f);

static void on_retry(void *context) {
    line_text *t = context;
    failure f;
    t->state = LINE_WRITING;
    if (text_begin(t, &f) != STATUS_OK) batch_line_fail(t->line, &f);
}

/* Others have all the room that there is: the text is begun again later, from its beginning, and comes out the same. */
static void text_wait(line_text *t) {
    t->started = false;
    t->text.n_bytes = 0;
    if (t->tokens) json_array_clear(t->tokens);
    loop_once(client_loop(t->rules->client), &t->retry, BUSY_RETRY_MS, on_retry, t);
    t->state = LINE_WAITING;
}

/* ---- its end ---- */

static json_t *result(const line_text *t, const generation_done *done) {
    char digits[2 * REQUEST_BYTES + 1];
    text_hex(t->request.id, REQUEST_BYTES, digits);
    json_t *whole = json_pack("{s: o, s: s, s: I, s: I, s: I, s: s, s: o}",
                              "text", json_bytes(t->text.bytes, t->text.n_bytes),
                              "finish_reason", finish_reason_name(done->reason),
                              "prompt_tokens", (json_int_t)t->n_prompt,
                              "completion_tokens", (json_int_t)done->n_tokens,
                              "seed", (json_int_t)t->request.seed,
                              "request", digits,
                              "model", json_text(t->model));
    if (!whole) return NULL;
    json_object_set_new(whole, "timings", generation_timings_json(done, t->n_prompt));
    if (t->prompt.kind == PROMPT_CONVERSATION) {
        json_object_set_new(whole, "dropped", json_integer(t->n_dropped));
        json_object_set_new(whole, "cut", json_integer(t->n_cut));
    }
    if (t->tokens) json_object_set(whole, "tokens", t->tokens);
    if (done->reason == FINISHED_ERROR)
        json_object_set_new(whole, "error", json_failure(done->code, done->message));
    return whole;
}

static void on_done(void *context, const generation_done *done) {
    line_text *t = context;
    bool is_error = done->reason == FINISHED_ERROR;
    if (t->broken) {
        text_fail(t, STATUS_NO_MEMORY, "no memory for the text");
    } else if (is_error && done->code == STATUS_BUSY && !t->cancelled) {
        text_wait(t);
    } else if (is_error && t->text.n_bytes == 0) {
        text_fail(t, done->code, done->message);
    } else if (!t->started) {
        text_fail(t, STATUS_CANCELLED, "cancelled before it began");
    } else if (done->reason == FINISHED_STOP || done->reason == FINISHED_LENGTH) {
        batch_line_answer(t->line, result(t, done));
    } else {
        batch_line_answer_failed(t->line, result(t, done));
    }
}

/* ---- as it comes ---- */

static void on_started(void *context, const generation_start *start) {
    line_text *t = context;
    t->started = true;
    t->n_prompt = start->n_prompt;
    t->n_dropped = start->made.n_dropped;
    t->n_cut = start->made.n_cut;
    snprintf(t->model, sizeof t->model, "%s", start->model);
}

static void on_chunk(void *context, const generation_chunk *chunk) {
    line_text *t = context;
    bool whole = buffer_add(&t->text, chunk->text, chunk->n_bytes) == STATUS_OK;
    for (size_t i = 0; t->tokens && i < chunk->n_tokens; i++) {
        json_t *token = generation_token_json(chunk, i, true);
        whole = json_array_append_new(t->tokens, token) == 0 && whole;
    }
    t->rules->n_tokens += chunk->n_tokens;
    if (whole || t->broken) return;
    t->broken = true;
    client_cancel(t->rules->client, t->request.id);
}

static status text_begin(line_text *t, failure *f) {
    static const generation_events events = {
        .started = on_started, .chunk = on_chunk, .done = on_done};
    status st = random_bytes(t->request.id, REQUEST_BYTES, f);
    if (st != STATUS_OK) return st;
    t->state = LINE_WRITING;
    st = client_generate(t->rules->client, &t->request, &events, t, f);
    if (st != STATUS_BUSY) return st;
    text_wait(t);
    return STATUS_OK;
}

/* ---- the whole ---- */

static status line_read(line_text *t, const json_t *line, failure *f) {
    status st = line_keys_take(&t->flags, line, f);
    if (st == STATUS_OK) st = generate_flags_chain(&t->flags, &t->chain, f);
    if (st != STATUS_OK) return st;
    t->request = generate_flags_request(&t->flags, &t->chain);
    bool has_seed = json_object_get(line, "seed") != NULL;
    t->request.seed = has_seed ? t->flags.seed.seed
                               : (t->rules->seed + batch_line_number(t->line) - 1) % SEED_MAX;
    if (t->request.n_candidates > 0) t->tokens = json_array();
    st = line_prompt_read(&t->prompt, line, &t->flags, f);
    if (st == STATUS_OK) line_prompt_put(&t->prompt, &t->flags, &t->request);
    return st;
}

status line_text_begin(line_text_rules *rules, batch_line *line, const json_t *object, failure *f) {
    line_text *t = calloc(1, sizeof *t);
    if (!t) return fail(f, STATUS_NO_MEMORY, "no memory for a line of the input");
    t->rules = rules;
    t->line = line;
    t->state = LINE_WRITING;
    strategy_init(&t->chain);
    line_prompt_init(&t->prompt);
    batch_line_keep(line, t);
    status st = generate_flags_copy(&t->flags, rules->flags);
    if (st != STATUS_OK) return fail(f, st, "no memory for a line of the input");
    st = line_read(t, object, f);
    return st == STATUS_OK ? text_begin(t, f) : st;
}

void line_text_cancel(line_text *t) {
    t->cancelled = true;
    switch (t->state) {
    case LINE_WRITING: client_cancel(t->rules->client, t->request.id); return;
    case LINE_WAITING: text_fail(t, STATUS_CANCELLED, "cancelled before it began"); return;
    }
}
