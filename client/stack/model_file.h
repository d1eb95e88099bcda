/* A model's file: where it is, what it is called, and what it is. */
#ifndef TRIVIUM_MODEL_FILE_H
#define TRIVIUM_MODEL_FILE_H

#include <limits.h>
#include <stdbool.h>

#include "daemon.h"
#include "proto/base/limits.h"
#include "proto/base/status.h"
#include "proto/net/loop.h"

typedef struct model_file {
    char path[PATH_MAX];        /* of the file itself, without links */
    char name[NAME_BYTES_MAX + 1];  /* as it was called, without folder and .gguf */
    char state[FILE_STATE_BYTES];   /* device, inode, size and time of its last change: as long as
                                     * these stay, so do its bytes */
    char fingerprint[NAME_BYTES_MAX + 1];   /* once it was asked for */
    bool stands_in;             /* it is the embedded one, because the default one was not fetched */
} model_file;

/* $TRIVIUM_MODEL, if it is a file or chapter, the embedded one; NULL: it is a mere name, or not set. */
const char *model_file_of_environment(void);

/* `path`: a file, or chapter for the embedded model; NULL: what `make model` fetched, else the embedded one. `name`: its name, NULL: after the file. STATUS_NOT_FOUND when there
 * is no such file. */
status model_file_find(model_file *m, const char *path, const char *name, failure *f);

/* Fill in m->fingerprint, unless it is there: what modeld says of it, which reads all of it. From within
 * a handler of the loop, whose others are served meanwhile. STATUS_IO with what modeld said,
 * STATUS_CANCELLED when the loop is to end. */
status model_file_ask(model_file *m, loop *l, failure *f);

#endif
