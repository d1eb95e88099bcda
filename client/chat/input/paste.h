/* What a terminal says is pasted, not typed: the bytes between two marks ("bracketed paste"). They are text: nothing
 * of them is a key. Newlines become \n, whichever they were, and control characters other than those and tabs
 * are left out. */
#ifndef TRIVIUM_PASTE_H
#define TRIVIUM_PASTE_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/status.h"

typedef struct paste paste;

/* What a terminal is told, so that it sets the marks. */
#define PASTE_MARKS_ON "\033[?2004h"
#define PASTE_MARKS_OFF "\033[?2004l"

#define PASTE_BEGIN_MARK "\033[200~"
enum { PASTE_BEGIN_BYTES = sizeof PASTE_BEGIN_MARK - 1 };

typedef enum paste_sign {
    PASTE_NOT,                  /* these are keys */
    PASTE_PERHAPS,              /* more must be read */
    PASTE_BEGINS,               /* with the first PASTE_BEGIN_BYTES of them */
} paste_sign;

paste_sign paste_sign_of(const char *bytes, size_t n_bytes);

paste *paste_new(size_t text_bytes_max);        /* NULL: no memory */
void paste_free(paste **p);                     /* NULL is fine */

void paste_begin(paste *p);                     /* the mark was read; what is left of the last one goes */
bool paste_is_open(const paste *p);
bool paste_is_ending(const paste *p);           /* its last bytes may be the beginning of the mark that ends it */
void paste_end(paste *p);                       /* without a mark: none will come */

/* What comes, up to the mark that ends it: *n_taken bytes are part of it, the others are keys.
 * STATUS_TOO_LONG (what was not taken yet passes text_bytes_max) or STATUS_NO_MEMORY, once: the text is forgotten, and
 * so is all that comes until the end. */
status paste_add(paste *p, const char *bytes, size_t n_bytes, size_t *n_taken);

/* The text that was not taken yet, and how much of it is whole lines, each with its newline. Valid until the
 * next call. NULL where it is empty. */
const char *paste_text(const paste *p, size_t *n_bytes, size_t *n_lines_bytes);
void paste_take(paste *p, size_t n_bytes);      /* the first n_bytes go */

void paste_skip(paste *p);                      /* forget the text, and what comes until the end */

#endif
