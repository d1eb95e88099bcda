#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/ask.h"
#include "client/cli/candidates.h"
#include "client/cli/command_table.h"
#include "client/cli/input.h"
#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "client/cli/output.h"
#include "client/lib/random.h"
#include "client/terminal/term.h"
#include "proto/base/buffer.h"
#include "proto/base/text.h"

enum { MAX_NEW_TOKENS = 200 };

typedef struct generate_flags {
    common_flags common;
    stage_flags stages;
    const char *model, *pool, *session;
    uint64_t max_new_tokens;    /* 0: not given */
    seed_flag seed;
    uint64_t n_candidates;      /* shown of each token; 0: none */
    bool ignore_eos, no_cache, no_special, timings, keep_newline;
    const char *stops[STOPS_MAX];
    size_t n_stops;
    id_list stop_ids;
} generate_flags;

/* A text as it comes. */
typedef struct writing {
    const generate_flags *flags;
    generation_request request;
    char digits[2 * REQUEST_BYTES + 1];
    client *client;
    output *out;
    buffer text;                /* all of it so far */
    char model[NAME_BYTES_MAX + 1];
    uint32_t n_prompt, n_tokens;
    double tokens_per_s;        /* decoded */
    bool finished;              /* done came; only stdout may still have to take something */
    bool interrupted, broken;   /* by Ctrl-C; by a stdout that failed or lack of memory */
    int code;
} writing;

/* ---- what is shown ---- */

static void writing_break(writing *w, status code, const char *what, const char *why) {
    failure f;
    fail(&f, code, "%s: %s", what, why);
    if (!w->broken) outcome_failed(&f);
    w->broken = true;
    client_cancel(w->client, w->request.id);
}

static void say(writing *w, status st) {
    if (st != STATUS_OK) writing_break(w, st, "cannot show the text", "no memory");
}

/* Bytes as they are; on a terminal none that it would obey. */
static void show_text(writing *w, const void *bytes, size_t n_bytes) {
    if (!isatty(STDOUT_FILENO)) {
        say(w, output_write(w->out, bytes, n_bytes));
        return;
    }
    char *shown = term_harmless(bytes, n_bytes);
    say(w, shown ? output_write(w->out, shown, strlen(shown)) : STATUS_NO_MEMORY);
    free(shown);
}

static void on_started(void *context, const generation_start *start) {
    writing *w = context;
    w->n_prompt = start->n_prompt;
    snprintf(w->model, sizeof w->model, "%s", start->model);
    if (start->has_own_bos)
        fprintf(stderr, "the prompt begins with the model's BOS: no second one is put before it\n");
    if (!w->flags->common.json) {
        if (start->n_models > 1) fprintf(stderr, "model %s\n", w->model);
        return;
    }
    json_t *line = json_pack("{s: {s: s, s: o, s: I, s: i}}", "start",
                             "request", w->digits,
                             "model", json_text(start->model),
                             "seed", (json_int_t)start->seed,
                             "prompt_tokens", (int)start->n_prompt);
    say(w, output_json(w->out, line));
}

/* The text of a chunk belongs to its last token; without one it is a line of its own. */
static void chunk_json(writing *w, const generation_chunk *chunk) {
    for (size_t i = 0; i < chunk->n_tokens; i++) {
        const generation_token *token = &chunk->tokens[i];
        bool is_last = i + 1 == chunk->n_tokens;
        json_t *line = json_pack("{s: i, s: i, s: o, s: o}",
                                 "step", (int)token->step,
                                 "id", (int)token->id,
                                 "text", json_bytes(chunk->text, is_last ? chunk->n_bytes : 0),
                                 "logprob", json_number(token->logprob));
        if (line && w->flags->n_candidates > 0)
            json_object_set_new(line, "candidates", candidates_json(token, chunk->chain));
        say(w, output_json(w->out, line));
    }
    if (chunk->n_tokens > 0) return;
    say(w, output_json(w->out, json_pack("{s: i, s: o}", "step", (int)chunk->step, "text",
                                         json_bytes(chunk->text, chunk->n_bytes))));
}

/* Each token of a chunk over its candidates, instead of the bare text. */
static void chunk_candidates(writing *w, const generation_chunk *chunk) {
    char *shown = NULL;
    size_t n_shown = 0;
    FILE *to = open_memstream(&shown, &n_shown);
    bool colour = term_has_colour(stdout);
    for (size_t i = 0; to && i < chunk->n_tokens; i++) {
        candidates_print(to, &chunk->tokens[i], chunk->chain, term_columns(stdout), colour);
    }
    bool whole = to && fclose(to) == 0;
    say(w, whole ? output_write(w->out, shown, n_shown) : STATUS_NO_MEMORY);
    free(shown);
}

static void on_chunk(void *context, const generation_chunk *chunk) {
    writing *w = context;
    say(w, buffer_add(&w->text, chunk->text, chunk->n_bytes));
    if (w->flags->common.json) chunk_json(w, chunk);
    else if (w->flags->n_candidates > 0) chunk_candidates(w, chunk);
    else show_text(w, chunk->text, chunk->n_bytes);
}

/* ---- the end ---- */

static double per_second(double n, double ms) {
    return ms > 0 ? n * 1000 / ms : 0;
}

static double decoded_per_second(const generation_done *done) {
    return per_second(done->n_tokens_timed > 1 ? done->n_tokens_timed - 1 : 0,
                      done->timings.decode_ms);
}

static json_t *timings_json(const writing *w, const generation_done *done) {
    const generation_timings *t = &done->timings;
    double n_prefilled = w->n_prompt > t->n_cached ? w->n_prompt - t->n_cached : 0;
    return json_pack("{s: o, s: o, s: o, s: o, s: o, s: i, s: o, s: o}",
                     "queue_ms", json_number(t->queue_ms),
                     "prefill_ms", json_number(t->prefill_ms),
                     "decode_ms", json_number(t->decode_ms),
                     "forward_ms", json_number(t->forward_ms),
                     "sample_ms", json_number(t->sample_ms),
                     "n_cached", (int)t->n_cached,
                     "prefill_tok_s", json_number(per_second(n_prefilled, t->prefill_ms)),
                     "decode_tok_s", json_number(decoded_per_second(done)));
}

static json_t *done_json(const writing *w, const generation_done *done) {
    json_t *line = json_pack("{s: s, s: o, s: i, s: o}",
                             "finish_reason", finish_reason_name(done->reason),
                             "text", json_bytes(w->text.bytes, w->text.n_bytes),
                             "completion_tokens", (int)done->n_tokens,
                             "timings", timings_json(w, done));
    if (line && done->reason == FINISHED_ERROR) {
        json_object_set_new(line, "error", json_failure(done->code, done->message));
    }
    return line ? json_pack("{s: o}", "done", line) : NULL;
}

/* The exit code that a Done stands for, after its sentence where it needs one. */
static int done_outcome(const writing *w, const generation_done *done) {
    failure f;
    switch (done->reason) {
    case FINISHED_STOP:
    case FINISHED_LENGTH: return EXIT_FINE;
    case FINISHED_CANCELLED:
        if (w->interrupted || w->broken) return EXIT_FAILED;
        fail(&f, STATUS_CANCELLED, "the request was cancelled from elsewhere");
        break;
    case FINISHED_SUPERSEDED:
        fail(&f, STATUS_CANCELLED, "another client went on with the request");
        break;
    case FINISHED_ERROR: fail(&f, done->code, "%s", done->message); break;
    }
    return outcome_failed(&f);
}

/* stdout took something, or failed. */
static void on_progress(void *context) {
    writing *w = context;
    int error = output_error(w->out);
    if (error && !w->broken) {
        if (error == EPIPE) w->broken = true;       /* the reader has seen enough */
        else writing_break(w, STATUS_IO, "cannot write the text", strerror(error));
        client_cancel(w->client, w->request.id);
    }
    if (w->finished && output_pending_bytes(w->out) == 0) loop_stop(client_loop(w->client));
}

static void on_done(void *context, const generation_done *done) {
    writing *w = context;
    bool has_line = w->text.n_bytes > 0 || done->reason != FINISHED_ERROR;
    if (w->flags->common.json) say(w, output_json(w->out, done_json(w, done)));
    else if (w->flags->n_candidates > 0) show_text(w, w->text.bytes, w->text.n_bytes);
    if (!w->flags->common.json && has_line) say(w, output_write(w->out, "\n", 1));
    w->n_tokens = done->n_tokens;
    w->tokens_per_s = decoded_per_second(done);
    w->code = done_outcome(w, done);
    w->finished = true;
    on_progress(w);
}

/* ---- the whole ---- */

/* One line on what ran, when the text is out. */
static void tell_timings(const writing *w) {
    fprintf(stderr, "%s: %u tokens, %.1f tok/s\n", w->model, w->n_tokens, w->tokens_per_s);
}

/* Until everything is written. The first Ctrl-C cancels and waits for the end, a second does not.
 */
static int writing_run(writing *w) {
    while (loop_run(client_loop(w->client))) {
        if (w->interrupted) return EXIT_INTERRUPTED;
        w->interrupted = true;
        client_cancel(w->client, w->request.id);
    }
    if (w->flags->timings && w->finished) tell_timings(w);
    if (w->interrupted) return EXIT_INTERRUPTED;
    return w->broken ? EXIT_FAILED : w->code;
}

static int writing_begin(writing *w) {
    static const generation_events events = {
        .started = on_started, .chunk = on_chunk, .done = on_done};
    failure f;
    int code = ask_open(&w->client, &w->flags->common);
    if (code != EXIT_FINE) return code;
    w->out = output_new(client_loop(w->client), STDOUT_FILENO, on_progress, w);
    status st = w->out ? client_generate(w->client, &w->request, &events, w, &f)
                       : fail(&f, STATUS_NO_MEMORY, "no memory for the text");
    return st == STATUS_OK ? writing_run(w) : outcome_failed(&f);
}

/* Random bytes for the request's id, and for its seed when none was given. */
static status make_identity(writing *w, failure *f) {
    status st = random_bytes(w->request.id, REQUEST_BYTES, f);
    if (st != STATUS_OK) return st;
    text_hex(w->request.id, REQUEST_BYTES, w->digits);
    fprintf(stderr, "request %s\n", w->digits);
    return seed_choose(&w->flags->seed, &w->request.seed, f);
}

static uint32_t max_new_tokens(const generate_flags *flags) {
    if (flags->max_new_tokens > 0) return (uint32_t)flags->max_new_tokens;
    return flags->stages.has_preset ? flags->stages.preset_max_new_tokens : MAX_NEW_TOKENS;
}

static int generate(const generate_flags *flags, const buffer *prompt, const strategy *chain) {
    const generation_piece piece = {(const uint8_t *)prompt->bytes, prompt->n_bytes,
                                        !flags->no_special};
    writing w = {
        .flags = flags,
        .request = {
            .pieces = &piece, .n_pieces = 1, .model = flags->model, .pool = flags->pool,
            .session = flags->session, .chain = chain, .max_new_tokens = max_new_tokens(flags),
            .stops = flags->stops, .n_stops = flags->n_stops, .stop_ids = flags->stop_ids.ids,
            .n_stop_ids = flags->stop_ids.n_ids, .ignore_eos = flags->ignore_eos,
            .n_candidates = (uint32_t)flags->n_candidates,
            .no_cache = flags->no_cache,
        },
    };
    failure f;
    int code = make_identity(&w, &f) == STATUS_OK ? writing_begin(&w) : outcome_failed(&f);
    output_free(&w.out);
    client_close(&w.client);
    buffer_clear(&w.text);
    return code;
}

static int generate_from(const generate_flags *flags, const char *word) {
    buffer prompt = {0};
    strategy chain;
    strategy_init(&chain);
    failure f;
    int code;
    if (stage_flags_check(&flags->stages, &f) != STATUS_OK ||
        stage_flags_strategy(&flags->stages, START_DEFAULTS, &chain, &f) != STATUS_OK) {
        code = outcome_wrong_use("%s", f.message);
    } else if (input_read(&prompt, word, flags->keep_newline, &f) != STATUS_OK) {
        code = outcome_failed(&f);
    } else {
        code = generate(flags, &prompt, &chain);
    }
    strategy_clear(&chain);
    buffer_clear(&prompt);
    return code;
}

static status take_stop(void *out, const char *name, const char *value, failure *f) {
    generate_flags *flags = out;
    size_t n_bytes = strlen(value);
    if (n_bytes == 0 || n_bytes > STOP_BYTES_MAX || flags->n_stops == STOPS_MAX) {
        return fail(f, STATUS_BAD_REQUEST, "--%s takes a text of 1 to %d bytes, at most %d times",
                    name, STOP_BYTES_MAX, STOPS_MAX);
    }
    flags->stops[flags->n_stops++] = value;
    return STATUS_OK;
}

static status take_stop_id(void *out, const char *name, const char *value, failure *f) {
    generate_flags *flags = out;
    if (flags->stop_ids.n_ids == STOP_IDS_MAX) {
        return fail(f, STATUS_BAD_REQUEST, "--%s may be given %d times", name, STOP_IDS_MAX);
    }
    return flags_take_id(&flags->stop_ids, name, value, f);
}

int cmd_generate(int argc, char **argv) {
    generate_flags flags = {0};
    common_flags_init(&flags.common);
    stage_flags_init(&flags.stages);
    const option_row rows[] = {
        {.name = "max-new-tokens", .letter = 'n', .kind = OPTION_UINT, .value_name = "N",
         .out = &flags.max_new_tokens, .min = 1, .max = MAX_NEW_TOKENS_MAX,
         .help = "at most so many (200; 100 with a preset)"},
        {.name = "seed", .kind = OPTION_CALL, .value_name = "N", .out = &flags.seed,
         .take = flags_take_seed,
         .help = "the same request and seed give the same text; made and told if not given"},
        {.name = "stop", .kind = OPTION_CALL, .value_name = "TEXT", .out = &flags,
         .take = take_stop, .help = "end before this text; repeatable"},
        {.name = "stop-id", .kind = OPTION_CALL, .value_name = "N", .out = &flags,
         .take = take_stop_id, .help = "end at this token; repeatable"},
        {.name = "ignore-eos", .kind = OPTION_FLAG, .out = &flags.ignore_eos,
         .help = "go on past the model's end tokens"},
        {.name = "no-kv-cache", .kind = OPTION_FLAG, .out = &flags.no_cache,
         .help = "compute all positions anew for each token: slower, the same text"},
        {.name = "no-special", .kind = OPTION_FLAG, .out = &flags.no_special,
         .help = "special tokens written in the prompt are plain text, whatever their type"},
         flags_newline_row(&flags.keep_newline),
        {.name = "show-probs", .kind = OPTION_UINT, .value_name = "N", .out = &flags.n_candidates,
         .max = CANDIDATES_MAX,
         .help = "each token over its N likeliest candidates and what removed them, and below them the "
                 "drawn one where it is none of them; the text last"},
        {.name = "timings", .kind = OPTION_FLAG, .out = &flags.timings,
         .help = "at the end, one line on stderr: model, tokens, tokens a second"},
        {.name = "session", .kind = OPTION_CALL, .value_name = "NAME", .out = &flags.session,
         .take = flags_take_name, .help = "keep the KV-cache under this name for the next request"},
        flags_model_row(&flags.model),
        flags_pool_row(&flags.pool),
        {.name = NULL},
    };
    const options o = {
        .usage = "trivium generate [PROMPT|-] [flags]",
        .summary = "Write the text that goes on from a prompt. Ctrl-C ends it and keeps what was\n"
                   "written. An empty prompt is BOS alone, where the model puts that before a text.\n\n"
                   "  trivium generate 'Once upon a time' --max-new-tokens 100 --temperature 0.7\n\n"
                   "With --show-probs, token lines of --json have \"candidates\": [{\"id\", \"text\",\n"
                   "\"logprob\" (raw), \"probability\" (after the chain, 0: removed), \"removed_by\"\n"
                   "(the step that removed it, or null)}, …], likeliest first.",
        .tables = {rows, flags.stages.rows, flags.common.rows},
        .n_words_max = 1,
    };
    const char *words[1] = {NULL};
    size_t n_words;
    int code = flags_parse(&o, argc, argv, words, &n_words);
    if (code < 0) code = generate_from(&flags, words[0]);
    stage_flags_clear(&flags.stages);
    ids_clear(&flags.stop_ids);
    return code;
}
