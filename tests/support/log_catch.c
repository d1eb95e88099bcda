#include "log_catch.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scratch.h"

static int kept = -1;       /* stderr, meanwhile */

void log_catch(const char *daemon, log_level level) {
    log_catch_end();
    int file = open(scratch_path(), O_WRONLY | O_TRUNC | O_APPEND | O_CLOEXEC);
    kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    if (file < 0 || kept < 0 || dup2(file, STDERR_FILENO) < 0) {
        perror(scratch_path());
        exit(1);
    }
    close(file);
    log_open(daemon, level);
}

void log_catch_end(void) {
    if (kept < 0) return;
    log_open("trivium", LOG_ERROR);
    dup2(kept, STDERR_FILENO);
    close(kept);
    kept = -1;
}

const char *log_caught(void) {
    static char lines[64 * 1024];
    size_t n_bytes;
    uint8_t *bytes = scratch_read(&n_bytes);
    snprintf(lines, sizeof lines, "%.*s", (int)n_bytes, (const char *)bytes);
    free(bytes);
    return lines;
}

size_t log_caught_times(const char *words) {
    size_t n = 0;
    for (const char *at = log_caught(); (at = strstr(at, words)); at += strlen(words)) n++;
    return n;
}
