/* A file that gets its name when all of it is written: until then, and where that fails, what was there stays. */
#ifndef TRIVIUM_WHOLE_FILE_H
#define TRIVIUM_WHOLE_FILE_H

#include <stdio.h>

#include "proto/base/status.h"

typedef struct whole_file whole_file;

/* Links are followed, and a file that is replaced keeps its mode. STATUS_IO: nothing can be written there, or what is
 * there is no file, as a folder or a device; STATUS_NO_MEMORY. *out is then NULL. */
status whole_file_begin(whole_file **out, const char *path, failure *f);

FILE *whole_file_stream(const whole_file *w);   /* to write to; borrowed */

/* Give it its name, and free it in either case. STATUS_IO: something could not be written. */
status whole_file_finish(whole_file **w, failure *f);

void whole_file_drop(whole_file **w);           /* leave no file. NULL is fine */

#endif
