#include "explore_texts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/ask.h"
#include "client/cli/outcome.h"
#include "client/lib/random.h"
#include "client/terminal/progress.h"

enum { AT_ONCE = TINY_LIMITS ? 2 : 16 };
_Static_assert((int)AT_ONCE <= (int)GENERATIONS_MAX, "a client holds those that run at once");

/* All texts of one run; the context of an event is a place, which knows its text. */
typedef struct texts_run {
    client *client;
    explored_text *texts;
    size_t n, n_begun, n_ended;
    bool ends_early;            /* a text failed, or Ctrl-C: no more begin */
    bool interrupted;
    timer begins;               /* in the loop's next turn */
    failure why;                /* the first that failed; STATUS_OK: none */
    struct place *places;       /* [n] */
} texts_run;

typedef struct place {
    texts_run *run;
    explored_text *text;
} place;

/* ---- a text ---- */

size_t explored_n_tokens(const explored_text *t) {
    return t->tokens.n_bytes / sizeof(explored_token);
}

const explored_token *explored_token_at(const explored_text *t, size_t i) {
    assert(i < explored_n_tokens(t));
    return (const explored_token *)(const void *)t->tokens.bytes + i;
}

const uint32_t *explored_left(const explored_text *t, const explored_token *token) {
    return (const uint32_t *)(const void *)t->left.bytes + token->left_at;
}

double explored_logprob_sum(const explored_text *t) {
    double sum = 0;
    for (size_t i = 0; i < explored_n_tokens(t); i++) sum += explored_token_at(t, i)->logprob;
    return sum;
}

status explored_figures(const explored_text *texts, size_t n, text_figures *out) {
    size_t n_tokens = 0, n_copied = 0;
    for (size_t i = 0; i < n; i++) n_tokens += explored_n_tokens(&texts[i]);
    int32_t *ids = malloc((n_tokens + 1) * sizeof *ids);
    token_text *of = calloc(n + 1, sizeof *of);
    status st = ids && of ? STATUS_OK : STATUS_NO_MEMORY;
    for (size_t i = 0; st == STATUS_OK && i < n; i++) {
        of[i] = (token_text){ids + n_copied, explored_n_tokens(&texts[i])};
        for (size_t k = 0; k < of[i].n; k++) ids[n_copied++] = explored_token_at(&texts[i], k)->id;
    }
    if (st == STATUS_OK) st = text_figures_of(of, n, out);
    free(ids);
    free(of);
    return st;
}

void explored_texts_clear(explored_text *texts, size_t n) {
    for (size_t i = 0; texts && i < n; i++) {
        buffer_clear(&texts[i].text);
        buffer_clear(&texts[i].tokens);
        buffer_clear(&texts[i].pieces);
        buffer_clear(&texts[i].left);
    }
}

static status token_keep(explored_text *t, const generation_token *from) {
    const explored_token token = {
        .id = from->id, .logprob = from->logprob,
        .piece_at = t->pieces.n_bytes, .n_piece = from->n_bytes,
        .left_at = t->left.n_bytes / sizeof *from->n_left, .n_left_items = from->n_left_items,
    };
    status st = buffer_add(&t->pieces, from->text, from->n_bytes);
    if (st == STATUS_OK)
        st = buffer_add(&t->left, from->n_left, from->n_left_items * sizeof *from->n_left);
    return st == STATUS_OK ? buffer_add(&t->tokens, &token, sizeof token) : st;
}

static status chunk_keep(explored_text *t, const generation_chunk *chunk) {
    status st = buffer_add(&t->text, chunk->text, chunk->n_bytes);
    for (size_t i = 0; i < chunk->n_tokens && st == STATUS_OK; i++) {
        st = token_keep(t, &chunk->tokens[i]);
    }
    return st;
}

/* ---- the run ---- */

static void end_early(texts_run *r) {
    r->ends_early = true;
    for (size_t i = 0; i < r->n_begun; i++) client_cancel(r->client, r->texts[i].request.id);
}

static void run_fail(texts_run *r, status code, const char *message) {
    if (r->why.code == STATUS_OK && !r->interrupted) fail(&r->why, code, "%s", message);
    if (!r->ends_early) end_early(r);
}

static void on_started(void *context, const generation_start *start) {
    place *at = context;
    snprintf(at->text->model, sizeof at->text->model, "%s", start->model);
}

static void on_chunk(void *context, const generation_chunk *chunk) {
    place *at = context;
    status st = chunk_keep(at->text, chunk);
    if (st != STATUS_OK) run_fail(at->run, st, "no memory for the texts");
}

static void begin_more(texts_run *r);

static void tell_progress(const texts_run *r) {
    progress_tell("%zu of %zu texts", r->n_ended, r->n);
}

static void on_done(void *context, const generation_done *done) {
    place *at = context;
    texts_run *r = at->run;
    at->text->reason = done->reason;
    r->n_ended++;
    if (done->reason == FINISHED_ERROR) {
        run_fail(r, done->code, done->message);
    } else if (done->reason == FINISHED_CANCELLED || done->reason == FINISHED_SUPERSEDED) {
        run_fail(r, STATUS_CANCELLED, "a text was ended from elsewhere");
    }
    tell_progress(r);
    begin_more(r);
}

static status begin_next(texts_run *r, failure *f) {
    static const generation_events events = {
        .started = on_started, .chunk = on_chunk, .done = on_done};
    place *at = &r->places[r->n_begun];
    *at = (place){r, &r->texts[r->n_begun]};
    status st = random_bytes(at->text->request.id, REQUEST_BYTES, f);
    if (st != STATUS_OK) return st;
    return client_generate(r->client, &at->text->request, &events, at, f);
}

static void begin_more(texts_run *r) {
    failure f;
    while (!r->ends_early && r->n_begun < r->n && r->n_begun - r->n_ended < AT_ONCE) {
        if (begin_next(r, &f) == STATUS_OK) r->n_begun++;
        else run_fail(r, f.code, f.message);
    }
    bool goes_on = !r->ends_early && r->n_begun < r->n;
    if (!goes_on && r->n_begun == r->n_ended) loop_stop(client_loop(r->client));
}

static void on_turn(void *context) {
    begin_more(context);
}

/* The first Ctrl-C cancels and waits for the end, a second does not. The texts begin inside the
 * loop, where loop_stop counts even if all end at once. */
static int run_all(texts_run *r) {
    loop_once(client_loop(r->client), &r->begins, 0, on_turn, r);
    while (loop_run(client_loop(r->client)) && !r->interrupted) {
        r->interrupted = true;
        end_early(r);
        if (r->n_begun == r->n_ended) break;
    }
    progress_clear();
    if (r->interrupted) return EXIT_INTERRUPTED;
    return r->why.code == STATUS_OK ? EXIT_FINE : outcome_failed(&r->why);
}

int explored_texts_run(const common_flags *flags, explored_text *texts, size_t n) {
    texts_run r = {.texts = texts, .n = n};
    int code = ask_open(&r.client, flags);
    if (code != EXIT_FINE) return code;
    r.places = calloc(n, sizeof *r.places);
    code = r.places ? run_all(&r)
                    : outcome_failed(&(failure){STATUS_NO_MEMORY, "no memory for the texts"});
    client_close(&r.client);
    free(r.places);
    return code;
}
