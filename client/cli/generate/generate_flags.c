#include "generate_flags.h"

#include <string.h>

enum { MAX_NEW_TOKENS = 200 };

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

void generate_flags_init(generate_flags *flags) {
    memset(flags, 0, sizeof *flags);
    stage_flags_init(&flags->stages);
    const option_row rows[] = {
        {.name = "max-new-tokens", .letter = 'n', .kind = OPTION_UINT, .value_name = "N",
         .out = &flags->max_new_tokens, .min = 1, .max = MAX_NEW_TOKENS_MAX,
         .help = "at most so many (200; 100 with a preset)"},
        {.name = "seed", .kind = OPTION_CALL, .value_name = "N", .out = &flags->seed,
         .take = flags_take_seed,
         .help = "the same request and seed give the same text; if not given, one is made, which a terminal is told"},
        {.name = "stop", .kind = OPTION_CALLS, .value_name = "TEXT", .out = flags,
         .take = take_stop, .help = "end before this text; repeatable"},
        {.name = "stop-id", .kind = OPTION_CALLS, .value_name = "N", .out = flags,
         .take = take_stop_id, .help = "end at this token; repeatable"},
        {.name = "ignore-eos", .kind = OPTION_FLAG, .out = &flags->ignore_eos,
         .help = "go on past the model's end tokens"},
        {.name = "no-kv-cache", .kind = OPTION_FLAG, .out = &flags->no_cache,
         .help = "compute all positions anew for each token: slower, the same text"},
        {.name = "no-special", .kind = OPTION_FLAG, .out = &flags->no_special,
         .help = "special tokens written in the prompt are plain text, whatever their type"},
        {.name = "show-probs", .kind = OPTION_UINT, .value_name = "N", .out = &flags->n_candidates,
         .max = CANDIDATES_MAX,
         .help = "each token over its N likeliest candidates and what removed them, and below them the "
                 "drawn one where it is none of them; the text last"},
        {.name = "session", .kind = OPTION_CALL, .value_name = "NAME", .out = &flags->session,
         .take = flags_take_name, .help = "keep the KV-cache under this name for the next request"},
        {.name = "priority", .kind = OPTION_CALL, .value_name = "N", .out = &flags->priority,
         .take = flags_take_priority,
         .help = "-10 to 10, higher is sooner (0): told to samplers, for one of your own; ours do not go by it"},
        flags_traceparent_row(&flags->traceparent),
        {.name = "chat-template", .kind = OPTION_CALL, .value_name = "NAME", .out = &flags->form,
         .take = flags_take_name,
         .help = "of lines with \"messages\": chatml, llama3 or plain, instead of the model's own"},
        flags_model_row(&flags->model),
        flags_pool_row(&flags->pool),
        {.name = NULL},
    };
    _Static_assert(sizeof rows == sizeof flags->rows, "every row has its place");
    memcpy(flags->rows, rows, sizeof rows);
}

status generate_flags_copy(generate_flags *to, const generate_flags *from) {
    generate_flags_init(to);
    to->model = from->model;
    to->pool = from->pool;
    to->session = from->session;
    to->form = from->form;
    to->max_new_tokens = from->max_new_tokens;
    to->seed = from->seed;
    to->n_candidates = from->n_candidates;
    to->ignore_eos = from->ignore_eos;
    to->no_cache = from->no_cache;
    to->no_special = from->no_special;
    to->priority = from->priority;
    to->traceparent = from->traceparent;
    memcpy(to->stops, from->stops, sizeof to->stops);
    to->n_stops = from->n_stops;
    failure f;
    status st = stage_flags_copy(&to->stages, &from->stages);
    return st == STATUS_OK ? ids_add_all(&to->stop_ids, from->stop_ids.ids, from->stop_ids.n_ids, &f) : st;
}

void generate_flags_clear(generate_flags *flags) {
    stage_flags_clear(&flags->stages);
    ids_clear(&flags->stop_ids);
}

status generate_flags_chain(const generate_flags *flags, strategy *chain, failure *f) {
    status st = stage_flags_check(&flags->stages, f);
    return st == STATUS_OK ? stage_flags_strategy(&flags->stages, START_DEFAULTS, chain, f) : st;
}

static uint32_t max_new_tokens(const generate_flags *flags) {
    if (flags->max_new_tokens > 0) return (uint32_t)flags->max_new_tokens;
    return flags->stages.has_preset ? flags->stages.preset_max_new_tokens : MAX_NEW_TOKENS;
}

generation_request generate_flags_request(const generate_flags *flags, const strategy *chain) {
    return (generation_request){
        .model = flags->model, .pool = flags->pool, .session = flags->session, .chain = chain,
        .max_new_tokens = max_new_tokens(flags),
        .stops = flags->stops, .n_stops = flags->n_stops, .stop_ids = flags->stop_ids.ids,
        .n_stop_ids = flags->stop_ids.n_ids, .ignore_eos = flags->ignore_eos,
        .n_candidates = (uint32_t)flags->n_candidates, .no_cache = flags->no_cache,
        .priority = flags->priority, .traceparent = flags->traceparent,
    };
}
