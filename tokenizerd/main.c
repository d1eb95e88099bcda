/* tokenizerd: the front door. Text comes in, ids go out to modelds, and text goes back as it is
 * written. */
#include <stdio.h>

#include "proto/base/limits.h"
#include "proto/base/log.h"
#include "proto/base/options.h"
#include "proto/base/process/paths.h"
#include "proto/base/process/resources.h"
#include "proto/base/process/signals.h"
#include "proto/net/config_watch.h"
#include "proto/net/endpoint/endpoint_settings.h"
#include "proto/net/hello.h"
#include "proto/net/keys/keys.h"
#include "proto/net/keys/keys_settings.h"
#include "tokenizerd/serve/service.h"

enum { WRONG_USE = 2 };

static const char *bind_clients, *bind_models;
static const char *name = "tokenizerd";
static const char *default_model;
static uint64_t heartbeat_ms = HEARTBEAT_MS;
static const char *keys_folder;
static double drain_s = DRAIN_MS / 1000.0;
static bool insecure;
static uint64_t texts_an_owner, calls_an_owner, watches_an_owner, bytes_an_owner;
static log_level level = LOG_INFO;

static const option_row flags[] = {
    {.name = "bind-clients", .kind = OPTION_TEXT, .value_name = "ENDPOINT", .out = &bind_clients,
     .help = "where clients connect (ipc://RUNTIME/clients)"},
    {.name = "bind-models", .kind = OPTION_TEXT, .value_name = "ENDPOINT", .out = &bind_models,
     .help = "where modelds join (ipc://RUNTIME/models)"},
    {.name = "name", .kind = OPTION_CALL, .value_name = "NAME", .out = &name, .take = hello_take_name,
     .out_bytes = sizeof name, .help = "how it is called in status (tokenizerd)"},
    {.name = "default-model", .kind = OPTION_CALL, .value_name = "NAME", .out = &default_model,
     .take = hello_take_name, .out_bytes = sizeof default_model,
     .help = "the model of requests that name none (the one that joined first)"},
    {.name = "heartbeat-ms", .kind = OPTION_UINT, .value_name = "N", .out = &heartbeat_ms,
     .min = HEARTBEAT_MS_MIN, .max = HEARTBEAT_MS_MAX, .help = "time between signs of life (500)"},
    {.name = "keys", .kind = OPTION_TEXT, .value_name = "DIR", .out = &keys_folder,
     .help = "the folder of keys for tcp endpoints ($TRIVIUM_KEYS)"},
    {.name = "drain", .kind = OPTION_REAL, .value_name = "S", .out = &drain_s, .max = DRAIN_MS_MAX / 1000.0,
     .help = "seconds in which what is under way may end after SIGTERM; 0: at once (30)"},
    {.name = "insecure", .kind = OPTION_FLAG, .out = &insecure,
     .help = "tcp endpoints without keys: whoever reaches them is let in"},
    {.name = "texts-an-owner", .kind = OPTION_UINT, .value_name = "N", .out = &texts_an_owner, .min = 1, .max = REQUESTS_MAX,
     .help = "texts that one owner may have written at a time (its share: three quarters of all)"},
    {.name = "calls-an-owner", .kind = OPTION_UINT, .value_name = "N", .out = &calls_an_owner, .min = 1, .max = CALLS_MAX,
     .help = "the same of calls: tokenize, score, probe, … (its share)"},
    {.name = "watches-an-owner", .kind = OPTION_UINT, .value_name = "N", .out = &watches_an_owner, .min = 1, .max = WATCHES_MAX,
     .help = "texts that one owner may watch at a time (its share)"},
    {.name = "bytes-an-owner", .kind = OPTION_UINT, .value_name = "N", .out = &bytes_an_owner, .min = 1, .max = UINT32_MAX,
     .help = "bytes that an owner's texts and calls may hold here together (its share)"},
    {.name = "log", .kind = OPTION_CALL, .value_name = "LEVEL", .out = &level, .take = log_take_level,
     .out_bytes = sizeof level, .help = "quiet, error, info or debug (info)"},
    {0},
};

static const options command_line = {
    .usage = "tokenizerd [flags]",
    .summary = "Turns text into ids and ids into text, for the modelds that join it and the\n"
               "clients that connect. It needs no model file: modelds bring their vocabularies.\n"
               "Example: tokenizerd --bind-models tcp://127.0.0.1:5556 --keys /etc/trivium/keys",
    .tables = {flags},
};

/* The endpoint called `which` in our runtime folder, unless *bind names another one. */
static status choose_endpoint(const char **bind, const char *which,
                              char address[ENDPOINT_BYTES_MAX], failure *f) {
    char folder[ENDPOINT_BYTES_MAX];
    if (*bind) return STATUS_OK;
    status st = paths_ensure_runtime(folder, sizeof folder, f);
    if (st == STATUS_OK) st = paths_endpoint(which, address, ENDPOINT_BYTES_MAX, f);
    *bind = address;
    return st;
}

static config *settings;

static status check_settings(config *c, failure *f) {
    status st = keys_settings_choose(c, &keys_folder, &insecure, f);
    bool is_guarded = keys_folder || insecure;
    if (st == STATUS_OK) st = endpoint_settings_check_bind(c, "bind-clients", bind_clients, is_guarded, f);
    return st == STATUS_OK ? endpoint_settings_check_bind(c, "bind-models", bind_models, is_guarded, f) : st;
}

static status read_settings(int argc, char **argv, failure *f) {
    status st = config_open(&settings, &command_line, argc, argv, f);
    return st == STATUS_OK ? check_settings(settings, f) : st;
}

static owner_limits limits_now(void) {
    return (owner_limits){texts_an_owner, calls_an_owner, watches_an_owner, bytes_an_owner};
}

/* ---- what can change while it runs ---- */

static service *serving;

static void default_model_changed(void *unused) {
    (void)unused;
    service_set_default_model(serving, default_model);
}

static void limits_changed(void *unused) {
    (void)unused;
    const owner_limits limits = limits_now();
    service_set_limits(serving, &limits);
}

static const config_change changes[] = {
    {"log", log_level_changed, &level},
    {"default-model", default_model_changed, NULL},
    {"texts-an-owner", limits_changed, NULL},
    {"calls-an-owner", limits_changed, NULL},
    {"watches-an-owner", limits_changed, NULL},
    {"bytes-an-owner", limits_changed, NULL},
    {0},
};

int main(int argc, char **argv) {
    signals_begin(0);
    resources_give_back();
    failure f = {STATUS_OK, ""};
    status st = read_settings(argc, argv, &f);
    if (st == STATUS_NOT_FOUND) return 0;
    if (st != STATUS_OK) {
        fprintf(stderr, "tokenizerd: %s\n", f.message);
        return WRONG_USE;
    }

    char clients[ENDPOINT_BYTES_MAX], models[ENDPOINT_BYTES_MAX];
    log_open("tokenizerd", level);
    if (resources_check(2, &f) != STATUS_OK) die("tokenizerd", "%s", f.message);
    st = choose_endpoint(&bind_clients, "clients", clients, &f);
    if (st == STATUS_OK) st = choose_endpoint(&bind_models, "models", models, &f);
    if (st != STATUS_OK) die("tokenizerd", "%s", f.message);
    signals_set(SIGNALS_HOLD);  /* from here on there is something to put in order */
    loop *l = loop_new();
    if (!l) die("tokenizerd", "no memory for sockets and their threads");
    keys *keyring = NULL;
    if (keys_open(&keyring, keys_folder, l, &f) != STATUS_OK) die("tokenizerd", "%s", f.message);
    service_options wiring = {
        .name = name,
        .bind_clients = bind_clients,
        .bind_models = bind_models,
        .default_model = default_model,
        .heartbeat_ms = (uint32_t)heartbeat_ms,
        .keys = keyring,
        .drain_s = drain_s,
        .insecure = insecure,
        .limits = limits_now(),
    };
    if (service_new(&serving, l, &wiring, &f) != STATUS_OK) die("tokenizerd", "%s", f.message);
    log_event(LOG_INFO, "ready", "clients=%s models=%s", service_clients_at(serving), service_models_at(serving));
    if (config_watch(settings, l, changes, check_settings) != 0) die("tokenizerd", "no memory");
    loop_run(l);
    service_free(&serving);
    keys_close(&keyring);
    loop_free(&l);
    config_close(&settings);
    return 0;
}
