/* A file that one process at a time holds; it names the holder's pid. The kernel gives the lock up
 * when the holder dies, however it dies. */
#ifndef TRIVIUM_LOCKFILE_H
#define TRIVIUM_LOCKFILE_H

#include "proto/base/status.h"

/* Make the file where it is missing, and hold it: *fd (closed on exec) stands for the lock.
 * STATUS_BUSY: another holds it, for half a second at least; its pid is in the
 * sentence. STATUS_IO: the file cannot be made. */
status lockfile_take(int *fd, const char *path, failure *f);

/* Remove the file and give the lock up; *fd = -1. An *fd of -1 is fine. */
void lockfile_give(int *fd, const char *path);

#endif
