/* modeld: token ids in, logits out. Owns the weights and the KV-cache. */
#include <stdio.h>
#include <string.h>

#include "modeld/engine/model.h"
#include "modeld/serve/model_service.h"
#include "modeld/pages/kv_cache.h"
#include "modeld/sched/sequences.h"
#include "proto/base/limits.h"
#include "proto/base/log.h"
#include "proto/base/model_name.h"
#include "proto/base/options.h"
#include "proto/base/process/paths.h"
#include "proto/base/process/resources.h"
#include "proto/base/process/signals.h"
#include "proto/net/config_watch.h"
#include "proto/net/endpoint/endpoint_settings.h"
#include "proto/net/hello.h"
#include "proto/net/keys/keys.h"
#include "proto/net/keys/keys_settings.h"
#include "proto/net/names/join_table.h"
#include "proto/numeric/fmath.h"

enum { WRONG_USE = 2 };

static const char *path, *name, *bind_samplers, *keys_folder;
static option_texts joins;
static uint64_t n_threads, heartbeat_ms = HEARTBEAT_MS, step_deadline_ms = STEP_DEADLINE_MS;
static uint64_t kv_bytes, n_ctx;
static double drain_s = DRAIN_MS / 1000.0;
static const char *instructions = "auto";
static bool no_blas, no_mapping, insecure, replaces, tells_fingerprint;
static log_level level = LOG_INFO;

static status take_name(void *out, const char *flag, const char *value, failure *f) {
    (void)flag;
    *(const char **)out = value;
    return model_name_check(value, f);
}

static status take_isa(void *out, const char *flag, const char *value, failure *f) {
    static const char *const words[] = {"auto", "ref", "avx2", "avx512"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(value, words[i]) == 0) {
            *(const char **)out = words[i];
            return STATUS_OK;
        }
    return fail(f, STATUS_BAD_REQUEST, "--%s must be auto, ref, avx2 or avx512, not %s", flag,
                value);
}

/* "512M": bytes, or K, M, G times 1024, 1024², 1024³. */
static status take_size(void *out, const char *flag, const char *value, failure *f) {
    static const char units[] = "KMG";
    char digits[24];
    size_t n_digits = strspn(value, "0123456789");
    const char *unit = value[n_digits] ? strchr(units, value[n_digits]) : NULL;
    bool well_formed = n_digits > 0 && n_digits < sizeof digits &&
                       (value[n_digits] == '\0' || (unit && value[n_digits + 1] == '\0'));
    unsigned long long number = 0;
    if (well_formed) {
        memcpy(digits, value, n_digits);
        digits[n_digits] = '\0';
        well_formed = options_uint(digits, &number);
    }
    int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    if (!well_formed || number == 0 || number > UINT64_MAX >> shift)
        return fail(f, STATUS_BAD_REQUEST,
                    "--%s must be a number of bytes, with K, M or G behind it if you like, not %s",
                    flag, value);
    *(uint64_t *)out = (uint64_t)number << shift;
    return STATUS_OK;
}

static const option_row flags[] = {
    {.name = "model", .letter = 'm', .kind = OPTION_TEXT, .value_name = "PATH",
     .out = &path, .help = "the GGUF file to serve, or chapter for the embedded model; required"},
    {.name = "name", .kind = OPTION_CALL, .value_name = "NAME", .out = &name, .take = take_name,
     .out_bytes = sizeof name, .help = "how requests call this model (the file's name without .gguf)"},
    {.name = "replace", .kind = OPTION_FLAG, .out = &replaces,
     .help = "take the place of another model of this name, which ends once the texts are over that it began; "
             "for operators, such as the user who runs tokenizerd"},
    {.name = "join", .kind = OPTION_TEXTS, .value_name = "ENDPOINT", .out = &joins,
     .help = "a tokenizerd's endpoint for models; may be repeated (ipc://RUNTIME/models)"},
    {.name = "bind-samplers", .kind = OPTION_TEXT, .value_name = "ENDPOINT", .out = &bind_samplers,
     .help = "where samplerds join (ipc://RUNTIME/samplers)"},
    {.name = "threads", .kind = OPTION_UINT, .value_name = "N", .out = &n_threads, .min = 0,
     .max = THREADS_MAX, .help = "threads that compute; 0 is one a core (0)"},
    {.name = "kv-memory", .kind = OPTION_CALL, .value_name = "SIZE", .out = &kv_bytes,
     .take = take_size, .out_bytes = sizeof kv_bytes,
     .help = "bytes for keys and values, with K, M or G after them (1G, or half of what the weights leave of the memory "
             "there is, if that is less)"},
    {.name = "n-ctx", .kind = OPTION_UINT, .value_name = "N", .out = &n_ctx, .min = 1, .max = N_CTX_MAX,
     .help = "positions of a text (as many as the model was made for)"},
    {.name = "isa", .kind = OPTION_CALL, .value_name = "ISA", .out = &instructions, .take = take_isa,
     .out_bytes = sizeof instructions, .help = "kernels: auto, ref, avx2 or avx512; the results are the same (auto)"},
    {.name = "no-blas", .kind = OPTION_FLAG, .out = &no_blas,
     .help = "never call OpenBLAS; the results are the same"},
    {.name = "step-deadline-ms", .kind = OPTION_UINT, .value_name = "N", .out = &step_deadline_ms,
     .min = 1, .max = WAIT_MS_MAX, .help = "for one answer of a samplerd (2000)"},
    {.name = "no-mapping", .kind = OPTION_FLAG, .out = &no_mapping,
     .help = "send every row, to samplerds of this host too; the results are the same"},
    {.name = "heartbeat-ms", .kind = OPTION_UINT, .value_name = "N", .out = &heartbeat_ms,
     .min = HEARTBEAT_MS_MIN, .max = HEARTBEAT_MS_MAX, .help = "time between signs of life (500)"},
    {.name = "keys", .kind = OPTION_TEXT, .value_name = "DIR", .out = &keys_folder,
     .help = "the folder of keys for tcp endpoints ($TRIVIUM_KEYS)"},
    {.name = "drain", .kind = OPTION_REAL, .value_name = "S", .out = &drain_s, .max = DRAIN_MS_MAX / 1000.0,
     .help = "seconds in which what is under way may end after SIGTERM; 0: at once (30)"},
    {.name = "insecure", .kind = OPTION_FLAG, .out = &insecure,
     .help = "tcp endpoints without keys: whoever reaches them is let in"},
    {.name = "fingerprint", .kind = OPTION_FLAG, .out = &tells_fingerprint,
     .help = "print what `trivium status --json` tells of this file as its fingerprint, and end"},
    {.name = "log", .kind = OPTION_CALL, .value_name = "LEVEL", .out = &level, .take = log_take_level,
     .out_bytes = sizeof level, .help = "quiet, error, info or debug (info)"},
    {0},
};

static const options command_line = {
    .usage = "modeld --model PATH [flags]",
    .summary = "Joins tokenizerds with a model, computes its logits, and lets samplerds draw.\n"
               "Example: modeld --model SmolLM2-135M-Instruct.Q4_1.gguf --kv-memory 512M",
    .tables = {flags},
};

static config *settings;
static char file_name[NAME_BYTES_MAX + 1];

static status check_settings(config *c, failure *f) {
    char its_name[NAME_BYTES_MAX + 1];
    if (!path) return fail(f, STATUS_BAD_REQUEST, "--model PATH is missing");
    status st = keys_settings_choose(c, &keys_folder, &insecure, f);
    bool is_guarded = keys_folder || insecure;
    if (st == STATUS_OK) st = endpoint_settings_check_bind(c, "bind-samplers", bind_samplers, is_guarded, f);
    if (st == STATUS_OK) st = endpoint_settings_check_joins(c, &joins, is_guarded, f);
    return st != STATUS_OK || name || tells_fingerprint ? st : model_name_of_file(path, its_name, f);
}

static status read_command_line(int argc, char **argv, failure *f) {
    status st = config_open(&settings, &command_line, argc, argv, f);
    if (st == STATUS_OK) st = check_settings(settings, f);
    if (st != STATUS_OK || name || tells_fingerprint) return st;
    name = file_name;
    return model_name_of_file(path, file_name, f);
}

/* What was not given lies in our runtime folder. */
static status choose_endpoints(failure *f) {
    static char to_join[ENDPOINT_BYTES_MAX], to_bind[ENDPOINT_BYTES_MAX];
    char folder[ENDPOINT_BYTES_MAX];
    if (joins.n_items > 0 && bind_samplers) return STATUS_OK;
    if (paths_ensure_runtime(folder, sizeof folder, f) != STATUS_OK ||
        paths_endpoint("models", to_join, sizeof to_join, f) != STATUS_OK ||
        paths_endpoint("samplers", to_bind, sizeof to_bind, f) != STATUS_OK)
        return f->code;
    if (joins.n_items == 0) joins.items[joins.n_items++] = to_join;
    if (!bind_samplers) bind_samplers = to_bind;
    return STATUS_OK;
}

static uint32_t count_pages(const model *m) {
    uint64_t n_pages = model_kv_bytes(m) / kv_cache_page_bytes(model_kv_shape(m));
    return n_pages < UINT32_MAX / PAGE_TOKENS ? (uint32_t)n_pages : UINT32_MAX / PAGE_TOKENS;
}

/* Without it words may be cut in other places than in the texts that the model was trained on. */
static void log_split(const char *split) {
    if (split[0] != '\0' && strcmp(split, "default") != 0) return;
    log_event(LOG_INFO, "split_unknown",
              "key=tokenizer.ggml.pre value=\"%s\" file=\"%s\" used=default remedy=\"convert the model "
              "anew, or set the key to the name of its split pattern\"",
              split, path);
}

/* What was chosen otherwise than whoever started this may expect. */
static void log_choices(const model *m) {
    const model_shape *s = model_shape_of(m);
    if (s->n_ctx > s->n_ctx_made)
        log_event(LOG_ERROR, "context", "n_ctx=%u made_for=%u why=\"beyond what the model was made for\"",
                  s->n_ctx, s->n_ctx_made);
    else if (s->n_ctx < s->n_ctx_made)
        log_event(LOG_INFO, "context", "n_ctx=%u made_for=%u", s->n_ctx, s->n_ctx_made);
    if (kv_bytes == 0 && model_kv_bytes(m) < KV_BYTES_DEFAULT)
        log_event(LOG_INFO, "memory", "kv_memory=%llu", (unsigned long long)model_kv_bytes(m));
    log_split(model_vocabulary_of(m)->split);
}

static model_service *serving;

static void step_deadline_changed(void *unused) {
    (void)unused;
    model_service_set_step_deadline(serving, (uint32_t)step_deadline_ms);
}

/* While it runs. */
static const config_change changes[] = {
    {"log", log_level_changed, &level},
    {"step-deadline-ms", step_deadline_changed, NULL},
    {0},
};

/* The file is checked first: what is wrong with it is told before anybody sees this modeld. Returns
 * whether it was served until a signal ended it; false: no tokenizerd wants it, and `f` says why. */
static bool serve(loop *l, model *m, uint32_t n_pages, failure *f) {
    kv_cache *cache = kv_cache_new(model_kv_shape(m), n_pages, KV_SEQUENCES_MAX);
    if (!cache) die("modeld", "no memory for %u pages of keys and values", n_pages);
    keys *keyring = NULL;
    if (keys_open(&keyring, keys_folder, l, f) != STATUS_OK) die("modeld", "%s", f->message);
    model_service_options o = {
        .name = name,
        .replaces = replaces,
        .joins = joins.items,
        .n_joins = joins.n_items,
        .bind_samplers = bind_samplers,
        .heartbeat_ms = (uint32_t)heartbeat_ms,
        .step_deadline_ms = (uint32_t)step_deadline_ms,
        .drain_s = drain_s,
        .share_rows = !no_mapping,
        .keys = keyring,
        .insecure = insecure,
    };
    status st = cpu_isa(&o.isa, instructions, f);
    if (st == STATUS_OK) st = model_service_new(&serving, l, m, cache, &o, f);
    if (st != STATUS_OK) die("modeld", "%s", f->message);
    log_event(LOG_INFO, "ready", "model=\"%s\" pages=%u samplers=%s %s", name, n_pages,
              model_service_samplers_at(serving), model_description(m));
    if (config_watch(settings, l, changes, check_settings) != 0) die("modeld", "no memory");
    loop_run(l);
    const failure *refusal = model_service_refusal(serving);
    bool served = !refusal;
    if (refusal) *f = *refusal;
    model_service_free(&serving);
    keys_close(&keyring);
    kv_cache_free(&cache);
    return served;
}

static int tell_fingerprint(const char *file) {
    failure f;
    char fingerprint[FINGERPRINT_BYTES];
    if (model_file_fingerprint(file, fingerprint, &f) != STATUS_OK) die("modeld", "%s", f.message);
    puts(fingerprint);
    return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
    signals_begin(0);
    failure f = {.code = STATUS_OK};
    status st = read_command_line(argc, argv, &f);
    if (st == STATUS_NOT_FOUND) return 0;
    if (st != STATUS_OK) {
        fprintf(stderr, "modeld: %s\n", f.message);
        return WRONG_USE;
    }
    log_open("modeld", level);
    if (resources_check(join_table_n_links(joins.items, joins.n_items) + 2, &f) != STATUS_OK) die("modeld", "%s", f.message);
    fmath_thread_start();
    model *m = NULL;
    memory_limit memory = memory_limit_read("");
    model_options o = {
        .n_threads = (uint32_t)n_threads,
        .isa = instructions,
        .n_rows_max = BATCH_ROWS_MAX,
        .blas = !no_blas,
        .n_ctx = (uint32_t)n_ctx,
        .memory = &memory,
        .kv_bytes = kv_bytes,
    };
    char file[4096];
    if (paths_model(path, file, sizeof file, &f) != STATUS_OK) die("modeld", "%s", f.message);
    if (tells_fingerprint) return tell_fingerprint(file);
    if (model_open(&m, file, &o, &f) != STATUS_OK) die("modeld", "%s", f.message);
    log_choices(m);
    uint32_t n_pages = count_pages(m);
    if (n_pages == 0) {
        fprintf(stderr, "modeld: --kv-memory must hold a page at least: %zu bytes of this model\n",
                kv_cache_page_bytes(model_kv_shape(m)));
        model_close(&m);
        return WRONG_USE;
    }
    signals_set(SIGNALS_HOLD);  /* from here on there is something to put in order */
    loop *l = loop_new();
    if (!l) die("modeld", "no memory for sockets and their threads");
    if (choose_endpoints(&f) != STATUS_OK) die("modeld", "%s", f.message);
    bool served = serve(l, m, n_pages, &f);
    loop_free(&l);
    model_close(&m);
    config_close(&settings);
    if (!served) die("modeld", "%s", f.message);
    return 0;
}
