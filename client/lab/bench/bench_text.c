#include "bench_text.h"

#include <stdio.h>

#include "bench_prompt.h"
#include "client/lib/random.h"
#include "median.h"
#include "proto/base/clock.h"

status bench_text_prepare(bench_text *t, client *c, const bench_rules *rules, uint64_t seed,
                          failure *f) {
    t->client = c;
    t->request = (generation_request){
        .model = rules->model,
        .pool = rules->pool,
        .chain = rules->chain,
        .seed = seed,
        .max_new_tokens = rules->n_tokens,
        .ignore_eos = true,
    };
    status st = random_bytes(t->request.id, REQUEST_BYTES, f);
    if (st == STATUS_OK) st = bench_prompt(c, rules->model, rules->n_prompt, &t->prompt, f);
    t->request.ids = t->prompt.ids;
    t->request.n_ids = t->prompt.n_ids;
    return st;
}

status bench_text_renew(bench_text *t, bool no_cache, failure *f) {
    t->request.no_cache = no_cache;
    t->n_tokens = 0;
    t->begun = t->ended = false;
    t->why = (failure){.code = STATUS_OK};
    return random_bytes(t->request.id, REQUEST_BYTES, f);
}

void bench_text_clear(bench_text *t) {
    ids_clear(&t->prompt);
}

static void text_end(bench_text *t) {
    t->ended = true;
    loop_stop(client_loop(t->client));
}

static void on_started(void *context, const generation_start *start) {
    bench_text *t = context;
    snprintf(t->model, sizeof t->model, "%s", start->model);
}

/* Tokens that came together share what the chunk took. */
static status times_add(buffer *times, const generation_chunk *chunk, double interval_ms) {
    const double n = (double)chunk->n_tokens;
    const double share[TOKEN_TIMES] = {
        [TIME_INTERVAL] = interval_ms / n,
        [TIME_FORWARD] = chunk->forward_ms / n,
        [TIME_SAMPLE] = chunk->sample_ms / n,
        [TIME_HOP] = (interval_ms - chunk->forward_ms - chunk->sample_ms) / n,
    };
    status st = STATUS_OK;
    for (size_t i = 0; i < chunk->n_tokens; i++) {
        for (int k = 0; k < TOKEN_TIMES && st == STATUS_OK; k++) {
            st = median_add(&times[k], share[k]);
        }
    }
    return st;
}

/* The client lets no more tokens through than were asked for. */
static void steps_keep(bench_text *t, const generation_chunk *chunk, uint64_t now_us) {
    uint64_t before_us = t->n_tokens == 0 ? t->sent_us : t->last_us;
    double share_ms = (double)(now_us - before_us) / 1000 / (double)chunk->n_tokens;
    for (size_t i = 0; i < chunk->n_tokens; i++) {
        if (t->drawn) t->drawn[t->n_tokens + i] = chunk->tokens[i].id;
        if (t->step_ms) t->step_ms[t->n_tokens + i] = share_ms;
    }
}

static void on_chunk(void *context, const generation_chunk *chunk) {
    bench_text *t = context;
    uint64_t now_us = clock_us();
    if (chunk->n_tokens == 0) return;
    steps_keep(t, chunk, now_us);
    if (t->n_tokens == 0) {
        t->first_us = now_us;
    } else if (t->times) {
        double interval_ms = (double)(now_us - t->last_us) / 1000;
        if (times_add(t->times, chunk, interval_ms) != STATUS_OK) {
            fail(&t->why, STATUS_NO_MEMORY, "no memory for the times");
            client_cancel(t->client, t->request.id);
        }
    }
    t->last_us = now_us;
    t->n_tokens += (uint32_t)chunk->n_tokens;
}

static void on_done(void *context, const generation_done *done) {
    bench_text *t = context;
    if (t->why.code != STATUS_OK) {
        /* the first reason stands */
    } else if (done->reason == FINISHED_ERROR) {
        fail(&t->why, done->code, "%s", done->message);
    } else if (done->reason == FINISHED_CANCELLED || done->reason == FINISHED_SUPERSEDED) {
        fail(&t->why, STATUS_UNKNOWN_REQUEST, "the request was ended from elsewhere");
    } else if (t->n_tokens < t->request.max_new_tokens) {
        fail(&t->why, STATUS_TOO_LONG,
             "the model's context ends after %u of %u tokens: ask for less with --tokens",
             t->n_tokens, t->request.max_new_tokens);
    }
    text_end(t);
}

void bench_text_begin(bench_text *t) {
    static const generation_events events = {
        .started = on_started, .chunk = on_chunk, .done = on_done};
    t->sent_us = clock_us();
    t->begun = true;
    if (client_generate(t->client, &t->request, &events, t, &t->why) != STATUS_OK) text_end(t);
}

static void on_turn(void *context) {
    bench_text_begin(context);
}

status bench_text_wait(bench_text *t, failure *f) {
    bool interrupted = false;
    while (loop_run(client_loop(t->client)) && !interrupted) {
        interrupted = true;
        if (!t->begun || t->ended) break;
        client_cancel(t->client, t->request.id);
    }
    if (interrupted || !t->ended) return fail(f, STATUS_CANCELLED, "interrupted");
    *f = t->why;
    return f->code;
}

/* It begins inside the loop, where loop_stop counts even if it ends at once. */
status bench_text_run(bench_text *t, failure *f) {
    loop_once(client_loop(t->client), &t->begins, 0, on_turn, t);
    status st = bench_text_wait(t, f);
    loop_cancel(client_loop(t->client), &t->begins);    /* a signal may come before it */
    return st;
}
