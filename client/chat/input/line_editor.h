/* Lines that somebody types at a terminal, edited by libedit, one key a turn of the loop. What is pasted is no key:
 * its lines go as they are, and its last one is edited on. While no line is edited, keys are not echoed: they
 * wait. Ctrl-Z and Ctrl-\ give the terminal back before they stop or end the program. */
#ifndef TRIVIUM_LINE_EDITOR_H
#define TRIVIUM_LINE_EDITOR_H

#include <stdbool.h>
#include <stddef.h>

#include "composer.h"
#include "proto/base/status.h"
#include "proto/net/loop.h"

typedef struct line_editor line_editor;

/* After each of the first three nothing is edited until line_editor_begin. The cursor stands at the beginning of a
 * line. */
typedef struct line_events {
    /* A line was sent, which is shown. NULL: the end, by Ctrl-D or a lost terminal. */
    void (*line)(void *context, line_kind kind, const char *line);
    /* Lines were pasted, the first of them after what was typed before; in UTF-8, without the last newline. They
     * are not shown, nor is what was typed any more. */
    void (*pasted)(void *context, const char *lines, size_t n_bytes);
    /* What is being pasted is left out, with what it was pasted into: STATUS_TOO_LONG or STATUS_NO_MEMORY. */
    void (*left_out)(void *context, status why);
    void (*key)(void *context);                     /* after line_editor_listen: a key waits */
} line_events;

/* Of stdin and stdout, both terminals. NULL: no memory. */
line_editor *line_editor_new(loop *l, const line_events *events, void *context);
void line_editor_free(line_editor **e);         /* the terminal is as it was */

/* Edit a line after this prompt, which is not empty; the cursor stands at the beginning of a line. One of the
 * events follows. While more is being pasted nothing is shown yet. */
void line_editor_begin(line_editor *e, const char *prompt, bool colour);
bool line_editor_is_editing(const line_editor *e);      /* and it is shown */

/* Ctrl-C: what was typed goes, nothing is edited any more, and the cursor stands at the beginning of a
 * line. Whether something was typed. */
bool line_editor_drop(line_editor *e);

void line_editor_skip_paste(line_editor *e);    /* what is left of it is left out */

/* What the arrow up brings back: of one line or several, not empty. */
void line_editor_remember(line_editor *e, const char *text);

/* While nothing is edited: let `key` be called, once, when a key waits. The key is the first of the
 * line that is edited next. */
void line_editor_listen(line_editor *e);

#endif
