/* What a chat shows on stdout, in order. On a terminal nothing is written into a line that is being edited:
 * it is held until that is done; and words of a reply are whole. */
#ifndef TRIVIUM_SCREEN_H
#define TRIVIUM_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#include "client/cli/output.h"
#include "input/line_editor.h"

typedef struct screen screen;

/* Both are borrowed; `editor` is NULL where input or output is no terminal. NULL: no memory. */
screen *screen_new(output *out, const line_editor *editor);
void screen_free(screen **s);                   /* NULL is fine */

/* All of these: STATUS_NO_MEMORY. */

status screen_show(screen *s, const char *bytes, size_t n_bytes);
status screen_show_text(screen *s, const char *text);
status screen_show_prompt(screen *s, const char *prompt);   /* bold, with colour */
/* What somebody says: its first line after `prompt`, the others after `more_prompt`. On a terminal there is
 * nothing in it that the terminal would obey. */
status screen_show_said(screen *s, const char *prompt, const char *more_prompt, const char *text, size_t n_bytes);
status screen_show_new_line(screen *s);         /* unless the cursor stands at the beginning of one */

/* A word to whoever chats: on a terminal on lines of its own, set apart; else on stderr. */
status screen_tell(screen *s, const char *sentence);

/* A reply follows: `prompt`, if it is not empty, stands before its first word on a terminal. Borrowed. */
void screen_begin_reply(screen *s, const char *prompt);
/* More of it, or its end. On a terminal there is nothing in it that the terminal would obey. */
status screen_show_reply(screen *s, const char *bytes, size_t n_bytes, bool is_end);

/* The line that was being edited is done, and the cursor at the beginning of one: what was held is shown. */
status screen_release(screen *s);

bool screen_has_colour(const screen *s);
bool screen_is_at_line_start(const screen *s);  /* when all is written */

#endif
