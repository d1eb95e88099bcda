/* The text of a line of --input, from what the line asks for to its result. */
#ifndef TRIVIUM_LINE_TEXT_H
#define TRIVIUM_LINE_TEXT_H

#include "client/cli/batch/batch.h"
#include "generate_flags.h"

typedef struct line_text line_text;

/* What the texts of one batch have in common. */
typedef struct line_text_rules {
    client *client;
    const generate_flags *flags;    /* over which the keys of a line go */
    uint64_t seed;              /* of the first line; those after it count on */
    uint64_t n_tokens;          /* that all of them have written so far */
} line_text_rules;

/* Begin it: the line is answered when it ends, where there is no room for it at the moment later. The rules are borrowed.
 * On failure `f` is the line's answer. */
status line_text_begin(line_text_rules *rules, batch_line *line, const json_t *object, failure *f);

void line_text_cancel(line_text *t);            /* the line is answered, now or soon, with what there is */
void line_text_free(line_text *t);              /* no answer comes; the client's loop does not run again, or it has ended */

#endif
