#include "daemon.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "command_line.h"
#include "proto/base/clock.h"
#include "proto/base/model_name.h"
#include "proto/base/process/lockfile.h"
#include "proto/base/process/signals.h"

enum {
    PATH_BYTES = 4096,
    STOP_MS = 5000,             /* between SIGTERM and SIGKILL */
    POLL_US = 10 * 1000,
};

static void path_of(const char *runtime, const char *name, const char *suffix,
                    char out[PATH_BYTES]) {
    snprintf(out, PATH_BYTES, "%s/%s%s", runtime, name, suffix);
}

/* ---- one at a time ---- */

status daemons_lock(const char *runtime, double wait_s, int *lock, failure *f) {
    char path[PATH_BYTES];
    path_of(runtime, "up", ".lock", path);
    uint64_t deadline_ms = clock_ms() + (uint64_t)(wait_s * 1000);
    status st;
    while ((st = lockfile_take(lock, path, f)) == STATUS_BUSY && clock_ms() < deadline_ms)
        usleep(POLL_US);
    return st == STATUS_BUSY
               ? fail(f, st, "another `trivium up` or `down` is at work in %s", runtime)
               : st;
}

void daemons_unlock(const char *runtime, int *lock) {
    char path[PATH_BYTES];
    path_of(runtime, "up", ".lock", path);
    lockfile_give(lock, path);
}

/* ---- processes ---- */

/* /proc/PID/stat: the name stands between brackets and may hold any character; after it comes the
 * state, and the time of the start is the 20th field from there. */
static bool stat_read(pid_t pid, char *state, unsigned long long *started) {
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file) return false;
    size_t n = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[n] = '\0';
    const char *after = strrchr(line, ')');
    return after &&
           sscanf(after + 1,
                  " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                  state, started) == 2;
}

bool daemon_identify(pid_t pid, daemon_process *out) {
    char state;
    unsigned long long started;
    if (!stat_read(pid, &state, &started) || state == 'Z' || state == 'X') return false;
    out->pid = pid;
    out->started = started;
    return true;
}

bool daemon_alive(const daemon_process *p) {
    daemon_process now;
    return daemon_identify(p->pid, &now) && now.started == p->started;
}

/* ---- pid files and locks ---- */

status daemon_record(const char *runtime, const daemon_process *p, failure *f) {
    char path[PATH_BYTES], new_path[PATH_BYTES];
    path_of(runtime, p->name, ".pid", path);
    path_of(runtime, p->name, ".pid.new", new_path);
    FILE *file = fopen(new_path, "we");
    bool whole = file && fprintf(file, "%d %llu %s\n%s\n", (int)p->pid, p->started, p->model,
                                 p->file) > 0;
    if (file && fclose(file) != 0) whole = false;
    if (whole && rename(new_path, path) == 0) return STATUS_OK;    /* nobody reads half of it */
    return fail(f, STATUS_IO, "cannot write %s: %s", path, strerror(errno));
}

void daemon_forget(const char *runtime, const char *name) {
    char path[PATH_BYTES];
    path_of(runtime, name, ".pid", path);
    unlink(path);
}

bool daemon_last(const char *runtime, const char *name, daemon_process *out) {
    char path[PATH_BYTES], line[NAME_BYTES_MAX + 64] = "";
    path_of(runtime, name, ".pid", path);
    FILE *file = fopen(path, "re");
    if (!file) return false;
    *out = (daemon_process){0};
    bool has_line = fgets(line, sizeof line, file) != NULL;
    if (has_line && fgets(out->file, sizeof out->file, file))
        out->file[strcspn(out->file, "\n")] = '\0';
    fclose(file);
    int pid, n_read = 0;
    unsigned long long started;
    if (!has_line || sscanf(line, "%d %llu %n", &pid, &started, &n_read) < 2 || pid <= 0)
        return false;
    out->pid = pid;
    out->started = started;
    snprintf(out->name, sizeof out->name, "%s", name);
    snprintf(out->model, sizeof out->model, "%.*s", (int)strcspn(line + n_read, "\n"),
             line + n_read);
    return true;
}

bool daemon_find(const char *runtime, const char *name, daemon_process *out) {
    return daemon_last(runtime, name, out) && daemon_alive(out);
}

bool daemon_recorded(const char *runtime, const daemon_process *p) {
    daemon_process found;
    return daemon_last(runtime, p->name, &found) && found.pid == p->pid &&
           found.started == p->started;
}

void daemon_read_model(daemon_process *p) {
    failure f;
    command_line words;
    p->model[0] = '\0';
    if (!command_line_of(p->pid, &words)) return;
    const char *name = command_line_value(&words, "name");
    const char *file = command_line_value(&words, "model");
    if (name) snprintf(p->model, sizeof p->model, "%s", name);
    else if (!file || model_name_of_file(file, p->model, &f) != STATUS_OK) p->model[0] = '\0';
}

bool daemon_is_program(pid_t pid, const char *name) {
    char path[64], comm[64] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file) return false;
    if (fgets(comm, sizeof comm, file)) comm[strcspn(comm, "\n")] = '\0';
    fclose(file);
    return strcmp(comm, name) == 0 && kill(pid, 0) == 0;
}

static bool is_of_tokenizerd(const char *socket) {
    return strcmp(socket, "clients") == 0 || strcmp(socket, "models") == 0;
}

bool daemon_find_holder(const char *runtime, const char *socket, daemon_process *out) {
    char path[PATH_BYTES], digits[16] = "";
    path_of(runtime, socket, ".lock", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return false;
    bool held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    bool has_pid = held && pread(fd, digits, sizeof digits - 1, 0) > 0;
    close(fd);
    if (!has_pid || atoi(digits) <= 0) return false;
    bool is_tokenizerd = is_of_tokenizerd(socket);
    *out = (daemon_process){0};
    snprintf(out->name, sizeof out->name, "%s", is_tokenizerd ? "tokenizerd" : "modeld");
    if (!daemon_identify(atoi(digits), out) || !daemon_is_program(out->pid, out->name)) return false;
    if (!is_tokenizerd) daemon_read_model(out);
    return true;
}

static bool has_suffix(const char *name, const char *suffix, char out[DAEMON_NAME_BYTES]) {
    size_t n_name = strlen(name), n_suffix = strlen(suffix);
    if (n_name <= n_suffix || strcmp(name + n_name - n_suffix, suffix) != 0) return false;
    if (n_name - n_suffix >= DAEMON_NAME_BYTES) return false;
    memcpy(out, name, n_name - n_suffix);
    out[n_name - n_suffix] = '\0';
    return true;
}

size_t daemons_add(daemon_process list[DAEMONS_MAX], size_t n, const daemon_process *p) {
    for (size_t i = 0; i < n; i++) {
        if (list[i].pid == p->pid) return n;
    }
    if (n < DAEMONS_MAX) list[n++] = *p;
    return n;
}

/* A lock of a socket, not the one that `up` and `down` hold. */
static bool is_socket_lock(const char *name) {
    return is_of_tokenizerd(name) || strncmp(name, "samplers", strlen("samplers")) == 0;
}

size_t daemons_list(const char *runtime, daemon_process out[DAEMONS_MAX]) {
    size_t n = 0;
    DIR *folder = opendir(runtime);
    if (!folder) return 0;
    for (const struct dirent *entry; (entry = readdir(folder));) {
        char name[DAEMON_NAME_BYTES];
        daemon_process p;
        if (!has_suffix(entry->d_name, ".pid", name)) continue;
        if (daemon_find(runtime, name, &p)) n = daemons_add(out, n, &p);
    }
    rewinddir(folder);
    for (const struct dirent *entry; (entry = readdir(folder));) {
        char name[DAEMON_NAME_BYTES];
        daemon_process p;
        if (!has_suffix(entry->d_name, ".lock", name) || !is_socket_lock(name)) continue;
        if (daemon_find_holder(runtime, name, &p)) n = daemons_add(out, n, &p);
    }
    closedir(folder);
    return n;
}

size_t daemons_forget_gone(const char *runtime, const char *model) {
    size_t n = 0;
    DIR *folder = opendir(runtime);
    if (!folder) return 0;
    for (const struct dirent *entry; (entry = readdir(folder));) {
        char name[DAEMON_NAME_BYTES];
        daemon_process p = {0};
        if (!has_suffix(entry->d_name, ".pid", name) || daemon_find(runtime, name, &p)) continue;
        if (model && strcmp(p.model, model) != 0) continue;
        daemon_forget(runtime, name);
        n++;
    }
    closedir(folder);
    return n;
}

bool daemon_is_supervisor(const daemon_process *p) {
    return strncmp(p->name, SUPERVISOR_NAME, strlen(SUPERVISOR_NAME)) == 0;
}

size_t daemons_supervisors(const char *runtime) {
    daemon_process list[DAEMONS_MAX];
    size_t n = 0;
    for (size_t i = 0, n_all = daemons_list(runtime, list); i < n_all; i++)
        n += daemon_is_supervisor(&list[i]) && list[i].pid != getpid();
    return n;
}

/* ---- start ---- */

/* In the child, before exec: only calls that are safe after a fork of a process with threads. */
static _Noreturn void child_become(const char *const *argv, int log_fd, int report_fd) {
    signals_hand_on();
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (setsid() >= 0 && chdir("/") == 0 && null_fd >= 0 && dup2(null_fd, STDIN_FILENO) >= 0 &&
        dup2(log_fd, STDOUT_FILENO) >= 0 && dup2(log_fd, STDERR_FILENO) >= 0 &&
        close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC) == 0) {
        execvp(argv[0], (char *const *)argv);
    }
    int error = errno;
    ssize_t ignored = write(report_fd, &error, sizeof error);
    (void)ignored;
    _exit(127);
}

static int log_open_fresh(const char *runtime, const char *name) {
    char path[PATH_BYTES], old[PATH_BYTES];
    path_of(runtime, name, ".log", path);
    path_of(runtime, name, ".log.old", old);
    rename(path, old);          /* there may be none */
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* 0, or the errno of what went wrong, in the child too: nothing comes through the pipe once exec is
 * done. */
static int spawn(const char *const *argv, int log_fd, pid_t *pid) {
    int report[2], error = 0;
    *pid = -1;
    if (pipe2(report, O_CLOEXEC) != 0) return errno;
    *pid = fork();
    if (*pid == 0) child_become(argv, log_fd, report[1]);
    if (*pid < 0) error = errno;
    close(report[1]);
    if (*pid > 0 && read(report[0], &error, sizeof error) < 0) error = errno;
    close(report[0]);
    return error;
}

status daemon_start(const char *runtime, const char *const *argv, daemon_process *p, failure *f) {
    int log_fd = log_open_fresh(runtime, p->name);
    if (log_fd < 0)
        return fail(f, STATUS_IO, "cannot write %s/%s.log: %s", runtime, p->name, strerror(errno));
    pid_t pid;
    int error = spawn(argv, log_fd, &pid);
    close(log_fd);
    if (error) return fail(f, STATUS_IO, "cannot start %s: %s", argv[0], strerror(error));
    char state;
    p->pid = pid;
    p->started = 0;
    /* One that has ended at once, too: its log says why, and nobody ended it on purpose. */
    if (!stat_read(pid, &state, &p->started)) return STATUS_OK;
    if (daemon_record(runtime, p, f) == STATUS_OK) return STATUS_OK;
    kill(pid, SIGTERM);
    return f->code;
}

void daemon_last_words(const char *runtime, const char *name, char *out, size_t out_bytes) {
    char path[PATH_BYTES], line[1024];
    path_of(runtime, name, ".log", path);
    *out = '\0';
    FILE *file = fopen(path, "re");
    if (!file) return;
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (*line) snprintf(out, out_bytes, "%s", line);
    }
    fclose(file);
}

/* ---- stop ---- */

static bool any_alive(const daemon_process *list, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (daemon_alive(&list[i])) return true;
    }
    return false;
}

/* Again and again: a daemon that has heard SIGTERM once drains, and ends at once when it hears it again. */
static void signal_all(const daemon_process *list, size_t n, int number) {
    uint64_t deadline_ms = clock_ms() + STOP_MS;
    do {
        for (size_t i = 0; i < n; i++) {
            if (daemon_alive(&list[i])) kill(list[i].pid, number);
        }
        usleep(POLL_US);
    } while (any_alive(list, n) && clock_ms() < deadline_ms);
}

void daemons_stop(const char *runtime, const daemon_process *list, size_t n) {
    signal_all(list, n, SIGTERM);
    signal_all(list, n, SIGKILL);
    for (size_t i = 0; i < n; i++) {
        if (daemon_recorded(runtime, &list[i])) daemon_forget(runtime, list[i].name);
    }
}
