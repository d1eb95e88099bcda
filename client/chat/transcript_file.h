/* A transcript as a file: each message a line {"role": "user", "content": "…"}, the system message first. */
#ifndef TRIVIUM_TRANSCRIPT_FILE_H
#define TRIVIUM_TRANSCRIPT_FILE_H

#include "transcript.h"

/* Every message, forgotten ones too, to a file that is then whole, or as it was before. STATUS_BAD_REQUEST: there is
 * such a file, which is no conversation, and stays as it is. STATUS_IO, STATUS_NO_MEMORY. */
status transcript_save(const transcript *c, const char *path, failure *f);

/* What such a file says. Other keys of a line are not read, and empty lines are none. NULL: `f` names the file,
 * the line and what is wrong with it. STATUS_BAD_REQUEST, STATUS_NOT_UTF8, STATUS_TOO_LONG, STATUS_IO,
 * STATUS_NO_MEMORY. */
transcript *transcript_load(const char *path, failure *f);

#endif
