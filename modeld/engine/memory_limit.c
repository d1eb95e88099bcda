#include "memory_limit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 4352, LINE_BYTES = 4352 };

/* Where control groups of a version may be mounted, and the file that has a group's limit. */
typedef struct hierarchy {
    const char *folder, *file;
    bool old;                   /* version 1: "memory" is among the names of its line */
} hierarchy;

static const hierarchy HIERARCHIES[] = {
    {"/sys/fs/cgroup", "memory.max", false},
    {"/sys/fs/cgroup/unified", "memory.max", false},
    {"/sys/fs/cgroup/memory", "memory.limit_in_bytes", true},
};
enum { N_HIERARCHIES = sizeof HIERARCHIES / sizeof HIERARCHIES[0] };

/* The number that a file begins with. UINT64_MAX: there is none ("max"), or no such file. */
static uint64_t read_number(const char *path) {
    char line[32];
    FILE *file = fopen(path, "re");
    if (!file) return UINT64_MAX;
    bool digits = fgets(line, sizeof line, file) && line[0] >= '0' && line[0] <= '9';
    fclose(file);
    return digits ? strtoull(line, NULL, 10) : UINT64_MAX;
}

static uint64_t read_machine(const char *root) {
    char path[PATH_BYTES], line[LINE_BYTES];
    unsigned long long kilobytes, n_bytes = UINT64_MAX;
    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    FILE *file = fopen(path, "re");
    if (!file) return UINT64_MAX;
    while (n_bytes == UINT64_MAX && fgets(line, sizeof line, file))
        if (sscanf(line, "MemTotal: %llu kB", &kilobytes) == 1) n_bytes = kilobytes * 1024;
    fclose(file);
    return n_bytes;
}

/* "4:memory,cpu:/a/b" → "/a/b", if the line is one of this hierarchy; else NULL. Cuts the line up. */
static char *group_of(char *line, const hierarchy *h) {
    char *names = strchr(line, ':'), *group = names ? strchr(names + 1, ':') : NULL;
    if (!group) return NULL;
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    if (!h->old) return strcmp(line, "0:") == 0 ? group : NULL;
    for (char *rest = names + 1, *name; (name = strsep(&rest, ","));)
        if (strcmp(name, "memory") == 0) return group;
    return NULL;
}

/* The least limit of a group and of those above it. In a container the path may begin above what is
 * mounted there: folders that do not exist are passed over, the mount's own counts. */
static uint64_t least_above(const char *root, const hierarchy *h, char *group) {
    uint64_t least = UINT64_MAX;
    for (;;) {
        char path[2 * PATH_BYTES];
        snprintf(path, sizeof path, "%s%s%s/%s", root, h->folder, group, h->file);
        uint64_t n_bytes = read_number(path);
        if (n_bytes < least) least = n_bytes;
        char *slash = strrchr(group, '/');
        if (!slash) return least;
        *slash = '\0';
    }
}

static uint64_t read_groups(const char *root) {
    char path[PATH_BYTES], line[LINE_BYTES], copy[LINE_BYTES];
    uint64_t least = UINT64_MAX;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        for (int i = 0; i < N_HIERARCHIES; i++) {
            memcpy(copy, line, sizeof copy);
            char *group = group_of(copy, &HIERARCHIES[i]);
            uint64_t n_bytes = group ? least_above(root, &HIERARCHIES[i], group) : UINT64_MAX;
            if (n_bytes < least) least = n_bytes;
        }
    if (file) fclose(file);
    return least;
}

memory_limit memory_limit_read(const char *root) {
    uint64_t machine = read_machine(root), groups = read_groups(root);
    return groups < machine ? (memory_limit){groups, true} : (memory_limit){machine, false};
}

/* "1.5G", in the units that --kv-memory takes. */
static const char *shown(uint64_t n_bytes, char out[32]) {
    static const char units[] = "KMG";
    int unit = 0;
    double value = (double)n_bytes / 1024;
    for (; value >= 1024 && unit < 2; unit++) value /= 1024;
    snprintf(out, 32, "%.*f%c", value < 100 ? 1 : 0, value, units[unit]);
    return out;
}

status memory_limit_share(const memory_limit *l, uint64_t weight_bytes, uint64_t *kv_bytes,
                          failure *f) {
    char kv[32], weights[32], all[32];
    const char *whose = l->of_group ? "that the control group of this process allows"
                                    : "that this machine has";
    if (weight_bytes >= l->n_bytes)
        return fail(f, STATUS_NO_MEMORY, "the weights take %s, which is not less than the %s %s",
                    shown(weight_bytes, weights), shown(l->n_bytes, all), whose);
    uint64_t rest = l->n_bytes - weight_bytes;
    if (*kv_bytes == 0) *kv_bytes = rest / 2 < KV_BYTES_DEFAULT ? rest / 2 : KV_BYTES_DEFAULT;
    if (*kv_bytes <= rest) return STATUS_OK;
    return fail(f, STATUS_NO_MEMORY,
                "--kv-memory is %s, and with %s for the weights that is more than the %s %s",
                shown(*kv_bytes, kv), shown(weight_bytes, weights), shown(l->n_bytes, all), whose);
}
