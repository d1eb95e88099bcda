#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char path[512];

static void must(int ok) {
    if (ok) return;
    perror(path);
    exit(1);
}

static void remove_it(void) {
    unlink(path);
}

const char *scratch_path(void) {
    if (path[0]) return path;
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/trivium-test-XXXXXX", folder ? folder : "/tmp");
    int fd = mkstemp(path);
    must(fd >= 0 && close(fd) == 0 && atexit(remove_it) == 0);
    return path;
}

void scratch_write(const void *bytes, size_t n_bytes) {
    FILE *file = fopen(scratch_path(), "wb");
    must(file != NULL);
    must(n_bytes == 0 || fwrite(bytes, 1, n_bytes, file) == n_bytes);
    must(fclose(file) == 0);
}

uint8_t *scratch_read(size_t *n_bytes) {
    FILE *file = fopen(scratch_path(), "rb");
    must(file && fseek(file, 0, SEEK_END) == 0);
    long end = ftell(file);
    must(end >= 0 && fseek(file, 0, SEEK_SET) == 0);
    uint8_t *bytes = malloc((size_t)end + 1);
    must(bytes && fread(bytes, 1, (size_t)end, file) == (size_t)end);
    must(fclose(file) == 0);
    *n_bytes = (size_t)end;
    return bytes;
}
