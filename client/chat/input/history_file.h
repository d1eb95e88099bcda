/* What was typed into chats, kept in a file: one JSON string a line, the oldest first. Chats that run side by side
 * lose nothing of each other's. The file and the folders that are made for it are the user's alone. */
#ifndef TRIVIUM_HISTORY_FILE_H
#define TRIVIUM_HISTORY_FILE_H

#include "proto/base/status.h"

typedef struct history_file history_file;

enum {
    HISTORY_ENTRIES_MAX = 1000,
    HISTORY_ENTRY_BYTES_MAX = 64 * 1024,        /* what is longer is not kept */
};

/* What TRIVIUM_HISTORY names, else trivium/chat_history in $XDG_STATE_HOME or ~/.local/state; a file that is not there
 * is made. STATUS_OK with *out NULL: TRIVIUM_HISTORY is empty, or there is no home. STATUS_IO: it cannot be used (a
 * link, a pipe, somebody else's are not), STATUS_NO_MEMORY. */
status history_file_open(history_file **out, failure *f);
void history_file_close(history_file **h);      /* NULL is fine */

/* Tell each entry, at most the last HISTORY_ENTRIES_MAX; what is older leaves the file. A line that is none is passed
 * over. STATUS_IO, STATUS_NO_MEMORY. */
status history_file_read(history_file *h, void (*entry)(void *context, const char *text), void *context,
                         failure *f);

status history_file_add(history_file *h, const char *text, failure *f);     /* STATUS_IO, STATUS_NO_MEMORY */

#endif
