/* samplerd: logits in, the next id out. */
#include <stdio.h>
#include <string.h>

#include "proto/base/limits.h"
#include "proto/base/log.h"
#include "proto/base/options.h"
#include "proto/base/process/paths.h"
#include "proto/base/process/resources.h"
#include "proto/base/process/signals.h"
#include "proto/net/config_watch.h"
#include "proto/net/draining.h"
#include "proto/net/endpoint/endpoint_settings.h"
#include "proto/net/hello.h"
#include "proto/net/keys/keys.h"
#include "proto/net/keys/keys_settings.h"
#include "proto/net/loop.h"
#include "proto/net/names/join_table.h"
#include "proto/net/peer.h"
#include "proto/numeric/cpu.h"
#include "proto/numeric/fmath.h"
#include "samplerd/links/modelds.h"
#include "samplerd/rows/row_sampler.h"

enum { WRONG_USE = 2 };

static option_texts joins;
static const char *name = "samplerd", *pool = "", *keys_folder;
static uint64_t heartbeat_ms = HEARTBEAT_MS, n_threads;
static bool no_mapping, whole_rows, insecure;
static double drain_s = DRAIN_MS / 1000.0;
static log_level level = LOG_INFO;
static isa instructions;

static status take_isa(void *out, const char *flag, const char *value, failure *f) {
    (void)flag;
    return cpu_isa(out, value, f);
}

static const option_row flags[] = {
    {.name = "join", .kind = OPTION_TEXTS, .value_name = "ENDPOINT", .out = &joins,
     .help = "a modeld's endpoint for samplers; may be repeated (ipc://RUNTIME/samplers)"},
    {.name = "pool", .kind = OPTION_CALL, .value_name = "NAME", .out = &pool, .take = hello_take_pool,
     .out_bytes = sizeof pool, .help = "draw only for requests that name this pool"},
    {.name = "name", .kind = OPTION_CALL, .value_name = "NAME", .out = &name, .take = hello_take_name,
     .out_bytes = sizeof name, .help = "how it is called in status (samplerd)"},
    {.name = "heartbeat-ms", .kind = OPTION_UINT, .value_name = "N", .out = &heartbeat_ms,
     .min = HEARTBEAT_MS_MIN, .max = HEARTBEAT_MS_MAX, .help = "time between signs of life (500)"},
    {.name = "drain", .kind = OPTION_REAL, .value_name = "S", .out = &drain_s, .max = DRAIN_MS_MAX / 1000.0,
     .help = "seconds in which what is under way may end after SIGTERM; 0: at once (30)"},
    {.name = "threads", .kind = OPTION_UINT, .value_name = "N", .out = &n_threads, .min = 0, .max = DRAWERS_MAX,
     .help = "threads that draw, each for one request; 0 is one a core, but no more than 6 (0)"},
    {.name = "no-mapping", .kind = OPTION_FLAG, .out = &no_mapping,
     .help = "have every row sent, by a modeld of this host too; the results are the same"},
    {.name = "keys", .kind = OPTION_TEXT, .value_name = "DIR", .out = &keys_folder,
     .help = "the folder of keys for tcp endpoints ($TRIVIUM_KEYS)"},
    {.name = "insecure", .kind = OPTION_FLAG, .out = &insecure,
     .help = "tcp endpoints without keys: whoever answers there is trusted"},
    {.name = "whole-rows", .kind = OPTION_FLAG, .out = &whole_rows,
     .help = "have all of each row sent that is, not what the first stages leave of it; the results are the same"},
    {.name = "log", .kind = OPTION_CALL, .value_name = "LEVEL", .out = &level, .take = log_take_level,
     .out_bytes = sizeof level, .help = "quiet, error, info or debug (info)"},
    {.name = "isa", .kind = OPTION_CALL, .value_name = "ISA", .out = &instructions,
     .take = take_isa, .out_bytes = sizeof instructions,
     .help = "auto, ref, avx2 or avx512; the results are the same (auto)"},
    {0},
};

static const options command_line = {
    .usage = "samplerd [flags]",
    .summary = "Joins a modeld and draws the next id from each row of logits that it sends.\n"
               "Example: samplerd --join tcp://127.0.0.1:5557 --keys /etc/trivium/keys",
    .tables = {flags},
};

/* Without --join: the endpoint in our runtime folder. `address` has ENDPOINT_BYTES_MAX bytes. */
static status choose_joins(char *address, failure *f) {
    char folder[ENDPOINT_BYTES_MAX];
    if (joins.n_items > 0) return STATUS_OK;
    status st = paths_ensure_runtime(folder, sizeof folder, f);
    if (st == STATUS_OK) st = paths_endpoint("samplers", address, ENDPOINT_BYTES_MAX, f);
    joins.items[joins.n_items++] = address;
    return st;
}

/* ---- wiring: the samplers that draw for all modelds, one a thread ---- */

static keys *keyring;
static row_sampler *samplers[DRAWERS_MAX];
static threads *draw_threads;

static modelds *all;
static draining *end;

static void drain_all(void *unused) {
    (void)unused;
    modelds_drain(all);
}

static bool all_over(void *unused) {
    (void)unused;
    return modelds_are_over(all);
}

static void asked_to_drain(void *unused) {
    (void)unused;
    draining_order(end);
}

static status draw(void *unused, unsigned drawer, const sample_rows *rows, sampled_rows *out, failure *f) {
    (void)unused;
    return row_sampler_draw(samplers[drawer], rows, out, f);
}

static uint32_t n_drawers(void) {
    uint32_t n_cores = threads_default_count();
    if (n_threads > 0) return (uint32_t)n_threads;
    return n_cores < DRAWERS_DEFAULT_MAX ? n_cores : DRAWERS_DEFAULT_MAX;
}

static bool make_samplers(void) {
    draw_threads = threads_new(n_drawers(), fmath_thread_start);
    for (uint32_t i = 0; draw_threads && i < threads_count(draw_threads); i++)
        if (!(samplers[i] = row_sampler_new(instructions))) return false;
    return draw_threads != NULL;
}

static void free_samplers(void) {
    for (uint32_t i = 0; i < DRAWERS_MAX; i++) row_sampler_free(&samplers[i]);
    threads_free(&draw_threads);
}

static status join_all(loop *l, failure *f) {
    status st = keys_open(&keyring, keys_folder, l, f);
    if (st != STATUS_OK) return st;
    const logits_link_options how = {
        .name = name, .pool = pool, .incarnation = peers_incarnation(),
        .keys = keyring, .insecure = insecure, .draw_threads = draw_threads, .calls = {.draw = draw, .drain = asked_to_drain},
        .heartbeat_ms = (uint32_t)heartbeat_ms, .map_rows = !no_mapping, .takes_cut_rows = !whole_rows,
    };
    return modelds_join(&all, l, joins.items, joins.n_items, &how, f);
}

static config *settings;
static const config_change changes[] = {{"log", log_level_changed, &level}, {0}};     /* while it runs */

static status check_settings(config *c, failure *f) {
    status st = keys_settings_choose(c, &keys_folder, &insecure, f);
    return st == STATUS_OK ? endpoint_settings_check_joins(c, &joins, keys_folder || insecure, f) : st;
}

static status read_settings(int argc, char **argv, failure *f) {
    status st = config_open(&settings, &command_line, argc, argv, f);
    return st == STATUS_OK ? check_settings(settings, f) : st;
}

int main(int argc, char **argv) {
    signals_begin(0);
    failure f = {STATUS_OK, ""};
    cpu_isa(&instructions, "auto", &f);
    status st = read_settings(argc, argv, &f);
    if (st == STATUS_NOT_FOUND) return 0;
    if (st != STATUS_OK) {
        fprintf(stderr, "samplerd: %s\n", f.message);
        return WRONG_USE;
    }

    char address[ENDPOINT_BYTES_MAX];
    log_open("samplerd", level);
    if (resources_check(join_table_n_links(joins.items, joins.n_items) + 1, &f) != STATUS_OK) die("samplerd", "%s", f.message);
    if (choose_joins(address, &f) != STATUS_OK) die("samplerd", "%s", f.message);
    signals_set(SIGNALS_HOLD);  /* from here on there is something to put in order */
    loop *l = loop_new();
    if (!l) die("samplerd", "no memory for sockets and their threads");
    if (!make_samplers()) die("samplerd", "no memory to draw in, or no threads");
    end = draining_new(&(draining_options){
        .loop = l, .patience_s = drain_s, .begin = drain_all, .is_idle = all_over});
    if (!end) die("samplerd", "no memory");
    if (join_all(l, &f) != STATUS_OK) die("samplerd", "%s", f.message);
    log_event(LOG_INFO, "ready", "pool=\"%s\" isa=%s", pool, isa_name(instructions));
    if (config_watch(settings, l, changes, check_settings) != 0) die("samplerd", "no memory");
    loop_run(l);
    draining_free(&end);
    modelds_free(&all);
    keys_close(&keyring);
    free_samplers();
    loop_free(&l);
    config_close(&settings);
    return 0;
}
