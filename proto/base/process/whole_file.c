#include "whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODE_BITS = 0777 };

struct whole_file {
    char *path;                 /* as it was asked for */
    char *place;                /* what it leads to */
    char *partial;              /* beside that, until it is whole; NULL: nothing of ours is there */
    FILE *to;
};

static status cannot_write(const char *path, int why, failure *f) {
    return fail(f, STATUS_IO, "cannot write %s: %s", path, strerror(why));
}

void whole_file_drop(whole_file **out) {
    whole_file *w = *out;
    if (!w) return;
    *out = NULL;
    if (w->to) fclose(w->to);
    if (w->partial) unlink(w->partial);
    free(w->partial);
    free(w->place);
    free(w->path);
    free(w);
}

static status paths_take(whole_file *w, const char *path, failure *f) {
    w->path = strdup(path);
    w->place = realpath(path, NULL);
    if (!w->place) w->place = strdup(path);     /* nothing is there yet */
    return w->path && w->place ? STATUS_OK : fail(f, STATUS_NO_MEMORY, "no memory for a file's name");
}

/* Its name is of this process: what has it is of one that ended in the middle, and had the same number. */
static status partial_open(whole_file *w, mode_t mode, failure *f) {
    if (asprintf(&w->partial, "%s.%d.tmp", w->place, (int)getpid()) < 0) {
        w->partial = NULL;
        return fail(f, STATUS_NO_MEMORY, "no memory for a file's name");
    }
    unlink(w->partial);
    int fd = open(w->partial, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd >= 0 && (mode == 0 || fchmod(fd, mode) == 0) && (w->to = fdopen(fd, "w"))) return STATUS_OK;
    cannot_write(w->path, errno, f);
    if (fd >= 0) {
        close(fd);
        unlink(w->partial);
    }
    free(w->partial);
    w->partial = NULL;
    return f->code;
}

static status begin(whole_file *w, const char *path, failure *f) {
    struct stat there;
    status st = paths_take(w, path, f);
    if (st != STATUS_OK) return st;
    bool is_there = stat(w->place, &there) == 0;
    if (is_there && S_ISDIR(there.st_mode)) return cannot_write(path, EISDIR, f);
    if (is_there && !S_ISREG(there.st_mode)) return fail(f, STATUS_IO, "cannot write %s: it is no file", path);
    return partial_open(w, is_there ? there.st_mode & MODE_BITS : 0, f);
}

status whole_file_begin(whole_file **out, const char *path, failure *f) {
    *out = calloc(1, sizeof **out);
    status st = *out ? begin(*out, path, f) : fail(f, STATUS_NO_MEMORY, "no memory for a file");
    if (st != STATUS_OK) whole_file_drop(out);
    return st;
}

FILE *whole_file_stream(const whole_file *w) {
    return w->to;
}

/* Of a write that failed before, errno is gone: closing tries once more. */
static int close_whole(whole_file *w) {
    bool has_failed = ferror(w->to);
    int why = fclose(w->to) == 0 ? 0 : errno;
    w->to = NULL;
    return why == 0 && has_failed ? EIO : why;
}

status whole_file_finish(whole_file **out, failure *f) {
    whole_file *w = *out;
    int why = close_whole(w);
    if (why == 0 && rename(w->partial, w->place) != 0) why = errno;
    status st = why == 0 ? STATUS_OK : cannot_write(w->path, why, f);
    if (why == 0) {
        free(w->partial);
        w->partial = NULL;
    }
    whole_file_drop(out);
    return st;
}
