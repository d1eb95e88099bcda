#include "paths.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* snprintf's answer: a path that was cut is refused, never used. */
static status check_fit(int n, size_t out_bytes, failure *f) {
    if (n >= 0 && (size_t)n < out_bytes) return STATUS_OK;
    return fail(f, STATUS_TOO_LONG,
                "a path is longer than %zu bytes: set a shorter XDG_RUNTIME_DIR", out_bytes - 1);
}

status paths_runtime(char *out, size_t out_bytes, failure *f) {
    const char *base = getenv("XDG_RUNTIME_DIR");
    int n = base && base[0] == '/'
                ? snprintf(out, out_bytes, "%s/trivium", base)
                : snprintf(out, out_bytes, "/tmp/trivium-%u", (unsigned)geteuid());
    return check_fit(n, out_bytes, f);
}

status paths_check_runtime(char *out, size_t out_bytes, failure *f) {
    status st = paths_runtime(out, out_bytes, f);
    if (st != STATUS_OK) return st;
    struct stat info;
    if (lstat(out, &info) != 0)
        return errno == ENOENT ? STATUS_OK : fail(f, STATUS_IO, "cannot look at the runtime folder %s: %s", out, strerror(errno));
    if (!S_ISDIR(info.st_mode)) return fail(f, STATUS_IO, "%s is not a folder", out);
    if (info.st_uid != geteuid())
        return fail(f, STATUS_IO, "the runtime folder %s belongs to another user (uid %u)", out,
                    (unsigned)info.st_uid);
    if (info.st_mode & 077)
        return fail(f, STATUS_IO, "other users may enter the runtime folder %s: chmod 700 %s", out,
                    out);
    return STATUS_OK;
}

status paths_ensure_runtime(char *out, size_t out_bytes, failure *f) {
    status st = paths_runtime(out, out_bytes, f);
    if (st != STATUS_OK) return st;
    if (mkdir(out, 0700) != 0 && errno != EEXIST)
        return fail(f, STATUS_IO, "cannot make the runtime folder %s: %s", out, strerror(errno));
    return paths_check_runtime(out, out_bytes, f);
}

status paths_endpoint(const char *name, char *out, size_t out_bytes, failure *f) {
    char folder[4096];
    status st = paths_runtime(folder, sizeof folder, f);
    if (st != STATUS_OK) return st;
    return check_fit(snprintf(out, out_bytes, "ipc://%s/%s", folder, name), out_bytes, f);
}

/* The folder of the running program; false: the kernel does not say. */
static bool program_folder(char out[4096]) {
    ssize_t n = readlink("/proc/self/exe", out, 4095);
    if (n <= 0) return false;
    out[n] = 0;
    *strrchr(out, '/') = 0; /* the kernel's answer is absolute */
    return true;
}

status paths_program(const char *name, char *out, size_t out_bytes, failure *f) {
    char folder[4096];
    if (program_folder(folder)) {
        int n_path = snprintf(out, out_bytes, "%s/%s", folder, name);
        if (n_path > 0 && (size_t)n_path < out_bytes && access(out, X_OK) == 0) return STATUS_OK;
    }
    return check_fit(snprintf(out, out_bytes, "%s", name), out_bytes, f);
}

status paths_model(const char *asked, char *out, size_t out_bytes, failure *f) {
    static const char *const places[] = {"", "../share/trivium/"};
    char folder[4096];
    if (!*asked)
        return fail(f, STATUS_BAD_REQUEST,
                    "the model's path is empty: name a GGUF file, or chapter for the embedded model");
    if (strcmp(asked, "chapter") != 0)
        return check_fit(snprintf(out, out_bytes, "%s", asked), out_bytes, f);
    for (int i = 0; i < 2 && program_folder(folder); i++) {
        int n_path = snprintf(out, out_bytes, "%s/%schapter.gguf", folder, places[i]);
        if (n_path > 0 && (size_t)n_path < out_bytes && access(out, R_OK) == 0) return STATUS_OK;
    }
    return fail(f, STATUS_NOT_FOUND, "the embedded model, chapter.gguf, is not beside this program");
}
