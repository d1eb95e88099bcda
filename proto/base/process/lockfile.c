#include "lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The last holder may have removed the file between our opening and our locking it: then what we
 * hold has no name any more, and the next process would make another file and hold that. */
static bool still_named(int fd, const char *path) {
    struct stat held, named;
    return fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_dev == named.st_dev &&
           held.st_ino == named.st_ino;
}

/* A holder that was killed is gone only when the last of its threads is: a lock is asked for again
 * for a moment before it counts as held. 0, or -1 with errno. */
static int lock_soon(int fd) {
    enum { TRIES = 50, PAUSE_MS = 10 };
    for (int i = 0; i < TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) return 0;
        if (errno != EWOULDBLOCK) return -1;
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000 * 1000}, NULL);
    }
    errno = EWOULDBLOCK;
    return -1;
}

static status refuse_held(int fd, const char *path, failure *f) {
    char pid[16] = "";
    ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
    if (n > 0) pid[strspn(pid, "0123456789")] = 0;
    return fail(f, STATUS_BUSY, "%s is held by another process (pid %s)", path, *pid ? pid : "?");
}

status lockfile_take(int *out, const char *path, failure *f) {
    for (;;) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0) return fail(f, STATUS_IO, "cannot make %s: %s", path, strerror(errno));
        if (lock_soon(fd) != 0) {
            status st = errno == EWOULDBLOCK
                            ? refuse_held(fd, path, f)
                            : fail(f, STATUS_IO, "cannot lock %s: %s", path, strerror(errno));
            close(fd);
            return st;
        }
        if (still_named(fd, path)) {
            if (ftruncate(fd, 0) != 0 || dprintf(fd, "%d\n", (int)getpid()) < 0) {
                fail(f, STATUS_IO, "cannot write %s: %s", path, strerror(errno));
                unlink(path);
                close(fd);
                return f->code;
            }
            *out = fd;
            return STATUS_OK;
        }
        close(fd);
    }
}

void lockfile_give(int *fd, const char *path) {
    if (*fd < 0) return;
    unlink(path); /* while the lock is held: nobody else's file can be there */
    close(*fd);
    *fd = -1;
}
