/* Messages out of lines. A line is a message of its own, unless its last character is a \: that goes, and the message
 * goes on in the next line. A message that begins with """ goes on until a line ends with """. Text that was
 * pasted is taken as it is: those marks mean nothing in it. */
#ifndef TRIVIUM_COMPOSER_H
#define TRIVIUM_COMPOSER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct composer composer;

typedef enum line_kind {
    LINE_TYPED,
    LINE_PASTED,                /* the end of what was pasted, sent as it is */
    LINE_GOES_ON,               /* pasted, and followed by more: one line or several */
} line_kind;

typedef enum composer_outcome {
    COMPOSER_MORE,              /* the message goes on */
    COMPOSER_WHOLE,             /* take it with composer_take */
    COMPOSER_TOO_LONG,          /* told once: nothing is kept until the message ends, empty */
    COMPOSER_NO_MEMORY,         /* likewise */
} composer_outcome;

typedef struct composed {
    const char *text;           /* [n_bytes], then a zero; valid until the composer is used again */
    size_t n_bytes;             /* 0: nothing is said */
    bool is_line;               /* one line without marks: it may be a command */
} composed;

composer *composer_new(size_t n_bytes_max);     /* of a message; NULL: no memory */
void composer_free(composer **c);               /* NULL is fine */

/* The next line, without the newline at its end. It has no zero byte. A recalled message may have newlines
 * in it: it is as if it were pasted. */
composer_outcome composer_add(composer *c, line_kind kind, const char *text, size_t n_bytes);

/* A line that cannot be had: the message that it belongs to, if one is open, ends empty. */
void composer_spoil(composer *c);

bool composer_is_open(const composer *c);       /* a message has begun and is not whole */
bool composer_is_quoted(const composer *c);     /* … by """ */

void composer_close(composer *c);               /* a message that is open is whole now */
void composer_drop(composer *c);                /* … is forgotten */

/* The message that is whole. A line has no blanks at its ends; of a message of several lines only blank lines at
 * its beginning and blanks at its end go. */
composed composer_take(composer *c);

#endif
