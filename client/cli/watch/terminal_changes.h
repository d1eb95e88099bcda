/* What happens to the terminal of a program that draws: it gets another size, or somebody else has it for a while. */
#ifndef TRIVIUM_TERMINAL_CHANGES_H
#define TRIVIUM_TERMINAL_CHANGES_H

#include "proto/net/loop.h"

typedef struct terminal_changes terminal_changes;

/* Both are called from the loop: after a resize, and when the program goes on after it was stopped (Ctrl-Z, fg).
 * One at a time in a process. NULL: impossible here, nothing will be told. */
terminal_changes *terminal_changes_new(loop *l, loop_handler *resized, loop_handler *continued, void *context);

/* Tell now what the loop would tell next: before anything is drawn that counts on the terminal. NULL is fine. */
void terminal_changes_check(terminal_changes *t);

void terminal_changes_free(terminal_changes **t);       /* the signals do what they did. NULL is fine */

#endif
