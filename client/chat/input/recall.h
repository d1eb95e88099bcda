/* What the arrow up brings back: what was typed in this chat, and in those before it as far as a file keeps it. */
#ifndef TRIVIUM_RECALL_H
#define TRIVIUM_RECALL_H

#include "line_editor.h"

typedef struct recall recall;

/* `tell` hears once why nothing is kept; the chat goes on without. `editor` is borrowed. NULL: no memory. */
recall *recall_new(line_editor *editor, void (*tell)(void *context, const char *sentence), void *context);
void recall_free(recall **r);                   /* NULL is fine */

void recall_add(recall *r, const char *text);   /* one line or several; an empty text is none */

#endif
