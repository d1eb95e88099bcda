#include "settings.h"

#include <string.h>

static const struct {
    const char *name;
    const char *program;        /* NULL: any */
} TABLE[N_SETTINGS] = {
    [SETTING_THREADS] = {"threads", "modeld"},
    [SETTING_KV_MEMORY] = {"kv-memory", "modeld"},
    [SETTING_N_CTX] = {"n-ctx", "modeld"},
    [SETTING_ISA] = {"isa", "modeld"},
    [SETTING_DEFAULT_MODEL] = {"default-model", "tokenizerd"},
    [SETTING_LOG] = {"log", NULL},
};

static const char LOG_BY_DEFAULT[] = "info";

static bool is_for(int setting, const char *program) {
    return !TABLE[setting].program || strcmp(TABLE[setting].program, program) == 0;
}

status settings_add(const settings *s, const char *program, command_line *line, failure *f) {
    status st = STATUS_OK;
    for (int i = 0; i < N_SETTINGS && st == STATUS_OK; i++) {
        if (s->values[i] && is_for(i, program))
            st = command_line_add(line, f, "--%s=%s", TABLE[i].name, s->values[i]);
    }
    return st;
}

status settings_check(const settings *s, const char *program, pid_t pid, const char *what, const char *down,
                      failure *f) {
    command_line line;
    bool is_known = pid > 0 && command_line_of(pid, &line);
    for (int i = 0; i < N_SETTINGS; i++) {
        const char *name = TABLE[i].name, *asked = s->values[i];
        const char *holds = is_known ? command_line_value(&line, name) : NULL;
        if (!asked || i == SETTING_LOG || !is_for(i, program) || (holds && strcmp(asked, holds) == 0)) continue;
        return fail(f, STATUS_BUSY,
                    "%s runs already, with%s --%s%s%.40s: `trivium down%s%s` ends it, so that it can be started "
                    "with --%s %.40s",
                    what, holds ? "" : "out", name, holds ? " " : "", holds ? holds : "", *down ? " " : "", down, name,
                    asked);
    }
    return STATUS_OK;
}

bool settings_logs(const settings *s, pid_t pid) {
    command_line line;
    const char *asked = s->values[SETTING_LOG], *holds = NULL;
    if (!asked) return true;
    if (pid > 0 && command_line_of(pid, &line)) holds = command_line_value(&line, TABLE[SETTING_LOG].name);
    return strcmp(asked, holds ? holds : LOG_BY_DEFAULT) == 0;
}
