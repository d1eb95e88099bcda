#include "model_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/model_name.h"
#include "proto/base/process/paths.h"

static const char DEFAULT_MODEL[] = "SmolLM2-135M-Instruct.Q4_1.gguf", EMBEDDED_MODEL[] = "chapter";

/* ---- where it is ---- */

const char *model_file_of_environment(void) {
    const char *model = getenv("TRIVIUM_MODEL");
    return model && (strcmp(model, EMBEDDED_MODEL) == 0 || model_name_is_file(model)) ? model : NULL;
}

/* Where `make model` puts it, else, when it has not, the embedded one: true. */
static bool default_path(char out[PATH_MAX]) {
    failure f;
    const char *cache = getenv("TRIVIUM_CACHE"), *caches = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache) snprintf(out, PATH_MAX, "%s/%s", cache, DEFAULT_MODEL);
    else if (caches && *caches) snprintf(out, PATH_MAX, "%s/trivium/%s", caches, DEFAULT_MODEL);
    else snprintf(out, PATH_MAX, "%s/.cache/trivium/%s", home ? home : "", DEFAULT_MODEL);
    char embedded[PATH_MAX];
    if (access(out, F_OK) == 0 || paths_model(EMBEDDED_MODEL, embedded, sizeof embedded, &f) != STATUS_OK)
        return false;
    snprintf(out, PATH_MAX, "%s", embedded);
    return true;
}

static void state_of(const struct stat *info, char out[FILE_STATE_BYTES]) {
    snprintf(out, FILE_STATE_BYTES, "%llx:%llx:%llx:%llx.%lx", (unsigned long long)info->st_dev,
             (unsigned long long)info->st_ino, (unsigned long long)info->st_size,
             (unsigned long long)info->st_ctim.tv_sec, (unsigned long)info->st_ctim.tv_nsec);
}

status model_file_find(model_file *m, const char *path, const char *name, failure *f) {
    char named[PATH_MAX];
    struct stat info;
    *m = (model_file){0};
    if (!path) m->stands_in = default_path(named);
    else if (paths_model(path, named, sizeof named, f) != STATUS_OK) return f->code;
    if (!realpath(named, m->path) || stat(m->path, &info) != 0) {
        return fail(f, STATUS_NOT_FOUND,
                    "there is no model at %s: `make model` fetches one, --model names another",
                    named);
    }
    state_of(&info, m->state);
    if (!name) return model_name_of_file(named, m->name, f);
    snprintf(m->name, sizeof m->name, "%s", name);
    return model_name_check(name, f);
}

/* ---- what it is ---- */

/* Start a program with stdout and stderr to `out`; a Ctrl-C ends it, too, unless it is ignored here. 0, or an
 * errno. */
static int start(const char *const argv[], int out, pid_t *pid) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&how);
    int error = posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    if (!error) error = posix_spawn_file_actions_adddup2(&files, out, STDERR_FILENO);
    if (!error) error = posix_spawnattr_setsigmask(&how, &none);
    if (!error) error = posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK);
    if (!error) error = posix_spawnp(pid, argv[0], &files, &how, (char *const *)argv, environ);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

/* The last line that comes from `fd` until its end, as far as it fits. False: the loop is to end
 * before that. */
static bool hear(loop *l, int fd, char *line, size_t line_bytes) {
    char piece[1024];
    size_t n_line = 0;
    bool is_over = false;       /* the line that we have: another one may follow */
    for (;;) {
        if (!loop_wait_readable(l, fd)) return false;
        ssize_t n = read(fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        for (ssize_t i = 0; i < n; i++) {
            if (is_over && piece[i] != '\n') n_line = 0;
            is_over = piece[i] == '\n';
            if (!is_over && n_line < line_bytes - 1) line[n_line++] = piece[i];
        }
    }
    line[n_line] = '\0';
    return true;
}

/* The last line of what a program says, "" when it says nothing; *code: its exit code, -1 when a
 * signal ended it. STATUS_IO, STATUS_CANCELLED when the loop is to end. */
static status run(loop *l, const char *const argv[], char *line, size_t line_bytes, int *code,
                  failure *f) {
    int ends[2], ended;
    pid_t pid;
    *code = -1;
    if (pipe2(ends, O_CLOEXEC) != 0) return fail(f, STATUS_IO, "no pipe: %s", strerror(errno));
    int error = start(argv, ends[1], &pid);
    close(ends[1]);
    bool heard = !error && hear(l, ends[0], line, line_bytes);
    close(ends[0]);
    if (error) return fail(f, STATUS_IO, "cannot start %s: %s", argv[0], strerror(error));
    if (!heard) kill(pid, SIGKILL);
    while (waitpid(pid, &ended, 0) < 0 && errno == EINTR) {}
    if (WIFEXITED(ended)) *code = WEXITSTATUS(ended);
    return heard ? STATUS_OK : fail(f, STATUS_CANCELLED, "interrupted");
}

status model_file_ask(model_file *m, loop *l, failure *f) {
    if (*m->fingerprint) return STATUS_OK;
    char program[PATH_MAX], file[PATH_MAX + 16], line[400];
    const char *const argv[] = {program, file, "--fingerprint", NULL};
    int code;
    if (paths_program("modeld", program, sizeof program, f) != STATUS_OK) return f->code;
    snprintf(file, sizeof file, "--model=%s", m->path);
    status st = run(l, argv, line, sizeof line, &code, f);
    if (st != STATUS_OK) return st;
    if (code != 0 || strlen(line) >= sizeof m->fingerprint || !*line)
        return fail(f, STATUS_IO, "%s", *line ? line : "modeld does not say what the file is");
    memcpy(m->fingerprint, line, strlen(line) + 1);
    return STATUS_OK;
}
