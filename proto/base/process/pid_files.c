#include "pid_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "paths.h"

enum { FOLDER_BYTES = 3072 };

/* The pid that such a file begins with; 0: it has none. */
static int pid_of(int folder, const char *name) {
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), pid = 0;
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (file && fscanf(file, "%d", &pid) != 1) pid = 0;
    if (file) fclose(file);
    else if (fd >= 0) close(fd);
    return pid;
}

void pid_files_forget_own(void) {
    char path[FOLDER_BYTES];
    failure f;
    DIR *folder = paths_runtime(path, sizeof path, &f) == STATUS_OK ? opendir(path) : NULL;
    if (!folder) return;
    for (const struct dirent *entry; (entry = readdir(folder));) {
        const char *suffix = strrchr(entry->d_name, '.');
        if (suffix && strcmp(suffix, ".pid") == 0 && pid_of(dirfd(folder), entry->d_name) == getpid())
            unlinkat(dirfd(folder), entry->d_name, 0);
    }
    closedir(folder);
}
