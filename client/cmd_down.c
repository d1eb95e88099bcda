#include <stdio.h>

#include "../proto/rt/options.h"
#include "../proto/rt/paths.h"
#include "commands.h"
#include "daemon.h"
#include "flags.h"
#include "outcome.h"

/* `up --keep` first: it would start again what ends. It ends its daemons itself. */
static void stop_keeper(const char *runtime) {
    daemon_process keeper;
    if (!daemon_find(runtime, KEEPER_NAME, &keeper)) return;
    daemons_stop(runtime, &keeper, 1);
    printf("ended up --keep (pid %d)\n", (int)keeper.pid);
}

static void stop_all(const char *runtime) {
    daemon_process list[DAEMONS_MAX];
    size_t n = daemons_list(runtime, list);
    daemons_stop(runtime, list, n);
    for (size_t i = 0; i < n; i++) printf("ended %s (pid %d)\n", list[i].name, (int)list[i].pid);
}

static int down(double wait_s) {
    char runtime[FOLDER_BYTES];
    int lock;
    failure f;
    if (paths_ensure_runtime(runtime, sizeof runtime, &f) != STATUS_OK ||
        daemons_lock(runtime, wait_s, &lock, &f) != STATUS_OK) {
        return outcome_failed(&f);
    }
    daemon_process list[DAEMONS_MAX];
    if (daemons_list(runtime, list) == 0) puts("nothing runs here");
    stop_keeper(runtime);
    stop_all(runtime);
    daemons_unlock(runtime, &lock);
    return EXIT_FINE;
}

int cmd_down(int argc, char **argv) {
    double wait_s = WAIT_MS / 1000.0;
    const option_row rows[] = {
        {.name = "wait", .kind = OPTION_REAL, .value_name = "S", .out = &wait_s,
         .max = WAIT_MS_MAX / 1000.0, .help = "seconds to wait for an `up` that is at work (10)"},
        {.name = NULL},
    };
    const options o = {
        .usage = "trivium down [flags]",
        .summary = "End the daemons of this runtime folder, and return when they have ended.\n\n"
                   "  trivium down",
        .tables = {rows},
    };
    size_t n_words;
    int code = flags_parse(&o, argc, argv, NULL, &n_words);
    return code >= 0 ? code : down(wait_s);
}
