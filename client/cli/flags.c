#include "flags.h"

#include <assert.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/random.h"
#include "outcome.h"
#include "proto/base/carried/traceparent.h"
#include "proto/base/model_name.h"
#include "proto/chain/strategy_json.h"
#include "proto/net/endpoint/endpoint.h"
#include "proto/net/keys/keys.h"
#include "proto/net/hello.h"

int flags_parse(const options *o, int argc, char **argv, const char **words, size_t *n_words) {
    failure f;
    status st = options_parse(o, argc, argv, words, n_words, &f);
    if (st == STATUS_OK) return -1;
    if (st == STATUS_NOT_FOUND) return EXIT_FINE;
    outcome_failed(&f);
    return st == STATUS_BAD_REQUEST ? EXIT_WRONG_USE : EXIT_FAILED;
}

/* ---- common ---- */

enum { WAIT_BY_DEFAULT = -1 };  /* --wait was not given */

static status take_endpoint(void *out, const char *name, const char *value, failure *f) {
    common_flags *flags = out;
    failure why;
    if (endpoint_check(value, false, &why) != STATUS_OK)
        return fail(f, STATUS_BAD_REQUEST, "--%s: %s", name, why.message);
    if (flags->n_endpoints == JOINS_MAX)
        return fail(f, STATUS_BAD_REQUEST, "--%s may be given at most %d times", name, JOINS_MAX);
    flags->endpoints[flags->n_endpoints++] = value;
    return STATUS_OK;
}

void common_flags_init(common_flags *flags) {
    *flags = (common_flags){.wait_s = WAIT_BY_DEFAULT};
    const char *value = getenv("TRIVIUM_ENDPOINT");
    if (value && *value) flags->default_endpoint = value;
    const option_row rows[] = {
        {.name = "endpoint", .kind = OPTION_CALLS, .value_name = "ENDPOINT", .out = flags,
         .take = take_endpoint, .help = "where tokenizerd listens ($TRIVIUM_ENDPOINT); several are tried in turn"},
        {.name = "keys", .kind = OPTION_TEXT, .value_name = "DIR", .out = &flags->keys_folder,
         .help = "the folder of keys for tcp endpoints ($TRIVIUM_KEYS)"},
        {.name = "insecure", .kind = OPTION_FLAG, .out = &flags->insecure,
         .help = "tcp endpoints without keys: whoever answers there is trusted"},
        {.name = "wait", .kind = OPTION_REAL, .value_name = "S", .out = &flags->wait_s, .min = 0, .max = WAIT_MS_MAX / 1000.0,
         .help = "seconds to wait for a missing daemon (10); if given, also for a model that is not known yet"},
        {.name = "owner", .kind = OPTION_CALL, .value_name = "NAME", .out = &flags->owner, .take = flags_take_name,
         .help = "on behalf of NAME, whose texts and limits these are then (for gateways)"},
        {.name = "json", .kind = OPTION_FLAG, .out = &flags->json,
         .help = "print JSON, one object a line"},
        {.name = NULL},
    };
    _Static_assert(sizeof rows == sizeof flags->rows, "every row has its place");
    memcpy(flags->rows, rows, sizeof rows);
}

status common_flags_check(const common_flags *flags, failure *f) {
    failure why;
    const char *folder = flags->keys_folder;
    if (keys_choose(&folder, flags->insecure, f) != STATUS_OK) return f->code;
    if (flags->n_endpoints > 0 || !flags->default_endpoint) return STATUS_OK;
    if (endpoint_check(flags->default_endpoint, false, &why) == STATUS_OK) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST, "TRIVIUM_ENDPOINT: %s", why.message);
}

client_options common_flags_client(const common_flags *flags) {
    bool is_default = flags->n_endpoints == 0 && flags->default_endpoint;
    bool has_own_wait = flags->wait_s >= 0;
    const char *folder = flags->keys_folder;
    keys_choose(&folder, flags->insecure, &(failure){0});   /* it was checked */
    return (client_options){
        .endpoints = is_default ? &flags->default_endpoint : flags->endpoints,
        .n_endpoints = is_default ? 1 : flags->n_endpoints,
        .keys_folder = folder,
        .insecure = flags->insecure,
        .wait_ms = has_own_wait ? (uint32_t)lround(flags->wait_s * 1000) : WAIT_MS,
        .has_own_wait = has_own_wait,
        .owner = flags->owner,
    };
}

/* ---- takers ---- */

status flags_take_seed(void *out, const char *name, const char *value, failure *f) {
    seed_flag *flag = out;
    unsigned long long seed;
    if (!options_uint(value, &seed) || seed >= SEED_MAX) {
        return fail(f, STATUS_BAD_REQUEST, "--%s needs a whole number below 2^53, not %.40s", name,
                    value);
    }
    *flag = (seed_flag){.seed = seed, .given = true};
    return STATUS_OK;
}

status seed_choose(const seed_flag *flag, uint64_t *out, failure *f) {
    uint32_t made = 0;          /* short enough to be typed again */
    status st = flag->given ? STATUS_OK : random_bytes(&made, sizeof made, f);
    if (st == STATUS_OK) *out = flag->given ? flag->seed : made;
    return st;
}

status flags_take_name(void *out, const char *name, const char *value, failure *f) {
    return hello_take_pool(out, name, value, f);
}

option_row flags_model_row(const char **out) {
    const char *model = getenv("TRIVIUM_MODEL");
    if (model && !model_name_is_file(model)) *out = model;      /* a file is for `trivium up` */
    return (option_row){.name = "model", .letter = 'm', .kind = OPTION_CALL, .value_name = "NAME",
                        .out = out, .take = flags_take_name,
                        .help = "if not given, $TRIVIUM_MODEL, else the default model"};
}

option_row flags_pool_row(const char **out) {
    return (option_row){.name = "sampler", .kind = OPTION_CALL, .value_name = "POOL", .out = out,
                        .take = flags_take_name, .help = "pool of samplerds that draws"};
}

status flags_take_priority(void *out, const char *name, const char *value, failure *f) {
    unsigned long long size;
    bool negative = value[0] == '-';
    if (!options_uint(value + negative, &size) || size > (negative ? -PRIORITY_MIN : PRIORITY_MAX)) {
        return fail(f, STATUS_BAD_REQUEST, "--%s needs a whole number from %d to %d, not %.40s", name, PRIORITY_MIN,
                    PRIORITY_MAX, value);
    }
    *(int32_t *)out = negative ? -(int32_t)size : (int32_t)size;
    return STATUS_OK;
}

static status take_traceparent(void *out, const char *name, const char *value, failure *f) {
    failure why;
    if (traceparent_check(value, &why) != STATUS_OK) return fail(f, STATUS_BAD_REQUEST, "--%s: %s", name, why.message);
    *(const char **)out = value;
    return STATUS_OK;
}

option_row flags_traceparent_row(const char **out) {
    failure ignored;
    const char *told = getenv("TRACEPARENT");
    if (told && traceparent_check(told, &ignored) == STATUS_OK) *out = told;
    return (option_row){.name = "traceparent", .kind = OPTION_CALL, .value_name = "T", .out = out,
                        .take = take_traceparent,
                        .help = "place in a trace, as the W3C has it: the daemons log its id; if not given, $TRACEPARENT"};
}

option_row flags_newline_row(bool *out) {
    return (option_row){.name = "keep-newline", .kind = OPTION_FLAG, .out = out,
                        .help = "a newline at the end of stdin is part of the text"};
}

/* A whole number before `end_char`; STATUS_BAD_ID for one that no message can carry. */
static status id_parse(const char *name, const char *text, char end_char, long long *id,
                       const char **end, failure *f) {
    failure why;
    status st = ids_number(text, id, end, &why);
    if (st == STATUS_BAD_REQUEST || **end != end_char) {
        return fail(f, STATUS_BAD_REQUEST, "--%s takes %s, not %.80s", name,
                    end_char == '=' ? "ID=X, as 28=-1.5 or 28=-inf" : "an id, a whole number",
                    text);
    }
    return st == STATUS_OK ? st : fail(f, st, "--%s: %s", name, why.message);
}

status flags_take_id(void *out, const char *name, const char *value, failure *f) {
    long long id;
    const char *end;
    status st = id_parse(name, value, '\0', &id, &end, f);
    return st == STATUS_OK ? ids_add(out, id, f) : st;
}

/* ---- strategies ---- */

/* What a stage's value looks like on the command line; NULL for a flag without one. */
static const char *stage_value_name(const stage_row *row) {
    switch (row->shape) {
    case SHAPE_NUMBER: return "X";
    case SHAPE_TRUE: return NULL;
    case SHAPE_BIASES: return "ID=X";
    case SHAPE_OBJECT: return "JSON";
    }
    return NULL;
}

/* What a stage does, and the keys that its JSON takes: "…; keys: tau (above 0 and finite), eta (…)". */
static void stage_help(const stage_row *row, char help[STAGE_FLAG_HELP_BYTES]) {
    size_t n = (size_t)snprintf(help, STAGE_FLAG_HELP_BYTES, "%s", row->help);
    for (size_t i = 0; row->shape == SHAPE_OBJECT && i < row->n_fields; i++) {
        assert(n < STAGE_FLAG_HELP_BYTES);
        n += (size_t)snprintf(help + n, STAGE_FLAG_HELP_BYTES - n, "%s%s (%s)", i ? ", " : "; keys: ",
                              row->fields[i].name, row->fields[i].range);
    }
    assert(n < STAGE_FLAG_HELP_BYTES);
    if (row->lists)
        n += (size_t)snprintf(help + n, STAGE_FLAG_HELP_BYTES - n,
                              ", and if wanted %s (lists of ids, as [[198], [28, 7]])", row->lists);
    assert(n < STAGE_FLAG_HELP_BYTES);
}

static status stage_from_bias(strategy *out, const char *name, const char *value, failure *f) {
    long long id;
    const char *number;
    status st = id_parse(name, value, '=', &id, &number, f);
    if (st != STATUS_OK) return st;
    double bias = -INFINITY;
    if (strcmp(number + 1, "-inf") != 0 && !options_real(number + 1, &bias)) {
        return fail(f, STATUS_BAD_REQUEST, "--%s takes ID=X, as 28=-1.5 or 28=-inf, not %.80s",
                    name, value);
    }
    return strategy_append_biases(out, &(int32_t){(int32_t)id}, &bias, 1, f);
}

static status stage_from_number(strategy *out, stage_kind kind, const char *name, const char *value,
                                failure *f) {
    double number;
    if (!options_real(value, &number)) {
        return fail(f, STATUS_BAD_REQUEST, "--%s takes a number, %s, not %.80s", name,
                    stage_table[kind].fields[0].range, value);
    }
    return strategy_append(out, kind, &number, 1, f);
}

static status stage_from_object(strategy *out, stage_kind kind, const char *name, const char *value,
                                failure *f) {
    json_error_t error;
    json_t *object = json_loads(value, 0, &error);
    if (!object) {
        return fail(f, STATUS_BAD_REQUEST, "--%s takes a JSON object: %s", name, error.text);
    }
    json_t *array = json_pack("[{s: o}]", stage_table[kind].name, object);
    status st = array ? strategy_from_json(out, array, f)
                      : fail(f, STATUS_NO_MEMORY, "no memory for --%s", name);
    json_decref(array);
    return st;
}

static status stage_from_flag(strategy *out, stage_kind kind, const char *name, const char *value,
                              failure *f) {
    switch (stage_table[kind].shape) {
    case SHAPE_NUMBER: return stage_from_number(out, kind, name, value, f);
    case SHAPE_TRUE: return strategy_append(out, kind, NULL, 0, f);
    case SHAPE_BIASES: return stage_from_bias(out, name, value, f);
    case SHAPE_OBJECT: return stage_from_object(out, kind, name, value, f);
    }
    return STATUS_UNSUPPORTED;
}

static status take_step(void *out, const char *name, const char *value, failure *f) {
    stage_flags *flags = out;
    stage_kind kind = strategy_kind(name);
    strategy one;
    strategy_init(&one);
    status st = stage_from_flag(&one, kind, name, value, f);
    if (st == STATUS_OK) st = strategy_set(&flags->stages, &one.stages[0], f);
    strategy_clear(&one);
    if (kind == STAGE_GREEDY) flags->has_greedy = true;
    return st;
}

static status take_preset(void *out, const char *name, const char *value, failure *f) {
    (void)name;
    stage_flags *flags = out;
    flags->has_preset = true;
    if (flags->has_chain) return STATUS_OK;     /* stage_flags_check refuses it */
    status st = strategy_preset(&flags->base, value, &flags->preset_max_new_tokens, f);
    return st == STATUS_NOT_FOUND ? STATUS_BAD_REQUEST : st;
}

static status take_chain(void *out, const char *name, const char *value, failure *f) {
    stage_flags *flags = out;
    flags->has_chain = true;
    json_error_t error;
    json_t *array = json_loads(value, 0, &error);
    if (!array) {
        return fail(f, STATUS_BAD_REQUEST, "--%s takes a JSON array, "
                    "as '[{\"temperature\": 0.8}, {\"top_p\": 0.9}]': %s", name, error.text);
    }
    status st = strategy_from_json(&flags->base, array, f);
    json_decref(array);
    return st;
}

void stage_flags_init(stage_flags *flags) {
    memset(flags, 0, sizeof *flags);
    strategy_init(&flags->stages);
    strategy_init(&flags->base);
    option_row *row = flags->rows;
    for (size_t kind = 0; kind < STAGE_KINDS; kind++, row++) {
        char *name = flags->names[kind];
        snprintf(name, STAGE_FLAG_NAME_BYTES, "%s", stage_table[kind].name);
        for (char *c = name; *c; c++) {
            if (*c == '_') *c = '-';
        }
        stage_help(&stage_table[kind], flags->helps[kind]);
        *row = (option_row){.name = name,
                            .kind = stage_table[kind].shape == SHAPE_BIASES ? OPTION_CALLS : OPTION_CALL,
                            .value_name = stage_value_name(&stage_table[kind]),
                            .help = flags->helps[kind],
                            .out = flags,
                            .take = take_step};
    }
    *row++ = (option_row){.name = "preset", .kind = OPTION_CALL, .value_name = "NAME", .out = flags,
                          .take = take_preset, .help = "conservative, balanced or creative"};
    *row++ = (option_row){.name = "chain", .kind = OPTION_CALL, .value_name = "JSON", .out = flags,
                          .take = take_chain, .help = "the steps in an order of your own, as "
                          "'[{\"temperature\": 0.8}, {\"top_p\": 0.9}]'"};
    *row = (option_row){.name = NULL};
}

void stage_flags_clear(stage_flags *flags) {
    strategy_clear(&flags->stages);
    strategy_clear(&flags->base);
}

status stage_flags_copy(stage_flags *to, const stage_flags *from) {
    stage_flags_init(to);
    to->has_chain = from->has_chain;
    to->has_preset = from->has_preset;
    to->has_greedy = from->has_greedy;
    to->preset_max_new_tokens = from->preset_max_new_tokens;
    status st = strategy_copy(&to->stages, &from->stages);
    return st == STATUS_OK ? strategy_copy(&to->base, &from->base) : st;
}

static void take_back(stage_flags *flags, stage_kind kind) {
    strategy_remove(&flags->stages, kind);
    if (kind == STAGE_GREEDY) flags->has_greedy = false;
}

status stage_flags_take_json(stage_flags *flags, stage_kind kind, const json_t *value, failure *f) {
    if (stage_table[kind].shape == SHAPE_TRUE && json_is_false(value)) {
        take_back(flags, kind);
        return STATUS_OK;
    }
    const char *name = stage_table[kind].name;
    strategy one;
    strategy_init(&one);
    json_t *array = json_pack("[{s: O}]", name, value);
    status st = array ? strategy_from_json(&one, array, f)
                      : fail(f, STATUS_NO_MEMORY, "no memory for \"%s\"", name);
    if (st == STATUS_OK) st = strategy_merge(&flags->stages, &one, f);
    if (st == STATUS_OK && kind == STAGE_GREEDY) flags->has_greedy = true;
    json_decref(array);
    strategy_clear(&one);
    return st;
}

status stage_flags_take_chain(stage_flags *flags, const json_t *chain, failure *f) {
    strategy_clear(&flags->stages);
    flags->has_chain = true;
    flags->has_preset = flags->has_greedy = false;
    return strategy_from_json(&flags->base, chain, f);
}

status stage_flags_check(const stage_flags *flags, failure *f) {
    if (!flags->has_chain || (flags->stages.n_stages == 0 && !flags->has_preset)) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST, "--chain is the whole chain: leave out %s",
                flags->has_preset ? "--preset" : "the flags of single steps");
}

bool stage_flags_any(const stage_flags *flags) {
    return flags->has_chain || flags->has_preset || flags->stages.n_stages > 0;
}

bool stage_flags_replace(const stage_flags *flags) {
    return flags->has_chain || flags->has_preset || flags->has_greedy;
}

/* Mirostat steers by the surprise of what it draws, so nothing but a bias and a temperature belongs in
 * front of it: the defaults' other stages would bias that. */
static void drop_defaults_before_mirostat(strategy *defaults) {
    strategy_remove(defaults, STAGE_REPETITION_PENALTY);
    strategy_remove(defaults, STAGE_TOP_P);
}

status stage_flags_strategy(const stage_flags *flags, stage_start start, strategy *out, failure *f) {
    strategy_clear(out);
    if (stage_flags_replace(flags)) {
        if (strategy_copy(out, &flags->base) != STATUS_OK) {
            return fail(f, STATUS_NO_MEMORY, "no memory for the chain");
        }
    } else if (start == START_DEFAULTS) {
        strategy_defaults(out);
        if (strategy_has(&flags->stages, STAGE_MIROSTAT)) drop_defaults_before_mirostat(out);
    }
    return strategy_merge(out, &flags->stages, f);
}
