/* The newest step of a text that is watched, drawn over the one before, below the end of the text. */
#ifndef TRIVIUM_WATCH_SCREEN_H
#define TRIVIUM_WATCH_SCREEN_H

#include <stdbool.h>
#include <stdio.h>

#include "client/lib/watch.h"

typedef struct watch_screen watch_screen;

watch_screen *watch_screen_new(int fd, bool colour);    /* of this terminal; NULL: no memory */
void watch_screen_free(watch_screen **s);               /* NULL is fine */

/* One step more, copied. `follows`: none is missing before it. STATUS_NO_MEMORY. */
status watch_screen_add(watch_screen *s, const watch_trace *trace, bool follows);

/* What was drawn fits no longer, because the terminal has another size; or it is out of reach, because something
 * else was written since: then the next drawing begins below that. */
void watch_screen_resized(watch_screen *s);
void watch_screen_left(watch_screen *s);

bool watch_screen_is_due(const watch_screen *s);        /* something is to be drawn */

/* Print what draws it, as wide as the terminal is now. STATUS_NO_MEMORY. */
status watch_screen_draw(watch_screen *s, FILE *to);

#endif
